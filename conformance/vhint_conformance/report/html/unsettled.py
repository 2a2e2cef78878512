"""What a page says of cases without a verdict on a requirement: inconclusive, in error, not run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from vhint_conformance.report.html.verdicts import ABSENT, LOOKS, Look
from vhint_conformance.report.model import Report
from vhint_conformance.verdict import Verdict

MOST_NAMED = 8


@dataclass(frozen=True, slots=True)
class Reason:
    """Why cases of a run have no verdict; of the cases the first are named."""

    look: Look
    run: str
    message: str
    hint: str
    cases: tuple[str, ...]
    more: int
    repro: str


def unsettled(reports: Sequence[Report], names: Sequence[str]) -> list[Reason]:
    """Return the reasons, run by run, each with its cases."""
    found: list[Reason] = []
    for name, report in zip(names, reports, strict=True):
        reasons: dict[tuple[Verdict, str, str], list[str]] = {}
        repros: dict[tuple[Verdict, str, str], str] = {}
        for outcome in report.having(Verdict.ERROR, Verdict.INCONCLUSIVE):
            key = (outcome.verdict, outcome.message, outcome.hint)
            reasons.setdefault(key, []).append(outcome.id)
            repros.setdefault(key, outcome.repro)
        for key, cases in reasons.items():
            verdict, message, hint = key
            found.append(_reason(LOOKS[verdict], name, message, hint, cases, repros[key]))
        if report.not_run:
            found.append(_reason(ABSENT, name, report.stopped, "", report.not_run, ""))
    return found


def _reason(
    look: Look, run: str, message: str, hint: str, cases: Sequence[str], repro: str
) -> Reason:
    named = tuple(cases[:MOST_NAMED])
    return Reason(look, run, message, hint, named, len(cases) - len(named), repro)


def not_applicable(reports: Sequence[Report]) -> list[tuple[str, int]]:
    """Return why cases do not apply, with how many there are, the most first."""
    counts = Counter(
        outcome.message or "no reason given"
        for report in reports
        for outcome in report.having(Verdict.NOT_APPLICABLE)
    )
    return counts.most_common()
