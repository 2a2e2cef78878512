"""Chains that mean harm, for any queue, each as the descriptors that it is made of.

`malformed` has the chains that the standard forbids one by one, on the inflate queue.  These here
are put on every queue, and judged by what must hold of any: nothing is touched that they do not
name, the device recovers by a reset, and what it does in between it does in time.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from vhint.guest import Draft, requests
from vhint.spans import PAGE, Span
from vhint.wire.queues import Queue
from vhint.wire.statistics import Statistic, StatisticTag
from vhint.wire.vring import Descriptor, DescriptorFlag
from vhint_conformance.bench import Bench, Fate
from vhint_conformance.cases.hint_drafts import entries, lowest
from vhint_conformance.cases.raw import put_chain, table_bytes
from vhint_conformance.cases.tools import pfns

READ, WRITE = DescriptorFlag(0), DescriptorFlag.WRITE
NEXT, INDIRECT = DescriptorFlag.NEXT, DescriptorFlag.INDIRECT
UNKNOWN = DescriptorFlag(0x40)

QUEUES = (Queue.INFLATE, Queue.DEFLATE, Queue.STATS, Queue.REPORTING, Queue.HINTING)
SHORT = 0.25
"""Seconds in which a device that answers a hostile chain at all has answered it."""


@dataclass
class Parts:
    """What hostile chains are made of on one queue: a sound message, and places that are none."""

    bench: Bench
    queue: Queue
    named: list[Span] = field(default_factory=list)
    writable: list[Span] = field(default_factory=list)

    def message(self) -> Draft:
        """Return a small sound message of the queue."""
        match self.queue:
            case Queue.INFLATE:
                return requests.inflate(pfns(self.bench, 2))
            case Queue.DEFLATE:
                return requests.deflate(pfns(self.bench, 2))
            case Queue.STATS:
                return requests.give_statistics([Statistic(StatisticTag.MEMFREE, 1)])
            case Queue.REPORTING:
                return requests.report(self.bench.blocks(1))
            case _:
                blocks = self.bench.blocks(1, lowest(self.bench))
                return requests.hint_blocks(0xBAD, entries(blocks))

    def good(self, flags: DescriptorFlag = READ, after: int = 0) -> Descriptor:
        """Return a descriptor of a sound buffer of the queue, with more flags."""
        draft = self.message()
        if self.queue is not Queue.DEFLATE:
            self.named.extend(draft.blocks)
        if draft.pages_are_buffers:
            (place,) = draft.blocks
            return Descriptor(place.start, place.length, WRITE | flags, after)
        (place,) = self.bench.driver.place(draft.readable)
        return Descriptor(place.start, place.length, flags, after)

    def room(self, flags: DescriptorFlag = READ, after: int = 0, size: int = 64) -> Descriptor:
        """Return a descriptor of device-writable bytes that no message of the queue needs."""
        (place,) = self.bench.driver.make_room(size)
        self.writable.append(place)
        return Descriptor(place.start, place.length, WRITE | flags, after)

    def table(self, *descriptors: Descriptor) -> Span:
        """Store an indirect table."""
        raw = table_bytes(self.bench.driver.rings[self.queue], *descriptors)
        return self.bench.driver.place(raw)[0]

    def indirect(
        self, *descriptors: Descriptor, flags: DescriptorFlag = READ, after: int = 0
    ) -> Descriptor:
        """Return a descriptor of an indirect table."""
        place = self.table(*descriptors)
        return Descriptor(place.start, place.length, INDIRECT | flags, after)

    def junk(self, flags: DescriptorFlag = READ, after: int = 0) -> Descriptor:
        """Return a descriptor of device-readable bytes that are no message."""
        (place,) = self.bench.driver.place(b"\5" * 64)
        return Descriptor(place.start, place.length, flags, after)

    def bare(self, length: int, flags: DescriptorFlag = READ, after: int = 0) -> Descriptor:
        """Return a descriptor of a sound message with another length, and without its direction."""
        return Descriptor(self.good().addr, length, flags, after)

    def self_referring(self) -> Descriptor:
        """Return an indirect descriptor whose table holds a descriptor of that very table."""
        place = self.table(self.good())
        itself = Descriptor(place.start, place.length, INDIRECT, 0)
        raw = table_bytes(self.bench.driver.rings[self.queue], itself)
        self.bench.memory.write(place.start, raw)
        return Descriptor(place.start, place.length, INDIRECT, 0)

    @property
    def absent(self) -> int:
        """An address that is neither RAM nor device."""
        return self.bench.limits.absent

    @property
    def end(self) -> int:
        """The first address behind RAM."""
        return max(start + length for start, length in self.bench.limits.ram)

    @property
    def size(self) -> int:
        """The length of the queue."""
        return self.bench.driver.rings[self.queue].layout.size

    def ring_part(self, name: str) -> Span:
        """Return where a part of the queue itself lies."""
        layout = self.bench.driver.rings[self.queue].layout
        found: Span = getattr(layout, f"{name}_span")
        return found


def at(start: int, length: int, flags: DescriptorFlag = READ, after: int = 0) -> Descriptor:
    """Return a descriptor of any buffer."""
    return Descriptor(start, length, flags, after)


CHAINS: dict[str, Callable[[Parts], list[Descriptor]]] = {
    "loop": lambda p: [p.good(NEXT, 1), p.good(NEXT, 0)],
    "late-loop": lambda p: [p.good(NEXT, 1), p.good(NEXT, 2), p.good(NEXT, 1)],
    "next-outside": lambda p: [p.good(NEXT, 0xFFFF)],
    "next-at-size": lambda p: [p.good(NEXT, p.size)],
    "zero-length": lambda p: [p.bare(0)],
    "zero-length-within": lambda p: [p.good(NEXT, 1), p.bare(0, NEXT, 2), p.good()],
    "readable-after-writable": lambda p: [p.room(NEXT, 1), p.junk()],
    "readable-absent": lambda p: [at(p.absent, PAGE)],
    "writable-absent": lambda p: [at(p.absent, PAGE, WRITE)],
    "writable-across-the-end": lambda p: [at(p.end - 8, 64, WRITE)],
    "absent-behind-good": lambda p: [p.good(NEXT, 1), at(p.absent, PAGE, WRITE)],
    "two-absent": lambda p: [at(p.absent, PAGE, WRITE | NEXT, 1), at(p.absent, PAGE, WRITE)],
    "past-2-64": lambda _: [at((1 << 64) - PAGE, 2 * PAGE, WRITE)],
    "four-gigabytes": lambda p: [p.bare(0xFFFFFFFF)],
    "four-gigabytes-twice": lambda p: [p.bare(0xFFFFFFFF, NEXT, 1), p.bare(0xFFFFFFFF)],
    "unknown-flags": lambda p: [p.good(UNKNOWN)],
    "next-of-the-last": lambda p: [p.good(READ, 0xFFFF)],
    "readable-in-place-of-writable": lambda p: [p.junk()],
    "writable-in-place-of-readable": lambda p: [p.room()],
    "one-byte": lambda p: [p.bare(1)],
    "one-writable-byte": lambda p: [p.room(size=1)],
    "indirect-nested": lambda p: [p.indirect(p.indirect(p.good()))],
    "indirect-of-itself": lambda p: [p.self_referring()],
    "indirect-empty": lambda p: [p.bare(0, INDIRECT)],
    "indirect-odd-length": lambda p: [at(p.table(p.good()).start, 15, INDIRECT)],
    "indirect-absent": lambda p: [at(p.absent, 32, INDIRECT)],
    "indirect-huge": lambda p: [at(p.table(p.good()).start, 0xFFFFFFF0, INDIRECT)],
    "indirect-next": lambda p: [p.indirect(p.good(), flags=NEXT, after=1), p.good()],
    "indirect-next-outside": lambda p: [p.indirect(p.good(NEXT, 7))],
    "indirect-loop": lambda p: [p.indirect(p.good(NEXT, 1), p.good(NEXT, 0))],
}
"""What is wrong, to the descriptors from number 0 on that make it so.

