"""Taking every rule in a million states at once.

Rules are hung into a tree by the fields that most of them look at, so that a rule is tried only
on states in which those fields have the values it wants.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from vhint_conformance.model.explore.layout import WORD, Field, Layout, Pattern
from vhint_conformance.model.explore.rules import Rule
from vhint_conformance.model.explore.visited import Flags, Rows, Words

CHUNK = 1 << 15
_FEW = 6
_LOW = (1 << WORD) - 1


def to_words(state: int, words: int) -> Words:
    """Return one state as a batch."""
    parts = (state >> WORD * i & _LOW for i in range(words))
    return tuple(np.array([part], np.uint64) for part in parts)


def to_state(states: Words, row: int) -> int:
    """Return one state of a batch as a number."""
    return sum(int(word[row]) << WORD * i for i, word in enumerate(states))


def pick(states: Words, rows: Rows | Flags | slice) -> Words:
    """Return some states of a batch."""
    return tuple(word[rows] for word in states)


def join(batches: Sequence[Words]) -> Words:
    """Return several batches as one."""
    return tuple(np.concatenate(parts) for parts in zip(*batches, strict=True))


def _split(number: int) -> tuple[tuple[int, np.uint64], ...]:
    parts = ((i, number >> WORD * i & _LOW) for i in range(-(-number.bit_length() // WORD)))
    return tuple((i, np.uint64(part)) for i, part in parts if part)


@dataclass(frozen=True, slots=True)
class Test:
    """A pattern, ready to be matched with batches."""

    parts: tuple[tuple[int, np.uint64, np.uint64], ...]

    @classmethod
    def of(cls, pattern: Pattern) -> Test:
        """Prepare a pattern."""
        return cls(
            tuple(
                (i, mask, np.uint64(pattern.bits >> WORD * i & _LOW))
                for i, mask in _split(pattern.mask)
            )
        )

    def __call__(self, states: Words) -> Flags:
        """Return which states of a batch match."""
        if not self.parts:
            return np.ones(len(states[0]), np.bool_)
        flags: Flags | None = None
        for word, mask, bits in self.parts:
            match = (states[word] & mask) == bits
            flags = match if flags is None else flags & match
        assert flags is not None  # noqa: S101 - there is a part
        return flags


@dataclass(frozen=True, slots=True)
class _Step:
    rule: Rule
    when: Test
    unless: tuple[Test, ...]
    keep: tuple[np.uint64, ...]
    put: tuple[np.uint64, ...]

    def enabled(self, states: Words) -> Rows:
        flags = self.when(states)
        for test in self.unless:
            flags &= ~test(states)
        return np.flatnonzero(flags)

    def after(self, states: Words) -> Words:
        return tuple(
            word & keep | put for word, keep, put in zip(states, self.keep, self.put, strict=True)
        )


@dataclass(slots=True)
class _Node:
    steps: list[_Step] = field(default_factory=list)
    pivot: Field | None = None
    children: dict[int, _Node] = field(default_factory=dict)


class Engine:
    """The rules of a model, ready for batches of states."""

    def __init__(self, layout: Layout, rules: Sequence[Rule]) -> None:
        self._words = layout.words
        self._root = self._hang(list(layout.fields.values()), rules)

    def successors(self, states: Words) -> Iterator[tuple[Rule, Rows, Words]]:
        """Yield, for each rule that some state enables, the rows of those and the states after."""
        yield from self._visit(self._root, states, np.arange(len(states[0])))

    def _visit(self, node: _Node, states: Words, rows: Rows) -> Iterator[tuple[Rule, Rows, Words]]:
        for step in node.steps:
            enabled = step.enabled(states)
            if len(enabled):
                yield step.rule, rows[enabled], step.after(pick(states, enabled))
        if node.pivot is None:
            return
        word, shift = divmod(node.pivot.shift, WORD)
        mask = np.uint64((1 << node.pivot.width) - 1)
        values = (states[word] >> np.uint64(shift)) & mask
        for value, child in node.children.items():
            some = np.flatnonzero(values == np.uint64(value))
            if len(some):
                yield from self._visit(child, pick(states, some), rows[some])

    def _hang(self, fields: Sequence[Field], rules: Sequence[Rule]) -> _Node:
        looked = Counter(
            place.name for rule in rules for place in fields if rule.when.mask & place.mask
        )
        if not looked or looked.most_common(1)[0][1] <= _FEW:
            return _Node([self._step(rule) for rule in rules])
        chosen = next(place for place in fields if place.name == looked.most_common(1)[0][0])
        rest = [place for place in fields if place is not chosen]
        by_value: dict[int, list[Rule]] = {}
        others = []
        for rule in rules:
            if rule.when.mask & chosen.mask:
                by_value.setdefault(chosen.of(rule.when.bits), []).append(rule)
            else:
                others.append(rule)
        node = self._hang(rest, others) if others else _Node()
        if node.pivot is not None:
            # A node has one field; what does not look at it is tried on all states.
            node = _Node([self._step(rule) for rule in others])
        node.pivot = chosen
        node.children = {value: self._hang(rest, some) for value, some in by_value.items()}
        return node

    def _step(self, rule: Rule) -> _Step:
        return _Step(
            rule,
            Test.of(rule.when),
            tuple(map(Test.of, rule.unless)),
            tuple(np.uint64(~rule.clear >> WORD * i & _LOW) for i in range(self._words)),
            tuple(np.uint64(rule.put >> WORD * i & _LOW) for i in range(self._words)),
        )
