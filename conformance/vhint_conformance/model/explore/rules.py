"""What a model is: fields, an initial state, rules, and states that must not be.

A rule is a guarded assignment of constants: it may be taken where the bits under a mask have a
value, and it replaces the bits under another mask.  A model of "any page, any processor" is the
list of all instances.  So a rule can be run on one state, on a million states at once, or written
out for another model checker, and means the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from functools import reduce
from operator import or_

from vhint_conformance.model.explore.layout import Field, Layout, Pattern


class Deed(Enum):
    """What a step does that driver, device or memory can see."""

    WRITE = auto()
    """Somebody writes to pages and relies on them."""
    OFFER = auto()
    """A request that names pages becomes available."""
    DISCARD = auto()
    """The device discards pages."""
    USE = auto()
    """The device uses a request."""
    RESET = auto()
    """A reset is complete."""


@dataclass(frozen=True, slots=True)
class Act:
    """A deed, with the request and the pages that it concerns."""

    deed: Deed
    request: int = 0
    pages: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Rule:
    """One step of one actor.

    It is enabled in the states of `when` that are in none of `unless`; taking it clears `clear`
    and then sets `put`.  With `breaks` the step itself violates that requirement.  Steps of the
    `environment` (a process that allocates, a reset) are owed by nobody: liveness does not count
    on them.  `act` is what can be seen of the step from outside, for a history of the run.
    """

    label: str
    actor: str
    when: Pattern
    clear: int
    put: int
    unless: tuple[Pattern, ...] = ()
    breaks: str | None = None
    environment: bool = False
    act: Act | None = None

    def enabled(self, state: int) -> bool:
        """Return whether the step can be taken in a state."""
        return self.when.matches(state) and not any(p.matches(state) for p in self.unless)

    def after(self, state: int) -> int:
        """Return the state after the step."""
        return state & ~self.clear | self.put


@dataclass(frozen=True, slots=True)
class Forbidden:
    """States that violate a requirement: those of `when` that are in none of `unless`."""

    slug: str
    text: str
    when: Pattern
    unless: tuple[Pattern, ...] = ()

    def holds_in(self, state: int) -> bool:
        """Return whether a state is one of them."""
        return self.when.matches(state) and not any(p.matches(state) for p in self.unless)


@dataclass(frozen=True, slots=True)
class Symmetry:
    """A renaming under which the model is the same: where each field's value comes from.

    `source` gives, for a field that changes its place, the field that its new value is read from;
    `values` maps the values of a field that speaks of renamed things (it is applied to the value
    that was read).
    """

    name: str
    source: Mapping[str, str]
    values: Mapping[str, Sequence[int]] = field(default_factory=dict)

    def apply(self, layout: Layout, state: int) -> int:
        """Return the renamed state."""
        parts = []
        for name, place in layout.fields.items():
            value = layout.fields[self.source.get(name, name)].of(state)
            table = self.values.get(name)
            parts.append(place.put(table[value] if table else value))
        return reduce(or_, parts, 0)


@dataclass(frozen=True, slots=True)
class Model:
    """A system to explore.

    `settled` are the states in which nothing is owed any more, unless they are in `owed` too; a run
    of steps that are not the environment's has to end in one
    (`vhint_conformance.model.explore.liveness`).  `describe` says
    a state in words, `bounds` what it is bounded by.
    """

    name: str
    layout: Layout
    initial: int
    rules: Sequence[Rule]
    forbidden: Sequence[Forbidden]
    bounds: Mapping[str, int]
    describe: Callable[[int], str]
    symmetries: Sequence[Symmetry] = ()
    settled: Pattern | None = None
    owed: Sequence[Pattern] = ()


def assignment(changes: Mapping[Field, int]) -> tuple[int, int]:
    """Return what to clear and what to put for new values of fields."""
    clear = reduce(or_, (place.mask for place in changes), 0)
    put = reduce(or_, (place.put(value) for place, value in changes.items()), 0)
    return clear, put


def closed_under_renaming(model: Model) -> Iterable[str]:
    """Yield what keeps a symmetry from being one: rules or states that it does not map to others.

    A symmetry that is none would make the explorer skip states that matter, so this is checked
    on the rules themselves, which says more than trying it on states.
    """
    layout = model.layout
    rules = {_meaning(rule) for rule in model.rules}
    forbidden = {_where(state) for state in model.forbidden}
    for symmetry in model.symmetries:
        if symmetry.apply(layout, model.initial) != model.initial:
            yield f"{symmetry.name}: the initial state is another one"
        for rule in model.rules:
            if _meaning(_renamed(layout, symmetry, rule)) not in rules:
                yield f"{symmetry.name}: {rule.label} has no counterpart"
        for state in model.forbidden:
            renamed = Forbidden(
                state.slug,
                state.text,
                _renamed_pattern(layout, symmetry, state.when),
                tuple(_renamed_pattern(layout, symmetry, p) for p in state.unless),
            )
            if _where(renamed) not in forbidden:
                yield f"{symmetry.name}: {state.text} has no counterpart"


def _meaning(rule: Rule) -> tuple[object, ...]:
    return rule.when, frozenset(rule.unless), rule.clear, rule.put, rule.breaks, rule.environment


def _where(state: Forbidden) -> tuple[object, ...]:
    return state.slug, state.when, frozenset(state.unless)


def _renamed(layout: Layout, symmetry: Symmetry, rule: Rule) -> Rule:
    put = _renamed_pattern(layout, symmetry, Pattern(rule.clear, rule.put))
    return Rule(
        rule.label,
        rule.actor,
        _renamed_pattern(layout, symmetry, rule.when),
        put.mask,
        put.bits,
        tuple(_renamed_pattern(layout, symmetry, p) for p in rule.unless),
        rule.breaks,
        rule.environment,
    )


def _renamed_pattern(layout: Layout, symmetry: Symmetry, pattern: Pattern) -> Pattern:
    """Rename a pattern that speaks of whole fields only."""
    mask = bits = 0
    for name, place in layout.fields.items():
        source = layout.fields[symmetry.source.get(name, name)]
        part = pattern.mask & source.mask
        if not part:
            continue
        if part != source.mask:
            raise ValueError(f"a rule looks at part of the field {source.name}")
        value = (pattern.bits & source.mask) >> source.shift
        table = symmetry.values.get(name)
        mask |= place.mask
        bits |= place.put(table[value] if table else value)
    return Pattern(mask, bits)
