"""Faults in packed rings: positions, wrap counters, used descriptors and event suppression."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace

from vhint.host import Device, DeviceFactory
from vhint.host.work import Line
from vhint.ring import Chain, PackedDeviceQueue, Position, RingError
from vhint.ring.errors import Fault
from vhint.ring.packed_driver import is_available
from vhint.spans import Span
from vhint.wire import packed_vring as packed
from vhint.wire.packed_vring import EventFlag, PackedFlag
from vhint.wire.queues import Queue
from vhint_conformance.mutants.base import EVERYTHING, Mutant
from vhint_conformance.variants import Rings

_BOTH = int(PackedFlag.AVAIL | PackedFlag.USED)


def with_packed(kind: type[PackedDeviceQueue]) -> DeviceFactory:
    """Return the factory of a device whose packed rings are of another kind."""

    class Broken(Device):
        """A device with broken packed rings."""

        def _start(self, only: int | None = None) -> None:
            super()._start(only)
            for line in self.lines.values():
                if isinstance(line.ring, PackedDeviceQueue):
                    line.ring.__class__ = kind

    return lambda memory: Broken(memory, EVERYTHING)


class TakesWritten(PackedDeviceQueue):
    """Takes a list once its descriptor has a length, whatever its flags say."""

    def pop(self) -> Chain | None:
        """Take what the driver has not made available yet."""
        slot, wrap = self._available
        length = int.from_bytes(
            self.memory.read(Span(self.layout.descriptor_at(slot) + 8, 4)), "little"
        )
        flags = self.memory.load16(self.layout.flags_at(slot))
        if length and not flags & _BOTH and not flags & PackedFlag.NEXT:
            ready = flags | int(PackedFlag.AVAIL if wrap else PackedFlag.USED)
            self.memory.store16(self.layout.flags_at(slot), ready)
        return super().pop()


class ClearsBehind(PackedDeviceQueue):
    """Clears the used descriptor before the last, which it takes for read."""

    before: int | None = None

    def push(self, head: int, length: int) -> None:
        """Use a list, and tidy up."""
        slot = self._used.slot
        super().push(head, length)
        if self.before is not None and self.before != slot:
            self.memory.write(self.layout.used_part_at(self.before), bytes(packed.USED_STRUCT.size))
        self.before = slot


class ListBackwards(PackedDeviceQueue):
    """Takes the buffers of a list from its end."""

    def pop(self) -> Chain | None:
        """Turn it round."""
        chain = super().pop()
        if chain is None:
            return None
        return replace(chain, readable=chain.readable[::-1], writable=chain.writable[::-1])


class UsedCounterStays(PackedDeviceQueue):
    """Writes used descriptors with one wrap counter for ever."""

    def push(self, head: int, length: int) -> None:
        """Use a list, and forget that the ring ended."""
        super().push(head, length)
        self._used = Position(self._used.slot, True)


class AvailableCounterStays(PackedDeviceQueue):
    """Expects one wrap counter in available descriptors for ever."""

    def pop(self) -> Chain | None:
        """Take a list, and forget that the ring ended."""
        chain = super().pop()
        self._available = Position(self._available.slot, True)
        return chain


class CounterLate(PackedDeviceQueue):
    """Changes its counters one list late if a list ends beyond the end of the ring."""

    def pop(self) -> Chain | None:
        """Take a list that may cross the end."""
        before = self._available
        chain = super().pop()
        if chain is not None and self._available.slot and self._available.wrap != before.wrap:
            self._available = Position(self._available.slot, before.wrap)
        return chain


class LastSlotUnused(PackedDeviceQueue):
    """Leaves the last slot of a ring out."""

    def pop(self) -> Chain | None:
        """Skip it."""
        size = self.layout.size
        if self._available.slot == size - 1 and size > 1:
            self._available = self._available.on(1, size)
        return super().pop()


class PowersOfTwo(PackedDeviceQueue):
    """Takes the size of a ring for the next power of two."""

    def pop(self) -> Chain | None:
        """Go on beyond its end, where there is nothing."""
        size = self.layout.size
        if size & (size - 1) and self._available.slot == 0 and self._moved_on:
            return None
        return super().pop()

    @property
    def _moved_on(self) -> bool:
        return not self._available.wrap


class SlotForId(PackedDeviceQueue):
    """Uses the slot of a list where its id belongs."""

    def push(self, head: int, length: int) -> None:
        """Keep what fits a slot."""
        name = head % self.layout.size
        if name in self._taken or name == head:
            super().push(name, length)
            return
        self._taken[name] = self._taken.pop(head)
        super().push(name, length)


class IdOf15Bits(PackedDeviceQueue):
    """Keeps 15 bits of an id."""

    def push(self, head: int, length: int) -> None:
        """Lose one."""
        if head > 0x7FFF and head in self._taken:
            self._taken[head & 0x7FFF] = self._taken.pop(head)
        super().push(head & 0x7FFF, length)


class UsesEachSlot(PackedDeviceQueue):
    """Writes a used descriptor for each descriptor of a list."""

    def push(self, head: int, length: int) -> None:
        """Use it as often as it has slots."""
        slots = self._taken[head][0] if head in self._taken else 1
        if head in self._taken:
            self._taken[head][0] = 1
        super().push(head, length)
        for _ in range(slots - 1):
            super().push(head, length)
        self._held -= slots - 1


class OneSlotOn(PackedDeviceQueue):
    """Goes one slot on after every used list, however long it was."""

    def push(self, head: int, length: int) -> None:
        """Take it for one of one descriptor."""
        if head in self._taken:
            self._held -= self._taken[head][0] - 1
            self._taken[head][0] = 1
        super().push(head, length)


class TableAsSlots(PackedDeviceQueue):
    """Takes the entries of an indirect table for as many slots of the ring."""

    def pop(self) -> Chain | None:
        """Note more slots than the list has."""
        chain = super().pop()
        if chain is not None:
            slots = self._taken[chain.head]
            slots[-1] = max(slots[-1], len(chain.readable) + len(chain.writable))
        return chain


class UsesTwice(PackedDeviceQueue):
    """Uses every eighth list a second time."""

    turn = 0

    def push(self, head: int, length: int) -> None:
        """Use it, and now and then again."""
        super().push(head, length)
        self.turn += 1
        if self.turn % 8 == 0:
            super().push(head, length)


class LengthOfReadable(PackedDeviceQueue):
    """Counts what it has read into the used length."""

    def pop(self) -> Chain | None:
        """Note how much there is to read."""
        chain = super().pop()
        if chain is not None:
            sizes = self.__dict__.setdefault("sizes", {})
            sizes[chain.head] = sum(span.length for span in chain.readable)
        return chain

    def push(self, head: int, length: int) -> None:
        """Add it."""
        super().push(head, length + self.__dict__.get("sizes", {}).pop(head, 0))


class QuietWithEnable(PackedDeviceQueue):
    """Takes ENABLE for DISABLE once EVENT_IDX was negotiated, as only DESC counts then."""

    def interrupt_needed(self) -> bool:
        """Look for DESC only."""
        event = self.memory.read(self.layout.available_span)
        _, flags = packed.EVENT_STRUCT.unpack(event)
        wanted = super().interrupt_needed()
        return wanted and (flags == EventFlag.DESC or not self.event_idx)


class EventOfLastOnly(PackedDeviceQueue):
    """Compares the event with the last slot that it used, not with those it passed."""

    def interrupt_needed(self) -> bool:
        """Forget how far it moved."""
        self._moved = min(self._moved, 1)
        return super().interrupt_needed()


class EventWithoutCounter(PackedDeviceQueue):
    """Looks at the slot of an event and not at its wrap counter."""

    def interrupt_needed(self) -> bool:
        """Miss every event of the next round."""
        event = self.memory.read(self.layout.available_span)
        word, flags = packed.EVENT_STRUCT.unpack(event)
        wanted = super().interrupt_needed()
        if self.event_idx and flags == EventFlag.DESC and not word & packed.WRAP:
            return False
        return wanted


class ClearsEvent(PackedDeviceQueue):
    """Clears the driver's wish when it has fulfilled it."""

    def interrupt_needed(self) -> bool:
        """Look, and write where only the driver writes."""
        wanted = super().interrupt_needed()
        if wanted:
            self.memory.write(self.layout.available, bytes(2))
        return wanted


