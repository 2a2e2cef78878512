"""Faults in telling the driver that buffers were used."""

from __future__ import annotations

from collections.abc import Generator

from vhint.host import Device
from vhint.host.work import Line
from vhint.ring import GuestMemory, SplitDeviceQueue
from vhint.ring.split_driver import passed
from vhint.wire import vring
from vhint.wire.queues import Queue
from vhint_conformance.mutants.base import Mutant, with_ring

NOTIFIES = "ring.device.flags-zero-notifies"
EVENT = "ring.device.event-idx-notifies"


class InflateOnly(Device):
    """Sends notifications for the inflate queue only."""

    def complete(self, name: Queue, line: Line, head: int, length: int) -> None:
        """Use a buffer, mostly in silence."""
        if name is Queue.INFLATE:
            super().complete(name, line, head, length)
        else:
            line.ring.push(head, length)


class Once(Device):
    """Sends the first notification of a life and no other."""

    told = False

    def complete(self, name: Queue, line: Line, head: int, length: int) -> None:
        """Use a buffer; speak once."""
        before = self._used_interrupt
        super().complete(name, line, head, length)
        if self._used_interrupt and not before:
            self._used_interrupt, self.told = not self.told, True

    def _begin(self) -> None:
        super()._begin()
        self.told = False


class BeforeUse(Device):
    """Decides whether to notify before it has used the buffer."""

    def complete(self, name: Queue, line: Line, head: int, length: int) -> None:  # noqa: ARG002
        """Decide, and then use."""
        if line.ring.interrupt_needed():
            self._used_interrupt = True
        line.ring.push(head, length)


class NeverWraps(SplitDeviceQueue):
    """Compares ring indices as if they never wrapped."""

    def interrupt_needed(self) -> bool:
        """Compare as plain numbers."""
        old, self._announced = self._announced, self._used_index
        if not self.event_idx:
            self._announced = old
            return super().interrupt_needed()
        event = self.memory.load16(self.layout.used_event_at)
        return old <= event < self._used_index


class EqualsOnly(SplitDeviceQueue):
    """Notifies only if the last of several buffers is the one that was asked for."""

    def interrupt_needed(self) -> bool:
        """Compare with the end."""
        if not self.event_idx:
            return super().interrupt_needed()
        event = self.memory.load16(self.layout.used_event_at)
        return event == self._used_index


class NoEvents(SplitDeviceQueue):
    """Negotiates EVENT_IDX and goes by the flag."""

    def interrupt_needed(self) -> bool:
        """Look at the flag."""
        return not self.memory.load16(self.layout.available) & vring.AVAIL_NO_INTERRUPT


class Always(SplitDeviceQueue):
    """Notifies of every buffer, whatever the driver asked."""

    def interrupt_needed(self) -> bool:
        """Say yes."""
        return True


class FlagBesidesEvent(SplitDeviceQueue):
    """Obeys the flag although EVENT_IDX was negotiated."""

    def interrupt_needed(self) -> bool:
        """Look at both."""
        needed = super().interrupt_needed()
        flag = self.memory.load16(self.layout.available) & vring.AVAIL_NO_INTERRUPT
        return needed and not flag


class EventsUnasked(SplitDeviceQueue):
    """Obeys used_event although EVENT_IDX was not negotiated."""

    def interrupt_needed(self) -> bool:
        """Look at the field."""
        old, self._announced = self._announced, self._used_index
        event = self.memory.load16(self.layout.used_event_at)
        return passed(event, self._announced, old)


class ObeysFlagLate(SplitDeviceQueue):
    """Reads the driver's flag once, when the queue starts."""

    flag: int | None = None

    def interrupt_needed(self) -> bool:
        """Go by what the flag was."""
        if self.event_idx:
            return super().interrupt_needed()
        if self.flag is None:
            self.flag = self.memory.load16(self.layout.available)
        return not self.flag & vring.AVAIL_NO_INTERRUPT


class InvertsFlag(SplitDeviceQueue):
    """Takes NO_INTERRUPT for a wish to be notified."""

    def interrupt_needed(self) -> bool:
        """Invert it."""
        if self.event_idx:
            return super().interrupt_needed()
        return bool(self.memory.load16(self.layout.available) & vring.AVAIL_NO_INTERRUPT)


class SaysConfig(Device):
    """Takes every used buffer for a change of its configuration as well."""

    def take_interrupts(self) -> tuple[bool, bool]:
        """Report both kinds."""
        used, config = super().take_interrupts()
        return used, config or used


class SurvivesReset(Device):
    """Leaves what it has not yet notified pending over a reset."""

    def _reset(self) -> None:
        pending = self._used_interrupt, self._config_interrupt
        super()._reset()
        self._used_interrupt, self._config_interrupt = pending


class IdleKickFatal(Device):
    """Asks for a reset when it is notified while nothing new is available."""

    def notify(self, index: int) -> None:
        """Take it for an error of the driver."""
        for queue, number in self._indices().items():
            line = self.lines.get(queue)
            if number == index and line and not (line.work or line.kicked or line.ring.pending):
                self.fail("a notification of nothing")
                return
        super().notify(index)


