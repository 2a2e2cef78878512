"""Split virtqueues as a device must serve them, shown on the inflate queue."""

from __future__ import annotations

from itertools import product

import pytest

from vhint.guest import Draft, requests
from vhint.spans import Span, block
from vhint.wire.features import Feature
from vhint.wire.queues import Queue
from vhint.wire.vring import Descriptor, DescriptorFlag
from vhint_conformance.bench import Bench
from vhint_conformance.case import case
from vhint_conformance.cases.hint_drafts import ACCEPTED, draft_of, expect
from vhint_conformance.cases.hinting import acknowledge
from vhint_conformance.cases.raw import ask_interrupt, put_chain
from vhint_conformance.cases.tools import need_untouched, pfns
from vhint_conformance.variants import Rings
from vhint_conformance.verdict import NotApplicable

INFLATE = Queue.INFLATE


HIGH_BITS = (32, 40, 63)
"""Bits of an address that a device may have lost."""


@case(
    "ring.device.drains-available",
    "ring.device.used-idx-counts-chains",
    id="ring.one-kick-for-many",
)
def test_one_kick(bench: Bench) -> None:
    """All chains that are available are taken after one notification."""
    bench.start()
    many = bench.fitting(INFLATE, 50)
    for _ in range(many):
        bench.send(requests.inflate(pfns(bench, 1)), notify=False)
    bench.notify(INFLATE)
    for _ in range(many):
        bench.answer(INFLATE, "ring.device.drains-available")


@case("ring.device.drains-available", id="ring.suppressed-kicks")
def test_suppressed_kicks(bench: Bench) -> None:
    """A driver that notifies only when the device asks for it loses no chain."""
    bench.start()
    for number in range(200):
        if number % 10 == 0:
            bench.transport.settle()  # so that it is not just looking at the ring anyhow
        bench.exchange(requests.inflate(pfns(bench, 1)), "ring.device.drains-available")


@case("ring.device.drains-available", id="ring.suppressed-kicks-by-flag")
def test_suppressed_kicks_by_flag(bench: Bench) -> None:
    """The same without EVENT_IDX, where the flag NO_NOTIFY is all that counts."""
    bench.start(without=[Feature.EVENT_IDX])
    for _ in range(20):
        bench.transport.settle()
        bench.exchange(requests.inflate(pfns(bench, 1)), "ring.device.drains-available")


