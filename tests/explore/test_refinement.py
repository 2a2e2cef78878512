"""What the reference guest does, the model does: else no proof would say anything of the guest.

The reference is walked at random, every step its own.  What the model sees of the state before and
after has to be connected by the model's own rules, and every state that is met has to be among
those that the exploration reached.
"""

from __future__ import annotations

import re

import pytest

from tests.explore.shadow import Shadow
from vhint_conformance.model.explore.engine import to_words
from vhint_conformance.model.explore.rules import Model, Rule
from vhint_conformance.model.explore.search import Exploration, Verdict, explore
from vhint_conformance.model.explore.systems.bounds import Bounds, Design
from vhint_conformance.model.explore.systems.hint import hinting

LONGEST = 8
BOUNDS = (
    Bounds(pages=2, max_order=1, resets=1),
    Bounds(pages=1, max_order=0, cpus=2, resets=0),
    Bounds(pages=2, zones=2, max_order=0, resets=0),
    Bounds(pages=2, max_order=0, entries=2, requests=2, resets=0),
)


@pytest.fixture(
    scope="module",
    params=[*BOUNDS[:2], *(pytest.param(each, marks=pytest.mark.long) for each in BOUNDS[2:])],
    ids=str,
)
def explored(request: pytest.FixtureRequest) -> Exploration:
    found = explore(hinting("isolating", request.param, Design()), reduce_symmetry=False)
    assert found.verdict is Verdict.PROVED
    return found


def connect(model: Model, before: int, after: int) -> list[Rule] | None:
    """Find rules that lead from one state to another, touching nothing but what differs."""
    may_touch = before ^ after
    for place in model.layout.fields.values():
        if may_touch & place.mask or place.name.startswith("freed"):
            may_touch |= place.mask
    rules = [rule for rule in model.rules if not (rule.put ^ before) & rule.clear & ~may_touch]
    level: dict[int, list[Rule]] = {before: []}
    seen = set(level)
    for _ in range(LONGEST):
        if after in level:
            return level[after]
        reached: dict[int, list[Rule]] = {}
        for state, way in level.items():
            for rule in rules:
                if rule.enabled(state) and rule.after(state) not in seen:
                    reached[rule.after(state)] = [*way, rule]
        seen |= set(reached)
        level = reached
    return level.get(after)


def kinds(rules: list[Rule]) -> set[str]:
    return {re.sub(r"\d+(-\d+)?(, \d+)*", "N", rule.label) for rule in rules}


def test_every_step_of_the_reference_is_one_of_the_model(explored: Exploration) -> None:
    model, bounds = explored.model, Bounds(**dict(explored.model.bounds))
    taken: set[str] = set()
    assert explored.visited is not None
    for seed in range(20):
        shadow = Shadow(bounds, seed, follow_merges=bool(seed % 2))
        before = model.layout.pack(shadow.view())
        for _ in range(400):
            step = shadow.choose()
            shadow.do(step)
            after = model.layout.pack(shadow.view())
            way = connect(model, before, after)
            assert way is not None, (
                f"seed {seed}, {step}: {model.describe(before)} -> {model.describe(after)}; "
                f"{_differ(model, before, after)}"
            )
            assert not [rule for rule in way if rule.breaks], way
            explored.visited.numbers(to_words(after, model.layout.words))
            taken |= kinds(way)
            before = after
    never = kinds(list(model.rules)) - taken
    # What only an unsound design, or one that the settings exclude, would do.
    if bounds.zones == bounds.pages:
        never.discard("a per-CPU list is filled up with page N")  # it takes the only page
    assert {kind for kind in never if not _for_others(kind)} == set()


def _for_others(kind: str) -> bool:
    return bool(
        re.search(r"which is in use|takes note|nothing left|no device|goes back under", kind)
    )


def _differ(model: Model, before: int, after: int) -> dict[str, tuple[int, int]]:
    one, two = model.layout.unpack(before), model.layout.unpack(after)
    return {name: (one[name], two[name]) for name in one if one[name] != two[name]}
