"""The last line of a report: what the run as a whole says."""

from __future__ import annotations

from vhint_conformance.report.model import ExitStatus, Report
from vhint_conformance.verdict import Verdict

NOUNS = {
    Verdict.INCONCLUSIVE: "inconclusive",
    Verdict.ERROR: "in error",
    Verdict.NOT_APPLICABLE: "not applicable",
}


def verdict_line(report: Report) -> tuple[str, str, str]:
    """Return the line, its style, and a hint that may be empty."""
    status = report.exit_status
    counts = _counts(report)
    if status is ExitStatus.CONFORMS:
        return f"conforms: {counts}", "bold green", ""
    if status is ExitStatus.VIOLATED:
        if report.having(Verdict.FAIL):
            return f"does not conform: {counts}", "bold red", ""
        if report.claims_too_much:
            line = f"the statement claims more than the target offers: {counts}"
            return line, "bold red", "correct the statement, or the target"
        what = _number(len(report.out_of_date), "expectation is", "expectations are")
        return f"{what} out of date: {counts}", "bold red", "remove what no longer happens"
    if status is ExitStatus.TARGET:
        return _target(report, counts)
    if status is ExitStatus.INTERRUPTED:
        hint = "what was judged so far stands above; the rest is unknown"
        return f"interrupted: {counts}", "bold yellow", hint
    return f"no verdict: {_why_unsettled(report)}: {counts}", "bold yellow", _hint(report)


def _target(report: Report, counts: str) -> tuple[str, str, str]:
    style = "bold magenta"
    if report.target_error:
        line = f"no verdict: the target {report.target} could not be started"
        return f"{line}: {report.target_error}", style, report.target_hint
    first = report.target_lost[0]
    if len(report.target_lost) == 1:
        line = f"no verdict: {first.message} (in {first.id})"
    else:
        line = f"no verdict: the target was lost in {len(report.target_lost)} cases"
    return f"{line}: {counts}", style, first.hint


def _why_unsettled(report: Report) -> str:
    if report.unsettled:
        inconclusive = sum(o.verdict is Verdict.INCONCLUSIVE for o in report.unsettled)
        errors = len(report.unsettled) - inconclusive
        parts = []
        if inconclusive:
            what = "MUST case is", "MUST cases are"
            parts.append(f"{_number(inconclusive, *what)} inconclusive")
        if errors:
            parts.append(f"{_number(errors, 'case is', 'cases are')} in error")
        return "no violation seen, but " + " and ".join(parts)
    if report.not_run:
        return f"the run stopped early ({report.stopped})"
    if report.comparison is not None and report.comparison.unknown:
        return f"the statement could not be checked: {report.comparison.unknown}"
    return "nothing was judged, because no case applies to this target"


def _hint(report: Report) -> str:
    if report.unsettled:
        return "the reasons stand above, each with a command that runs a case alone"
    return ""


def _counts(report: Report) -> str:
    summary = report.summary
    parts = [f"{summary[Verdict.PASS]} passed"]
    known = summary[Verdict.EXPECTED_FAIL]
    if summary[Verdict.FAIL]:
        parts.insert(0, f"{summary[Verdict.FAIL]} failed")
    if known:
        parts.append(_number(known, "expected failure", "expected failures"))
    parts += [f"{summary[verdict]} {noun}" for verdict, noun in NOUNS.items() if summary[verdict]]
    advised = len({each.requirement for outcome in report.outcomes for each in outcome.advice})
    if advised:
        what = "recommendation not followed", "recommendations not followed"
        parts.append(_number(advised, *what))
    if report.not_claimed:
        parts.append(f"{len(report.not_claimed)} not claimed")
    if report.not_run:
        parts.append(f"{len(report.not_run)} not run")
    return ", ".join(parts)


def _number(count: int, one: str, many: str) -> str:
    return f"{count} {one if count == 1 else many}"