@pytest.mark.parametrize("event_idx", [True, False], ids=["event-idx", "flag"])
@case(
    "ring.device.recheck-after-enabling",
    "ring.device.drains-available",
    id="ring.kick-races-sleep",
)
def test_race_with_sleep(bench: Bench, event_idx: bool) -> None:
    """A chain that becomes available while the device goes to sleep, and no kick is due, is seen.

    Where the device can be stepped the chain comes between any two of its steps; elsewhere at many
    times, from the use of the chain before it on among them.
    """
    slug = "ring.device.recheck-after-enabling"
    bench.start(without=[] if event_idx else [Feature.EVENT_IDX])
    bench.need_entries(INFLATE, 2)
    for turns, used in product(range(12), (False, True)):
        bench.transport.settle()
        bench.send(requests.inflate(pfns(bench, 1)))
        if used and not bench.waits(INFLATE):
            bench.silent(INFLATE, slug)
        bench.let_run(turns // 3 if used else turns)
        bench.send(requests.inflate(pfns(bench, 1)))  # notified only if the device asks for it
        for _ in range(2):
            bench.answer(INFLATE, slug)


@case("ring.device.spurious-kick", id="ring.spurious-kicks")
def test_spurious(bench: Bench) -> None:
    """Notifications with nothing new do no harm."""
    driver = bench.start()
    for _ in range(2):
        for queue in driver.rings:
            for _ in range(5):
                bench.notify(queue)
        bench.transport.settle()  # the second time they come to a device that is at rest
    bench.exchange(requests.inflate(pfns(bench, 1)), "ring.device.spurious-kick")
    bench.require(
        driver.rings[INFLATE].used_index == 1,
        "ring.device.used-idx-counts-chains",
        expected="a used index of 1 after one chain",
        seen=str(driver.rings[INFLATE].used_index),
    )


@case("ring.device.used-id-is-head", "ring.device.use-only-available", id="ring.heads")
def test_heads(bench: Bench) -> None:
    """Used ids are heads of chains, whatever descriptors the chains are made of."""
    driver = bench.start()
    ring = driver.rings[INFLATE]
    bench.need_entries(INFLATE, 2)
    size = ring.layout.size
    for wanted, other in ((7, 3), (0, 9), (20, 1), (4, 5)):
        head = wanted % size
        second = other % size if other % size != head else (head + 1) % size
        draft = requests.inflate(pfns(bench, 2))
        first, rest = driver.place(draft.readable, (4,))
        name = put_chain(
            ring,
            Descriptor(first.start, first.length, DescriptorFlag.NEXT, second),
            Descriptor(rest.start, rest.length, DescriptorFlag(0), 0),
            at=[head] if bench.packed else (head, second),
        )
        driver.note(draft, name, (first, rest), ())
        bench.memory.release(draft.blocks)
        bench.publish(INFLATE)
        bench.answer(INFLATE)


@case(
    "ring.device.framing-independent",
    "hint.device.any-fragmentation",
    id="hint.chain-through-zero",
    features=[Feature.HINTING],
    rings=[Rings.SPLIT],
)
def test_through_zero(bench: Bench) -> None:
    """A chain may go on at descriptor 0, and back and forth: NEXT alone says where it ends."""
    driver = bench.start()
    bench.need_entries(Queue.HINTING, 8)
    draft = draft_of(bench, "pfn")
    readable = driver.place(draft.readable, (16, 4))
    room = driver.make_room(draft.room)
    places = (5, 0, 7, 2)
    flags = [*[DescriptorFlag.NEXT] * 3, DescriptorFlag.WRITE]
    parts = [
        Descriptor(*span, flag, after)
        for span, flag, after in zip((*readable, *room), flags, (*places[1:], 0), strict=True)
    ]
    head = put_chain(driver.rings[Queue.HINTING], *parts, at=places)
    driver.note(draft, head, readable, room)
    bench.memory.release([*draft.blocks, *room])
    bench.publish(Queue.HINTING)
    slug = "ring.device.framing-independent"
    with bench.blaming(slug, "the whole of a chain that goes through descriptor 0"):
        answer = bench.answer(Queue.HINTING, slug, reuse=False)
        expect(bench, acknowledge(bench, answer), slug, *ACCEPTED)


@case("ring.device.address-64-bit", id="ring.address-64-bit")
def test_wide_address(bench: Bench) -> None:
    """A buffer far above RAM is not taken for the one whose address has the same lower bits."""
    fates = []
    for bit in HIGH_BITS:
        driver = bench.start()
        draft = requests.inflate(pfns(bench, 4))
        (place,) = driver.place(draft.readable)
        ring = driver.rings[INFLATE]
        head = put_chain(ring, Descriptor(place.start + (1 << bit), place.length))
        driver.note(Draft(INFLATE), head, (), (), valid=False)
        bench.publish(INFLATE)
        fates.append(bench.fate(INFLATE))
        # The pages were never given.
        seen = f"the pages that the buffer 2^{bit} bytes lower names discarded"
        need_untouched(bench, draft.blocks, "ring.device.address-64-bit", seen)
        bench.reset()
    bench.observations["fates"] = fates


@case("ring.device.address-64-bit", id="ring.address-above-4g")
def test_high_address(bench: Bench) -> None:
    """A buffer above 4 GiB is not taken for the one whose address has the same lower 32 bits."""
    driver = bench.start()
    named, decoy = requests.inflate(pfns(bench, 4)), requests.inflate(pfns(bench, 4))
    (place,) = driver.place(named.readable)
    low = place.start % (1 << 32)
    watched = [Span(*each) for each in bench.limits.bystanders]
    if low == place.start or not any(each.covers(Span(low, place.length)) for each in watched):
        raise NotApplicable("the target has no watched memory below and above 4 GiB")
    bench.memory.write(low, decoy.readable)
    head = put_chain(driver.rings[INFLATE], Descriptor(place.start, place.length))
    driver.note(named, head, (place,), ())
    bench.memory.release(named.blocks)
    bench.publish(INFLATE)
    bench.answer(INFLATE)
    seen = "the pages that the buffer 4 GiB lower names discarded"
    need_untouched(bench, decoy.blocks, "ring.device.address-64-bit", seen)


@case(
    "ring.device.readable-never-written",
    "ring.device.descriptor-table-never-written",
    "ring.device.avail-ring-never-written",
    "ring.device.writes-within-buffers",
    id="ring.writes-nowhere-else",
)
def test_writes(bench: Bench) -> None:
    """Long traffic leaves descriptors, available ring, requests and all other memory as written."""
    driver = bench.start()
    for _ in range(30):
        if Feature.EVENT_IDX in driver.negotiated.accepted:
            ask_interrupt(driver.rings[INFLATE])  # which is the driver's to take back as well
        numbers = pfns(bench, 8)
        bench.exchange(requests.inflate(numbers))
        bench.exchange(requests.deflate(numbers))
        bench.touch([block(page) for page in numbers])
