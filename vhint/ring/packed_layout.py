"""Where the three parts of a packed virtqueue lie, and positions in its ring."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import construct

from vhint.spans import Span
from vhint.wire import packed_vring as packed


class Position(NamedTuple):
    """A slot of a packed ring and the wrap counter with which one side stands there."""

    slot: int
    wrap: bool

    def on(self, slots: int, size: int) -> Position:
        """Return the position so many slots further on; the counter flips at the ring's end.

        >>> Position(2, True).on(2, size=3)
        Position(slot=1, wrap=False)
        """
        end = self.slot + slots
        return Position(end % size, self.wrap ^ bool(end // size % 2))

    def line(self, size: int) -> int:
        """Return where the position lies in the two rounds after which everything repeats."""
        return self.slot if self.wrap else self.slot + size

    @property
    def word(self) -> int:
        """The slot in 15 bits and the counter in the highest, as both sides write it."""
        return self.slot | (packed.WRAP if self.wrap else 0)

    @classmethod
    def of(cls, word: int) -> Position:
        """Return the position that is written so.

        >>> Position.of(0x8003)
        Position(slot=3, wrap=True)
        """
        return cls(word & (packed.WRAP - 1), bool(word & packed.WRAP))


START = Position(0, True)
"""Where both sides stand after a reset (VIRTIO 1.4, Driver and Device Ring Wrap Counters)."""


@dataclass(frozen=True, slots=True)
class PackedLayout:
    """A packed queue of `size` slots: addresses of descriptor ring, driver area and device area.

    `size` is any number from 1 to 32768.  The areas go by the names that they have in a split
    queue, `available` what the driver and `used` what the device writes, because every transport
    has one register for both.  What cannot be can be described here too: see `problem`.
    """

    size: int
    descriptors: int
    available: int
    used: int

    @classmethod
    def at(cls, address: int, size: int) -> PackedLayout:
        """Lay the three parts out one after another from `address` (a multiple of 16)."""
        available = address + packed.descriptor_ring_size(size)
        return cls(size, address, available, available + packed.EVENT_STRUCT.size)

    @property
    def end(self) -> int:
        """The first address after the device area of a queue laid out by `at`."""
        return self.used + packed.EVENT_STRUCT.size

    @property
    def descriptor_span(self) -> Span:
        """The descriptor ring."""
        return Span(self.descriptors, packed.descriptor_ring_size(self.size))

    @property
    def available_span(self) -> Span:
        """The driver's event suppression area."""
        return Span(self.available, packed.EVENT_STRUCT.size)

    @property
    def used_span(self) -> Span:
        """The device's event suppression area."""
        return Span(self.used, packed.EVENT_STRUCT.size)

    @property
    def device_written(self) -> tuple[Span, ...]:
        """What the device may write."""
        return (self.descriptor_span, self.used_span)

    def descriptor_at(self, slot: int) -> int:
        """Address of a slot of the ring."""
        return self.descriptors + slot * packed.DESCRIPTOR_STRUCT.size

    def used_part_at(self, slot: int) -> int:
        """Address of the part of a slot that the device writes first."""
        return self.descriptor_at(slot) + _offset(packed.DESCRIPTOR, "len")

    def flags_at(self, slot: int) -> int:
        """Address of a slot's flags."""
        return self.descriptor_at(slot) + _offset(packed.DESCRIPTOR, "flags")

    @property
    def driver_flags_at(self) -> int:
        """Address of the flags by which the driver asks for interrupts."""
        return self.available + _offset(packed.EVENT_SUPPRESSION, "flags")

    @property
    def device_flags_at(self) -> int:
        """Address of the flags by which the device asks for notifications."""
        return self.used + _offset(packed.EVENT_SUPPRESSION, "flags")

    def problem(self) -> str | None:
        """Say what is wrong with the layout by itself, or None."""
        if not 0 < self.size <= packed.MAX_QUEUE_SIZE:
            return f"queue size {self.size} is not from 1 to {packed.MAX_QUEUE_SIZE}"
        for name, address, align in (
            ("descriptor ring", self.descriptors, packed.DESCRIPTOR_RING_ALIGN),
            ("driver event suppression area", self.available, packed.EVENT_ALIGN),
            ("device event suppression area", self.used, packed.EVENT_ALIGN),
        ):
            if address % align:
                return f"{name} at {address:#x} is not aligned to {align} bytes"
        return None


@lru_cache(maxsize=16)
def _offset(declaration: construct.Struct, field: str) -> int:
    """Return where a field of a structure lies, from its declaration."""
    offset = 0
    for subcon in declaration.subcons:
        if subcon.name == field:
            return offset
        offset += subcon.sizeof()
    raise KeyError(field)
