"""What is claimed of each system, within bounds that a test can afford."""

from __future__ import annotations

from itertools import permutations, product

import pytest

from vhint.guest import page_life, worker
from vhint_conformance.model.explore.catalogue import SYSTEMS, System
from vhint_conformance.model.explore.liveness import comes_to_rest, trouble
from vhint_conformance.model.explore.rules import Symmetry, closed_under_renaming
from vhint_conformance.model.explore.search import Verdict, explore
from vhint_conformance.model.explore.systems import tables
from vhint_conformance.model.explore.systems.bounds import Bounds, Design
from vhint_conformance.model.explore.systems.buddy import Block, Zones
from vhint_conformance.model.explore.systems.hint import hinting

SMALL = Bounds(pages=2, max_order=1, resets=0)
BOUNDS = [
    SMALL,
    Bounds(pages=1, max_order=0),
    Bounds(pages=2, zones=2, max_order=0, resets=0),
    Bounds(pages=1, max_order=0, cpus=2, resets=0),
    Bounds(pages=2, max_order=0, requests=2, resets=0),
]
every_system = pytest.mark.parametrize("system", SYSTEMS.values(), ids=list(SYSTEMS))


CLAIMS = [
    pytest.param(system, bounds, id=f"{name}-{bounds}")
    for name, system in SYSTEMS.items()
    for bounds in BOUNDS
    if bounds.resets or name != "take-back-before-reset-done"
]


@pytest.mark.parametrize(("system", "bounds"), CLAIMS)
def test_each_claim_holds(system: System, bounds: Bounds) -> None:
    found = explore(system.make(bounds, True))
    assert found.verdict is system.expected
    if found.counterexample:
        assert found.counterexample.slug == system.breaks


@every_system
def test_every_violation_of_ownership_leads_to_a_loss(system: System) -> None:
    found = explore(system.make(Bounds(pages=2), False)).counterexample
    assert (found is None) == (system.expected is Verdict.PROVED)
    if found:
        assert found.steps[-1].breaks == system.breaks
        assert len(found.steps) <= 16


SAFE = [system for system in SYSTEMS.values() if system.expected is Verdict.PROVED]


@pytest.mark.parametrize("system", SAFE, ids=lambda system: system.name)
@pytest.mark.parametrize("bounds", BOUNDS, ids=str)
def test_whether_a_safe_system_that_is_left_alone_settles(system: System, bounds: Bounds) -> None:
    if system.in_the_end and bounds.pages < 2:
        return  # one page alone is never freed during a pass over others
    model = system.make(bounds, True)
    assert comes_to_rest(explore(model)).verdict is system.expected_liveness
    found = trouble(model)
    assert (found is None) == (not system.in_the_end)


def test_pages_without_the_mark_are_reported_for_ever() -> None:
    found = trouble(SYSTEMS["reporting-mark-lost"].make(SMALL, True))
    assert found is not None
    assert len(found.steps) <= 10
    assert any("reports" in step.label for step in found.repeated)


def test_a_deaf_worker_leaves_a_page_behind() -> None:
    found = trouble(SYSTEMS["reporting-deaf"].make(SMALL, True))
    assert found is not None
    assert found.repeated == ()
    assert "ends the pass" in found.steps[-1].label


@every_system
@pytest.mark.parametrize("bounds", BOUNDS[:4], ids=str)
def test_reduction_changes_no_verdict(system: System, bounds: Bounds) -> None:
    model = system.make(bounds, True)
    reduced, full = explore(model), explore(model, reduce_symmetry=False)
    assert reduced.verdict is full.verdict
    assert reduced.states <= full.states
    if reduced.counterexample and full.counterexample:
        assert len(reduced.counterexample.steps) == len(full.counterexample.steps)


@every_system
@pytest.mark.parametrize("bounds", BOUNDS, ids=str)
def test_symmetries_are_symmetries(system: System, bounds: Bounds) -> None:
    assert list(closed_under_renaming(system.make(bounds, True))) == []


def test_pages_that_are_no_buddies_may_not_change_places() -> None:
    """Blocks 0 and 1 merge, 0 and 2 do not: exchanging 1 and 2 makes another system."""
    bounds = Bounds(pages=4, max_order=1, resets=0)
    model = hinting("wrong", bounds, Design())
    swap = {"page 1": "page 2", "page 2": "page 1"}
    for kind in ("isolated 0", "named 0", "discarded 0"):
        swap |= {f"{kind}.1": f"{kind}.2", f"{kind}.2": f"{kind}.1"}
    wrong = Symmetry("1 and 2", swap)
    problems = closed_under_renaming(
        type(model)(
            model.name,
            model.layout,
            model.initial,
            model.rules,
            model.forbidden,
            model.bounds,
            model.describe,
            (wrong,),
        )
    )
    assert any("no counterpart" in problem for problem in problems)


@pytest.mark.parametrize(("pages", "zones", "order"), [(4, 1, 2), (4, 2, 1), (3, 1, 1), (6, 1, 2)])
def test_renamings_are_just_those_that_keep_blocks(pages: int, zones: int, order: int) -> None:
    plan = Zones(pages, zones, order)
    blocks = {frozenset(block.pages) for block in plan.blocks}
    keeps = {
        image
        for image in permutations(range(pages))
        if {frozenset(image[p] for p in block) for block in blocks} == blocks
        and all(plan.zone_of(p) == plan.zone_of(image[p]) for p in range(pages))
    }
    found = list(plan.renamings())
    assert found[0] == tuple(range(pages))
    assert len(found) == len(set(found))
    assert set(found) <= keeps
    # A group: closed under doing one after the other.
    assert {tuple(a[i] for i in b) for a, b in product(found, found)} == set(found)


def test_buddies() -> None:
    plan = Zones(4, 1, 2)
    assert plan.buddy(Block(0, 2, 0)) == Block(0, 3, 0)
    assert plan.buddy(Block(0, 0, 1)) == Block(0, 2, 1)
    assert plan.buddy(Block(0, 0, 2)) is None


@pytest.mark.parametrize(
    ("values", "says"),
    [({"pages": 0}, "1 to 16"), ({"pages": 3, "zones": 2}, "evenly"), ({"resets": 9}, "0 to 3")],
)
def test_bounds_that_make_no_system_are_refused(values: dict[str, int], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        Bounds(**values)


def test_a_model_knows_only_what_the_references_tables_know(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delitem(worker.STEPS, (worker.WorkerState.HOLDING, worker.WorkerEvent.APPEND))
    with pytest.raises(KeyError):
        hinting("cut", SMALL, Design())


def test_a_table_that_allows_more_makes_a_model_that_does_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """If an outstanding page could be allocated by the table, the explorer would find the loss."""
    offered, allocate = page_life.PageState.OFFERED, page_life.PageEvent.ALLOCATE
    monkeypatch.setitem(page_life.STEPS, (offered, allocate), page_life.PageState.ALLOCATED)
    found = explore(hinting("loose", SMALL, Design()))
    assert found.verdict is Verdict.REFUTED


def test_what_is_collapsed_makes_no_difference() -> None:
    for event in page_life.PageEvent:
        tables.page_moves(event)  # raises if it does
