"""Queues of every size: filled to the last descriptor, and one chain as long as the queue."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from vhint.guest import Draft, requests
from vhint.spans import PAGE, Span, intersect
from vhint.wire import vring
from vhint.wire.features import Features
from vhint.wire.queues import QUEUE_FEATURE, Queue
from vhint.wire.vring import Descriptor, DescriptorFlag
from vhint_conformance.bench import DEFAULT, Bench, Fate
from vhint_conformance.case import Capability, case
from vhint_conformance.cases.laps import QUEUES, PackedLaps, SplitLaps
from vhint_conformance.cases.raw import as_split, put_chain
from vhint_conformance.cases.tools import need_untouched, not_silent, pfns
from vhint_conformance.variants import Rings
from vhint_conformance.verdict import Failed, NotApplicable, Violation

INFLATE, REPORTING = Queue.INFLATE, Queue.REPORTING
READ, NEXT = DescriptorFlag(0), DescriptorFlag.NEXT
SIZES = (1, 2, 32, 256, 1024)
PACKED_SIZES = (3, 7, 33)
"""Sizes that no split queue has."""
ENTRY = vring.USED_ELEMENT_STRUCT.size


def sized(bench: Bench, size: int) -> None:
    """Start with queues of that size; not applicable if the target's are shorter."""
    driver = bench.start(queue_size=size)
    short = {str(q): r.layout.size for q, r in driver.rings.items() if r.layout.size < size}
    if len(short) == len(driver.rings):
        raise NotApplicable(f"the target's queues are shorter than {size}: {short}")
    bench.observations["shorter"] = short


