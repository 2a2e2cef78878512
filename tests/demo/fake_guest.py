"""Guests of numbers, and runs to look at."""

from __future__ import annotations

from vhint_conformance.demo.guest import DemoGuest, GuestFailed, GuestFigures
from vhint_conformance.demo.plan import MIB, Mode, Plan, Scene
from vhint_conformance.demo.run import Ending, Note, Run, Sample, Stage

IDLE = 30 * MIB
QUICK = Plan(size=100 * MIB, budget=600 * MIB, cycles=2, hold=0.0, rest=0.0, period=0.01)
"""A guest of it keeps 25 MiB, so takes 55 MiB at rest and 155 at most."""


class FakeGuest(DemoGuest):
    """Takes IDLE, and what it allocates; gives back what it frees if hinting is on."""

    kind = "fake"
    description = "a guest of numbers"
    alive: list[FakeGuest] = []  # noqa: RUF012 - all of them, on purpose

    def __init__(self, plan: Plan, mode: Mode, number: int) -> None:
        self.plan, self.mode, self.number = plan, mode, number
        self.used = IDLE
        self.offered = 0
        self.work = 0
        FakeGuest.alive.append(self)

    def figures(self) -> GuestFigures:
        return GuestFigures(self.used, self.offered, self.offered * 1000)

    def keep(self, size: int) -> None:
        self.used += size

    def allocate(self, size: int) -> None:
        self.used += max(0, size - (0 if self.mode is Mode.ON else self.work))
        self.work = size

    def free(self) -> None:
        if self.mode is Mode.ON:
            self.used -= self.work
            self.offered += 1

    def intact(self) -> bool:
        return True

    def live(self) -> None:
        pass

    def close(self) -> None:
        if self in FakeGuest.alive:
            FakeGuest.alive.remove(self)


class CorruptGuest(FakeGuest):
    """Loses what it kept."""

    def intact(self) -> bool:
        return False


class DyingGuest(FakeGuest):
    """Dies when it frees."""

    def free(self) -> None:
        raise GuestFailed("the guest is no more")


class Silent:
    """Watches nothing, and does something at every look."""

    def __init__(self, at_every_look=lambda _: None) -> None:
        self.show = at_every_look

    def finished(self, runs) -> None:
        pass


def one_guest(mode: Mode, used: list[int], *, offered: int = 0, ending=Ending.DONE) -> Run:
    """Return a run with a sample each second of so many MiB; it frees 100 MiB after 2 s."""
    samples = [
        Sample(float(at), mib * MIB, offered * (at > 2), 25600 * offered * (at > 2), 1)
        for at, mib in enumerate(used)
    ]
    notes = [Note(0.5, 1, Stage.STARTED), Note(1.5, 1, Stage.ALLOCATED), Note(2.0, 1, Stage.FREED)]
    notes.append(Note(len(used) - 0.5, 1, Stage.SETTLED))
    return Run(Scene.ONE_GUEST, mode, 100 * MIB, None, samples, notes, ending)


def in_budget(mode: Mode, fit: int, *, full: bool = True) -> Run:
    """Return a run in 600 MiB in which so many guests fit, and then one more does not."""
    run = Run(Scene.BUDGET, mode, 100 * MIB, 600 * MIB, ending=Ending.FULL if full else Ending.DONE)
    for guest in range(1, fit + 1):
        at = guest * 4.0
        stages = (Stage.STARTED, Stage.ALLOCATED, Stage.FREED, Stage.SETTLED)
        run.notes += [Note(at + n, guest, stage) for n, stage in enumerate(stages)]
        high = guest * 55 * MIB
        run.samples += [Sample(at + n, high + 100 * MIB * (n in (1, 2))) for n in range(4)]
    if full:
        at = fit * 4.0 + 4
        run.notes += [Note(at, fit + 1, Stage.STARTED), Note(at + 1, fit + 1, Stage.ALLOCATED)]
        run.samples += [Sample(at + 1, 650 * MIB), Sample(at + 2, 55 * fit * MIB)]
        run.notes.append(Note(at + 2, fit + 1, Stage.TURNED_AWAY))
    run.notes += [Note(at + 3, guest, Stage.INTACT) for guest in range(1, fit + 1)]
    return run
