"""Layouts of a split virtqueue: the descriptor, the used element and the two rings around them.

Source: VIRTIO 1.4, 2.7 Split Virtqueues. All numbers are little-endian; the legacy interface, with
numbers in the guest's order, is not covered.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntFlag
from functools import cache
from typing import Final

from construct import Struct

from vhint.wire.codec import Codec, Data
from vhint.wire.derive import to_dtype, to_struct
from vhint.wire.schema import End, Named, Repeat, le16, le32, le64, parameter
from vhint.wire.source import Face


class DescriptorFlag(IntFlag):
    """A flag of a descriptor (VIRTIO 1.4, 2.7.5)."""

    NEXT = 1
    """The field `next` names the descriptor that continues the chain."""
    WRITE = 2
    """The buffer is for the device to write (else: to read)."""
    INDIRECT = 4
    """The buffer holds a table of descriptors."""


DESCRIPTOR: Final = Struct(
    "addr" / le64.doc("guest physical address"),
    "len" / le32.doc("bytes"),
    "flags" / Named(le16, DescriptorFlag),
    "next" / le16.doc("index of the next descriptor, with NEXT"),
)
"""VIRTIO 1.4, 2.7.5 The Virtqueue Descriptor Table."""

USED_ELEMENT: Final = Struct(
    "id" / le32.doc("head of the chain"), "len" / le32.doc("bytes written")
)
"""VIRTIO 1.4, 2.7.8 The Virtqueue Used Ring."""

DESCRIPTOR_TABLE: Final = Struct("table" / Repeat(parameter("queue_size"), DESCRIPTOR))

AVAIL_RING: Final = Struct(
    "flags" / le16,
    "idx" / le16.doc("entries made available so far, modulo 2^16"),
    "ring" / Repeat(parameter("queue_size"), le16.doc("head of a chain")),
    "used_event" / le16,
)
"""VIRTIO 1.4, 2.7.6 The Virtqueue Available Ring; `used_event` counts with EVENT_IDX only."""

USED_RING: Final = Struct(
    "flags" / le16,
    "idx" / le16.doc("elements used so far, modulo 2^16"),
    "ring" / Repeat(parameter("queue_size"), USED_ELEMENT),
    "avail_event" / le16,
)
"""VIRTIO 1.4, 2.7.8 The Virtqueue Used Ring; `avail_event` counts with EVENT_IDX only."""

DESCRIPTOR_STRUCT: Final = to_struct(DESCRIPTOR)
USED_ELEMENT_STRUCT: Final = to_struct(USED_ELEMENT)
DESCRIPTOR_DTYPE: Final = to_dtype(DESCRIPTOR)
USED_ELEMENT_DTYPE: Final = to_dtype(USED_ELEMENT)

DESCRIPTOR_TABLE_ALIGN: Final = 16
"""The address of a descriptor table is a multiple of it."""
AVAIL_RING_ALIGN: Final = 2
"""The address of an available ring is a multiple of it."""
USED_RING_ALIGN: Final = 4
"""The address of a used ring is a multiple of it."""
MAX_QUEUE_SIZE: Final = 32768
"""The most descriptors of a queue."""

AVAIL_NO_INTERRUPT: Final = 1
"""Flag of the available ring: the driver does not want to be told about used buffers."""
USED_NO_NOTIFY: Final = 1
"""Flag of the used ring: the device does not want to be told about available buffers."""


@dataclass(frozen=True, slots=True)
class Descriptor:
    """One buffer of a chain: `len` bytes at the guest physical address `addr`."""

    addr: int
    len: int
    flags: int = 0
    next: int = 0


@dataclass(frozen=True, slots=True)
class UsedElement:
    """What the device says of a buffer it has used: the chain's head and the bytes written."""

    id: int
    len: int


@cache
def descriptor_table_size(queue_size: int) -> int:
    """Give the size in bytes of the descriptor table.

    >>> descriptor_table_size(256)
    4096
    """
    return int(DESCRIPTOR_TABLE.sizeof(queue_size=queue_size))


@cache
def avail_ring_size(queue_size: int) -> int:
    """Give the size in bytes of the available ring, with the `used_event` field.

    >>> avail_ring_size(256)
    518
    """
    return int(AVAIL_RING.sizeof(queue_size=queue_size))


@cache
def used_ring_size(queue_size: int) -> int:
    """Give the size in bytes of the used ring, with the `avail_event` field.

    >>> used_ring_size(256)
    2054
    """
    return int(USED_RING.sizeof(queue_size=queue_size))


DESCRIPTOR_CODEC: Final = Codec[Descriptor](
    "descriptor", Struct(*DESCRIPTOR.subcons, "end" / End), Face(Descriptor)
)
USED_ELEMENT_CODEC: Final = Codec[UsedElement](
    "used element", Struct(*USED_ELEMENT.subcons, "end" / End), Face(UsedElement)
)

parse_descriptor: Final[Callable[[Data], Descriptor]] = DESCRIPTOR_CODEC.parse
"""Parse exactly 16 bytes. Raises `WireError`."""
build_descriptor: Final[Callable[[Descriptor], bytes]] = DESCRIPTOR_CODEC.build
"""Build the 16 bytes. Raises `WireError`."""
parse_used_element: Final[Callable[[Data], UsedElement]] = USED_ELEMENT_CODEC.parse
"""Parse exactly 8 bytes. Raises `WireError`."""
build_used_element: Final[Callable[[UsedElement], bytes]] = USED_ELEMENT_CODEC.build
"""Build the 8 bytes. Raises `WireError`."""
