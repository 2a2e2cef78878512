"""Where the three parts of a split virtqueue lie in guest memory."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import construct

from vhint.spans import Span
from vhint.wire import vring


@dataclass(frozen=True, slots=True)
class SplitLayout:
    """A split queue of `size` entries: the addresses of its descriptor, available and used parts.

    `size` is a power of two up to 32768; a queue that breaks this, or an alignment of 16, 2 and 4
    bytes, can be described here too, because a hostile driver can ask for one: see `problem`.
    """

    size: int
    descriptors: int
    available: int
    used: int

    @classmethod
    def at(cls, address: int, size: int, *, used_align: int = vring.USED_RING_ALIGN) -> SplitLayout:
        """Lay the three parts out one after another from `address` (a multiple of 16).

        The used ring begins at a multiple of `used_align`, a power of two.  The legacy interface
        has a layout of its own: with 4096, from an address that is a multiple of that.
        """
        available = address + vring.descriptor_table_size(size)
        used = _align(available + vring.avail_ring_size(size), used_align)
        return cls(size, address, available, used)

    @property
    def end(self) -> int:
        """The first address after the used ring of a queue laid out by `at`."""
        return self.used + vring.used_ring_size(self.size)

    @property
    def descriptor_span(self) -> Span:
        """The descriptor table."""
        return Span(self.descriptors, vring.descriptor_table_size(self.size))

    @property
    def available_span(self) -> Span:
        """The available ring, with the used_event field."""
        return Span(self.available, vring.avail_ring_size(self.size))

    @property
    def used_span(self) -> Span:
        """The used ring, with the avail_event field."""
        return Span(self.used, vring.used_ring_size(self.size))

    @property
    def device_written(self) -> tuple[Span, ...]:
        """What the device may write."""
        return (self.used_span,)

    @property
    def available_index_at(self) -> int:
        """Address of the driver's index."""
        return self.available + _offset(vring.AVAIL_RING, "idx", self.size)

    @property
    def used_event_at(self) -> int:
        """Address of the field by which the driver asks for an interrupt (EVENT_IDX)."""
        return self.available + _offset(vring.AVAIL_RING, "used_event", self.size)

    @property
    def used_index_at(self) -> int:
        """Address of the device's index."""
        return self.used + _offset(vring.USED_RING, "idx", self.size)

    @property
    def avail_event_at(self) -> int:
        """Address of the field by which the device asks for a notification (EVENT_IDX)."""
        return self.used + _offset(vring.USED_RING, "avail_event", self.size)

    def descriptor_at(self, index: int) -> int:
        """Address of an entry of the descriptor table."""
        return self.descriptors + index * vring.DESCRIPTOR_STRUCT.size

    def available_entry_at(self, index: int) -> int:
        """Address of the available ring's entry for a running index, which wraps at the size."""
        return self.available + _offset(vring.AVAIL_RING, "ring", self.size) + 2 * self._slot(index)

    def used_entry_at(self, index: int) -> int:
        """Address of the used ring's entry for a running index, which wraps at the size."""
        ring = self.used + _offset(vring.USED_RING, "ring", self.size)
        return ring + self._slot(index) * vring.USED_ELEMENT_STRUCT.size

    def _slot(self, index: int) -> int:
        return index % self.size

    def problem(self) -> str | None:
        """Say what is wrong with the layout by itself, or None."""
        if not 0 < self.size <= vring.MAX_QUEUE_SIZE or self.size & (self.size - 1):
            return f"queue size {self.size} is not a power of two up to {vring.MAX_QUEUE_SIZE}"
        for name, address, align in (
            ("descriptor table", self.descriptors, vring.DESCRIPTOR_TABLE_ALIGN),
            ("available ring", self.available, vring.AVAIL_RING_ALIGN),
            ("used ring", self.used, vring.USED_RING_ALIGN),
        ):
            if address % align:
                return f"{name} at {address:#x} is not aligned to {align} bytes"
        return None


@lru_cache(maxsize=1024)
def _offset(ring: construct.Struct, field: str, size: int) -> int:
    """Return where a field of a ring of `size` entries lies, from the ring's declaration."""
    offset = 0
    for subcon in ring.subcons:
        if subcon.name == field:
            return offset
        offset += subcon.sizeof(queue_size=size)
    raise KeyError(field)


def _align(value: int, to: int) -> int:
    return -(-value // to) * to
