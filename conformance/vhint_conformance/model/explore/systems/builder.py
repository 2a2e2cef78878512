"""Writing rules down: what has to hold, what holds then."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from vhint_conformance.model.explore.layout import Field, Layout, Pattern, all_of
from vhint_conformance.model.explore.rules import (
    Act,
    Forbidden,
    Model,
    Rule,
    Symmetry,
    assignment,
)

Values = Mapping[Field, int]


def where(values: Values) -> Pattern:
    """Return the states in which fields have these values."""
    return all_of(place.is_(value) for place, value in values.items())


class Builder:
    """Collects the fields, rules and forbidden states of a model."""

    def __init__(self) -> None:
        self.layout = Layout()
        self.rules: list[Rule] = []
        self.forbidden: list[Forbidden] = []

    def step(
        self,
        actor: str,
        label: str,
        when: Values,
        then: Values,
        *,
        unless: Sequence[Values] = (),
        breaks: str | None = None,
        environment: bool = False,
        act: Act | None = None,
    ) -> None:
        """Add a step: where the fields are as in `when`, they may become as in `then`."""
        clear, put = assignment(then)
        excluded = tuple(where(values) for values in unless)
        self.rules.append(
            Rule(label, actor, where(when), clear, put, excluded, breaks, environment, act)
        )

    def never(self, slug: str, text: str, when: Values, *, unless: Sequence[Values] = ()) -> None:
        """Add states that violate a requirement."""
        excluded = tuple(where(values) for values in unless)
        self.forbidden.append(Forbidden(slug, text, where(when), excluded))

    def model(
        self,
        name: str,
        initial: Mapping[str, int],
        bounds: Mapping[str, int],
        describe: Callable[[int], str],
        *,
        symmetries: Sequence[Symmetry] = (),
        settled: Values | None = None,
        owed: Sequence[Values] = (),
    ) -> Model:
        """Return the model."""
        return Model(
            name,
            self.layout,
            self.layout.pack(initial),
            tuple(self.rules),
            tuple(self.forbidden),
            bounds,
            describe,
            tuple(symmetries),
            None if settled is None else where(settled),
            tuple(map(where, owed)),
        )
