"""The explorer against a plain breadth-first search, on random models."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.explore.models import models, plain_search, settles
from vhint_conformance.model.explore.engine import join, to_state
from vhint_conformance.model.explore.layout import Layout, Pattern
from vhint_conformance.model.explore.liveness import comes_to_rest
from vhint_conformance.model.explore.rules import Model
from vhint_conformance.model.explore.search import Limits, Verdict, explore
from vhint_conformance.model.explore.systems.builder import Builder
from vhint_conformance.model.explore.visited import Visited


@settings(max_examples=300)
@given(st.booleans().flatmap(lambda wide: models(wide=wide)))
def test_same_verdict_states_and_length_as_a_plain_search(model: Model) -> None:
    found, plain = explore(model), plain_search(model)
    if plain.shortest is None:
        assert found.verdict is Verdict.PROVED
        batch = join(found.levels)
        states = [to_state(batch, row) for row in range(len(batch[0]))]
        assert sorted(states) == sorted(plain.states)
        assert found.states == len(plain.states)
    else:
        assert found.verdict is Verdict.REFUTED
        assert found.counterexample is not None
        assert len(found.counterexample.steps) == plain.shortest


@settings(max_examples=200)
@given(models())
def test_a_counterexample_is_a_run_that_ends_in_a_violation(model: Model) -> None:
    found = explore(model).counterexample
    if found is None:
        return
    state = model.initial
    for step, after in zip(found.steps, found.states[1:], strict=True):
        assert step.enabled(state)
        state = step.after(state)
        assert state == after
    last = found.steps[-1].breaks if found.steps else None
    assert last or any(bad.holds_in(state) for bad in model.forbidden)


@settings(max_examples=300)
@given(models())
def test_liveness_is_what_a_plain_search_says(model: Model) -> None:
    found = explore(model)
    liveness = comes_to_rest(found)
    if found.verdict is not Verdict.PROVED or model.settled is None:
        assert liveness.verdict is Verdict.UNDETERMINED
        return
    expected = settles(model, plain_search(model).states)
    assert liveness.verdict is (Verdict.PROVED if expected else Verdict.REFUTED)


def counter(values: int) -> Model:
    build = Builder()
    place = build.layout.add("n", values)
    for n in range(values - 1):
        build.step("it", f"to {n + 1}", {place: n}, {place: n + 1})
    return build.model("counter", {}, {"values": values}, str, settled={place: values - 1})


@pytest.mark.parametrize("limits", [Limits(states=10), Limits(seconds=0.0)])
def test_a_limit_leaves_it_undetermined(limits: Limits) -> None:
    found = explore(counter(100), limits)
    assert found.verdict is Verdict.UNDETERMINED
    assert comes_to_rest(found).verdict is Verdict.UNDETERMINED


def test_the_longest_way_to_rest_is_counted() -> None:
    assert comes_to_rest(explore(counter(100))).longest == 99


@given(st.lists(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 3)), min_size=1), max_size=8))
def test_visited_is_a_set_that_numbers_its_members(batches: list[list[tuple[int, int]]]) -> None:
    visited, known = Visited(2), {}
    for batch in batches:
        words = tuple(np.array(column, np.uint64) for column in zip(*batch, strict=True))
        new = visited.add(words)
        assert sorted(batch[i] for i in new) == sorted(set(batch) - set(known))
        assert new.tolist() == sorted(new.tolist())
        for i in new:
            known[batch[i]] = len(known)
        assert visited.numbers(words).tolist() == [known[state] for state in batch]
    assert visited.count == len(known)


def test_visited_grows() -> None:
    visited = Visited(1)
    words = (np.arange(50_000, dtype=np.uint64),)
    assert len(visited.add(words)) == 50_000
    assert visited.numbers(words).tolist() == list(range(50_000))
    assert len(visited.add(words)) == 0


def test_a_state_that_was_never_added_has_no_number() -> None:
    visited = Visited(1)
    visited.add((np.array([1, 2], np.uint64),))
    with pytest.raises(KeyError):
        visited.numbers((np.array([3], np.uint64),))


def test_fields_do_not_cross_words_and_leave_the_mark_for_nothing_free() -> None:
    layout = Layout()
    for number in range(40):
        layout.add(str(number), 30)
    assert layout.words == 4
    assert all(f.shift // 64 == (f.shift + f.width - 1) // 64 for f in layout.fields.values())
    assert all(f.shift + f.width != 64 for f in layout.fields.values())
    values = {str(n): n % 30 for n in range(40)}
    assert layout.unpack(layout.pack(values)) == values


def test_contradictory_patterns_are_refused() -> None:
    with pytest.raises(ValueError, match="contradictory"):
        Pattern(1, 1) & Pattern(1, 0)


def test_a_value_that_a_field_cannot_have_is_refused() -> None:
    with pytest.raises(ValueError, match="values below 3"):
        Layout().add("x", 3).put(3)


def test_an_initial_state_that_is_forbidden_is_found() -> None:
    build = Builder()
    place = build.layout.add("n", 2)
    build.never("slug", "zero", {place: 0})
    found = explore(build.model("bad", {}, {}, str)).counterexample
    assert found is not None
    assert (found.slug, found.steps) == ("slug", ())


def test_progress_is_told_after_every_level() -> None:
    depths: list[int] = []
    explore(counter(5), progress=lambda outcome: depths.append(outcome.depth))
    assert depths[:4] == [1, 2, 3, 4]
    assert replace(Limits(), states=1).states == 1
