"""The matrix of a page: cases or requirements down, runs across, a verdict in each cell."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from markupsafe import Markup

from vhint_conformance.report.html.verdicts import ABSENT, LOOKS
from vhint_conformance.report.model import Outcome, Report
from vhint_conformance.verdict import Verdict
from vhint_spec import Requirement

Anchors = Mapping[tuple[str, int], int]
"""Where on the page the details of a case in a run stand: case id and number of run to number."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row: a name, what it says in a line, and its cells as HTML.

    `classes` are the CSS classes of the verdicts in it, for filtering; `differs` says that the runs
    do not agree.
    """

    name: str
    title: str
    level: str
    role: str
    about: str
    classes: str
    differs: bool
    cells: Markup


@dataclass(frozen=True, slots=True)
class Group:
    """The rows of one profile."""

    name: str
    rows: tuple[Row, ...]


def by_case(reports: Sequence[Report], anchors: Anchors) -> list[Group]:
    """Return the cases of all reports, by profile."""
    found: dict[str, list[Outcome | None]] = {}
    for index, report in enumerate(reports):
        for outcome in report.outcomes:
            found.setdefault(outcome.id, [None] * len(reports))[index] = outcome
    return _grouped([_case(name, outcomes, anchors) for name, outcomes in found.items()])


def _case(name: str, outcomes: Sequence[Outcome | None], anchors: Anchors) -> tuple[str, Row]:
    first = next(each for each in outcomes if each)
    verdicts = [each.verdict if each else None for each in outcomes]
    places = [anchors.get((name, index)) for index in range(len(outcomes))]
    row = Row(
        name=name,
        title=first.title,
        level=first.level.value,
        role=first.role,
        about=" ".join(first.requirements),
        classes=_classes(verdicts),
        differs=_differ(verdicts),
        cells=_cells(verdicts, places),
    )
    return first.profile, row


def by_requirement(
    reports: Sequence[Report],
    requirements: Mapping[str, Requirement | None],
    anchors: Mapping[str, int],
) -> list[Group]:
    """Return the requirements that the cases are about, by profile.

    One is seen broken in a run if a violation names it, and kept if a case that checks it passes.
    A case that fails by another requirement says nothing of it.  `anchors` are the numbers of the
    requirements' sections on the page.
    """
    found: dict[str, list[Verdict | None]] = {slug: [None] * len(reports) for slug in requirements}
    for index, report in enumerate(reports):
        for slug, verdict in judged(report).items():
            found[slug][index] = verdict
    rows = []
    for slug, verdicts in found.items():
        known = requirements[slug]
        places = [
            anchors.get(slug) if verdict in (Verdict.FAIL, Verdict.EXPECTED_FAIL) else None
            for verdict in verdicts
        ]
        row = Row(
            name=slug,
            title=known.text if known else "not known to this version of vhint",
            level=known.level if known else "",
            role=known.role if known else "",
            about="",
            classes=_classes(verdicts),
            differs=_differ(verdicts),
            cells=_cells(verdicts, places, "r"),
        )
        rows.append((slug.partition(".")[0], row))
    return _grouped(rows)


def judged(report: Report) -> dict[str, Verdict]:
    """Return what a run says of each requirement that its cases are about."""
    found: dict[str, Verdict] = {}
    order = list(LOOKS)

    def note(slug: str, verdict: Verdict) -> None:
        known = found.get(slug)
        if known is None or order.index(verdict) < order.index(known):
            found[slug] = verdict

    for outcome in report.outcomes:
        advised = {each.requirement for each in outcome.advice}
        broken = {each.requirement for each in outcome.seen_broken}
        for slug in broken:
            note(slug, Verdict.FAIL if slug in advised else outcome.verdict)
        for slug in set(outcome.requirements) - broken:
            if outcome.verdict not in (Verdict.FAIL, Verdict.EXPECTED_FAIL):
                note(slug, outcome.verdict)
    return found


def _grouped(rows: Iterable[tuple[str, Row]]) -> list[Group]:
    ordered = sorted(rows, key=lambda pair: (pair[0], pair[1].name))
    return [
        Group(profile, tuple(row for _, row in members))
        for profile, members in groupby(ordered, key=lambda pair: pair[0])
    ]


def _classes(verdicts: Iterable[Verdict | None]) -> str:
    return "".join(sorted({LOOKS[each].css if each else ABSENT.css for each in verdicts}))


def _differ(verdicts: Iterable[Verdict | None]) -> bool:
    return len({each for each in verdicts if each not in (None, Verdict.NOT_APPLICABLE)}) > 1


def _cells(
    verdicts: Sequence[Verdict | None], places: Sequence[int | None], prefix: str = "c"
) -> Markup:
    """Return the cells of a row: only our own signs and numbers, and there can be many thousands.

    A single run has room for the word.
    """
    alone = len(verdicts) == 1
    parts = []
    for verdict, place in zip(verdicts, places, strict=True):
        look = LOOKS[verdict] if verdict else ABSENT
        said = f"{look.sign} {look.word}" if alone else look.sign
        if place is not None:
            said = f'<a href="#{prefix}{place}">{said}</a>'
        parts.append(f"<td class={look.css}>{said}")
    return Markup("".join(parts))  # noqa: S704 - nothing in it comes from a report