class FlagsFirst(PackedDeviceQueue):
    """Writes the flags of a used descriptor first, and its length and id after them."""

    def push(self, head: int, length: int) -> None:
        """Show it, and fill it in."""
        slot, wrap = self._used
        flags = (_BOTH if wrap else 0) | (int(PackedFlag.WRITE) if length else 0)
        self.memory.store16(self.layout.flags_at(slot), flags)
        super().push(head, length)


class LengthLate(PackedDeviceQueue):
    """Corrects the length of a used descriptor once more when it has used it."""

    def push(self, head: int, length: int) -> None:
        """Use it with a length of 0, and then say how long it is."""
        slot = self._used.slot
        super().push(head, 0)
        at = self.layout.used_part_at(slot)
        self.memory.write(at, packed.USED_STRUCT.pack(length or 1, head))
        self.memory.write(at, packed.USED_STRUCT.pack(length, head))


class ClearsAhead(PackedDeviceQueue):
    """Clears the length of the slot that comes next, which is the driver's."""

    def push(self, head: int, length: int) -> None:
        """Use a list, and tidy up in front of the next."""
        super().push(head, length)
        slot, wrap = self._available
        if not is_available(self.memory.load16(self.layout.flags_at(slot)), wrap):
            self.memory.write(self.layout.used_part_at(slot), b"\x5a\0\0\0")


