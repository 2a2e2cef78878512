"""The failures of a page, by the requirement that was seen broken.

What several runs get wrong in the same way stands there once.  A run with a single fault can fail
hundreds of cases: of each requirement only the first are drawn.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from vhint_conformance.expectations import Expectation
from vhint_conformance.report.html.exchange import Exchange, shown_of
from vhint_conformance.report.html.matrix import Anchors
from vhint_conformance.report.model import Outcome, Report
from vhint_conformance.report.runs import page_of
from vhint_conformance.report.violations import Kind, kinds
from vhint_conformance.verdict import Verdict
from vhint_spec import Requirement

MOST_DRAWN = 120
"""Exchanges drawn on a page."""
MOST_DRAWN_OF_ONE = 8
"""Exchanges drawn for one requirement."""
MOST_VIOLATIONS = 6

NONE = ""
"""The requirement of a case that fails without breaking one: it passed against expectation."""


@dataclass(slots=True)
class Failing:
    """A case that fails in the same way in these runs; `number` is its anchor."""

    number: int
    outcome: Outcome
    runs: list[str] = field(default_factory=list)
    also: tuple[str, ...] = ()
    shown: Exchange | None = None
    not_drawn: bool = False

    @property
    def violations(self) -> Sequence[Kind]:
        """As many kinds of violation as are told."""
        return kinds(self.outcome.violations)[:MOST_VIOLATIONS]

    @property
    def violations_left(self) -> int:
        """How many kinds of violation are not told."""
        return max(0, len(kinds(self.outcome.violations)) - MOST_VIOLATIONS)

    @property
    def expectations(self) -> Sequence[Expectation]:
        """The expectations that apply."""
        return self.outcome.expectations


@dataclass(slots=True)
class Broken:
    """A requirement that was seen broken, and the cases in which it was."""

    number: int
    slug: str
    requirement: Requirement | None
    page: str
    cases: list[Failing] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Failures:
    """Everything that fails, or everything that fails as expected, and the way there."""

    broken: tuple[Broken, ...]
    cases: Anchors
    requirements: Mapping[str, int]

    @property
    def count(self) -> int:
        """How many cases there are, those of several runs once."""
        return sum(len(each.cases) for each in self.broken)


def failures(
    reports: Sequence[Report],
    names: Sequence[str],
    requirements: Mapping[str, Requirement | None],
    verdict: Verdict,
    site: str = "",
    first: int = 0,
) -> Failures:
    """Return the cases with that verdict, by the first requirement that each of them breaks.

    Anchors are numbered from `first` on.
    """
    groups: dict[str, Broken] = {}
    same: dict[object, Failing] = {}
    cases: dict[tuple[str, int], int] = {}
    for index, outcome in _having(reports, verdict):
        key = (outcome.id, outcome.violations, outcome.expectations, outcome.message)
        failing = same.get(key)
        if failing is None:
            slugs = list(dict.fromkeys(each.requirement for each in outcome.violations)) or [NONE]
            if slugs[0] not in groups:
                groups[slugs[0]] = _group(slugs[0], requirements, site, first + len(groups))
            failing = same[key] = Failing(first + len(same), outcome, also=tuple(slugs[1:]))
            groups[slugs[0]].cases.append(failing)
        elif failing.outcome.evidence is None and outcome.evidence is not None:
            failing.outcome = outcome
        failing.runs.append(names[index])
        cases[outcome.id, index] = failing.number
    order = sorted(groups.values(), key=lambda group: group.slug)
    for group in order:
        group.cases.sort(key=_length)
    _draw(order)
    return Failures(tuple(order), cases, _anchors(order))


def _having(reports: Sequence[Report], verdict: Verdict) -> Iterator[tuple[int, Outcome]]:
    for index, report in enumerate(reports):
        for outcome in report.having(verdict):
            yield index, outcome


def _group(
    slug: str, requirements: Mapping[str, Requirement | None], site: str, number: int
) -> Broken:
    known = requirements.get(slug)
    return Broken(number, slug, known, page_of(site, known) if known else "")


def _length(failing: Failing) -> tuple[int, int]:
    """Return how much there is to read: a case that breaks one thing in a few steps comes first."""
    evidence = failing.outcome.evidence or {}
    return len(kinds(failing.outcome.violations)), evidence.get("events", 0)


def _anchors(groups: Sequence[Broken]) -> dict[str, int]:
    """Return the section for each requirement, also for one that only came to light with others."""
    found = {group.slug: group.number for group in groups}
    for group in groups:
        for failing in group.cases:
            for slug in failing.also:
                found.setdefault(slug, group.number)
    return found


def _draw(groups: Sequence[Broken]) -> None:
    """Draw the exchanges, in turn for each requirement, until there are enough."""
    left = MOST_DRAWN
    for turn in range(max((len(group.cases) for group in groups), default=0)):
        for group in groups:
            if turn >= len(group.cases) or group.cases[turn].outcome.evidence is None:
                continue
            failing = group.cases[turn]
            if turn < MOST_DRAWN_OF_ONE and left:
                left -= 1
                failing.shown = shown_of(failing.outcome)
            else:
                failing.not_drawn = True
