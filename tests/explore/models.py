"""Small random models, and a plain breadth-first search to hold the explorer to."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import strategies as st

from vhint_conformance.model.explore.rules import Model
from vhint_conformance.model.explore.systems.builder import Builder

FIELDS = 4
VALUES = 3


@st.composite
def models(draw: st.DrawFn, *, wide: bool = False) -> Model:
    """A few fields, some of them far apart if `wide`, and a few rules and forbidden states."""
    build = Builder()
    fields = []
    for number in range(FIELDS):
        if wide and number:
            build.layout.add(f"gap {number}", 1 << 30)
        fields.append(build.layout.add(f"f{number}", VALUES))
    pair = st.tuples(st.sampled_from(fields), st.integers(0, VALUES - 1))
    values = st.lists(pair, max_size=2).map(dict)
    some = st.lists(pair, min_size=1, max_size=2).map(dict)
    for number in range(draw(st.integers(1, 10))):
        build.step(
            "it",
            f"rule {number}",
            draw(values),
            draw(some),
            unless=draw(st.lists(some, max_size=1)),
            breaks="x" if draw(st.integers(0, 15)) == 0 else None,
            environment=draw(st.booleans()),
        )
    if draw(st.booleans()):
        build.never("y", "forbidden", draw(some), unless=draw(st.lists(some, max_size=2)))
    settled = draw(st.none() | values)
    return build.model("random", {}, {"fields": FIELDS}, str, settled=settled)


@dataclass
class Plain:
    """What a search without any cleverness finds."""

    states: list[int]
    shortest: int | None


def bad(model: Model, state: int) -> bool:
    return any(forbidden.holds_in(state) for forbidden in model.forbidden)


def plain_search(model: Model) -> Plain:
    seen, level, depth = {model.initial: None}, [model.initial], 0
    if bad(model, model.initial):
        return Plain([model.initial], 0)
    while level:
        after = []
        for state in level:
            for rule in model.rules:
                if rule.enabled(state):
                    if rule.breaks:
                        return Plain(list(seen), depth + 1)
                    after.append(rule.after(state))
        depth += 1
        level = [state for state in dict.fromkeys(after) if state not in seen]
        seen.update(dict.fromkeys(level))
        if any(bad(model, state) for state in level):
            return Plain(list(seen), depth)
    return Plain(list(seen), None)


def settles(model: Model, states: list[int]) -> bool:
    """Whether every run of steps that are not the environment's ends in a settled state."""
    steps = [rule for rule in model.rules if not rule.environment]
    after = {s: {rule.after(s) for rule in steps if rule.enabled(s)} for s in states}
    assert model.settled is not None
    if any(not after[s] and not model.settled.matches(s) for s in states):
        return False
    ended: set[int] = set()
    while True:
        more = {s for s in states if s not in ended and after[s] <= ended}
        if not more:
            return len(ended) == len(states)
        ended |= more