class ReservedEvent(PackedDeviceQueue):
    """Asks for notifications with a bit that is reserved."""

    def _ask_for_kick_at(self, position: Position) -> None:
        super()._ask_for_kick_at(position)
        self.memory.store16(self.layout.device_flags_at, EventFlag.DESC | 1 << 2)


class EventUnasked(PackedDeviceQueue):
    """Names a position for the next notification whether or not EVENT_IDX was negotiated."""

    def pop(self) -> Chain | None:
        """Take a list, and ask for the next."""
        chain = super().pop()
        if chain is not None:
            self._ask_for_kick_at(self._available)
        return chain


class EventBehindEnd(PackedDeviceQueue):
    """Names the slot after the last one where the first is meant."""

    def _ask_for_kick_at(self, position: Position) -> None:
        if position.slot == 0:
            position = Position(self.layout.size, position.wrap)
        super()._ask_for_kick_at(position)


class LongTableIgnored(PackedDeviceQueue):
    """Waits for the end of an indirect table that is longer than its ring."""

    def pop(self) -> Chain | None:
        """Wait for ever."""
        try:
            return super().pop()
        except RingError as error:
            if error.fault is Fault.LOOP:
                return None
            raise


class PositionsSurvive(Device):
    """Goes on, after a reset, where its packed rings stood."""

    def __init__(self, *arguments: object) -> None:
        self.stood: dict[Queue, tuple[Position, Position]] = {}
        super().__init__(*arguments)  # type: ignore[arg-type]

    def _start(self, only: int | None = None) -> None:
        super()._start(only)
        for name, line in self.lines.items():
            ring = line.ring
            if isinstance(ring, PackedDeviceQueue) and name in self.stood:
                available, used = self.stood[name]
                ring._available = Position(ring._available.slot, available.wrap)
                ring._used = Position(ring._used.slot, used.wrap)

    def _reset(self) -> None:
        for name, line in self.lines.items():
            if isinstance(line.ring, PackedDeviceQueue):
                self.stood[name] = (line.ring._available, line.ring._used)
        super()._reset()


def _packed(
    name: str, summary: str, violates: tuple[str, ...], make: DeviceFactory, machine: str = ""
) -> Mutant:
    slugs = tuple(f"ring.device.packed-{slug}" if "." not in slug else slug for slug in violates)
    return Mutant(name, summary, slugs, make, machine=machine, rings=(Rings.PACKED,))


class IdOfFirst(PackedDeviceQueue):
    """Takes the id of a list from its first descriptor."""

    def _walk(self, at: Position, flags: int) -> tuple[Chain, int]:
        chain, slots = super()._walk(at, flags)
        return replace(chain, head=self._descriptor(at.slot, flags)[2]), slots


class FlagsAStepFirst(Device):
    """Writes the flags of a used descriptor, and what belongs to them a step later."""

    def serve(self, name: Queue, line: Line) -> Generator[None, None, None]:
        """Put the old id and length back until the next step."""
        ring = line.ring
        while (chain := ring.pop()) is not None:
            yield
            length = yield from line.handler.handle(chain)
            if length is None:
                continue
            if not isinstance(ring, PackedDeviceQueue):
                self.complete(name, line, chain.head, length)
                continue
            place = Span(ring.layout.used_part_at(ring.used_position.slot), 6)
            before = self.context.memory.read(place)
            self.complete(name, line, chain.head, length)
            written = self.context.memory.read(place)
            self.context.memory.write(place.start, before)
            yield
            self.context.memory.write(place.start, written)
            yield


