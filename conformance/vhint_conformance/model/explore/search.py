"""Breadth first, so that the first violation found is one of the nearest."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from vhint_conformance.model.explore.engine import (
    CHUNK,
    Engine,
    Test,
    join,
    pick,
    to_state,
    to_words,
)
from vhint_conformance.model.explore.rules import Forbidden, Model, Rule
from vhint_conformance.model.explore.symmetry import Canon
from vhint_conformance.model.explore.visited import Visited, Words


class Verdict(StrEnum):
    """What an exploration says."""

    PROVED = "proved within bounds"
    """Every reachable state and step was looked at, and none violates anything."""
    REFUTED = "refuted"
    """There is a run that violates a requirement; it is given."""
    UNDETERMINED = "undetermined"
    """A limit was reached first.  This is no pass."""


@dataclass(frozen=True, slots=True)
class Limits:
    """When to stop without a verdict: states kept, and seconds from the start (None: never)."""

    states: int = 20_000_000
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Counterexample:
    """A shortest run that violates `slug`: its steps, the state after each, what is wrong."""

    slug: str
    problem: str
    steps: tuple[Rule, ...]
    states: tuple[int, ...]
    """One more than steps: the first is the initial state."""


@dataclass(slots=True)
class Exploration:
    """The outcome: figures, the verdict, and the states level by level."""

    model: Model
    reduced: bool
    verdict: Verdict = Verdict.UNDETERMINED
    states: int = 0
    transitions: int = 0
    depth: int = 0
    seconds: float = 0.0
    counterexample: Counterexample | None = None
    levels: list[Words] = field(default_factory=list)
    visited: Visited | None = None

    @property
    def rate(self) -> float:
        """States a second."""
        return self.states / self.seconds if self.seconds else 0.0


def explore(
    model: Model,
    limits: Limits | None = None,
    *,
    reduce_symmetry: bool = True,
    progress: Callable[[Exploration], None] | None = None,
) -> Exploration:
    """Explore a model completely, or until a violation or a limit.

    `progress` is called after each level.
    """
    return _Search(model, limits or Limits(), reduce_symmetry, progress).run()


class _Search:
    def __init__(
        self,
        model: Model,
        limits: Limits,
        reduce_symmetry: bool,
        progress: Callable[[Exploration], None] | None,
    ) -> None:
        self.model, self.limits, self.progress = model, limits, progress
        symmetries = model.symmetries if reduce_symmetry else ()
        self.canon = Canon(model.layout, symmetries)
        self.engine = Engine(model.layout, model.rules)
        self.result = Exploration(model, bool(symmetries))
        self.forbidden = [
            (bad, Test.of(bad.when), tuple(map(Test.of, bad.unless))) for bad in model.forbidden
        ]

    def run(self) -> Exploration:
        result, start = self.result, time.perf_counter()
        result.visited = visited = Visited(self.model.layout.words)
        level = self.canon(to_words(self.model.initial, self.model.layout.words))
        visited.add(level)
        found = self._bad(level)
        result.levels, result.states = [level], 1
        while not found and len(level[0]):
            fresh: list[Words] = []
            for begin in range(0, len(level[0]), CHUNK):
                found = self._expand(pick(level, slice(begin, begin + CHUNK)), visited, fresh)
                seconds = time.perf_counter() - start
                late = self.limits.seconds is not None and seconds > self.limits.seconds
                if found or late or visited.count > self.limits.states:
                    result.seconds = seconds
                    return self._end(visited, found)
            level = join(fresh) if fresh else pick(level, slice(0, 0))
            if len(level[0]):
                result.levels.append(level)
                result.depth += 1
            result.states, result.seconds = visited.count, time.perf_counter() - start
            if self.progress:
                self.progress(result)
        if not found:
            result.verdict = Verdict.PROVED
        return self._end(visited, found)

    def _end(self, visited: Visited, found: _Found | None) -> Exploration:
        self.result.states = visited.count
        if found:
            self.result.verdict = Verdict.REFUTED
            self.result.counterexample = self._retrace(found)
        return self.result

    def _expand(self, states: Words, visited: Visited, fresh: list[Words]) -> _Found | None:
        """Take every step in some states; return the first violation, or add what is new."""
        batches: list[Words] = []
        for rule, rows, after in self.engine.successors(states):
            if rule.breaks:
                return _Found(to_state(states, int(rows[0])), rule, None)
            self.result.transitions += len(rows)
            batches.append(after)
        if not batches:
            return None
        after = self.canon(join(batches))
        new = pick(after, visited.add(after))
        fresh.append(new)
        return self._bad(new)

    def _bad(self, states: Words) -> _Found | None:
        for bad, when, unless in self.forbidden:
            flags = when(states)
            for test in unless:
                flags &= ~test(states)
            if flags.any():
                return _Found(to_state(states, int(flags.argmax())), None, bad)
        return None

    def _retrace(self, found: _Found) -> Counterexample:
        """Find a run to the violation: its states backwards by level, then its steps forwards."""
        words = self.model.layout.words
        path = [found.state]
        for level in reversed(self._levels_before(found.state)):
            path.append(self._predecessor(level, path[-1]))
        path.reverse()
        state, steps, states = self.model.initial, [], [self.model.initial]
        for wanted in path[1:]:
            for rule in self.model.rules:
                if rule.enabled(state):
                    after = rule.after(state)
                    if to_state(self.canon(to_words(after, words)), 0) == wanted:
                        break
            else:
                raise AssertionError("the model's symmetries are none")
            state = after
            steps.append(rule)
            states.append(state)
        slug, problem = self._verdict_on(state, found)
        if found.rule is not None:
            final = next(rule for rule in self.model.rules if rule.breaks and rule.enabled(state))
            steps.append(final)
            states.append(final.after(state))
            slug, problem = final.breaks or slug, final.label
        return Counterexample(slug, problem, tuple(steps), tuple(states))

    def _levels_before(self, state: int) -> Sequence[Words]:
        """Return the levels that come before the one that a state is in."""
        words = to_words(state, self.model.layout.words)
        for number, level in enumerate(self.result.levels):
            same = level[0] == words[0][0]
            for mine, wanted in zip(level[1:], words[1:], strict=True):
                same &= mine == wanted[0]
            if same.any():
                return self.result.levels[:number]
        return self.result.levels

    def _predecessor(self, level: Words, wanted: int) -> int:
        words = to_words(wanted, self.model.layout.words)
        for begin in range(0, len(level[0]), CHUNK):
            states = pick(level, slice(begin, begin + CHUNK))
            for _, rows, after in self.engine.successors(states):
                after = self.canon(after)
                same = after[0] == words[0][0]
                for mine, part in zip(after[1:], words[1:], strict=True):
                    same &= mine == part[0]
                if same.any():
                    return to_state(states, int(rows[same.argmax()]))
        raise AssertionError("a state without a predecessor")

    def _verdict_on(self, state: int, found: _Found) -> tuple[str, str]:
        for bad in self.model.forbidden:
            if bad.holds_in(state):
                return bad.slug, bad.text
        return (found.bad.slug, found.bad.text) if found.bad else ("", "")


@dataclass(frozen=True, slots=True)
class _Found:
    state: int
    rule: Rule | None
    bad: Forbidden | None
