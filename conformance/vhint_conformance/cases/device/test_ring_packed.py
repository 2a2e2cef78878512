"""What is particular to packed virtqueues, shown on the inflate queue."""

from __future__ import annotations

from functools import partial

import pytest

from vhint.guest import requests
from vhint.ring import PackedDriverQueue
from vhint.spans import Span
from vhint.wire import packed_vring
from vhint.wire.features import Feature
from vhint.wire.packed_vring import PackedFlag
from vhint.wire.queues import Queue
from vhint.wire.vring import Descriptor, DescriptorFlag
from vhint_conformance.bench import Bench
from vhint_conformance.case import case
from vhint_conformance.cases.raw import as_packed, ask_interrupt, put_chain, spend_id
from vhint_conformance.cases.tools import expect_interrupt, need_untouched, pfns
from vhint_conformance.variants import Rings

INFLATE = Queue.INFLATE
NEXT = DescriptorFlag.NEXT

ID_AT = 12
"""Where the id is in a descriptor."""

packed_case = partial(case, rings=[Rings.PACKED])
"""`case`, for packed rings only."""

SIZES = (1, 2, 3, 5, 100)
"""Sizes of queues, some of which no split queue can have."""


@pytest.mark.parametrize("size", SIZES)
@packed_case(
    "ring.device.packed-wraps",
    "ring.device.packed-wrap-counter",
    "ring.device.packed-use-once",
    id="ring.packed-rounds",
)
def test_rounds(bench: Bench, size: int) -> None:
    """The wrap counters of both sides change at the end of the ring, whatever its size."""
    driver = bench.start(queue_size=size)
    size = driver.rings[INFLATE].layout.size
    for _ in range(min(3 * size + 1, 120)):
        bench.exchange(requests.inflate(pfns(bench, 1)), "ring.device.packed-wrap-counter")


@pytest.mark.parametrize("size", [3, 4, 7])
@packed_case(
    "ring.device.packed-list-skipped",
    "ring.device.packed-list-in-order",
    "ring.device.packed-one-used-per-list",
    "ring.device.packed-wraps",
    "ring.device.packed-wrap-counter",
    id="ring.packed-lists",
)
def test_lists(bench: Bench, size: int) -> None:
    """Lists of several descriptors, some past the end of the ring, are used as one each."""
    driver = bench.start(queue_size=size)
    bench.need_entries(INFLATE, 3)
    ring = as_packed(driver.rings[INFLATE])
    size, first = ring.layout.size, "ring.device.packed-list-skipped"
    slug = first
    for turn in range(2 * size):
        pieces = [(), (7,), (3, 2)][turn % 3]  # numbers are cut in two: the order of bytes counts
        draft = requests.inflate(pfns(bench, 3))
        if pieces and ring.position.slot + len(pieces) + 1 >= size:
            # The counter has to change within a list.
            first, slug = "ring.device.packed-wraps", "ring.device.packed-wrap-counter"
        bench.send(draft, notify=False, readable_pieces=pieces)
        at = ring.position
        rest = [at.on(size - back, size).slot for back in range(1, len(pieces) + 1)]
        before = [bench.memory.read(descriptor(ring, slot)) for slot in rest]
        bench.notify(INFLATE)
        with bench.blaming(first, "lists of any length to be used, wherever in the ring they end"):
            bench.answer(INFLATE, slug)
        bench.require(
            before == [bench.memory.read(descriptor(ring, slot)) for slot in rest],
            "ring.device.packed-one-used-per-list",
            expected="the first descriptor of a list used, and the others left as they were",
            seen="another that was written",
            where=f"inflate queue, slots {rest}",
        )


def descriptor(ring: PackedDriverQueue, slot: int) -> Span:
    """Return where a descriptor is."""
    return Span(ring.layout.descriptor_at(slot), packed_vring.DESCRIPTOR_STRUCT.size)


@packed_case(
    "ring.device.packed-list-skipped", "ring.device.packed-use-once", id="ring.packed-full"
)
def test_full(bench: Bench) -> None:
    """A ring that is filled to its last slot is emptied, over and over."""
    driver = bench.start(queue_size=6)
    ring = driver.rings[INFLATE]
    for _ in range(5):
        sent = 0
        while ring.free:
            draft = requests.inflate(pfns(bench, 2))
            bench.send(draft, notify=False, readable_pieces=(4,) if ring.free > 1 else ())
            sent += 1
        bench.notify(INFLATE)
        for _ in range(sent):
            bench.answer(INFLATE, "ring.device.packed-list-skipped")


