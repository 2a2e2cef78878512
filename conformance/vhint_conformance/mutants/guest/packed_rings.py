"""Faults in the driver's half of packed queues."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from vhint.guest.driver import Request
from vhint.guest.initialise import Access, Reply, SetUpQueue
from vhint.guest.port import RingPort
from vhint.guest.requests import Draft
from vhint.ring import PackedDriverQueue, Position
from vhint.ring.split_driver import Completion
from vhint.spans import Span
from vhint.wire import packed_vring as packed
from vhint.wire.packed_vring import EventFlag, PackedDescriptor, PackedFlag
from vhint.wire.queues import Queue
from vhint_conformance.model.reference_guest import Mutation
from vhint_conformance.mutants.guest.base import GuestMutant
from vhint_conformance.mutants.guest.initialisation import Meddles, Perform, meddling
from vhint_conformance.variants import Rings

_BOTH = int(PackedFlag.AVAIL | PackedFlag.USED)


def with_packed(kind: type[PackedDriverQueue], port: type[RingPort] = RingPort) -> Mutation:
    """Return a guest whose packed queues are of another kind."""

    class Port(port):  # type: ignore[misc, valid-type]
        """A port with broken queues."""

        def start(self) -> None:
            """Start, and exchange the queues before anything is in them."""
            super().start()
            if self.driver is not None:
                for ring in self.driver.rings.values():
                    if isinstance(ring, PackedDriverQueue):
                        ring.__class__ = kind
                        getattr(ring, "begin", int)()

    return Mutation(port_kind=Port)


def misaligns(access: Access, perform: Perform, _: Meddles) -> Reply:
    """Tell the device of a descriptor ring that is not aligned."""
    if isinstance(access, SetUpQueue):
        layout = access.layout
        moved = replace(layout, descriptors=layout.descriptors + 8)
        return perform(replace(access, layout=moved))
    return perform(access)


class ChangesOutstanding(PackedDriverQueue):
    """Cuts the list before the last short when it adds another."""

    def add(
        self,
        readable: Sequence[Span],
        writable: Sequence[Span],
        *,
        indirect_at: int | None = None,
    ) -> int:
        """Add a list, and change one that the device has."""
        if self._lists:
            before = self.position.on(self.layout.size - 1, self.layout.size).slot
            self.memory.write(self.layout.descriptor_at(before) + 8, b"\x01\x00\x00\x00")
        return super().add(readable, writable, indirect_at=indirect_at)


class ManySlots(RingPort):
    """Takes every queue for one with room, and uses no indirect tables."""

    def room(self, queue: Queue) -> int:
        """Return what a larger queue would have."""
        return max(64, super().room(queue)) if queue is Queue.REPORTING else super().room(queue)

    def add(self, draft: Draft) -> Request:
        """Add it directly."""
        if draft.queue is Queue.REPORTING:
            return self._live.add(draft, indirect=False)
        return super().add(draft)


class RoomUnchecked(PackedDriverQueue):
    """Adds lists that are longer than the ring."""

    def _check_room(self, needed: int) -> None:
        """Look at nothing."""


class TableInTable(PackedDriverQueue):
    """Marks the first entry of an indirect table as another table."""

    def add(
        self,
        readable: Sequence[Span],
        writable: Sequence[Span],
        *,
        indirect_at: int | None = None,
    ) -> int:
        """Add a list, and mark it."""
        head = super().add(readable, writable, indirect_at=indirect_at)
        if indirect_at is not None:
            flags = self.memory.read(Span(indirect_at + 14, 1))[0] | int(PackedFlag.INDIRECT)
            self.memory.write(indirect_at + 14, bytes([flags]))
        return head


class TableGoesOn(PackedDriverQueue):
    """Sets NEXT on the descriptor of an indirect table."""

    def _write(self, descriptors: Sequence[PackedDescriptor]) -> None:
        changed = [
            replace(each, flags=each.flags | PackedFlag.NEXT)
            if each.flags & PackedFlag.INDIRECT
            else each
            for each in descriptors
        ]
        super()._write(changed)


class CounterStays(PackedDriverQueue):
    """Never changes its wrap counter."""

    def _write(self, descriptors: Sequence[PackedDescriptor]) -> None:
        super()._write(descriptors)
        self.position = Position(self.position.slot, True)


class CounterFromZero(PackedDriverQueue):
    """Begins with a wrap counter of 0."""

    def begin(self) -> None:
        """Stand where no driver begins."""
        self.position = self._published = Position(0, False)


class OneId(PackedDriverQueue):
    """Gives every list the id 0."""

    def _write(self, descriptors: Sequence[PackedDescriptor]) -> None:
        super()._write([replace(each, id=0) for each in descriptors])


class EnableIgnored(PackedDriverQueue):
    """Takes ENABLE for DISABLE once EVENT_IDX was negotiated."""

    def kick_needed(self) -> bool:
        """Look for DESC only."""
        _, flags = packed.EVENT_STRUCT.unpack(self.memory.read(self.layout.used_span))
        wanted = super().kick_needed()
        return wanted and (flags == EventFlag.DESC or not self.event_idx)


class EventWithoutCounter(PackedDriverQueue):
    """Looks for an event in the first of two rounds only."""

    def kick_needed(self) -> bool:
        """Miss every event whose counter is 0."""
        word, flags = packed.EVENT_STRUCT.unpack(self.memory.read(self.layout.used_span))
        wanted = super().kick_needed()
        if self.event_idx and flags == EventFlag.DESC and not word & packed.WRAP:
            return False
        return wanted


class FlagsFirst(PackedDriverQueue):
    """Writes the flags of a descriptor first, and the rest of it after them."""

    def publish(self) -> None:
        """Show the first list that was added, and then say where its first buffer is."""
        if self._first_head is None:
            super().publish()
            return
        slot, _ = self._first_head
        body = Span(self.layout.descriptor_at(slot), 12)
        address_and_length = self.memory.read(body)
        self.memory.write(body.start, bytes(12))
        super().publish()
        self.memory.write(body.start, address_and_length)


class HeadFirst(PackedDriverQueue):
    """Makes the descriptors of a list available from its beginning."""

    def _write(self, descriptors: Sequence[PackedDescriptor]) -> None:
        if len(descriptors) < 2:
            super()._write(descriptors)
            return
        # The head waits for `publish`: the others follow it.
        first = self.position
        super()._write(descriptors)
        rest = [first.on(ahead, self.layout.size).slot for ahead in range(1, len(descriptors))]
        self.late = {slot: self.memory.load16(self.layout.flags_at(slot)) for slot in rest}
        for slot, flags in self.late.items():
            self.memory.store16(self.layout.flags_at(slot), flags & ~_BOTH)

    def publish(self) -> None:
        """Show the head, and then the others."""
        super().publish()
        for slot, flags in self.__dict__.pop("late", {}).items():
            self.memory.store16(self.layout.flags_at(slot), flags)


class NumbersAgain(PackedDriverQueue):
    """Writes the id of a list once more when it has announced it, and wrongly at first."""

    def kick_needed(self) -> bool:
        """Announce a list, and number it."""
        wanted = super().kick_needed()
        if self._lists:
            slot = self.position.on(2 * self.layout.size - 1, self.layout.size).slot
            at = self.layout.used_part_at(slot) + 4
            right = self.memory.load16(at)
            self.memory.store16(at, right ^ 0x100)
            self.memory.store16(at, right)
        return wanted


class ReservedEvent(PackedDriverQueue):
    """Sets a reserved bit in its event suppression area."""

    def publish(self) -> None:
        """Ask for every notification, in its own words."""
        super().publish()
        self.memory.store16(self.layout.driver_flags_at, EventFlag.ENABLE | 1 << 3)


class EventUnasked(PackedDriverQueue):
    """Names the next position for a notification whether or not EVENT_IDX was negotiated."""

    def publish(self) -> None:
        """Ask to hear of the next used descriptor."""
        super().publish()
        self.ask_interrupt_at(self.used_position)


class StrayIdTaken(PackedDriverQueue):
    """Takes a used id that is nobody's for the list that was added first."""

    def collect(self) -> Completion | None:
        """Believe it."""
        found = super().collect()
        if found is None or found.known or not self._lists:
            return found
        first = next(iter(self._lists))
        self._room += self._lists.pop(first)
        return Completion(first, found.length, True)


