"""What every machine has: rules for applications, kernel, device and clock, and the judgement.

Each rule is one step, or some steps in a row of one actor: the interleavings are Hypothesis's
choice, and a shrunk example reads as a scenario.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from vhint.host import ALL_FEATURES
from vhint.wire.features import Features
from vhint_conformance.model.reference_guest import ReferenceGuest
from vhint_conformance.model.setup import Setup
from vhint_conformance.model.world import TURNS, MakeDevice, MakeGuest, World
from vhint_conformance.verdict import Violation

PERIODS = 30
"""Periods of the guest's clock in which a small guest has reported all that it can."""

QUIET = 3
"""Periods without a request after which there will be none: capture, isolation, report."""

NEVER_RESTS = {
    "balloon": "balloon.driver.no-deflate-below-target",
    "reporting": "reporting.driver.avoid-needless-access",
}
"""By who is still busy, what a system breaks that never comes to rest."""


class RequirementBroken(AssertionError):  # noqa: N818 - a verdict, not a fault
    """A step broke a requirement; `violation` says which and how."""

    violation: Violation


_kinds: dict[str, type[RequirementBroken]] = {}


def broken(violation: Violation) -> RequirementBroken:
    """Return the exception for a violation.

    Each requirement has a kind of its own, so that shrinking never slips from one to another.
    """
    slug = violation.requirement
    kind = _kinds.setdefault(slug, type(slug, (RequirementBroken,), {}))
    made = kind(str(violation))
    made.violation = violation
    return made


class GuestMachine(RuleBasedStateMachine):
    """A guest on a device.  Subclasses say which setups they draw, and add rules.

    `make_guest` and `make_device` are the factories of what is judged; `make_device` None takes
    the sound host that the setup names.
    """

    make_guest: ClassVar[MakeGuest] = ReferenceGuest
    make_device: ClassVar[MakeDevice | None] = None
    honest: ClassVar[bool] = True
    known_features: ClassVar[Features] = ALL_FEATURES
    world: World | None = None
    failed: RequirementBroken | None = None

    @classmethod
    def setups(cls) -> st.SearchStrategy[Setup]:
        """Return the strategy of what is drawn at the start."""
        return st.just(Setup())

    @initialize(data=st.data())
    def begin(self, data: st.DataObject) -> None:
        """Make guest and device, and start them."""
        setup = data.draw(self.setups())
        kind = type(self)
        setup = replace(setup, features=setup.features & self.known_features)
        self.world = World(setup, kind.make_guest, kind.make_device, honest=self.honest)
        self.world.start()
        self.judge()

    @property
    def running(self) -> World:
        """The world, which `begin` made."""
        assert self.world is not None  # noqa: S101 - Hypothesis runs `begin` first
        return self.world

    # Rules

    @rule(cpu=st.integers(0, 1), order=st.integers(0, 2))
    def allocate(self, cpu: int, order: int) -> None:
        """Let an application allocate a block and write it."""
        setup = self.running.setup
        orders = setup.orders
        self.running.allocate(cpu % setup.cpus, orders[order % len(orders)])

    @precondition(lambda self: self.world and self.world.live)
    @rule(which=st.integers(0, 3), hooked=st.booleans())
    def free(self, which: int, hooked: bool) -> None:
        """Let an application free a block; the free hook comes at once, or later."""
        cpu = self.running.live[len(self.running.live) - 1 - which % len(self.running.live)][2]
        if self.running.free(which) and hooked:
            self.running.kernel(f"hook{cpu}", 1)

    @precondition(lambda self: self.world)
    @rule(who=st.integers(0, 3), steps=st.integers(1, 14), pick=st.integers(0, 2))
    def kernel(self, who: int, steps: int, pick: int) -> None:
        """Let somebody in the kernel take some steps."""
        actors = self.running.actors()
        if actors:
            self.running.kernel(actors[who % len(actors)], steps, pick)

    @precondition(lambda self: self.world and not getattr(self.world.device, "idle", False))
    @rule(steps=st.integers(1, 6))
    def device(self, steps: int) -> None:
        """Let the device take some steps."""
        self.running.step_device(steps)

    # Judgement

    @invariant()
    def judge(self) -> None:
        """Nothing is broken so far."""
        if self.world is not None and self.failed is None:
            self.refuse(self.world.judge())

    def refuse(self, found: list[Violation]) -> None:
        """Fail by the first violation, if there is one."""
        if found:
            self.failed = broken(found[0])
            raise self.failed

    def teardown(self) -> None:
        """Let everything come to rest, and see that nothing is left."""
        if self.world is None:
            return
        try:
            if self.failed is None:
                self.at_rest(self.world)
        finally:
            self.world.close()

    def at_rest(self, world: World) -> None:
        """Judge liveness: left alone, the system settles, and stays so."""
        world.say("all", "are left alone")
        self.wind_down(world)
        quiet = 0
        for _ in range(PERIODS):
            before = world.offers()
            self._settle(world)
            world.tick(world.setup.time_limit + 1)
            self._settle(world)
            quiet = quiet + 1 if world.offers() == before else 0
            if quiet == QUIET:
                break
        else:
            seen = f"requests in each of {PERIODS} periods"
            slug = "reporting.driver.avoid-needless-access"
            self.refuse([Violation(slug, "nothing reported that nobody touched", seen)])
        for monitor in world.monitors:
            monitor.finish()
        self.refuse(world.judge())
        if hasattr(world.guest, "left_over"):
            self.refuse(world.guest.left_over())
        if hasattr(world.guest, "missing"):
            self.refuse(self._missing(world))

    def wind_down(self, world: World) -> None:
        """End what only the host can end, before the system is left alone."""

    def _settle(self, world: World) -> None:
        rests = world.settle()
        self.refuse(world.judge())
        if not rests:
            slug = NEVER_RESTS.get(world.busiest, "hint.driver.no-stranded-isolation")
            seen = f"{world.busiest} still busy after {TURNS} turns"
            self.refuse([Violation(slug, "the system to come to rest", seen)])

    def _missing(self, world: World) -> list[Violation]:
        """Free everything, and ask a guest of which no more is known for all of its pages."""
        for _ in range(len(world.live)):
            world.free(0)
        world.host("set_balloon_size", 0)
        for _ in range(QUIET):
            self._settle(world)
            world.tick(world.setup.time_limit + 1)
        self._settle(world)
        return [] if world.live else world.missing()


def factories(machine: type[GuestMachine], **changes: Any) -> type[GuestMachine]:
    """Return a machine with other factories."""
    return type(machine.__name__, (machine,), changes)
