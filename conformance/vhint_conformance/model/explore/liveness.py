"""Whether everything that is owed is done in the end, within the bounds of an exploration.

The environment (processes that allocate and free, resets) may stop at any time.  From then on
every run of the system's own steps has to end, and has to end in a settled state.  That is
liveness under fairness for a system whose steps stay enabled until they are taken: no step can
be starved in a run that ends only when none is enabled.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from vhint_conformance.model.explore.engine import CHUNK, Engine, Test, join, pick, to_state
from vhint_conformance.model.explore.layout import Pattern
from vhint_conformance.model.explore.rules import Forbidden, Model, Rule
from vhint_conformance.model.explore.search import Exploration, Verdict, explore
from vhint_conformance.model.explore.symmetry import Canon
from vhint_conformance.model.explore.visited import Flags, Rows, Visited, Words


@dataclass(frozen=True, slots=True)
class Liveness:
    """What becomes of a system that is left alone.

    `verdict` is proved within bounds, refuted, or undetermined if the exploration was.  `state`
    is one from which it goes wrong: the system stops there although something is owed, or, if
    `endless`, goes on for ever.
    """

    verdict: Verdict
    endless: bool = False
    state: int | None = None
    loop: tuple[int, ...] = ()
    """States that follow each other for ever, the last being the first again, if `endless`."""
    longest: int = 0
    """The most steps that the system needs to come to rest, counted from the worst state."""


def comes_to_rest(exploration: Exploration) -> Liveness:
    """Judge an exploration that was complete."""
    model = exploration.model
    visited = exploration.visited
    if model.settled is None or visited is None or exploration.verdict is not Verdict.PROVED:
        return Liveness(Verdict.UNDETERMINED)
    states = join(exploration.levels)
    source, target = _edges(exploration, states, visited)
    count = len(states[0])
    left = np.bincount(source, minlength=count)
    ends = np.flatnonzero(left == 0)
    last = pick(states, ends)
    settled = Test.of(model.settled)(last)
    for owed in model.owed:
        settled &= ~Test.of(owed)(last)
    unsettled = ends[~settled]
    if len(unsettled):
        return Liveness(Verdict.REFUTED, state=to_state(states, int(unsettled[0])))
    order = np.argsort(target, kind="stable")
    source = source[order]
    starts = np.concatenate(([0], np.cumsum(np.bincount(target, minlength=count))))
    rounds, done, rest = -1, 0, ends
    while len(rest):
        rounds, done = rounds + 1, done + len(rest)
        before = source[_ranges(starts[rest], starts[rest + 1])]
        np.subtract.at(left, before, 1)
        before = np.unique(before)
        rest = before[left[before] == 0]
    if done < count:
        loop = _loop(source, np.sort(target, kind="stable"), left > 0)
        around = tuple(to_state(states, number) for number in loop)
        return Liveness(Verdict.REFUTED, endless=True, state=around[0], loop=around)
    return Liveness(Verdict.PROVED, longest=rounds)


@dataclass(frozen=True, slots=True)
class Trouble:
    """How a system that is left alone comes to grief: steps to it, and those it repeats."""

    steps: tuple[Rule, ...]
    repeated: tuple[Rule, ...]


def trouble(model: Model) -> Trouble | None:
    """Return a shortest run to where a system stops short or begins to go round, if there is one.

    It explores the model once more, with every state under its own name.
    """
    found = comes_to_rest(explore(model, reduce_symmetry=False))
    if found.state is None:
        return None
    every = (1 << 64 * model.layout.words) - 1
    there = Forbidden("", "there", Pattern(every, found.state))
    way = explore(replace(model, forbidden=(there,)), reduce_symmetry=False).counterexample
    assert way is not None  # noqa: S101 - the state was reached a moment ago
    own = [rule for rule in model.rules if not rule.environment]
    repeated = tuple(
        next(rule for rule in own if rule.enabled(before) and rule.after(before) == after)
        for before, after in pairwise(found.loop)
    )
    return Trouble(way.steps, repeated)


def _edges(exploration: Exploration, states: Words, visited: Visited) -> tuple[Rows, Rows]:
    """Return the numbers of the states before and after each step of the system."""
    model = exploration.model
    canon = Canon(model.layout, model.symmetries if exploration.reduced else ())
    engine = Engine(model.layout, [rule for rule in model.rules if not rule.environment])
    sources: list[Rows] = [np.zeros(0, np.int64)]
    targets: list[Rows] = [np.zeros(0, np.int64)]
    for begin in range(0, len(states[0]), CHUNK):
        for _, rows, after in engine.successors(pick(states, slice(begin, begin + CHUNK))):
            sources.append(rows + begin)
            targets.append(visited.numbers(canon(after)))
    return np.concatenate(sources), np.concatenate(targets)


def _loop(source: Rows, target: Rows, endless: Flags) -> list[int]:
    """Return the numbers of states on a cycle, the last being the first again.

    Every endless state has a successor that is endless too, so walking on has to come round.
    """
    inside = endless[source] & endless[target]
    onward = dict(zip(source[inside].tolist(), target[inside].tolist(), strict=True))
    number = min(onward)
    walked: list[int] = []
    while number not in walked:
        walked.append(number)
        number = onward[number]
    return [*walked[walked.index(number) :], number]


def _ranges(starts: Rows, ends: Rows) -> Rows:
    """Return every index of every half-open range."""
    lengths = ends - starts
    offsets = np.repeat(ends - np.cumsum(lengths), lengths)
    return offsets + np.arange(int(lengths.sum()))