MUTANTS = (
    _packed("packed-takes-unavailable", "takes a list once it has a length, available or not",
            ("use-only-available",), with_packed(TakesWritten)),
    _packed("packed-table-as-slots", "takes the entries of a table for slots of the ring",
            ("list-skipped",), with_packed(TableAsSlots)),
    _packed("packed-clears-used", "clears used descriptors that it takes for read",
            ("no-change-after-used",), with_packed(ClearsBehind)),
    _packed("packed-list-backwards", "takes the buffers of a list from its end",
            ("list-in-order", "ring.device.framing-independent"), with_packed(ListBackwards)),
    _packed("packed-used-counter-stays", "never changes the wrap counter of used descriptors",
            ("wrap-counter", "wraps"), with_packed(UsedCounterStays)),
    _packed("packed-available-counter-stays", "never changes the wrap counter that it expects",
            ("wrap-counter", "wraps"), with_packed(AvailableCounterStays)),
    _packed("packed-counter-late", "keeps its counter when a list crosses the end of the ring",
            ("wraps", "wrap-counter", "list-skipped"), with_packed(CounterLate)),
    _packed("packed-last-slot-unused", "leaves the last slot of a ring out",
            ("wraps", "wrap-counter"), with_packed(LastSlotUnused)),
    _packed("packed-powers-of-two", "stops at the end of a ring whose size is no power of two",
            ("wraps", "wrap-counter", "list-skipped"), with_packed(PowersOfTwo)),
    _packed("packed-positions-survive-reset", "keeps its wrap counters over a reset",
            ("reset-state",), lambda memory: PositionsSurvive(memory)),
    _packed("packed-slot-for-id", "writes a slot where the id of a list belongs",
            ("used-id",), with_packed(SlotForId)),
    _packed("packed-id-15-bit", "keeps 15 bits of an id",
            ("used-id",), with_packed(IdOf15Bits)),
    _packed("packed-used-for-each-slot", "writes a used descriptor for each descriptor of a list",
            ("one-used-per-list", "use-once", "list-skipped"), with_packed(UsesEachSlot)),
    _packed("packed-one-slot-on", "goes one slot on after a list, however long it was",
            ("list-skipped",), with_packed(OneSlotOn), "PackedRings"),
    _packed("packed-used-twice", "uses every eighth list a second time",
            ("use-once",), with_packed(UsesTwice)),
    _packed("packed-length-of-readable", "counts what it has read into the used length",
            ("len-truthful",), with_packed(LengthOfReadable)),
    _packed("packed-enable-ignored", "takes ENABLE for DISABLE once EVENT_IDX was negotiated",
            ("notifies-when-enabled",), with_packed(QuietWithEnable)),
    _packed("packed-event-of-last-only", "compares an event with the last slot used only",
            ("notifies-at-event",), with_packed(EventOfLastOnly)),
    _packed("packed-event-without-counter", "misses events of rounds whose counter is 0",
            ("notifies-at-event",), with_packed(EventWithoutCounter)),
    _packed("packed-event-cleared", "clears the driver's event when it has notified",
            ("driver-area-never-written",), with_packed(ClearsEvent)),
    _packed("packed-flags-first", "shows a used descriptor before its length and id are there",
            ("fields-before-flags", "used-id", "use-once"), with_packed(FlagsFirst), "PackedRings"),
    _packed("packed-length-late", "corrects the length of a descriptor that it has used",
            ("fields-before-flags", "no-change-after-used"), with_packed(LengthLate)),
    _packed("packed-clears-ahead", "writes to the slot after the last that is available",
            ("no-change-after-used", "use-only-available"), with_packed(ClearsAhead)),
    _packed("packed-event-reserved", "sets a reserved bit of its event suppression area",
            ("event-valid",), with_packed(ReservedEvent)),
    _packed("packed-event-unasked", "names positions in its event area without EVENT_IDX",
            ("event-valid",), with_packed(EventUnasked)),
    _packed("packed-event-behind-end", "names the slot after the last in its event area",
            ("event-valid",), with_packed(EventBehindEnd)),
    _packed("packed-long-table-waits", "waits for ever at a table that is longer than its ring",
            ("ring.device.indirect-length-bounded", "malformed-answered"),
            with_packed(LongTableIgnored)),
    _packed("packed-id-of-first", "takes the id of a list from its first descriptor",
            ("used-id",), with_packed(IdOfFirst)),
    _packed("packed-flags-a-step-first", "shows a descriptor as used a step before id and length",
            ("fields-before-flags",), FlagsAStepFirst),
)  # fmt: skip
"""Mutants of packed rings."""
