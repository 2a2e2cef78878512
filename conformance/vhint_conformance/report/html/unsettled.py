"""What a page says of cases without a verdict on a requirement: inconclusive, in error, not run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from vhint_conformance.report.html.exchange import Exchange, shown_of
from vhint_conformance.report.html.verdicts import ABSENT, LOOKS, Look
from vhint_conformance.report.model import Outcome, Report
from vhint_conformance.verdict import Verdict

MOST_NAMED = 8
MOST_DRAWN = 12


@dataclass(frozen=True, slots=True)
class Reason:
    """Why cases of a run have no verdict; of the cases the first are named.

    `shown` is what happened in the first of them.
    """

    look: Look
    run: str
    message: str
    hint: str
    cases: tuple[str, ...]
    more: int
    repro: str
    shown: Exchange | None = None


def unsettled(reports: Sequence[Report], names: Sequence[str]) -> list[Reason]:
    """Return the reasons, run by run, each with its cases."""
    found: list[Reason] = []
    drawn = 0
    for name, report in zip(names, reports, strict=True):
        reasons: dict[tuple[Verdict, str, str], list[Outcome]] = {}
        for outcome in report.having(Verdict.ERROR, Verdict.INCONCLUSIVE):
            key = (outcome.verdict, outcome.message, outcome.hint)
            reasons.setdefault(key, []).append(outcome)
        for (verdict, message, hint), cases in reasons.items():
            first = cases[0]
            shown = shown_of(first) if drawn < MOST_DRAWN else None
            drawn += shown is not None
            ids = [outcome.id for outcome in cases]
            found.append(
                Reason(LOOKS[verdict], name, message, hint, *_named(ids), first.repro, shown)
            )
        if report.not_run:
            found.append(Reason(ABSENT, name, report.stopped, "", *_named(report.not_run), ""))
    return found


def _named(cases: Sequence[str]) -> tuple[tuple[str, ...], int]:
    """Return the cases that are named, and how many are left."""
    return tuple(cases[:MOST_NAMED]), max(0, len(cases) - MOST_NAMED)


def not_applicable(reports: Sequence[Report]) -> list[tuple[str, int]]:
    """Return why cases do not apply, with how many there are, the most first."""
    counts = Counter(
        outcome.message or "no reason given"
        for report in reports
        for outcome in report.having(Verdict.NOT_APPLICABLE)
    )
    return counts.most_common()
