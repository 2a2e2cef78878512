"""What a report says of recommendations: a SHOULD that a run at level MUST saw not followed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from vhint_conformance.report.model import Outcome
from vhint_conformance.report.violations import Kind, kinds

HEADING = "Recommended, and not done"
ABOUT = "they count as failures only with --level should"


@dataclass(frozen=True, slots=True)
class Advice:
    """One requirement that was not kept: how that was seen first, and in which cases."""

    requirement: str
    first: Kind
    cases: tuple[str, ...]

    @property
    def named(self) -> str:
        """The cases, the first of many."""
        left = len(self.cases) - 3
        return ", ".join(self.cases[:3]) + (f" and {left} more" if left > 0 else "")


def advice_in(outcomes: Iterable[Outcome]) -> list[Advice]:
    """Return the recommendations that were not followed, in the order in which that was seen."""
    seen: dict[str, tuple[Kind, list[str]]] = {}
    for outcome in outcomes:
        for kind in kinds(outcome.advice):
            cases = seen.setdefault(kind.requirement, (kind, []))[1]
            if outcome.id not in cases:
                cases.append(outcome.id)
    return [Advice(slug, kind, tuple(cases)) for slug, (kind, cases) in seen.items()]
