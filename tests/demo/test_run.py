"""Figures that are worked out from samples and notes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.demo.fake_guest import in_budget, one_guest
from vhint_conformance.demo.plan import MIB, Mode, Plan, Scene
from vhint_conformance.demo.run import Ending, Note, Run, Sample, Stage


def test_what_comes_back_is_measured_from_the_free_on() -> None:
    run = one_guest(Mode.ON, [10, 110, 150, 150, 90, 58, 55, 55], offered=3)
    (reclaim,) = run.reclaims()
    assert reclaim.reclaimed == 95 * MIB
    assert reclaim.half == 2.0
    assert reclaim.seconds == 3.0
    assert (reclaim.requests, reclaim.pages) == (3, 3 * 25600)
    assert run.peak == 150 * MIB


def test_memory_that_stays_is_not_reclaimed_however_long_it_is_watched() -> None:
    (reclaim,) = one_guest(Mode.OFF, [10, 110, 150, 150, 149, 61, 61]).reclaims()
    assert reclaim.seconds is None
    assert reclaim.half == 3.0
    assert reclaim.reclaimed == 89 * MIB
    assert reclaim.watched == 4.0


def test_what_is_freed_later_is_not_counted_twice() -> None:
    run = one_guest(Mode.ON, [10, 110, 150, 50, 50])
    run.notes += [Note(5.0, 1, Stage.ALLOCATED), Note(6.0, 1, Stage.FREED)]
    run.samples += [Sample(5.0, 150 * MIB), Sample(6.0, 150 * MIB), Sample(7.0, 140 * MIB)]
    first, second = run.reclaims()
    assert (first.reclaimed, first.seconds) == (100 * MIB, 1.0)
    assert (second.reclaimed, second.seconds) == (10 * MIB, None)


def test_a_run_that_was_cut_short_says_what_it_saw() -> None:
    run = Run(Scene.ONE_GUEST, Mode.ON, 100 * MIB)
    assert list(run.reclaims()) == []
    assert run.last == Sample(0.0, 0)
    run.notes.append(Note(0.1, 1, Stage.FREED))
    (reclaim,) = run.reclaims()
    assert (reclaim.reclaimed, reclaim.seconds, reclaim.watched) == (0, None, 0.0)


@given(st.lists(st.integers(0, 300), min_size=3, max_size=30))
def test_reclaimed_never_exceeds_what_was_in_use_and_seconds_fit_it(used: list[int]) -> None:
    run = one_guest(Mode.ON, used)
    (reclaim,) = run.reclaims()
    assert 0 <= reclaim.reclaimed <= run.peak
    assert (reclaim.seconds is not None) == (reclaim.reclaimed >= 90 * MIB)
    assert (reclaim.half is not None) == (reclaim.reclaimed >= 50 * MIB)
    if reclaim.seconds is not None:
        assert reclaim.half is not None
        assert reclaim.half <= reclaim.seconds <= reclaim.watched


def test_a_number_of_guests_is_bound_only_by_one_that_did_not_fit() -> None:
    full, open_ = in_budget(Mode.ON, 8), in_budget(Mode.ON, 8, full=False)
    assert (full.fitted, full.is_bound) == (8, True)
    assert (open_.fitted, open_.is_bound) == (8, False)
    assert full.exceeded_since(36.0)
    assert not open_.exceeded_since(0.0)
    assert not one_guest(Mode.ON, [10**6] * 5).exceeded_since(0.0), "it has no budget"


@pytest.mark.parametrize(("size", "kept"), [(1, 1), (8, 2), (200, 50), (7, 1)])
def test_a_guest_keeps_a_quarter_in_whole_mib(size: int, kept: int) -> None:
    assert Plan(size=size * MIB).kept == kept * MIB


def test_without_guests_there_is_no_budget() -> None:
    assert Plan(guests=0).scenes == (Scene.ONE_GUEST,)
    assert Ending.FULL is not Ending.DONE
