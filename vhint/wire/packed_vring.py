"""Layouts of a packed virtqueue: the descriptor and the two event suppression areas.

Source: VIRTIO 1.4, 2.8 Packed Virtqueues. All numbers are little-endian.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum, IntFlag
from functools import cache
from typing import Final

from construct import Struct

from vhint.wire.codec import Codec, Data
from vhint.wire.derive import to_dtype, to_struct
from vhint.wire.schema import End, Named, Repeat, le16, le32, le64, parameter
from vhint.wire.source import Face


class PackedFlag(IntFlag):
    """A flag of a descriptor (VIRTIO 1.4, 2.8.1 to 2.8.7)."""

    NEXT = 1
    """The descriptor in the next slot continues the list."""
    WRITE = 2
    """The buffer is for the device to write; of a used descriptor: the device wrote something."""
    INDIRECT = 4
    """The buffer holds a table of descriptors."""
    AVAIL = 1 << 7
    """Differs from USED in an available descriptor, and is the driver's wrap counter."""
    USED = 1 << 15
    """Equals AVAIL in a used descriptor, and is the device's wrap counter."""


class EventFlag(IntEnum):
    """What one side wants to be notified of (VIRTIO 1.4, 2.8.14)."""

    ENABLE = 0
    """Everything."""
    DISABLE = 1
    """Nothing."""
    DESC = 2
    """The descriptor at the position `desc`; only with EVENT_IDX."""


DESCRIPTOR: Final = Struct(
    "addr" / le64.doc("guest physical address"),
    "len" / le32.doc("bytes"),
    "id" / le16.doc("buffer id"),
    "flags" / Named(le16, PackedFlag),
)
"""VIRTIO 1.4, 2.8.13 Virtqueue Layout: the descriptor ring; also of an indirect table."""

USED_DESCRIPTOR: Final = Struct("len" / le32, "id" / le16)
"""The part of a descriptor that the device writes before it writes the flags."""

EVENT_SUPPRESSION: Final = Struct(
    "desc" / le16.doc("position, and the wrap counter in the highest bit"),
    "flags" / Named(le16, EventFlag),
)
"""VIRTIO 1.4, 2.8.14 Event Suppression Structure Format.

`desc` is a position in the ring in 15 bits and the wrap counter there in the highest.
"""

DESCRIPTOR_RING: Final = Struct("ring" / Repeat(parameter("queue_size"), DESCRIPTOR))

DESCRIPTOR_STRUCT: Final = to_struct(DESCRIPTOR)
USED_STRUCT: Final = to_struct(USED_DESCRIPTOR)
EVENT_STRUCT: Final = to_struct(EVENT_SUPPRESSION)
DESCRIPTOR_DTYPE: Final = to_dtype(DESCRIPTOR)

DESCRIPTOR_RING_ALIGN: Final = 16
"""The address of a descriptor ring is a multiple of it."""
EVENT_ALIGN: Final = 4
"""The address of an event suppression area is a multiple of it."""
MAX_QUEUE_SIZE: Final = 32768
"""The most descriptors of a queue."""

WRAP: Final = 1 << 15
"""The bit of `desc` that is the wrap counter."""


@dataclass(frozen=True, slots=True)
class PackedDescriptor:
    """One buffer: `len` bytes at the guest physical address `addr`, or a list's id and length."""

    addr: int
    len: int
    id: int = 0
    flags: int = 0


@dataclass(frozen=True, slots=True)
class EventSuppression:
    """One side's wish to be notified."""

    desc: int
    flags: int


@cache
def descriptor_ring_size(queue_size: int) -> int:
    """Give the size in bytes of the descriptor ring.

    >>> descriptor_ring_size(3)
    48
    """
    return int(DESCRIPTOR_RING.sizeof(queue_size=queue_size))


DESCRIPTOR_CODEC: Final = Codec[PackedDescriptor](
    "packed descriptor", Struct(*DESCRIPTOR.subcons, "end" / End), Face(PackedDescriptor)
)
EVENT_CODEC: Final = Codec[EventSuppression](
    "event suppression", Struct(*EVENT_SUPPRESSION.subcons, "end" / End), Face(EventSuppression)
)

parse_descriptor: Final[Callable[[Data], PackedDescriptor]] = DESCRIPTOR_CODEC.parse
"""Parse exactly 16 bytes. Raises `WireError`."""
build_descriptor: Final[Callable[[PackedDescriptor], bytes]] = DESCRIPTOR_CODEC.build
"""Build the 16 bytes. Raises `WireError`."""
parse_event: Final[Callable[[Data], EventSuppression]] = EVENT_CODEC.parse
"""Parse exactly 4 bytes. Raises `WireError`."""
build_event: Final[Callable[[EventSuppression], bytes]] = EVENT_CODEC.build
"""Build the 4 bytes. Raises `WireError`."""
