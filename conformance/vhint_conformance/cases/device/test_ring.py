"""Split virtqueues as a device must serve them, shown on the inflate queue."""

from __future__ import annotations

import time
from functools import partial

from vhint.guest import Draft, requests
from vhint.ring import SplitDriverQueue
from vhint.ring.memory import GuestMemory
from vhint.spans import Span, block
from vhint.wire import vring
from vhint.wire.features import Feature
from vhint.wire.queues import Queue
from vhint.wire.vring import Descriptor, DescriptorFlag
from vhint_conformance.bench import Bench
from vhint_conformance.case import case
from vhint_conformance.cases.raw import as_split, put_chain
from vhint_conformance.cases.tools import expect_interrupt, need_untouched, pfns
from vhint_conformance.variants import Rings
from vhint_conformance.verdict import NotApplicable

INFLATE = Queue.INFLATE


HIGH_BITS = (32, 40, 63)
"""Bits of an address that a device may have lost."""

WRAP_SECONDS = 30
"""How long the 65536 chains may take without which no index wraps."""


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


@case("ring.device.spurious-kick", id="ring.spurious-kicks")
def test_spurious(bench: Bench) -> None:
    """Notifications with nothing new do no harm."""
    driver = bench.start()
    for queue in driver.rings:
        for _ in range(5):
            bench.notify(queue)
    bench.transport.settle()
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
        put_chain(
            ring,
            Descriptor(first.start, first.length, DescriptorFlag.NEXT, second),
            Descriptor(rest.start, rest.length, DescriptorFlag(0), 0),
            at=(head, second),
        )
        driver.note(draft, head, (first, rest), ())
        bench.memory.release(draft.blocks)
        bench.publish(INFLATE)
        bench.answer(INFLATE)


@case(
    "ring.device.idx-wrap",
    "ring.device.slot-modulo-queue-size",
    "ring.device.event-idx-notifies",
    id="ring.index-wrap",
    rings=[Rings.SPLIT],
)
def test_wrap(bench: Bench) -> None:
    """The queue goes on when its 16-bit indices pass 65535."""
    driver = bench.start(queue_size=128)
    ring = as_split(driver.rings[Queue.DEFLATE])
    bench.unwatched.add(Queue.DEFLATE)
    size = ring.layout.size
    (buffer,) = driver.place(requests.deflate(pfns(bench, 1)).readable)
    # Every descriptor is a chain of its own, and stays one: only the index moves on.
    for head in range(size):
        ring.claim(head)
        ring.put_descriptor(head, Descriptor(buffer.start, buffer.length, DescriptorFlag(0), 0))
        ring.put_available(head)
    entry = vring.USED_ELEMENT_STRUCT
    elements = Span(ring.layout.used_entry_at(0), size * entry.size)
    begun = time.monotonic()
    for done in range(size, (1 << 16) + 3 * size, size):
        if time.monotonic() > begun + WRAP_SECONDS:
            raise NotApplicable(f"too slow to see a wrap: {done} chains in {WRAP_SECONDS} s")
        index = done & 0xFFFF
        if ring.event_idx and index == 0:  # this round's last entry is the one before the wrap
            ring.put_used_event(0xFFFF)
            bench.transport.take_interrupts()
        GuestMemory.write(bench.memory, elements.start, b"\xff" * elements.length)
        bench.memory.store16(ring.layout.available_index_at, index)
        bench.notify(Queue.DEFLATE)
        came = bench.transport.wait(partial(used_index_is, ring, index), bench.limits.patience)
        bench.require(
            came,
            "ring.device.idx-wrap" if done > 0x7FFF else "ring.device.slot-modulo-queue-size",
            expected=f"a used index of {index} after {done} chains",
            seen=str(ring.used_index),
        )
        heads = sorted(head for head, _ in entry.iter_unpack(bench.memory.read(elements)))
        bench.require(
            heads == list(range(size)),
            "ring.device.slot-modulo-queue-size",
            expected="each head once in each round of the used ring",
            seen=f"{len(set(heads))} different heads",
            where=f"after {done} chains",
        )
        if ring.event_idx and index == 0:
            expect_interrupt(bench, "ring.device.event-idx-notifies", "entry 65535")


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
    bench.start()
    for _ in range(30):
        numbers = pfns(bench, 8)
        bench.exchange(requests.inflate(numbers))
        bench.exchange(requests.deflate(numbers))
        bench.touch([block(page) for page in numbers])


def used_index_is(ring: SplitDriverQueue, index: int) -> bool:
    """Whether the used index has come to `index`."""
    return ring.used_index == index
