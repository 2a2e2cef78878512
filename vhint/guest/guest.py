"""The guest: memory, hinting and the device-facing halves, put together and driven in steps.

`enabled` says what can happen next and `do` lets one of it happen; who calls chooses the
interleaving, and plays the device, the applications and the clock.  Nothing here waits, and
nothing happens by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from vhint.guest.applications import Applications
from vhint.guest.device_life import DeviceEvent, DeviceState, advance
from vhint.guest.half import Half
from vhint.guest.hinting import Counters, Generation, Hinting, HintSettings
from vhint.guest.memory import Content, Memory, MemoryOptions, PageCache, Relief
from vhint.guest.memory.ledger import Breach, refuse
from vhint.guest.port import Port
from vhint.guest.profiles.balloon import Balloon
from vhint.guest.profiles.free_page_hint import FreePageHint, RoundSettings
from vhint.guest.profiles.hint_format import HintFormat
from vhint.guest.profiles.reporting import Reporting, ReportingSettings
from vhint.guest.profiles.statistics import GuestStatistics
from vhint.guest.step import Step
from vhint.trace.events import Event
from vhint.wire.features import Feature

DEVICE = "device"
"""The actor of the steps by which the driver resets and starts the device."""


@dataclass(frozen=True, slots=True)
class GuestOptions:
    """How a guest is made.

    `poison` is the 32-bit value that it fills free pages with, or None.  `orders` are those that
    its applications allocate.  `patience` is how long, in the guest's time, it waits for answers
    under memory pressure before it resets the device; None means for ever.
    """

    memory: MemoryOptions
    hinting: HintSettings = field(default_factory=HintSettings)
    reporting: ReportingSettings = field(default_factory=ReportingSettings)
    rounds: RoundSettings = field(default_factory=RoundSettings)
    poison: int | None = None
    orders: tuple[int, ...] = (0,)
    patience: int | None = None


class Guest:
    """A guest with `options.memory.cpus` CPUs on one device.

    `generation` and `hint_format` say how it hints, `cache` what becomes of used pages; `emit`
    gets the events, `on_breach` what the ledger of pages finds (by default an exception).
    """

    # What a broken guest replaces, as it does `make_hinting`.
    reporting_kind: type[Reporting] = Reporting
    rounds_kind: type[FreePageHint] = FreePageHint
    balloon_kind: type[Balloon] = Balloon

    def __init__(
        self,
        options: GuestOptions,
        port: Port,
        *,
        content: Content | None = None,
        cache: PageCache | None = None,
        generation: Generation | None = None,
        hint_format: HintFormat | None = None,
        emit: Callable[[Event], object] | None = None,
        on_breach: Callable[[Breach], None] = refuse,
    ) -> None:
        self.options = options
        self.port = port
        self.now = 0
        self.state = DeviceState.DOWN
        self.counters = Counters()
        self.memory = Memory(options.memory, content, cache=cache, emit=emit, on_breach=on_breach)
        self.hinting = self.make_hinting(generation, hint_format)
        self.reporting = self.reporting_kind(self.memory, port, options.reporting)
        self.rounds = self.rounds_kind(self.memory, port, options.rounds)
        self.balloon = self.balloon_kind(self.memory, port)
        self.statistics = GuestStatistics(self.memory, port)
        self.memory.listed.append(self.reporting.page_listed)
        self.memory.relief += [
            self.hinting.relieve,
            self.reporting.relieve,
            self.rounds.relieve,
            self.balloon.relieve,
            self.lose_patience,
        ]
        self.applications = Applications(self.memory, self.hinting, self.counters, options.orders)
        self._by_actor: dict[str, Half] = {
            "reporting": self.reporting,
            "free_page_hint": self.rounds,
            "balloon": self.balloon,
            "statistics": self.statistics,
        }
        self._short_since: int | None = None
        self._allocations = 0

    def make_hinting(
        self, generation: Generation | None, hint_format: HintFormat | None
    ) -> Hinting:
        """Make the hinting: what a broken guest replaces."""
        return Hinting(
            self.memory, self.port, self.options.hinting, generation, hint_format, self.counters
        )

    # The device

    def start(self) -> None:
        """Initialise the device; raises `InitialisationError`."""
        self.port.start()
        self.state = advance(self.state, DeviceEvent.START)
        self._set_poison(Feature.PAGE_POISON in self.port.accepted)
        for half in self._halves:
            half.started()

    def _set_poison(self, negotiated: bool) -> None:
        poison = self.options.poison if negotiated else None
        self.hinting.poison = self.reporting.poison = poison
        self.rounds.poison = self.balloon.poison = poison

    def begin_reset(self) -> None:
        """Write 0 to the device status; nothing comes back by that."""
        self.state = advance(self.state, DeviceEvent.RESET)
        self.counters.resets += 1
        self.port.begin_reset()

    def finish_reset(self) -> None:
        """Take back what the device had, if its status reads 0.

        hint.driver.return-outstanding-after-reset, hint.driver.no-return-before-reset-done
        """
        if not self.port.reset_done():
            return
        self.state = advance(self.state, DeviceEvent.RESET_DONE)
        for half in self._halves:
            half.reset_done()

    def give_up(self) -> None:
        """Use the device no more, and have it reset."""
        self.state = advance(self.state, DeviceEvent.GIVE_UP)

    def lose_patience(self, pages: int) -> Relief:  # noqa: ARG002
        """Reset a device that does not answer while the guest is out of memory."""
        if self.options.patience is None or self.state is DeviceState.DOWN:
            return Relief.NONE
        if self._short_since is None or self._allocations != self.counters.allocations:
            self._short_since, self._allocations = self.now, self.counters.allocations
        if self.now - self._short_since >= self.options.patience:
            self._short_since = None
            self.give_up()
        return Relief.LATER if self._device_has_pages else Relief.NONE

    @property
    def _device_has_pages(self) -> bool:
        account = self.memory.account()
        return bool(account.isolated or account.ballooned)

    @property
    def _halves(self) -> tuple[Half, ...]:
        return (self.hinting, *self._by_actor.values())

    # Inputs

    def interrupted(self, *, config: bool = False) -> None:
        """Take an interrupt: config space may have changed (used buffers show in the rings)."""
        if config and self.state is DeviceState.LIVE:
            self.rounds.config_changed()
            self.balloon.config_changed()
            if self.port.needs_reset():
                self.give_up()

    def tick(self, now: int) -> None:
        """Let it be that time; it never goes back."""
        if now < self.now:
            raise ValueError(f"time goes from {self.now} to {now}")
        self.now = self.hinting.now = self.reporting.now = now

    # Steps

    def enabled(self) -> list[Step]:
        """Return what can happen next, always in the same order."""
        steps = list(self.applications.steps())
        for half in self._halves:
            steps += half.steps()
        steps += self._device_steps()
        return steps

    def work(self) -> Iterator[Step]:
        """Yield what is enabled and nobody's choice, in the same order: the guest's own work."""
        yield from self.applications.captures()
        for half in self._halves:
            yield from half.steps()
        yield from (step for step in self._device_steps() if step.action != "start")

    def _device_steps(self) -> Iterator[Step]:
        if self.state is DeviceState.DOWN:
            yield Step(DEVICE, "start")
        wants_reset = any(half.wants_reset for half in self._halves)
        if self.state is DeviceState.GIVEN_UP or (self.state is DeviceState.LIVE and wants_reset):
            yield Step(DEVICE, "begin_reset")
        if self.state is DeviceState.RESETTING and self.port.reset_done():
            yield Step(DEVICE, "finish_reset")

    def do(self, step: Step) -> None:
        """Let one of `enabled` happen; an application that has to wait, waits."""
        if self.memory.stop.holder is not None or any(
            zone.lock.holder is not None for zone in self.memory.zones
        ):
            self.counters.lock_held_steps += 1
        if step.actor == DEVICE:
            self._do_device(step)
        elif step.actor.startswith("cpu"):
            self.applications.do(step)
        else:
            self._by_actor.get(step.actor, self.hinting).do(step)

    def _do_device(self, step: Step) -> None:
        match step.action:
            case "start":
                self.start()
            case "begin_reset":
                self.begin_reset()
            case "finish_reset":
                self.finish_reset()
            case _:
                raise ValueError(f"no such step: {step}")

    def settle(self, limit: int = 100_000) -> int:
        """Do every step that is not an application's until none is left; return how many.

        A device that is down is left down.  Raises `RuntimeError` at the limit.
        """
        for done in range(limit):
            step = next(self.work(), None)
            if step is None:
                return done
            self.do(step)
        raise RuntimeError(f"the guest is still busy after {limit} steps")

    def key(self) -> tuple[object, ...]:
        """Return the state as a value, for hashing and comparing.

        Two guests with the same key do the same after the same steps, as long as no time passes.
        What pages hold, counters, and how long something has waited are not in it.
        """
        memory = tuple((zone.ledger.key(), zone.buddy.key()) for zone in self.memory.zones)
        parked = tuple(
            tuple(self.memory.parked(cpu, zone.kind).pages)
            for cpu in range(self.memory.cpus)
            for zone in self.memory.zones
        )
        halves = tuple(half.key() for half in self._halves)
        return (
            self.state,
            memory,
            parked,
            self.memory.cache.blocks,
            self.applications.key(),
            halves,
        )
