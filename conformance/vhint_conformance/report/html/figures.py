"""The figures at the head of the page: verdicts by run, profile, role and level."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from vhint_conformance.report.html.verdicts import LOOKS, Look
from vhint_conformance.report.model import ExitStatus, Outcome, Report
from vhint_conformance.report.runs import labels, versions
from vhint_conformance.report.verdict_line import verdict_line
from vhint_conformance.verdict import Verdict


@dataclass(frozen=True, slots=True)
class Run:
    """One report in the table of runs; `mood` is good, bad or open."""

    index: int
    label: str
    report: Report
    line: str
    hint: str
    mood: str
    sign: str
    versions: str
    counts: tuple[int, ...]
    offered: int
    discarded: int


@dataclass(frozen=True, slots=True)
class Table:
    """Counts of verdicts by something; a row is its name and a count for each column."""

    title: str
    rows: tuple[tuple[str, tuple[int, ...]], ...]


MOODS = {
    ExitStatus.CONFORMS: ("good", "\N{CHECK MARK}"),
    ExitStatus.VIOLATED: ("bad", "\N{BALLOT X}"),
}


def columns(reports: Sequence[Report]) -> tuple[Verdict, ...]:
    """Return the verdicts that occur, the worst first."""
    seen = {outcome.verdict for report in reports for outcome in report.outcomes}
    return tuple(verdict for verdict in LOOKS if verdict in seen)


def looks(verdicts: Sequence[Verdict]) -> tuple[Look, ...]:
    """Return how these verdicts look."""
    return tuple(LOOKS[verdict] for verdict in verdicts)


def runs(reports: Sequence[Report]) -> list[Run]:
    """Return a row for each report."""
    shown = columns(reports)
    return [
        _run(index, label, report, shown)
        for index, (label, report) in enumerate(zip(labels(reports), reports, strict=True))
    ]


def _run(index: int, label: str, report: Report, shown: Sequence[Verdict]) -> Run:
    line, _, hint = verdict_line(report)
    mood, sign = MOODS.get(report.exit_status, ("open", "?"))
    summary = report.summary
    return Run(
        index=index,
        label=label,
        report=report,
        line=line,
        # "stand above" is where they stand on a terminal
        hint=hint.replace("above", "below"),
        mood=mood,
        sign=sign,
        versions=versions(report),
        counts=tuple(summary[verdict] for verdict in shown),
        offered=_total(report, "offered_pages"),
        discarded=_total(report, "discarded_pages"),
    )


def _total(report: Report, name: str) -> int:
    found = ((each.effectiveness or {}).get(name) for each in report.outcomes)
    return sum(value for value in found if type(value) is int)


def tables(reports: Sequence[Report]) -> list[Table]:
    """Return the verdicts of all reports together by profile, by role and by level."""
    by: tuple[tuple[str, Callable[[Outcome], str]], ...] = (
        ("profile", lambda outcome: outcome.profile),
        ("role", lambda outcome: outcome.role or "unknown"),
        ("level", lambda outcome: outcome.level.value),
    )
    return [_table(reports, title, key) for title, key in by]


def _table(reports: Sequence[Report], title: str, key: Callable[[Outcome], str]) -> Table:
    shown = columns(reports)
    counts = Counter(
        (key(outcome), outcome.verdict) for report in reports for outcome in report.outcomes
    )
    names = sorted({name for name, _ in counts})
    return Table(
        title, tuple((name, tuple(counts[name, verdict] for verdict in shown)) for name in names)
    )