In a packed ring the next descriptor is the next slot: what leads astray leads to one that is not
available.
"""


FAMILIES: dict[str, tuple[str, ...]] = {
    "links": tuple(kind for kind in CHAINS if "loop" in kind or "next" in kind),
    "memory": tuple(k for k in CHAINS if "absent" in k or "across" in k or "past" in k),
    "lengths": tuple(k for k in CHAINS if "zero" in k or "four" in k or "one-" in k),
    "directions": tuple(k for k in CHAINS if "able-" in k and "absent" not in k),
    "tables": tuple(kind for kind in CHAINS if kind.startswith("indirect")),
    "flags": ("unknown-flags",),
}
"""The chains by what is wrong with them; some are in two families."""


ANSWERED: dict[str, str] = {
    "loop": "loop",
    "late-loop": "loop",
    "indirect-loop": "loop",
    "next-outside": "next",
    "next-at-size": "next",
    "indirect-next-outside": "next",
    "zero-length": "zero-length",
    "zero-length-within": "zero-length",
    "readable-after-writable": "readable-after-writable",
    "readable-absent": "region",
    "writable-absent": "region",
    "writable-across-the-end": "region",
    "absent-behind-good": "region",
    "two-absent": "region",
    "past-2-64": "region",
    "four-gigabytes": "region",
    "four-gigabytes-twice": "region",
    "indirect-absent": "region",
    "indirect-nested": "indirect-nested",
    "indirect-of-itself": "indirect-nested",
    "indirect-empty": "indirect-length",
    "indirect-odd-length": "indirect-length",
    "indirect-next": "indirect-next",
}
"""The chains that a device should answer, to the middle part of the requirement that says so."""


def answered_slug(kind: str) -> str | None:
    """Return the requirement that such a chain is used or answered by DEVICE_NEEDS_RESET."""
    middle = ANSWERED.get(kind)
    return f"ring.device.malformed-{middle}-answered" if middle else None


def offer(bench: Bench, queue: Queue, kind: str, *, notify: bool = True) -> bool:
    """Make a hostile chain available; return False if the queue is too short for it."""
    parts = Parts(bench, queue)
    descriptors = CHAINS[kind](parts)
    ring = bench.driver.rings[queue]
    if ring.free < len(descriptors) or ring.layout.size < 4:
        return False
    head = put_chain(ring, *descriptors)
    bench.memory.release([*parts.named, *parts.writable])
    draft = Draft(queue, blocks=tuple(parts.named))
    bench.driver.note(draft, head, (), tuple(parts.writable), valid=False)
    bench.publish(queue, notify=notify)
    return True


def fate_of(bench: Bench, queue: Queue) -> Fate:
    """Return what became of a hostile chain, and take note of it.

    On the statistics queue nobody waits for it: a buffer may be held there.
    """
    if queue is Queue.STATS:
        bench.transport.settle()
    fate = bench.fate(queue, 0 if queue is Queue.STATS else SHORT)
    fates = bench.observations.setdefault("fates", {})
    fates.setdefault(bench.observations["chain"], {})[str(queue)] = str(fate)
    return fate
