"""The device half of a packed virtqueue.

All that the driver wrote is hostile: what is available is read once and never looked at again,
no list costs more than the queue is long, and never more slots are taken than there are.
"""

from __future__ import annotations

from collections import deque

from vhint.ring.chain import Chain, check_buffer
from vhint.ring.errors import Fault, RingError
from vhint.ring.fence import fence
from vhint.ring.memory import AddressError, GuestMemory
from vhint.ring.packed_driver import is_available, wants
from vhint.ring.packed_layout import START, PackedLayout, Position
from vhint.spans import Span
from vhint.wire import packed_vring as packed
from vhint.wire.packed_vring import EventFlag, PackedFlag

_NEXT = int(PackedFlag.NEXT)
_WRITE = int(PackedFlag.WRITE)
_INDIRECT = int(PackedFlag.INDIRECT)
_BOTH = int(PackedFlag.AVAIL | PackedFlag.USED)

_BASE_BITS = 16

FRESH = START.word << _BASE_BITS | START.word
"""The base of a queue that has not run yet."""


class PackedDeviceQueue:
    """Takes lists that were made available and writes used descriptors.

    `base` is where to begin, for a queue that has run before: the available position in 16 bits
    and above them the used one, as vhost-user writes them.  Raises `RingError` for a layout that
    is not inside guest memory or not aligned, or a base that is not in the ring.
    """

    def __init__(
        self,
        memory: GuestMemory,
        layout: PackedLayout,
        *,
        event_idx: bool,
        indirect: bool,
        base: int | None = None,
    ) -> None:
        problem = layout.problem()
        if problem:
            raise RingError(Fault.LAYOUT, problem)
        for span in (layout.descriptor_span, layout.available_span, layout.used_span):
            if not memory.contains(span):
                raise RingError(Fault.LAYOUT, f"{span} is not inside guest memory")
        self.memory = memory
        self.layout = layout
        self.event_idx = event_idx
        self.indirect = indirect
        base = FRESH if base is None else base
        self._available = Position.of(base & 0xFFFF)
        self._used = Position.of(base >> _BASE_BITS)
        if max(self._available.slot, self._used.slot) >= layout.size:
            raise RingError(Fault.LAYOUT, f"base {base:#x} in a ring of {layout.size}")
        self._moved = 0  # slots passed by used descriptors since the driver was last notified
        self._taken: dict[int, deque[int]] = {}  # id to the slots of each list with that id
        self._held = 0

    @property
    def pending(self) -> int:
        """Whether a list waits, as 1 or 0: how many there are shows only when they are taken."""
        slot, wrap = self._available
        return int(is_available(self.memory.load16(self.layout.flags_at(slot)), wrap))

    def pop(self) -> Chain | None:
        """Take the next list, or return None.

        Raises `RingError`, and stays at the same slot, for a list that breaks the rules.
        """
        slot, wrap = self._available
        flags = self.memory.load16(self.layout.flags_at(slot))
        if not is_available(flags, wrap):
            return None
        chain, slots = self._walk(self._available, flags)
        if self._held + slots > self.layout.size:
            raise RingError(
                Fault.OUTSTANDING, f"{self._held + slots} in a queue of {self.layout.size}"
            )
        self._held += slots
        self._taken.setdefault(chain.head, deque()).append(slots)
        self._available = self._available.on(slots, self.layout.size)
        if self.event_idx:
            self._ask_for_kick_at(self._available)
        return chain

    def again(self, position: Position) -> Chain:
        """Read an outstanding list once more where it was, for those who distrust its driver.

        Once used descriptors have passed the position, something else may be there.
        """
        flags = self.memory.load16(self.layout.flags_at(position.slot))
        if not is_available(flags, position.wrap):
            raise RingError(Fault.NOT_AVAILABLE, f"slot {position.slot}, flags {flags:#06x}")
        return self._walk(position, flags)[0]

    @property
    def available_position(self) -> Position:
        """Where the next list is looked for."""
        return self._available

    @property
    def used_position(self) -> Position:
        """Where the next used descriptor goes."""
        return self._used

    def push(self, head: int, length: int) -> None:
        """Write a used descriptor for the list with this id, and then the flags that show it.

        The next one comes as many slots on as the list had (ring.device.packed-list-skipped);
        an id that was never taken counts as one slot.
        """
        lists = self._taken.get(head)
        slots = lists.popleft() if lists else 1
        if lists is not None and not lists:
            del self._taken[head]
        if lists is not None:
            self._held -= slots
        slot, wrap = self._used
        self.memory.write(self.layout.used_part_at(slot), packed.USED_STRUCT.pack(length, head))
        flags = (_BOTH if wrap else 0) | (_WRITE if length else 0)
        self._used = self._used.on(slots, self.layout.size)
        self._moved += slots
        self.memory.store16(self.layout.flags_at(slot), flags)

    @property
    def base(self) -> int:
        """The base to begin at again if the queue stops now: the first list that was not used.

        Lists that were taken and not used are made available again by this, as long as lists are
        used in the order in which they were taken.
        """
        return self._used.word << _BASE_BITS | self._used.word

    def interrupt_needed(self) -> bool:
        """Whether the driver asked to hear of what was used since the last call.

        VIRTIO 1.4, Packed Virtqueues, Driver and Device Event Suppression.
        """
        moved, self._moved = self._moved, 0
        if not moved:
            return False
        fence()
        event = self.memory.read(self.layout.available_span)
        return wants(event, self._used, moved, self.layout.size, event_idx=self.event_idx)

    def suppress_kicks(self, suppress: bool) -> None:
        """Ask the driver for no notifications, or for all."""
        flags = EventFlag.DISABLE if suppress else EventFlag.ENABLE
        self.memory.store16(self.layout.device_flags_at, flags)

    def _ask_for_kick_at(self, position: Position) -> None:
        self.memory.store16(self.layout.used, position.word)
        self.memory.store16(self.layout.device_flags_at, EventFlag.DESC)
        fence()

    def _walk(self, at: Position, flags: int) -> tuple[Chain, int]:
        """Read the list that begins at a position; `flags` are those of its first descriptor.

        Returns the chain and its number of slots.
        """
        readable: list[Span] = []
        writable: list[Span] = []
        slots, total, size = 0, 0, self.layout.size
        while True:
            slots += 1
            if slots > size:
                raise RingError(Fault.LOOP, f"over {size} descriptors")
            first = flags if slots == 1 else None
            address, length, buffer_id, flags = self._descriptor(at.slot, first)
            if not is_available(flags, at.wrap):
                raise RingError(Fault.NOT_AVAILABLE, f"slot {at.slot}, flags {flags:#06x}")
            if flags & _INDIRECT:
                if flags & _NEXT or slots > 1:
                    raise RingError(Fault.INDIRECT_NEXT, f"slot {at.slot}")
                self._read_table(Span(address, length), readable, writable)
                break
            buffer = Span(address, length)
            total += length
            is_late = bool(writable) and not flags & _WRITE
            check_buffer(self.memory, buffer, total, is_late=is_late, index=at.slot)
            (writable if flags & _WRITE else readable).append(buffer)
            if not flags & _NEXT:
                break
            at = at.on(1, size)
        # The last descriptor of a list has its id (VIRTIO 1.4, Descriptor Chaining).
        return Chain(buffer_id, tuple(readable), tuple(writable)), slots

    def _read_table(self, span: Span, readable: list[Span], writable: list[Span]) -> None:
        """Take the buffers of an indirect table, in its order; only WRITE means something there."""
        if not self.indirect:
            raise RingError(Fault.INDIRECT_OFF, f"table at {span}")
        each = packed.DESCRIPTOR_STRUCT.size
        if span.length % each or not span.length:
            raise RingError(Fault.INDIRECT_LENGTH, f"{span.length} bytes")
        if span.length > each * self.layout.size:
            raise RingError(Fault.LOOP, f"{span.length // each} descriptors in a table")
        if not self.memory.contains(span):
            raise RingError(Fault.ADDRESS, f"indirect table at {span}")
        total = 0
        table = packed.DESCRIPTOR_STRUCT.iter_unpack(self.memory.read(span))
        for index, (address, length, _, flags) in enumerate(table):
            if flags & _INDIRECT:
                raise RingError(Fault.INDIRECT_NESTED, f"descriptor {index} of the table")
            buffer = Span(address, length)
            total += length
            is_late = bool(writable) and not flags & _WRITE
            check_buffer(self.memory, buffer, total, is_late=is_late, index=index)
            (writable if flags & _WRITE else readable).append(buffer)

    def _descriptor(self, slot: int, flags: int | None) -> tuple[int, int, int, int]:
        """Read a descriptor once; `flags` are its flags if they have been read already."""
        start = self.layout.descriptor_at(slot)
        end = start + packed.DESCRIPTOR_STRUCT.size if flags is None else self.layout.flags_at(slot)
        try:
            raw = self.memory.read(Span(start, end - start))
        except AddressError as error:  # the memory table changed after the queue was set up
            raise RingError(Fault.LAYOUT, str(error)) from error
        raw += b"" if flags is None else flags.to_bytes(2, "little")
        address, length, buffer_id, stored = packed.DESCRIPTOR_STRUCT.unpack(raw)
        return address, length, buffer_id, stored


def exact_base(memory: GuestMemory, layout: PackedLayout, base: int) -> int | None:
    """Return what a base from a front end means; None is the beginning.

    There are front ends that say 0 for a ring that has not run (User-Mode Linux does), and 0 is
    also where a ring stands after an odd number of rounds.  Then the first slot has its USED bit
    set: it was used in the round before, or is available in this one.
    """
    if base or not memory.contains(layout.descriptor_span):
        return base or None
    used = memory.load16(layout.flags_at(0)) & PackedFlag.USED
    return base if used else None