@packed_case(
    "ring.device.packed-list-skipped",
    id="ring.packed-table-is-one",
    features=[Feature.INDIRECT_DESC],
)
def test_table_is_one(bench: Bench) -> None:
    """A list that lies in a table takes one slot of the ring, whatever the table holds."""
    bench.start(queue_size=8)
    bench.need_entries(INFLATE, 3)
    slug = "ring.device.packed-list-skipped"
    for _ in range(20):
        draft = requests.inflate(pfns(bench, 3))
        bench.exchange(draft, slug, indirect=True, readable_pieces=(4, 4))


@packed_case("ring.device.packed-used-id", id="ring.packed-ids")
def test_ids(bench: Bench) -> None:
    """A buffer id is any 16-bit number that the driver likes, and comes back as it was."""
    driver = bench.start()
    ring = driver.rings[INFLATE]
    for name in (0xFFFF, ring.layout.size, 0x8000, 0, 0x7FFF):
        draft = requests.inflate(pfns(bench, 2))
        (place,) = driver.place(draft.readable)
        head = put_chain(ring, Descriptor(*place), at=[name])
        driver.note(draft, head, (place,), ())
        bench.memory.release(draft.blocks)
        bench.publish(INFLATE)
        bench.answer(INFLATE, "ring.device.packed-used-id")


@packed_case("ring.device.packed-used-id", id="ring.packed-ids-of-lists")
def test_ids_of_lists(bench: Bench) -> None:
    """The id of a list is that of its last descriptor; what the others say means nothing."""
    driver = bench.start()
    bench.need_entries(INFLATE, 3)
    for others, name in ((0xFFFF, 3), (0, 0x7FFF), (2, 1)):
        draft = requests.inflate(pfns(bench, 3))
        places = driver.place(draft.readable, (4, 4))
        flags = [DescriptorFlag.NEXT, DescriptorFlag.NEXT, DescriptorFlag(0)]
        parts = [Descriptor(*place, flag) for place, flag in zip(places, flags, strict=True)]
        head = put_chain(driver.rings[INFLATE], *parts, at=[others, others, name])
        driver.note(draft, head, places, ())
        bench.memory.release(draft.blocks)
        bench.publish(INFLATE)
        with bench.blaming("ring.device.packed-used-id", f"the list's id, {name:#x}"):
            bench.answer(INFLATE, "ring.device.packed-used-id")


@packed_case("ring.device.packed-use-only-available", id="ring.packed-not-available")
def test_not_available(bench: Bench) -> None:
    """A list whose first descriptor is not available yet is left alone, whatever is announced."""
    driver = bench.start()
    bench.need_entries(INFLATE, 2)
    for pieces in ((), (4,)):
        draft = requests.inflate(pfns(bench, 2))
        driver.add(draft, readable_pieces=pieces)
        bench.memory.release(draft.blocks)
        bench.notify(INFLATE)
        bench.transport.settle()
        bench.require(
            not driver.look(INFLATE, bench.recorder.last),
            "ring.device.packed-use-only-available",
            expected="a list that is not available left alone",
            seen="it used",
            where="inflate queue",
        )
        bench.publish(INFLATE)
        bench.answer(INFLATE)


@packed_case("ring.device.packed-use-only-available", id="ring.packed-used-already")
def test_used_already(bench: Bench) -> None:
    """A descriptor that has USED as well as AVAIL as they are next is none that is available."""
    driver = bench.start()
    ring = as_packed(driver.rings[INFLATE])
    for _ in range(2):
        bench.exchange(requests.inflate(pfns(bench, 1)))
    draft = requests.inflate(pfns(bench, 2))
    (place,) = driver.place(draft.readable)
    at, both = descriptor(ring, ring.position.slot), PackedFlag.AVAIL | PackedFlag.USED
    raw = packed_vring.DESCRIPTOR_STRUCT.pack(*place, 0, int(both))
    bench.memory.write(at.start, raw)
    bench.notify(INFLATE)
    bench.transport.settle()
    slug = "ring.device.packed-use-only-available"
    bench.require(
        bench.memory.read(at) == raw,
        slug,
        expected="a descriptor that is used to stay as it is",
        seen=bench.memory.read(at).hex(),
        where=f"inflate queue, slot {ring.position.slot}",
    )
    bench.observe()
    need_untouched(bench, draft.blocks, slug, "the pages that a used descriptor names discarded")
    bench.exchange(requests.inflate(pfns(bench, 1)))