class SleepsAtOnce(Device):
    """Asks for notifications again when it goes to sleep, and looks no more at the ring."""

    def serve(self, name: Queue, line: Line) -> Generator[None, None, None]:
        """Want no notification until there is nothing more to do."""
        ring = line.ring
        plain = not ring.event_idx
        if plain:
            ring.suppress_kicks(True)
        yield from super().serve(name, line)
        yield
        if plain:
            ring.suppress_kicks(False)


class EventPlaceKept(Device):
    """Looks for used_event where it lay when a queue was set up for the first time."""

    def __init__(self, memory: GuestMemory) -> None:
        self._places: dict[Queue, int] = {}
        super().__init__(memory)

    def _start(self, only: int | None = None) -> None:
        super()._start(only)
        for name, line in self.lines.items():
            if type(line.ring) is SplitDeviceQueue:
                line.ring.__class__ = EventElsewhere
            if isinstance(line.ring, EventElsewhere):
                place = line.ring.layout.used_event_at - line.ring.layout.available
                line.ring.behind = self._places.setdefault(name, place)


class EventElsewhere(SplitDeviceQueue):
    """Looks for used_event so far behind the start of the available ring."""

    behind = 0

    def interrupt_needed(self) -> bool:
        """Read another place."""
        old = self._announced
        needed = super().interrupt_needed()
        if not self.event_idx:
            return needed
        event = self.memory.load16(self.layout.available + self.behind)
        return passed(event, self._used_index, old)


class FirstLifeOnly(Device):
    """Sends no notifications any more once it was reset in use."""

    lives = 0

    def _start(self, only: int | None = None) -> None:
        super()._start(only)
        self.lives += only is None

    def complete(self, name: Queue, line: Line, head: int, length: int) -> None:
        """Use a buffer, in silence but for the first life."""
        if self.lives > 1:
            line.ring.push(head, length)
        else:
            super().complete(name, line, head, length)


MUTANTS = (
    Mutant(
        "notifies-inflate-only",
        "sends used buffer notifications for the inflate queue only",
        (NOTIFIES, EVENT),
        InflateOnly,
        bugs=("L13",),
    ),
    Mutant(
        "notifies-once",
        "sends the first used buffer notification of a life and no other",
        (NOTIFIES, EVENT),
        Once,
        bugs=("W4",),
    ),
    Mutant(
        "notification-before-use",
        "decides whether to notify before it has used the buffer",
        (NOTIFIES, EVENT),
        BeforeUse,
    ),
    Mutant(
        "event-index-never-wraps",
        "compares ring indices as if they never wrapped",
        (EVENT,),
        with_ring(NeverWraps),
    ),
    Mutant(
        "event-index-off-by-one",
        "notifies one buffer later than used_event asks",
        (EVENT,),
        with_ring(EqualsOnly),
    ),
    Mutant(
        "event-index-unknown",
        "negotiates EVENT_IDX and goes by the flag",
        ("ring.device.event-idx-flag-ignored", "ring.device.event-idx-quiet"),
        with_ring(NoEvents),
    ),
    Mutant(
        "notifies-always",
        "notifies of every buffer, whatever the driver asked",
        ("ring.device.flags-one-quiet", "ring.device.event-idx-quiet"),
        with_ring(Always),
    ),
    Mutant(
        "flag-obeyed-with-event-idx",
        "obeys NO_INTERRUPT although EVENT_IDX was negotiated",
        ("ring.device.event-idx-flag-ignored",),
        with_ring(FlagBesidesEvent),
    ),
    Mutant(
        "used-event-obeyed-unasked",
        "obeys used_event although EVENT_IDX was not negotiated",
        ("ring.device.used-event-ignored",),
        with_ring(EventsUnasked),
    ),
    Mutant(
        "flag-read-once",
        "reads the driver's NO_INTERRUPT once, when the queue starts",
        ("ring.device.flags-one-quiet", NOTIFIES),
        with_ring(ObeysFlagLate),
    ),
    Mutant(
        "flag-inverted",
        "notifies if, and only if, the driver asked not to be",
        (NOTIFIES, "ring.device.flags-one-quiet"),
        with_ring(InvertsFlag),
    ),
    Mutant(
        "used-said-to-be-config",
        "reports a configuration change with every used buffer",
        ("virtio.device.interrupt-status-true",),
        SaysConfig,
    ),
    Mutant(
        "notification-survives-reset",
        "leaves what it has not yet notified pending over a reset",
        ("virtio.device.reset-clears-interrupt-status",
         "ring.device.no-notification-after-reset"),
        SurvivesReset,
    ),
    Mutant(
        "idle-kick-fatal",
        "asks for a reset when it is notified of nothing new",
        ("ring.device.spurious-kick",),
        lambda memory: IdleKickFatal(memory),
    ),
    Mutant(
        "sleeps-without-a-look",
        "asks for notifications again and does not look at the ring once more",
        ("ring.device.recheck-after-enabling", "ring.device.drains-available"),
        lambda memory: SleepsAtOnce(memory),
    ),
    Mutant(
        "used-event-place-kept",
        "looks for used_event where it lay in the queue's first life",
        (EVENT,),
        EventPlaceKept,
    ),
    Mutant(
        "notifies-in-first-life-only",
        "sends no notifications any more once it was reset",
        (NOTIFIES, EVENT),
        FirstLifeOnly,
    ),
)  # fmt: skip
"""Mutants that notify wrongly."""
