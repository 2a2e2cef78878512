"""The driver half of a packed virtqueue."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from vhint.ring.fence import fence
from vhint.ring.memory import GuestMemory
from vhint.ring.packed_layout import START, PackedLayout, Position
from vhint.ring.split_driver import Completion, QueueFullError
from vhint.spans import Span
from vhint.wire import packed_vring as packed
from vhint.wire.packed_vring import EventFlag, PackedDescriptor, PackedFlag

_AVAIL = int(PackedFlag.AVAIL)
_USED = int(PackedFlag.USED)
_BOTH = _AVAIL | _USED
_NEXT = int(PackedFlag.NEXT)


class PackedDriverQueue:
    """Makes buffers available and collects those that were used.

    `add` and `publish` are separate so that several lists can become visible at one instant: the
    device goes through the ring in order, and stops at the first head that is missing.
    `add_raw` takes descriptors as the caller wrote them, for a driver that means harm.
    """

    def __init__(self, memory: GuestMemory, layout: PackedLayout, *, event_idx: bool) -> None:
        self.memory = memory
        self.layout = layout
        self.event_idx = event_idx
        self.position = START
        self._published = START
        self._added = 0  # slots filled since the last `publish`
        self._moved = 0  # slots published since the last `kick_needed`
        self._used = START
        self._collected = 0
        self._room = layout.size
        self._ids = list(range(layout.size - 1, -1, -1))
        self._lists: dict[int, int] = {}
        self._first_head: tuple[int, int] | None = None  # the slot and flags that show the rest
        for span in (layout.descriptor_span, layout.available_span, layout.used_span):
            memory.write(span.start, bytes(span.length))

    @property
    def outstanding(self) -> frozenset[int]:
        """Ids of the lists that were added and have not come back."""
        return frozenset(self._lists)

    @property
    def free(self) -> int:
        """How many slots can still be used."""
        return self._room

    def add(
        self,
        readable: Sequence[Span],
        writable: Sequence[Span],
        *,
        indirect_at: int | None = None,
    ) -> int:
        """Write a list into the ring; return its id.  `publish` makes it visible.

        With `indirect_at` the descriptors go into a table at that address (a multiple of 16) and
        the list takes one slot.  Raises `QueueFullError`, and writes nothing, if the queue has too
        few free slots; an empty list is a `ValueError`.
        """
        buffers = [PackedDescriptor(*span) for span in readable]
        buffers += [PackedDescriptor(*span, flags=PackedFlag.WRITE) for span in writable]
        if not buffers:
            raise ValueError("a list needs at least one buffer")
        if indirect_at is not None:
            self._check_room(1)
            table = b"".join(map(pack_descriptor, buffers))
            self.memory.write(indirect_at, table)
            buffers = [PackedDescriptor(indirect_at, len(table), flags=PackedFlag.INDIRECT)]
        self._check_room(len(buffers))
        buffer_id = self._ids.pop()
        linked = [replace(each, id=buffer_id, flags=each.flags | _NEXT) for each in buffers[:-1]]
        self._write([*linked, replace(buffers[-1], id=buffer_id)])
        self._lists[buffer_id] = len(buffers)
        return buffer_id

    def add_raw(self, *descriptors: PackedDescriptor) -> int:
        """Write descriptors as they are, but for AVAIL and USED; return the last one's id.

        They count as one list that is outstanding under that id.  Raises `QueueFullError` if
        there is no room, `ValueError` if the id is outstanding already.
        """
        self._check_room(len(descriptors))
        buffer_id = descriptors[-1].id
        if buffer_id in self._lists:
            raise ValueError(f"id {buffer_id} is outstanding")
        if buffer_id in self._ids:
            self._ids.remove(buffer_id)
        self._write(descriptors)
        self._lists[buffer_id] = len(descriptors)
        return buffer_id

    def spend(self, buffer_id: int) -> None:
        """Give no list this id from now on."""
        self._ids.remove(buffer_id)

    def put_descriptor(self, slot: int, descriptor: PackedDescriptor) -> None:
        """Store a whole descriptor, with whatever flags it has, at once."""
        self.memory.write(self.layout.descriptor_at(slot), pack_descriptor(descriptor))

    def publish(self) -> None:
        """Make everything that was added visible to the device: one aligned store.

        (ring.driver.packed-head-last, ring.driver.packed-barrier-before-flags)
        """
        if self._first_head is not None:
            slot, flags = self._first_head
            self.memory.store16(self.layout.flags_at(slot), flags)
            self._first_head = None
        self._published = self.position
        self._moved += self._added
        self._added = 0

    def suppress_interrupts(self, suppress: bool) -> None:
        """Ask for no interrupts, or for all."""
        flags = EventFlag.DISABLE if suppress else EventFlag.ENABLE
        self.memory.store16(self.layout.driver_flags_at, flags)

    def ask_interrupt_at(self, position: Position) -> None:
        """Ask for an interrupt when the slot at a position is used (with EVENT_IDX)."""
        self.memory.store16(self.layout.available, position.word)
        self.memory.store16(self.layout.driver_flags_at, EventFlag.DESC)

    @property
    def used_position(self) -> Position:
        """Where the next used descriptor will be looked for."""
        return self._used

    def kick_needed(self) -> bool:
        """Whether the device asked to be notified of what was published since the last call.

        VIRTIO 1.4, Packed Virtqueues, Sending Available Buffer Notifications.
        """
        moved, self._moved = self._moved, 0
        if not moved:
            return False
        fence()  # ring.driver.packed-barrier-before-suppression
        event = self.memory.read(self.layout.used_span)
        return wants(event, self._published, moved, self.layout.size, event_idx=self.event_idx)

    @property
    def used_index(self) -> int:
        """How many lists were used, as the ring shows it now, modulo 2^16."""
        return (self._collected + self.pending) & 0xFFFF

    @property
    def pending(self) -> int:
        """How many used lists wait to be collected, as far as their ids can be followed."""
        at, waiting, seen = self._used, 0, set[int]()
        while is_used(self.memory.load16(self.layout.flags_at(at.slot)), at.wrap):
            buffer_id, _ = self._used_at(at.slot)
            waiting += 1
            if buffer_id not in self._lists or buffer_id in seen:
                break
            seen.add(buffer_id)
            at = at.on(self._lists[buffer_id], self.layout.size)
        return waiting

    @property
    def waits(self) -> bool:
        """Whether a used list waits to be collected."""
        slot, wrap = self._used
        return is_used(self.memory.load16(self.layout.flags_at(slot)), wrap)

    def collect(self) -> Completion | None:
        """Take the next used list and free its slots, or return None.

        After an id that was not outstanding, the next slot is looked at.  The length is what the
        descriptor says, whether or not its WRITE flag says that the length means something.
        """
        if not self.waits:
            return None
        slot = self._used.slot
        buffer_id, length = self._used_at(slot)
        slots = self._lists.pop(buffer_id, None)
        self._used = self._used.on(slots or 1, self.layout.size)
        self._collected += 1
        if slots:
            self._room += slots
            if buffer_id < self.layout.size:  # others were the caller's
                self._ids.append(buffer_id)
        return Completion(buffer_id, length, slots is not None)

    def _used_at(self, slot: int) -> tuple[int, int]:
        part = Span(self.layout.used_part_at(slot), packed.USED_STRUCT.size)
        length, buffer_id = packed.USED_STRUCT.unpack(self.memory.read(part))
        return buffer_id, length

    def _check_room(self, needed: int) -> None:
        """Raise `QueueFullError` if a list does not fit (ring.driver.packed-room-before-first)."""
        if needed > self._room:
            raise QueueFullError(f"{needed} descriptors needed, {self._room} free")

    def _write(self, descriptors: Sequence[PackedDescriptor]) -> None:
        """Store a list: all of it available but for the first head that was not published."""
        heads = [self.position.on(ahead, self.layout.size) for ahead in range(len(descriptors))]
        for at, each in reversed(list(zip(heads, descriptors, strict=True))):
            flags = each.flags & ~_BOTH | (_AVAIL if at.wrap else _USED)
            hidden = at is heads[0] and self._first_head is None
            if hidden:
                self._first_head = (at.slot, flags)
            raw = pack_descriptor(each)[: self.layout.flags_at(0) - self.layout.descriptors]
            self.memory.write(self.layout.descriptor_at(at.slot), raw)
            if not hidden:
                self.memory.store16(self.layout.flags_at(at.slot), flags)
        self.position = self.position.on(len(descriptors), self.layout.size)
        self._added += len(descriptors)
        self._room -= len(descriptors)


def pack_descriptor(descriptor: PackedDescriptor) -> bytes:
    """Return the 16 bytes of a descriptor, unchecked: a hostile driver may write anything."""
    return packed.DESCRIPTOR_STRUCT.pack(
        descriptor.addr, descriptor.len, descriptor.id, descriptor.flags
    )


def is_available(flags: int, wrap: bool) -> bool:
    """Whether a descriptor with these flags is available to a device with that wrap counter."""
    return flags & _BOTH == (_AVAIL if wrap else _USED)


def is_used(flags: int, wrap: bool) -> bool:
    """Whether a descriptor with these flags is used for a driver with that wrap counter."""
    return flags & _BOTH == (_BOTH if wrap else 0)


def wants(event: bytes, now: Position, moved: int, size: int, *, event_idx: bool) -> bool:
    """Whether the other side, whose area holds `event`, asks to hear of the last `moved` slots.

    `now` is the position after them.  What makes no sense counts as a wish to hear of everything.
    (VIRTIO 1.4, Packed Virtqueues, Event Suppression Structure Format)

    >>> at_1 = bytes.fromhex("0180 0200")
    >>> [wants(at_1, Position(slot, True), 1, 4, event_idx=True) for slot in (1, 2, 3)]
    [False, True, False]
    """
    word, flags = packed.EVENT_STRUCT.unpack(event)
    if flags != EventFlag.DESC or not event_idx:
        return bool(flags != EventFlag.DISABLE)
    at = Position.of(word)
    if at.slot >= size:
        return True
    return (now.line(size) - at.line(size) - 1) % (2 * size) < moved