@packed_case("ring.device.packed-no-change-after-used", id="ring.packed-used-stays")
def test_used_stays(bench: Bench) -> None:
    """A used descriptor stays as it is until the driver writes it."""
    driver = bench.start()
    layout = driver.rings[INFLATE].layout
    bench.need_entries(INFLATE, 8)
    spend_id(driver.rings[INFLATE], 0)  # whoever clears a descriptor would change nothing
    for _ in range(5):
        bench.exchange(requests.inflate(pfns(bench, 1)))
    used = Span(layout.descriptors, 5 * layout.descriptor_span.length // layout.size)
    before = bench.memory.read(used)
    for _ in range(2):
        bench.exchange(requests.inflate(pfns(bench, 1)))
        bench.exchange(requests.deflate(pfns(bench, 1)))
    bench.transport.settle()
    after = bench.memory.read(used)
    bench.require(
        after == before,
        "ring.device.packed-no-change-after-used",
        expected=f"used descriptors to stay {before.hex()}",
        seen=after.hex(),
        where="inflate queue, slots 0 to 4",
    )


@packed_case("ring.device.packed-reset-state", id="ring.packed-reset-in-a-round")
def test_reset_in_a_round(bench: Bench) -> None:
    """A reset in the second round, whose counters are 0, sets them to 1 again."""
    for exchanges in (3, 2, 4):
        driver = bench.start(queue_size=2)
        for _ in range(exchanges):
            bench.exchange(requests.inflate(pfns(bench, 1)), "ring.device.packed-reset-state")
        bench.observations["position"] = list(as_packed(driver.rings[INFLATE]).position)
        bench.reset()
    bench.start()
    bench.exchange(requests.inflate(pfns(bench, 1)), "ring.device.packed-reset-state")


@packed_case(
    "ring.device.packed-notifies-at-event",
    id="ring.packed-event-past-the-end",
    features=[Feature.EVENT_IDX],
)
def test_event_past_the_end(bench: Bench) -> None:
    """The descriptor that the driver names may lie in the next round of the ring."""
    driver = bench.start(queue_size=3)
    ring = driver.rings[INFLATE]
    for turn in range(9):
        ahead = min(turn % 3, ring.layout.size - 1)
        bench.transport.settle()
        bench.transport.take_interrupts()
        ask_interrupt(ring, ahead)
        for _ in range(ahead + 1):
            bench.exchange(requests.inflate(pfns(bench, 1)))
        where = f"descriptor {ahead} after {ring.used_index - ahead - 1}"
        expect_interrupt(bench, "ring.device.packed-notifies-at-event", where)


@packed_case(
    "ring.device.packed-notifies-at-event",
    id="ring.packed-event-in-a-list",
    features=[Feature.EVENT_IDX],
)
def test_event_in_a_list(bench: Bench) -> None:
    """A descriptor inside a list is passed when the list is used."""
    driver = bench.start(queue_size=4)
    ring = driver.rings[INFLATE]
    bench.need_entries(INFLATE, 3)
    for turn in range(6):
        bench.transport.settle()
        bench.transport.take_interrupts()
        ask_interrupt(ring, turn % 3)
        draft = requests.inflate(pfns(bench, 3))
        bench.exchange(draft, readable_pieces=(4, 4))
        where = f"descriptor {turn % 3} of a list of 3"
        expect_interrupt(bench, "ring.device.packed-notifies-at-event", where)


@packed_case(
    "ring.device.packed-notifies-when-enabled",
    id="ring.packed-enabled-under-event-idx",
    features=[Feature.EVENT_IDX],
)
def test_enabled_under_event_idx(bench: Bench) -> None:
    """With EVENT_IDX too, a driver whose flags say enable hears of every used buffer."""
    driver = bench.start()
    driver.rings[INFLATE].suppress_interrupts(False)
    for _ in range(4):
        bench.transport.settle()
        bench.transport.take_interrupts()
        bench.exchange(requests.inflate(pfns(bench, 1)))
        expect_interrupt(bench, "ring.device.packed-notifies-when-enabled")


MANNERS = {"event-idx": (), "flags": (Feature.EVENT_IDX,)}


@pytest.mark.parametrize("manner", MANNERS)
@packed_case(
    "ring.device.packed-event-valid",
    "ring.device.packed-fields-before-flags",
    "ring.device.packed-list-skipped",
    "ring.device.packed-no-change-after-used",
    "ring.device.packed-use-only-available",
    id="ring.packed-discipline",
)
def test_discipline(bench: Bench, manner: str) -> None:
    """Through lists of every length, on two queues, nothing is stored that is not the device's."""
    bench.start(queue_size=7, without=MANNERS[manner])
    room = bench.driver.rings[INFLATE].layout.size
    for turn in range(24):
        pieces = [(), (4,), (3, 2)][turn % 3][: room - 1]
        numbers = pfns(bench, 3)
        bench.exchange(requests.inflate(numbers), readable_pieces=pieces)
        bench.exchange(requests.deflate(numbers))
        for _ in range(bench.fitting(INFLATE, 1 + turn % 3)):
            bench.send(requests.inflate(pfns(bench, 1)), notify=False)
        bench.notify(INFLATE)
        while bench.driver.rings[INFLATE].outstanding:
            bench.answer(INFLATE)
        bench.transport.settle()
        bench.observe()
