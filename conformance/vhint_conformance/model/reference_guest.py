"""The reference guest in the place where anybody's guest can stand, and what it confesses.

`Mutation` says which of its parts are replaced by broken ones.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from vhint.guest.device_life import DeviceState
from vhint.guest.guest import Guest
from vhint.guest.hinting import GENERATIONS
from vhint.guest.memory import (
    Breach,
    KeepUntilPressure,
    NoCache,
    OutOfMemoryError,
    PatternContent,
    ZoneKind,
)
from vhint.guest.memory.accounts import BALLOON
from vhint.guest.page_life import AWAY
from vhint.guest.port import RingPort
from vhint.guest.profiles.hint_format import BitmapFormat, HintFormat, PfnFormat
from vhint.guest.step import Step
from vhint.guest.wishes import wish_for
from vhint.trace import Recorder
from vhint.transport.execute import perform
from vhint.transport.interface import Transport
from vhint.wire.features import Feature
from vhint.wire.queues import Queue
from vhint_conformance.model.narrate import block_text, narrate
from vhint_conformance.model.setup import STRUCTURES, Setup
from vhint_conformance.verdict import Violation

FORMATS: dict[str, type[HintFormat]] = {"pfn": PfnFormat, "bitmap": BitmapFormat}
STRANDED = "hint.driver.return-every-acknowledged"
HOOK = "hook"
MEMORY = "memory"


@dataclass(frozen=True, slots=True)
class Mutation:
    """Which parts of the reference guest are replaced; by default none."""

    guest_kind: type[Guest] = Guest
    port_kind: type[RingPort] = RingPort
    formats: Callable[[type[HintFormat], bool], HintFormat] | None = None
    prepare: Callable[[Guest], object] | None = None


class ReferenceGuest:
    """vhint's own guest; see `vhint_conformance.testing.GuestUnderTest` for what it has to do."""

    def __init__(
        self,
        setup: Setup,
        transport: Transport,
        recorder: Recorder,
        mutation: Mutation | None = None,
    ) -> None:
        mutation = mutation or Mutation()
        self.setup = setup
        self.breaches: list[Breach] = []
        self._possible: dict[tuple[str, str], Step] = {}
        features = setup.features
        self.port = mutation.port_kind(
            transport.memory,
            STRUCTURES,
            wish_for(features, setup.poison, queue_size=setup.queue_size),
            partial(perform, transport, emit=recorder.emit),
            recorder.emit,
        )
        made = FORMATS[setup.hint_format]
        hint_format = (
            mutation.formats(made, setup.results)
            if mutation.formats
            else made(results=setup.results)
        )
        self.guest = mutation.guest_kind(
            setup.guest_options(),
            self.port,
            content=PatternContent(transport.memory),
            cache=KeepUntilPressure(setup.kept) if setup.kept else NoCache(),
            generation=GENERATIONS[setup.generation](),
            hint_format=hint_format,
            emit=recorder.emit,
            on_breach=self.breaches.append,
        )
        if mutation.prepare:
            mutation.prepare(self.guest)

    # The interface

    def start(self) -> None:
        """Initialise the device."""
        self.guest.start()

    def allocate(self, cpu: int, order: int) -> int | None:
        """Allocate a block; None if it has to wait or there is none."""
        kind = ZoneKind.NORMAL
        try:
            block = self.guest.applications.allocate(cpu, order, kind)
        except OutOfMemoryError:
            return None
        if block is None:
            return None
        self.guest.memory.expectations.give_up(block)  # its new owner writes it
        return block.pfn

    def free(self, cpu: int, pfn: int) -> bool:
        """Free a block; False if that has to wait."""
        return self.guest.applications.free(cpu, self.guest.applications.live[pfn][1])

    def steps(self) -> list[tuple[str, str]]:
        """Return what the kernel can do next, as (actor, action)."""
        self._possible = {self._name(step): step for step in reversed(self._kernel_steps())}
        return list(reversed(self._possible))

    def do(self, actor: str, action: str) -> str:
        """Do one of the `steps` that were asked for last; return words about it."""
        step = self._possible[actor, action]
        text = narrate(self.guest, step)
        self.guest.do(step)
        return text

    def interrupted(self, *, config: bool) -> None:
        """Take an interrupt."""
        self.guest.interrupted(config=config)

    def tick(self, now: int) -> None:
        """Let it be that time."""
        self.guest.tick(now)

    def begin_reset(self) -> bool:
        """Reset the device, if it is live."""
        if self.guest.state is not DeviceState.LIVE:
            return False
        self.guest.begin_reset()
        return True

    def _kernel_steps(self) -> list[Step]:
        kept = ("allocate", "free", "touch")
        return [step for step in self.guest.enabled() if step.action not in kept]

    def _name(self, step: Step) -> tuple[str, str]:
        cpu = step.actor.removeprefix("cpu")
        if cpu != step.actor:
            return (HOOK if step.action == "capture" else MEMORY) + cpu, step.action
        return step.actor, step.action

    # What it confesses: optional for another guest

    def problems(self) -> list[Violation]:
        """Return what is wrong inside: a guest knows more of itself than anybody sees."""
        found = [
            Violation(
                breach.slug,
                f"no {breach.event.name} of a page that is {breach.state.name}",
                "that",
                f"page {breach.pfn:#x}",
            )
            for breach in self.breaches
        ]
        guest = self.guest
        for zone in guest.memory.zones:
            account = guest.memory.account_of_zone(zone)
            if not account.balanced:
                total = f"{account.total} pages in zone {zone.kind.name}"
                found.append(Violation(STRANDED, total, f"{account.sum}: {account}"))
        found += self._stranded()
        found += [
            Violation("hint.driver.content-uninitialised", f"content {lost.expected:#x}", str(lost))
            for lost in guest.memory.verify()
        ]
        return found

    def _stranded(self) -> list[Violation]:
        """Return pages that are away though nobody in the guest knows of them any more."""
        guest = self.guest
        away = sum(zone.ledger.count(state) for zone in guest.memory.zones for state in AWAY)
        away += sum(zone.ledger.count(state) for zone in guest.memory.zones for state in BALLOON)
        blocks = self._held_blocks()
        known = {pfn for pfn, order in blocks for pfn in range(pfn, pfn + (1 << order))}
        if away <= len(known):
            return []
        lost = [
            pfn
            for zone in guest.memory.zones
            for pfn in range(zone.first, zone.end)
            if zone.ledger.state(pfn) in (*AWAY, *BALLOON) and pfn not in known
        ]
        if not lost:
            return []
        where = ", ".join(f"{pfn:#x}" for pfn in lost[:4])
        state = guest.memory.state(lost[0])
        slug = self._slug_of_loss(state.name)
        seen = f"away ({state.name}), and nobody will bring it back"
        return [Violation(slug, "on its way back, or in a request", seen, f"page {where}")]

    def _slug_of_loss(self, state: str) -> str:
        if state == "ISOLATED":
            return "hint.driver.no-stranded-isolation"
        if state == "OFFERED" and self.guest.state is DeviceState.DOWN:
            return "hint.driver.return-outstanding-after-reset"
        if state == "HINTED":
            return "free-page-hint.driver.release-on-done"
        features = self.setup.features
        if Feature.PAGE_REPORTING in features and Feature.HINTING not in features:
            return "reporting.driver.return-every-page"
        return STRANDED

    def _held_blocks(self) -> list[tuple[int, int]]:
        guest = self.guest
        held = [block for worker in guest.hinting.workers for block in worker.waiting]
        held += [worker.found for worker in guest.hinting.workers if worker.found]
        for request in guest.hinting.requests:
            held += request.to_return if request.is_coming_back else request.blocks
        held += guest.reporting.isolated
        held += [each.block for each in guest.rounds.held]
        balloon = guest.balloon
        held += balloon.pages + balloon.returning
        for batch in (balloon.inflating, balloon.deflating):
            held += batch.pages if batch else []
        return [(block.pfn, block.order) for block in held]

    def left_over(self) -> list[Violation]:
        """Return what should not be so once everything has come to rest."""
        guest = self.guest
        found: list[Violation] = []
        hinting = guest.hinting
        if not hinting.trusted and guest.state is not DeviceState.DOWN:
            slug = "hint.driver.reset-on-bad-acknowledgement"
            found.append(Violation(slug, "a device that lies reset", "in use still"))
        waiting = [block for worker in hinting.workers for block in worker.waiting]
        slug = "hint.driver.no-stranded-isolation"
        if waiting:
            found.append(Violation(slug, "nothing isolated at rest", block_text(waiting)))
        if hinting.requests:
            named = [block for request in hinting.requests for block in request.blocks]
            found.append(Violation(STRANDED, "nothing outstanding at rest", block_text(named)))
        # Without a device an entry waits for the next: it is a guess, and keeps no page away.
        captured = any(map(len, hinting.arrays)) or any(guest.applications.hooks)
        if captured and hinting.live:
            found.append(Violation(slug, "every captured block dealt with or counted", "entries"))
        if guest.reporting.isolated:
            report = block_text(guest.reporting.isolated)
            slug = "reporting.driver.return-every-page"
            found.append(Violation(slug, "no report outstanding at rest", report))
        return found

    @property
    def ballooned(self) -> int:
        """How many pages are in the balloon."""
        return len(self.guest.balloon.pages)

    @property
    def is_down(self) -> bool:
        """Whether the device is reset and not started again."""
        return self.guest.state is DeviceState.DOWN

    def offers_waiting(self) -> bool:
        """Whether something is in a queue."""
        driver = self.port.driver
        return driver is not None and any(
            queue is not Queue.STATS for queue, _ in driver.outstanding
        )
