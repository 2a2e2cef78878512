"""What a packed ring held when it was last looked at, and what has become different."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from vhint.ring import Chain, GuestMemory, PackedDeviceQueue, PackedLayout, Position
from vhint.wire import packed_vring as packed

_SIZE = packed.DESCRIPTOR_STRUCT.size
_LOOKS = 64
"""Looks at a ring that keeps changing after which it is left for the next time."""


class Side(StrEnum):
    """Who stores into a ring."""

    DRIVER = "driver"
    DEVICE = "device"

    @property
    def other(self) -> Side:
        """The other one."""
        return Side.DEVICE if self is Side.DRIVER else Side.DRIVER


@dataclass(frozen=True, slots=True)
class Changes:
    """What is different: slots of the ring, those of them with other flags, and the two areas."""

    slots: frozenset[int] = frozenset()
    flagged: frozenset[int] = frozenset()
    driver_area: bool = False
    device_area: bool = False

    def __bool__(self) -> bool:
        """Whether anything is."""
        return bool(self.slots) or self.driver_area or self.device_area


class RingImage:
    """A copy of the three parts of a ring, renewed by looking or by being told of a store."""

    def __init__(self, memory: GuestMemory, layout: PackedLayout, *, indirect: bool) -> None:
        self.layout = layout
        self._memory = memory
        self._reader = _Reader(memory, layout, event_idx=False, indirect=indirect)
        self._spans = (layout.descriptor_span, layout.available_span, layout.used_span)
        self._bounds = [(span.start, span.end) for span in self._spans]
        self._parts = [bytearray(memory.read(span)) for span in self._spans]
        self._reader.image = self._parts[0]

    def flags(self, slot: int) -> int:
        """Return the flags of a slot."""
        return self._reader.flags(slot)

    def used_part(self, slot: int) -> tuple[int, int]:
        """Return length and id of a slot."""
        _, length, buffer_id, _ = packed.DESCRIPTOR_STRUCT.unpack_from(self._parts[0], slot * _SIZE)
        return length, buffer_id

    def event(self, side: Side) -> bytes:
        """Return the event suppression area of a side."""
        return bytes(self._parts[1 if side is Side.DRIVER else 2])

    def list_at(self, position: Position) -> tuple[Chain, int]:
        """Read the list that begins at a position; raises `RingError` as a device does."""
        return self._reader.list_at(position)

    def touches(self, address: int, length: int) -> bool:
        """Whether a store reaches into the ring."""
        end = address + length
        for start, stop in self._bounds:  # noqa: SIM110 - asked of every store
            if start < end and address < stop:
                return True
        return False

    def put(self, address: int, data: bytes) -> Changes:
        """Take a store over; return what is different."""
        slots, flagged, areas = set[int](), set[int](), [False, False, False]
        for number, (span, part) in enumerate(zip(self._spans, self._parts, strict=True)):
            first, last = max(address, span.start), min(address + len(data), span.end)
            if first >= last:
                continue
            begin, end = first - span.start, last - span.start
            # Whole slots or, of an area, the whole.
            wide = slice(begin // _SIZE * _SIZE, -(-end // _SIZE) * _SIZE)
            old = part[wide]
            part[begin:end] = data[first - address : last - address]
            new = part[wide]
            areas[number] = old != new
            if number == 0:
                ahead = wide.start // _SIZE
                slots = {ahead + slot for slot in _different(old, new)}
                flagged = {s for s in slots if _flags(old, s - ahead) != _flags(new, s - ahead)}
        return Changes(frozenset(slots), frozenset(flagged), areas[1], areas[2])

    def look(self) -> Changes:
        """Look at memory; return what is different.

        Flags announce what stands beside them and in other slots.  So a look counts only if the
        next finds the same flags, and what they announce is taken from that one.
        """
        before = self._read()
        if before == self._parts:
            return Changes()
        for _ in range(_LOOKS):
            after = self._read()
            if _all_flags(after[0]) == _all_flags(before[0]):
                return self._take(after)
            before = after
        return Changes()

    def _read(self) -> list[bytearray]:
        return [bytearray(self._memory.read(span)) for span in self._spans]

    def _take(self, now: list[bytearray]) -> Changes:
        old, self._parts = self._parts, now
        self._reader.image = now[0]
        slots = frozenset(_different(old[0], now[0]))
        flagged = frozenset(slot for slot in slots if _flags(old[0], slot) != _flags(now[0], slot))
        return Changes(slots, flagged, old[1] != now[1], old[2] != now[2])


class _Reader(PackedDeviceQueue):
    """Walks lists as a device does, over the image; only indirect tables are read from memory."""

    image = bytearray()

    def flags(self, slot: int) -> int:
        """Return the flags of a slot."""
        return _flags(self.image, slot)

    def list_at(self, position: Position) -> tuple[Chain, int]:
        """Return the list at a position, and how many slots it takes."""
        return self._walk(position, self.flags(position.slot))

    def _descriptor(self, slot: int, flags: int | None) -> tuple[int, int, int, int]:  # noqa: ARG002
        return packed.DESCRIPTOR_STRUCT.unpack_from(self.image, slot * _SIZE)


def _flags(ring: bytearray, slot: int) -> int:
    return int.from_bytes(ring[slot * _SIZE + _SIZE - 2 : slot * _SIZE + _SIZE], "little")


def _all_flags(ring: bytearray) -> tuple[bytearray, bytearray]:
    return ring[_SIZE - 2 :: _SIZE], ring[_SIZE - 1 :: _SIZE]


def _different(old: bytearray, new: bytearray) -> Iterator[int]:
    if old == new:
        return
    for slot in range(len(old) // _SIZE):
        if old[slot * _SIZE : (slot + 1) * _SIZE] != new[slot * _SIZE : (slot + 1) * _SIZE]:
            yield slot
