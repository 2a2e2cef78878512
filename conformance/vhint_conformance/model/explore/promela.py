"""A model written out for spin, rule by rule: an independent explorer for the same state space.

Spin counts the same states and finds a violation exactly where this explorer does, or one of the
two is wrong.
"""

from __future__ import annotations

import re

from vhint_conformance.model.explore.layout import Field, Layout, Pattern
from vhint_conformance.model.explore.rules import Model, Rule


def promela(model: Model) -> str:
    """Return the model as a Promela program with one process; violations are assertions."""
    layout = model.layout
    initial = layout.unpack(model.initial)
    lines = [f"/* {model.name}: {', '.join(f'{k} {v}' for k, v in model.bounds.items())} */"]
    lines += [
        f"{_type(place)} {_name(place)} = {initial[place.name]};"
        for place in layout.fields.values()
    ]
    lines += ["", "active proctype system() {", "end: do"]
    lines += [_option(layout, rule) for rule in model.rules]
    lines += ["  od", "}"]
    if model.forbidden:
        bad = " || ".join(
            f"({_condition(layout, state.when, state.unless)})" for state in model.forbidden
        )
        # Spin checks assertions of the one process, so the states are judged after each step.
        lines = [line.replace("/*judge*/", f"assert(!({bad}));") for line in lines]
    return "\n".join(line.replace("/*judge*/", "") for line in lines) + "\n"


def _option(layout: Layout, rule: Rule) -> str:
    guard = _condition(layout, rule.when, rule.unless)
    after = [
        f"{_name(place)} = {place.of(rule.put)};"
        for place in layout.fields.values()
        if rule.clear & place.mask
    ]
    steps = "assert(false);" if rule.breaks else " ".join(after)
    return f"  :: d_step {{ {guard} -> {steps} /*judge*/ }}"


def _condition(layout: Layout, when: Pattern, unless: tuple[Pattern, ...]) -> str:
    parts = [*_tests(layout, when), *(f"!({' && '.join(_tests(layout, p))})" for p in unless)]
    return " && ".join(parts) or "true"


def _tests(layout: Layout, pattern: Pattern) -> list[str]:
    return [
        f"{_name(place)} == {place.of(pattern.bits)}"
        for place in layout.fields.values()
        if pattern.mask & place.mask
    ]


def _type(place: Field) -> str:
    return "bit" if place.width == 1 else "byte" if place.width <= 8 else "int"


def _name(place: Field) -> str:
    return re.sub(r"\W", "_", place.name)
