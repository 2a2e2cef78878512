"""Reports as Markdown, for the summary of a CI job: the verdict, the figures, then the failures.

A code host cuts a summary off after a megabyte, so there is a bound to how much is told.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from vhint_conformance.expectations import complaint
from vhint_conformance.report.advice import ABOUT, HEADING, advice_in
from vhint_conformance.report.markdown_text import block, code, in_html, plain
from vhint_conformance.report.model import ExitStatus, Outcome, Report
from vhint_conformance.report.progress import WORDS
from vhint_conformance.report.runs import labels, page_of, versions
from vhint_conformance.report.verdict_line import verdict_line
from vhint_conformance.report.violations import Kind, kinds
from vhint_conformance.verdict import Verdict
from vhint_spec import Requirement, registry

MOST_CASES = 40
"""Failures of one run that are told in full; for several runs, of all of them together."""
MOST_KINDS = 3

SIGNS = {
    ExitStatus.CONFORMS: "\N{WHITE HEAVY CHECK MARK}",
    ExitStatus.VIOLATED: "\N{CROSS MARK}",
}
UNKNOWN = "\N{WARNING SIGN}\N{VARIATION SELECTOR-16}"


def dumps(reports: Sequence[Report], site: str = "") -> str:
    """Return the reports as Markdown; `site` is where the requirements' pages are."""
    lines: list[str] = []
    if len(reports) == 1:
        (report,) = reports
        lines += _head(report) + _figures(report) + _rest(report, site, MOST_CASES)
    else:
        named = list(zip(labels(reports), reports, strict=True))
        good = sum(report.exit_status is ExitStatus.CONFORMS for report in reports)
        lines += [f"## vhint: {good} of {len(reports)} conform", ""]
        lines += _overview(named)
        share = max(2, MOST_CASES // len(reports))
        for name, report in named:
            if rest := _rest(report, site, share):
                lines += [f"### {code(name)}", "", *rest]
    return "\n".join(lines).rstrip("\n") + "\n\n"


def _head(report: Report) -> list[str]:
    line, _, hint = verdict_line(report)
    said = [versions(report), f"seed {report.seed}", f"level {report.level}"]
    said += [f"{report.duration_s:.1f} s", report.created, f"vhint {report.suite}"]
    about = " · ".join(plain(each) for each in dict.fromkeys(said) if each)
    lines = [f"## {_sign(report)} vhint: {code(report.target)} {_word(report)}", ""]
    lines += [code(line) if report.target_error else plain(line), ""]
    lines += [code(hint), ""] if hint else []
    return [*lines, f"<sub>{about}</sub>", ""]


def _sign(report: Report) -> str:
    return SIGNS.get(report.exit_status, UNKNOWN)


def _word(report: Report) -> str:
    match report.exit_status:
        case ExitStatus.CONFORMS:
            return "conforms"
        case ExitStatus.VIOLATED:
            if report.having(Verdict.FAIL):
                return "does not conform"
            claims = report.claims_too_much
            return "claims too much" if claims else "does better than expected"
        case ExitStatus.TARGET:
            return "could not be judged"
        case ExitStatus.INTERRUPTED:
            return "was interrupted"
        case _:
            return "is not settled"


def _overview(named: Sequence[tuple[str, Report]]) -> list[str]:
    columns = [v for v in Verdict if any(report.summary[v] for _, report in named)]
    lines = _table_head(["run", "", *(WORDS[verdict][0] for verdict in columns)])
    for name, report in named:
        counts = [str(report.summary[verdict] or "") for verdict in columns]
        lines.append(_row([code(name), f"{_sign(report)} {_word(report)}", *counts]))
    return [*lines, ""]


def _figures(report: Report) -> list[str]:
    if not report.outcomes:
        return []
    counts = Counter((outcome.profile, outcome.verdict) for outcome in report.outcomes)
    columns = [verdict for verdict in Verdict if report.summary[verdict]]
    lines = _table_head(["profile", *(WORDS[verdict][0] for verdict in columns)])
    for profile in sorted({profile for profile, _ in counts}):
        figures = [str(counts[profile, verdict] or "") for verdict in columns]
        lines.append(_row([plain(profile), *figures]))
    if len(lines) > 3:
        lines.append(_row(["**all**", *(f"**{report.summary[v]}**" for v in columns)]))
    return [*lines, ""]


def _table_head(cells: Sequence[str]) -> list[str]:
    return [_row(cells), _row(["---", *("--:" for _ in cells[1:])])]


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _rest(report: Report, site: str, most: int) -> list[str]:
    """Return the sections about what is not as it should be."""
    return [
        *_target_error(report),
        *_failures(report.having(Verdict.FAIL), site, most),
        *_unsettled(report, most),
        *_expected(report, most),
        *_advice(report),
        *_lines(map(complaint, report.out_of_date)),
        *_lines(f"the statement claims too much: {line}" for line in report.claims_too_much),
    ]


def _lines(said: Iterable[str]) -> list[str]:
    found = [f"- {code(line)}" for line in said]
    return [*found, ""] if found else []


def _target_error(report: Report) -> list[str]:
    if not report.target_error:
        return []
    hint = f": {code(report.target_hint)}" if report.target_hint else ""
    return [f"The target could not be started: {code(report.target_error)}{hint}", ""]


def _failures(failed: Sequence[Outcome], site: str, most: int) -> list[str]:
    lines = [line for outcome in failed[:most] for line in _failure(outcome, site)]
    if len(failed) > most:
        lines += [f"and {len(failed) - most} more failures; the JSON report has them all", ""]
    return lines


def _failure(outcome: Outcome, site: str) -> Iterator[str]:
    title = f" {in_html(outcome.title)}" if outcome.title else ""
    yield f"<details><summary>\N{CROSS MARK} <code>{in_html(outcome.id)}</code>{title}</summary>"
    yield ""
    known = registry.load()
    by_slug: dict[str, list[Kind]] = {}
    for kind in kinds(outcome.violations):
        by_slug.setdefault(kind.requirement, []).append(kind)
    for slug, found in by_slug.items():
        yield from _requirement(slug, known.get(slug), site)
        for each in found[:MOST_KINDS]:
            where = f"{code(each.where)}: " if each.where else ""
            yield f"  - {where}expected {code(each.expected)}; seen {code(each.seen)}"
        if len(found) > MOST_KINDS:
            yield f"  - and {len(found) - MOST_KINDS} more"
    if not outcome.violations:
        yield f"- {code(outcome.message)}"
    if outcome.repro:
        yield ""
        yield from block(outcome.repro)
    yield ""
    yield "</details>"
    yield ""


def _requirement(slug: str, known: Requirement | None, site: str) -> Iterator[str]:
    if known is None:
        yield f"- {code(slug)}"
        return
    page = page_of(site, known)
    name = f"[{code(slug)}]({page})" if page else code(slug)
    yield f"- {name} ({known.level}): {plain(known.text)}"


def _unsettled(report: Report, most: int) -> Iterator[str]:
    left = report.having(Verdict.INCONCLUSIVE, Verdict.ERROR)
    reasons: dict[tuple[Verdict, str], list[str]] = {}
    for outcome in left:
        reasons.setdefault((outcome.verdict, outcome.message), []).append(outcome.id)
    for (verdict, message), cases in list(reasons.items())[:most]:
        more = f" and {len(cases) - 5} more" if len(cases) > 5 else ""
        names = ", ".join(map(code, cases[:5]))
        yield f"- **{WORDS[verdict][0]}**: {names}{more}: {code(message)}"
    if report.not_run:
        yield f"- **not run**: {len(report.not_run)} cases: {code(report.stopped)}"
    if left or report.not_run:
        yield ""


def _advice(report: Report) -> Iterator[str]:
    found = advice_in(report.outcomes)
    if not found:
        return
    yield f"<details><summary>{HEADING}: {len(found)}</summary>"
    yield ""
    yield f"{ABOUT.capitalize()}."
    yield ""
    for each in found:
        seen = f"expected {code(each.first.expected)}; seen {code(each.first.seen)}"
        yield f"- {code(each.requirement)}: {seen} ({code(each.named)})"
    yield ""
    yield "</details>"
    yield ""


def _expected(report: Report, most: int) -> Iterator[str]:
    reasons: dict[tuple[str, str], list[str]] = {}
    known = report.having(Verdict.EXPECTED_FAIL)
    for outcome in known:
        for item in outcome.expectations:
            reasons.setdefault((item.reason, item.link), []).append(outcome.id)
    if not known:
        return
    yield f"<details><summary>{len(known)} failed as expected</summary>"
    yield ""
    for (reason, link), cases in list(reasons.items())[:most]:
        yield f"- {code(reason)} ({code(link)}): {', '.join(map(code, cases[:5]))}"
    yield ""
    yield "</details>"
    yield ""