def _packed(
    name: str, summary: str, violates: tuple[str, ...], how: Mutation, machine: str = ""
) -> GuestMutant:
    slugs = [slug if "." in slug else f"ring.driver.packed-{slug}" for slug in violates]
    return GuestMutant(
        name, summary, slugs[0], machine, how, also=tuple(slugs[1:]), rings=(Rings.PACKED,)
    )


MUTANTS = (
    _packed("packed-queue-misaligned", "sets up packed queues that are not aligned to 16 bytes",
            ("parts-aligned",), meddling(misaligns)),
    _packed("packed-changes-outstanding", "changes a descriptor that the device has",
            ("no-change-before-used",), with_packed(ChangesOutstanding)),
    _packed("packed-list-too-long", "adds lists that are longer than the ring",
            ("list-within-queue-size",), with_packed(RoomUnchecked, ManySlots)),
    _packed("packed-table-in-table", "puts an indirect table into another",
            ("indirect-flags",), with_packed(TableInTable)),
    _packed("packed-table-goes-on", "sets NEXT on the descriptor of an indirect table",
            ("indirect-not-chained",), with_packed(TableGoesOn)),
    _packed("packed-driver-counter-stays", "never changes its wrap counter",
            ("wrap-counter",), with_packed(CounterStays)),
    _packed("packed-driver-counter-from-0", "begins with a wrap counter of 0",
            ("wrap-counter-start",), with_packed(CounterFromZero)),
    _packed("packed-one-id", "gives every list the same id",
            ("id-unique",), with_packed(OneId)),
    _packed("packed-kicks-only-at-events", "does not notify a device that says ENABLE",
            ("kick-when-enabled",), with_packed(EnableIgnored)),
    _packed("packed-kick-without-counter", "misses events of rounds whose counter is 0",
            ("kick-at-event",), with_packed(EventWithoutCounter), "PackedRings"),
    _packed("packed-driver-flags-first", "shows a list before its first buffer is named",
            ("no-change-after-available",), with_packed(FlagsFirst), "PackedRings"),
    _packed("packed-head-first", "makes the first descriptor of a list available before the rest",
            ("head-last",), with_packed(HeadFirst)),
    _packed("packed-numbers-again", "writes to a descriptor that it has announced",
            ("no-change-before-used", "no-change-after-available"), with_packed(NumbersAgain)),
    _packed("packed-driver-event-reserved", "sets a reserved bit of its event suppression area",
            ("event-valid",), with_packed(ReservedEvent)),
    _packed("packed-driver-event-unasked", "names positions in its event area without EVENT_IDX",
            ("event-valid",), with_packed(EventUnasked)),
    _packed("packed-stray-id-taken", "takes a used id that is nobody's for its first list",
            ("used-id-checked", "balloon.driver.acknowledgement-matched"),
            with_packed(StrayIdTaken)),
)  # fmt: skip
"""Guest mutants of packed queues."""
