"""Chains written by hand, into rings of either format."""

from __future__ import annotations

from collections.abc import Sequence

from vhint.ring import DriverRing, PackedDriverQueue, SplitDriverQueue
from vhint.wire import packed_vring, vring
from vhint.wire.packed_vring import PackedDescriptor
from vhint.wire.vring import Descriptor


def put_chain(ring: DriverRing, *descriptors: Descriptor, at: Sequence[int] = ()) -> int:
    """Add a chain as it is written; return its id.  `publish` makes it available.

    In a split ring the descriptors go to the places `at` (default: 0, 1, ...) and the first is the
    head.  In a packed one they follow each other, `next` means nothing, and `at` are their ids,
    of which the last is the list's; one id stands for all.
    """
    if isinstance(ring, PackedDriverQueue):
        ids = at if len(at) == len(descriptors) else [at[0] if at else 0] * len(descriptors)
        return ring.add_raw(*map(_packed, descriptors, ids))
    split = as_split(ring)
    places = at or range(len(descriptors))
    head = split.claim(*places)
    for place, descriptor in zip(places, descriptors, strict=True):
        split.put_descriptor(place, descriptor)
    split.put_available(head)
    return head


def table_bytes(ring: DriverRing, *descriptors: Descriptor) -> bytes:
    """Return an indirect table in the format of a ring."""
    if isinstance(ring, PackedDriverQueue):
        packed = [_packed(each, 0) for each in descriptors]
        entries = [(each.addr, each.len, each.id, each.flags) for each in packed]
        return b"".join(packed_vring.DESCRIPTOR_STRUCT.pack(*entry) for entry in entries)
    return b"".join(
        vring.DESCRIPTOR_STRUCT.pack(each.addr, each.len, each.flags, each.next)
        for each in descriptors
    )


def spend_id(ring: DriverRing, name: int) -> None:
    """Keep the ring from using an id."""
    if isinstance(ring, PackedDriverQueue):
        ring.spend(name)
    else:
        as_split(ring).claim(name)


def ask_interrupt(ring: DriverRing, ahead: int = 0) -> None:
    """Under EVENT_IDX, ask for a notification of the used descriptor so many after the next."""
    if isinstance(ring, PackedDriverQueue):
        ring.ask_interrupt_at(ring.used_position.on(ahead, ring.layout.size))
    else:
        split = as_split(ring)
        split.put_used_event(split.used_index + ahead)


def as_split(ring: DriverRing) -> SplitDriverQueue:
    """Return the ring of a case that runs with split rings only."""
    if not isinstance(ring, SplitDriverQueue):
        raise TypeError(f"a case for split rings was given a {type(ring).__name__}")
    return ring


def as_packed(ring: DriverRing) -> PackedDriverQueue:
    """Return the ring of a case that runs with packed rings only."""
    if not isinstance(ring, PackedDriverQueue):
        raise TypeError(f"a case for packed rings was given a {type(ring).__name__}")
    return ring


def _packed(descriptor: Descriptor, name: int) -> PackedDescriptor:
    """Say the same in a packed ring's words: the flags of a chain have the same values."""
    return PackedDescriptor(descriptor.addr, descriptor.len, name, descriptor.flags)
