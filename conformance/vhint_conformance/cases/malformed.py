"""Chains that break the rules, made one by one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from vhint.guest import Draft, requests
from vhint.spans import PAGE, Span
from vhint.wire.queues import Queue
from vhint.wire.vring import Descriptor, DescriptorFlag
from vhint_conformance.bench import Bench
from vhint_conformance.cases.raw import as_split, put_chain, table_bytes
from vhint_conformance.cases.tools import pfns
from vhint_conformance.verdict import NotApplicable

READ, WRITE = DescriptorFlag(0), DescriptorFlag.WRITE
NEXT, INDIRECT = DescriptorFlag.NEXT, DescriptorFlag.INDIRECT
INFLATE = Queue.INFLATE


@dataclass
class Offence:
    """A malformed chain in the making.

    `named` are the pages that a device finds if it makes sense of the chain all the same, which
    it may.
    """

    bench: Bench
    named: list[Span] = field(default_factory=list)

    def request(self) -> Span:
        """Store a small PFN array."""
        draft = requests.inflate(pfns(self.bench, 2))
        self.named.extend(draft.blocks)
        (place,) = self.bench.driver.place(draft.readable)
        return place


def put(bench: Bench, *descriptors: Descriptor) -> int:
    """Store descriptors at 0, 1, ... and make the first available."""
    bench.need_entries(INFLATE, len(descriptors))
    return put_chain(bench.driver.rings[INFLATE], *descriptors)


def need_split(bench: Bench, what: str) -> None:
    """Make the case not applicable with packed rings, which have no such thing."""
    if bench.packed:
        raise NotApplicable(f"in a packed ring there is no {what}")


def loop(offence: Offence) -> int:
    """Two descriptors that refer to each other; in a packed ring, a list of all its slots."""
    place = offence.request()
    if offence.bench.packed:
        size = offence.bench.driver.rings[INFLATE].layout.size
        endless = Descriptor(place.start, place.length, READ | NEXT)
        return put(offence.bench, *[endless] * size)
    return put(
        offence.bench,
        Descriptor(place.start, place.length, READ | NEXT, 1),
        Descriptor(place.start, place.length, READ | NEXT, 0),
    )


def self_loop(offence: Offence) -> int:
    """One descriptor that refers to itself; in a packed ring, to one that is not available."""
    place = offence.request()
    return put(offence.bench, Descriptor(place.start, place.length, READ | NEXT, 0))


def bad_next(offence: Offence) -> int:
    """Next points outside the table."""
    need_split(offence.bench, "field that names the next descriptor")
    place = offence.request()
    return put(offence.bench, Descriptor(place.start, place.length, READ | NEXT, 0xFFFF))


def bad_head(offence: Offence) -> int:
    """The head is outside the table."""
    need_split(offence.bench, "available ring with heads")
    ring = as_split(offence.bench.driver.rings[INFLATE])
    ring.put_available(ring.layout.size)
    return ring.layout.size


def zero_length(offence: Offence) -> int:
    """A buffer of no bytes."""
    return put(offence.bench, Descriptor(offence.request().start, 0, READ, 0))


def order(offence: Offence) -> int:
    """A device-readable buffer after a device-writable one."""
    place = offence.request()
    room = offence.bench.driver.make_room(64)[0]
    offence.bench.memory.release([room])
    return put(
        offence.bench,
        Descriptor(room.start, room.length, WRITE | NEXT, 1),
        Descriptor(place.start, place.length, READ, 0),
    )


def outside(offence: Offence) -> int:
    """A buffer that is not RAM at all."""
    return put(offence.bench, Descriptor(offence.bench.limits.absent, PAGE, READ, 0))


def across(offence: Offence) -> int:
    """A buffer that begins in RAM and ends behind it."""
    end = max(start + length for start, length in offence.bench.limits.ram)
    return put(offence.bench, Descriptor(end - 8, 64, READ, 0))


def wrapping(offence: Offence) -> int:
    """A buffer whose end passes 2^64."""
    return put(offence.bench, Descriptor((1 << 64) - PAGE, 2 * PAGE, READ, 0))


def table(bench: Bench, *descriptors: Descriptor) -> Span:
    """Store an indirect table."""
    return bench.driver.place(table_bytes(bench.driver.rings[INFLATE], *descriptors))[0]


def indirect_length(offence: Offence) -> int:
    """An indirect table that is not a whole number of descriptors."""
    place = offence.request()
    where = table(offence.bench, Descriptor(place.start, place.length, READ, 0))
    return put(offence.bench, Descriptor(where.start, 15, INDIRECT, 0))


def indirect_empty(offence: Offence) -> int:
    """An indirect table of no bytes."""
    return put(offence.bench, Descriptor(offence.request().start, 0, INDIRECT, 0))


def indirect_outside(offence: Offence) -> int:
    """An indirect table that is not in RAM."""
    return put(offence.bench, Descriptor(offence.bench.limits.absent, 32, INDIRECT, 0))


def indirect_nested(offence: Offence) -> int:
    """An indirect descriptor in an indirect table."""
    place = offence.request()
    inner = table(offence.bench, Descriptor(place.start, place.length, READ, 0))
    outer = table(offence.bench, Descriptor(inner.start, inner.length, INDIRECT, 0))
    return put(offence.bench, Descriptor(outer.start, outer.length, INDIRECT, 0))


def indirect_next(offence: Offence) -> int:
    """A descriptor that is both indirect and chained."""
    place = offence.request()
    where = table(offence.bench, Descriptor(place.start, place.length, READ, 0))
    return put(
        offence.bench,
        Descriptor(where.start, where.length, INDIRECT | NEXT, 1),
        Descriptor(place.start, place.length, READ, 0),
    )


MALFORMED: dict[str, tuple[Callable[[Offence], int], str]] = {
    "loop": (loop, "loop"),
    "self-loop": (self_loop, "loop"),
    "head-outside": (bad_head, "head"),
    "next-outside": (bad_next, "next"),
    "zero-length": (zero_length, "zero-length"),
    "readable-after-writable": (order, "readable-after-writable"),
    "buffer-outside": (outside, "region"),
    "buffer-across-the-end": (across, "region"),
    "buffer-past-2-64": (wrapping, "region"),
    "indirect-length": (indirect_length, "indirect-length"),
    "indirect-empty": (indirect_empty, "indirect-length"),
    "indirect-outside": (indirect_outside, "region"),
    "indirect-nested": (indirect_nested, "indirect-nested"),
    "indirect-next": (indirect_next, "indirect-next"),
}
"""What is wrong, to a function that makes it so and the requirement's middle part."""


def unusable(bench: Bench) -> str:
    """Return what breaks a queue so that no device can go on with it."""
    return "loop" if bench.packed else "next-outside"


def offer(bench: Bench, kind: str) -> None:
    """Make a malformed chain available."""
    offence = Offence(bench)
    head = MALFORMED[kind][0](offence)
    bench.memory.release(offence.named)
    bench.driver.note(Draft(INFLATE, blocks=tuple(offence.named)), head, (), (), valid=False)
    bench.publish(INFLATE)
