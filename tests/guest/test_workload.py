"""The talk's claims about its three generations, on the talk's test application."""

from __future__ import annotations

import pytest

from vhint.guest.hinting import Counters, HintSettings, Missed
from vhint.guest.workload import TestApplication, compare


@pytest.fixture(scope="module")
def figures() -> dict[str, Counters]:
    return compare()


def test_all_do_the_same_work(figures: dict[str, Counters]) -> None:
    for each in figures.values():
        assert (each.allocations, each.frees) == (6000, 6000)
        assert each.captured_pages == 6000
        assert each.reported_pages == each.isolated_pages == each.returned_pages
        assert each.reported_pages > 2000


def test_blocking_stalls_allocations_and_frees_and_the_others_do_not(
    figures: dict[str, Counters],
) -> None:
    assert figures["blocking"].allocations_stalled > 0
    assert figures["blocking"].stall_steps > 1000
    assert figures["blocking"].frees_stalled > 0
    for name in ("isolating", "batching"):
        assert figures[name].allocations_stalled == 0
        assert figures[name].frees_stalled == 0


def test_isolating_takes_the_lock_for_every_entry_and_batching_once_a_zone(
    figures: dict[str, Counters],
) -> None:
    assert figures["isolating"].lock_acquisitions == 6000
    assert figures["batching"].lock_acquisitions < 20


def test_batching_kicks_less(figures: dict[str, Counters]) -> None:
    assert figures["batching"].kicks < figures["isolating"].kicks


def test_pages_on_per_cpu_lists_are_the_biggest_loss(figures: dict[str, Counters]) -> None:
    """Beside those that an application simply has again."""
    for each in figures.values():
        lost = each.missed.copy()
        for not_lost in (Missed.AWAY, Missed.KNOWN, Missed.REALLOCATED):
            del lost[not_lost]
        assert lost.most_common(1)[0][0] is Missed.ON_PER_CPU_LIST


def test_a_small_array_misses_pages() -> None:
    """The talk's first challenge: not everything that is freed is captured."""
    small = TestApplication(settings=HintSettings(array_size=50, first_threshold=50))
    for name, each in compare(small).items():
        assert each.captured_pages + each.missed[Missed.ARRAY_FULL] == 6000, name
        if name != "blocking":  # which lets nobody free while it is busy
            assert each.missed[Missed.ARRAY_FULL] > 100, name


def test_a_run_is_the_same_every_time(figures: dict[str, Counters]) -> None:
    assert compare() == figures