@pytest.mark.parametrize("size", SIZES)
@case(
    "virtio.device.smaller-queue-size-honoured",
    "ring.device.drains-available",
    "ring.device.use-chain-once",
    "ring.device.slot-modulo-queue-size",
    id="ring.full-queue",
)
def test_full(bench: Bench, size: int) -> None:
    """A queue is filled to its last descriptor, emptied after one notification, and filled anew."""
    sized(bench, size)
    queue = REPORTING if REPORTING in bench.driver.rings else INFLATE
    count = bench.driver.rings[queue].layout.size
    (whole,) = bench.blocks(1, (count - 1).bit_length())
    every = [Span(number * PAGE, PAGE) for number in whole.pages()][:count]
    with entries_within(bench):
        for _ in range(2):
            for page in every:
                bench.send(draft_of(queue, [page]), notify=False)
            bench.notify(queue)
            drain(bench, queue, count)
            if queue is INFLATE:
                bench.exchange(requests.deflate([page.start // PAGE for page in every]))
            bench.touch(every)


@contextmanager
def entries_within(bench: Bench) -> Iterator[None]:
    """Fail, whatever else went wrong, if there is a used entry where a longer queue has one."""
    failed: tuple[Violation, ...] = ()
    try:
        yield
    except Failed as failure:
        failed = failure.violations
    behind = intersect(bench.memory.changes(), room_of_longer(bench))
    if behind:
        own = Violation(
            "ring.device.slot-modulo-queue-size",
            "used entries at positions below the size that the driver chose",
            f"{sum(span.length for span in behind)} bytes changed behind a used ring",
            str(behind[0]),
        )
        failed = (own, *failed)
    if failed:
        raise Failed(failed)


def room_of_longer(bench: Bench) -> list[Span]:
    """Return where each used ring would go on if the queue were as long as the device can have."""
    if bench.packed or Capability.SHOWS_QUEUE_SIZES not in bench.session.capabilities:
        return []
    room = []
    for queue, ring in bench.driver.rings.items():
        longest = bench.transport.queue_max(bench.driver.negotiated.queues[queue].index)
        layout = as_split(ring).layout
        end = layout.used_span.end
        room.append(Span(end, max(0, layout.used_entry_at(0) + longest * ENTRY - end)))
    return room


@pytest.mark.parametrize("size", SIZES)
@case(
    "virtio.device.smaller-queue-size-honoured",
    "reporting.device.use-every-buffer",
    "ring.device.framing-independent",
    id="ring.longest-chain",
)
def test_longest(bench: Bench, size: int) -> None:
    """One chain may have as many descriptors as its queue, or the device says that it cannot.

    A device that takes a part of a chain has not understood it; one that takes none may have
    limits.
    """
    sized(bench, size)
    count = bench.driver.rings[INFLATE].layout.size
    draft = requests.inflate(pfns(bench, -(-count // 4)))
    (place,) = bench.driver.place(draft.readable)
    pieces = [Span(place.start + at, 1) for at in range(count - 1)]
    pieces.append(Span(place.start + count - 1, place.length - count + 1))
    head = bench.driver.rings[INFLATE].add(pieces, ())
    bench.driver.note(draft, head, tuple(pieces), ())
    bench.memory.release(draft.blocks)
    bench.publish(INFLATE)
    # A device may limit, within reason, how many descriptors it takes.
    fate = not_silent(bench, INFLATE, "virtio.device.smaller-queue-size-honoured")
    if fate is Fate.USED:
        bench.answer(INFLATE)
        expect_whole(bench, draft)
    else:
        bench.reset()
        bench.start(queue_size=size)
    if REPORTING in bench.driver.rings:
        count = bench.driver.rings[REPORTING].layout.size
        (whole,) = bench.blocks(1, (count - 1).bit_length())
        pages = [Span(number * PAGE, PAGE) for number in whole.pages()][:count]
        bench.exchange(requests.report(pages))
    bench.exchange(requests.inflate(pfns(bench, 1)))


def expect_whole(bench: Bench, draft: Draft) -> None:
    """Fail if a part of the pages went, and all of as many that are named in one buffer."""
    gone = intersect(draft.blocks, bench.memory.known_holes)
    plain = requests.inflate(pfns(bench, len(draft.blocks)))
    bench.exchange(plain)
    usual = intersect(plain.blocks, bench.memory.known_holes)
    bench.require(
        not gone or len(gone) == len(draft.blocks) or len(usual) < len(plain.blocks),
        "ring.device.framing-independent",
        expected=f"{len(draft.blocks)} pages discarded, as when they are named in one buffer",
        seen=f"{len(gone)}",
    )


@pytest.mark.parametrize("size", [256, 512, 1024])
@case("ring.device.framing-independent", id="ring.far-descriptors", rings=[Rings.SPLIT])
def test_far_descriptors(bench: Bench, size: int) -> None:
    """A chain may lie anywhere in a long table; what lies elsewhere is no part of it."""
    sized(bench, size)
    ring = as_split(bench.driver.rings[INFLATE])
    size, slug = ring.layout.size, "ring.device.framing-independent"
    for places in ((size - 1, size // 2 + 1, 3), (2, size - 2, size // 2)):
        draft, decoy = requests.inflate(pfns(bench, 3)), requests.inflate(pfns(bench, 1))
        pieces = bench.driver.place(draft.readable, (4, 4))
        (other,) = bench.driver.place(decoy.readable)
        for place in {each % least for each in places for least in (128, 256, 512)} - {*places}:
            ring.put_descriptor(place, Descriptor(*other))
        parts = [
            Descriptor(*piece, NEXT if after else READ, after)
            for piece, after in zip(pieces, (*places[1:], 0), strict=True)
        ]
        head = put_chain(ring, *parts, at=places)
        bench.driver.note(draft, head, pieces, ())
        bench.memory.release(draft.blocks)
        bench.publish(INFLATE)
        with bench.blaming(slug, f"the chain of descriptors {places}, and nothing else"):
            bench.answer(INFLATE, slug)
        need_untouched(bench, decoy.blocks, slug, "the page of another descriptor discarded")
        expect_whole(bench, draft)


@pytest.mark.parametrize("queue", QUEUES, ids=str)
@case(
    "virtio.device.smaller-queue-size-honoured",
    "ring.device.drains-available",
    "ring.device.slot-modulo-queue-size",
    id="ring.full-queue-each",
    buses=False,
)
def test_full_each(bench: Bench, queue: Queue) -> None:
    """Each queue is filled to its last descriptor and emptied, over and over, in every size."""
    feature = QUEUE_FEATURE[queue]
    if feature is not None and feature not in bench.offered:
        raise NotApplicable(f"{feature.name} is not offered")
    wanted = DEFAULT if feature is None else DEFAULT | Features.of(feature)
    kind = PackedLaps if bench.packed else SplitLaps
    seen: list[int] = []
    for size in (*SIZES, *PACKED_SIZES) if bench.packed else SIZES:
        driver = bench.start(accept=wanted, queue_size=size)
        found = driver.rings[queue].layout.size
        if found not in seen and found >= (2 if queue is Queue.HINTING else 1):
            laps = kind(bench, queue, "ring.device.drains-available", indirect=False)
            for _ in range(3):
                laps.run()
            seen.append(found)
        bench.reset()
    bench.observations["sizes"] = seen


def drain(bench: Bench, queue: Queue, count: int) -> None:
    """Take so many answers, and look at memory once, after the last."""
    for _ in range(count):
        if not bench.waits(queue):
            bench.silent(queue, "ring.device.drains-available")
        if bench.driver.collect(queue) is None:
            bench.silent(queue, "ring.device.drains-available")
    bench.observe()


def draft_of(queue: Queue, pages: list[Span]) -> Draft:
    """Return a request for these pages on one of the queues that take pages."""
    if queue is REPORTING:
        return requests.report(pages)
    return requests.inflate([page.start // PAGE for page in pages])
