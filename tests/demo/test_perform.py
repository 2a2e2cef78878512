"""Scenes played with guests of numbers: who fits, who fails, and that nobody is left."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace

import pytest

from tests.demo.fake_guest import QUICK, CorruptGuest, DyingGuest, FakeGuest, Silent
from vhint_conformance.demo import perform
from vhint_conformance.demo.perform import Performance
from vhint_conformance.demo.plan import MIB, Mode, Scene
from vhint_conformance.demo.run import Ending, Run, Stage


@pytest.fixture(autouse=True)
def _nobody_is_left(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(perform, "PERIOD", 0.005)
    before = threading.active_count()
    yield
    assert FakeGuest.alive == []
    assert threading.active_count() == before


def play(plan=QUICK, guest=FakeGuest, watch=lambda _: None, stop=None) -> list[Run]:
    performance = Performance(plan, guest, Silent(watch), stop or threading.Event())
    performance.play()
    return performance.runs


def test_more_guests_fit_with_hinting_and_the_last_of_each_is_turned_away() -> None:
    runs = play()
    assert [(run.scene, run.mode) for run in runs] == [
        (Scene.ONE_GUEST, Mode.OFF),
        (Scene.ONE_GUEST, Mode.ON),
        (Scene.BUDGET, Mode.OFF),
        (Scene.BUDGET, Mode.ON),
    ]
    off, on = runs[2:]
    # 3 * 155 <= 600 < 4 * 155; and 8 * 55 + 155 <= 600 < 9 * 55 + 155
    assert (off.fitted, off.ending, off.peak) == (3, Ending.FULL, 4 * 155 * MIB)
    assert (on.fitted, on.ending, on.peak) == (9, Ending.FULL, (9 * 55 + 155) * MIB)
    assert [note.guest for note in on.times(Stage.TURNED_AWAY)] == [10]
    assert [note.guest for note in off.times(Stage.INTACT)] == [1, 2, 3]
    assert on.last.used == 9 * 55 * MIB
    assert on.last.requests == 9


def test_the_one_guest_frees_as_often_as_planned() -> None:
    off, on = play(replace(QUICK, guests=0, cycles=3))
    assert [reclaim.reclaimed for reclaim in off.reclaims()] == [0, 0, 0]
    assert [reclaim.reclaimed for reclaim in on.reclaims()] == [100 * MIB] * 3
    assert off.peak == on.peak == 155 * MIB
    assert {off.ending, on.ending} == {Ending.DONE}


def test_as_many_guests_as_are_allowed_are_no_bound() -> None:
    (_, on) = play(replace(QUICK, guests=2, modes=(Mode.ON,)))
    assert (on.fitted, on.is_bound, on.ending) == (2, False, Ending.DONE)


def test_a_guest_that_does_not_even_fit_at_rest_never_allocates() -> None:
    (_, run) = play(replace(QUICK, budget=20 * MIB, modes=(Mode.ON,)))
    assert (run.fitted, run.ending) == (0, Ending.FULL)
    assert run.times(Stage.ALLOCATED) == ()


def test_lost_data_is_seen() -> None:
    (run,) = play(replace(QUICK, guests=0, modes=(Mode.ON,)), CorruptGuest)
    assert run.times(Stage.CORRUPT)
    assert not run.times(Stage.INTACT)


def test_a_guest_that_dies_ends_the_demonstration_and_says_why() -> None:
    runs = play(guest=DyingGuest)
    assert [(run.ending, run.error) for run in runs] == [
        (Ending.FAILED, "the guest is no more")
    ] * 2


def test_a_fault_of_the_guest_object_is_told_like_a_failure() -> None:
    class Faulty(FakeGuest):
        def keep(self, size: int) -> None:
            raise OSError(28, "No space left on device")

    (run,) = play(replace(QUICK, modes=(Mode.ON,)), Faulty)
    assert run.ending is Ending.FAILED
    assert "No space left on device" in run.error


def test_an_interruption_ends_all_and_keeps_what_was_seen() -> None:
    stop = threading.Event()

    def when_it_has_freed(runs: list[Run]) -> None:
        if any(run.scene is Scene.BUDGET and run.times(Stage.FREED) for run in runs):
            stop.set()

    runs = play(replace(QUICK, period=5.0, modes=(Mode.OFF,), cycles=0), FakeGuest,
                when_it_has_freed, stop)  # fmt: skip
    assert runs[-1].ending is Ending.INTERRUPTED
    assert runs[-1].peak == 155 * MIB


def test_a_watcher_that_fails_leaves_nobody_behind() -> None:
    def fail(runs: list[Run]) -> None:
        raise RuntimeError("no terminal")

    with pytest.raises(RuntimeError, match="no terminal"):
        play(watch=fail)
