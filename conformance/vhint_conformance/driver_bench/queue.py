"""A virtqueue as the judging device sees it: what was taken, what is outstanding, what changed."""

from __future__ import annotations

from dataclasses import dataclass, replace

from vhint.ring import (
    Chain,
    Fault,
    GuestMemory,
    Layout,
    PackedDeviceQueue,
    PackedLayout,
    Position,
    RingError,
    SplitDeviceQueue,
    SplitLayout,
    device_ring,
)
from vhint.ring.packed_layout import START
from vhint.spans import Span
from vhint.wire.packed_vring import EventFlag
from vhint_conformance.oracle.packed import PackedWatch, Side
from vhint_conformance.verdict import Violation

READ_LIMIT = 1 << 20
"""Bytes of a chain that are copied; no request of a balloon is longer."""


@dataclass(frozen=True, slots=True)
class Taken:
    """A chain and everything of it that the driver must leave alone until it is used.

    `at` is where a packed list begins, `slots` are those that it takes.
    """

    chain: Chain
    data: bytes
    at: Position | None = None
    slots: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Alteration:
    """What was changed of an outstanding chain: its bytes (`data`), or where they are."""

    seen: str
    data: bool


class JudgedQueue:
    """The device half of a queue that is polled only when the driver has notified it."""

    def __init__(
        self,
        memory: GuestMemory,
        layout: Layout,
        *,
        event_idx: bool,
        indirect: bool,
        base: int | None = None,
    ) -> None:
        self.memory = memory
        self.layout = layout
        self.event_idx = event_idx
        self.ring = device_ring(memory, layout, event_idx=event_idx, indirect=indirect, base=base)
        self.broken: RingError | None = None
        self.found: list[Violation] = []
        self._watch: PackedWatch | None = None
        if isinstance(self.ring, PackedDeviceQueue) and isinstance(layout, PackedLayout):
            self._watch = PackedWatch(
                memory,
                layout,
                event_idx=event_idx,
                indirect=indirect,
                find=self._find,
                begin=self.ring.available_position,
            )
        self.notified = False
        #: Whether the driver had asked to hear nothing of what was used last.
        self.silent = False
        self._quiet = False
        self._held: dict[int, Taken] = {}
        self._passed: set[int] = set()

    def _find(self, requirement: str, expected: str, seen: str, where: str) -> None:
        if ".driver." in requirement:
            self.found.append(Violation(requirement, expected, seen, where))

    def stored(self, side: Side, address: int, data: bytes) -> None:
        """Take note of a store that the driver or the judging device is about to make."""
        if self._watch is not None:
            self._watch.stored(side, address, data)

    def was_notified(self) -> None:
        """Take note of a notification."""
        self.notified = True
        if self._watch is not None:
            self._watch.look(Side.DRIVER)
            self._watch.notified(Side.DRIVER)

    def driver_rests(self) -> None:
        """Look at what the driver has made of the ring, and has left so."""
        if self._watch is not None:
            self._watch.look(Side.DRIVER)
            self._watch.rests(Side.DRIVER)

    @property
    def packed(self) -> bool:
        """Whether the ring is packed."""
        return isinstance(self.ring, PackedDeviceQueue)

    @property
    def base(self) -> int:
        """Where the queue could go on."""
        return self.ring.base

    def take(self) -> Taken | None:
        """Take the next chain with a copy of what the device may read; raises `RingError`."""
        if self._watch is not None:
            self._watch.look(Side.DRIVER)
        at = self.ring.available_position if isinstance(self.ring, PackedDeviceQueue) else None
        chain = self.ring.pop()
        if chain is None:
            return None
        if self.packed and chain.head in self._held:
            raise RingError(Fault.SAME_ID, f"id {chain.head}")
        taken = Taken(chain, chain.read(self.memory, READ_LIMIT))
        if at is not None and isinstance(self.ring, PackedDeviceQueue):
            taken = replace(
                taken, at=at, slots=_between(at, self.ring.available_position, self.layout.size)
            )
        self._held[chain.head] = taken
        self._passed.discard(chain.head)
        return taken

    def push(self, head: int, length: int) -> None:
        """Write a used element, whatever it says."""
        before = self.ring.used_position if isinstance(self.ring, PackedDeviceQueue) else None
        self.ring.push(head, length)
        self._held.pop(head, None)
        if before is not None and isinstance(self.ring, PackedDeviceQueue):
            # From now on these slots may be written anew, whoever's descriptors were there.
            gone = _between(before, self.ring.used_position, self.layout.size)
            self._passed |= {name for name, each in self._held.items() if each.slots & gone}

    def interrupt_needed(self) -> bool:
        """Whether the driver asked to hear of what was used."""
        return self.ring.interrupt_needed()

    @property
    def sleeps_through(self) -> bool:
        """Whether the driver waits for a used buffer later than one that it was not told of."""
        if not self.silent or not self.event_idx or not isinstance(self.layout, SplitLayout):
            return False
        wanted = self.memory.load16(self.layout.used_event_at)
        used = self.memory.load16(self.layout.used_index_at)
        return (wanted - used) % (1 << 16) < self.layout.size

    def altered(self, taken: Taken) -> Alteration | None:
        """Say what of an outstanding chain is not as it was, or return None."""
        if self._watch is not None:
            self._watch.look(Side.DRIVER)
        chain = taken.chain
        try:
            if isinstance(self.ring, SplitDeviceQueue):
                chain = self.ring.again(chain)
            elif isinstance(self.ring, PackedDeviceQueue) and chain.head not in self._passed:
                chain = self.ring.again(taken.at or START)
        except RingError as error:
            return Alteration(f"descriptors that make no chain any more ({error})", data=False)
        if chain != taken.chain:
            seen = f"descriptors that name {_spans(chain)} instead of {_spans(taken.chain)}"
            return Alteration(seen, data=False)
        if chain.read(self.memory, READ_LIMIT) != taken.data:
            return Alteration("other bytes in the device-readable buffers", data=True)
        return None

    @property
    def waiting(self) -> int:
        """How many chains are available and were not taken, 0 if the index makes no sense.

        In a packed ring no more than 1: there the next shows only behind the one before it.
        """
        try:
            return self.ring.pending
        except RingError:
            return 0

    @property
    def available_flags(self) -> int:
        """The flags by which the driver says whether it wants notifications."""
        if isinstance(self.layout, PackedLayout):
            return self.memory.load16(self.layout.driver_flags_at)
        return self.memory.load16(self.layout.available)

    @property
    def kick_was_due(self) -> bool:
        """Whether the driver owes a notification for what waits.

        Every chain that was taken moved the device's event to the entry after it, so the first of
        those that wait is the one to notify of.
        """
        return bool(self.waiting) and (self.event_idx or not self._quiet)

    @property
    def kick_requirement(self) -> str:
        """The rule by which the device asks for notifications now."""
        if isinstance(self.layout, PackedLayout):
            flags = self.memory.load16(self.layout.device_flags_at)
            by_event = flags == EventFlag.DESC
        else:
            by_event = self.event_idx
        return f"ring.driver.kick-{'at-avail-event' if by_event else 'when-flags-zero'}"

    def be_quiet(self, quiet: bool) -> None:
        """Ask the driver for no notifications by flags (of a split ring: without EVENT_IDX)."""
        self._quiet = quiet
        self.ring.suppress_kicks(quiet)


def _between(start: Position, end: Position, size: int) -> frozenset[int]:
    """Return the slots from one position up to another."""
    count = (end.line(size) - start.line(size)) % (2 * size)
    return frozenset((start.slot + step) % size for step in range(count))


def _spans(chain: Chain) -> str:
    spans: list[Span] = [*chain.readable, *chain.writable]
    return ", ".join(map(str, spans[:4])) + (", ..." if len(spans) > 4 else "")
