"""Reports as SARIF 2.1.0, the format in which code hosts take findings of tools.

A rule is a requirement, a result a violation of it.  A violation of a MUST is an error, of a SHOULD
a warning, of a MAY a note.  An expected failure is a suppressed result with its reason.  What could
not be settled is no finding: it stands among the notifications of the run.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from vhint_conformance.expectations import complaint
from vhint_conformance.report.model import ExitStatus, Outcome, Report
from vhint_conformance.report.runs import labels, page_of, requirements_in, versions
from vhint_conformance.report.verdict_line import verdict_line
from vhint_conformance.verdict import Verdict, Violation
from vhint_spec import Requirement

SCHEMA = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)
FINGERPRINT = "vhint/v1"
"""Name of the fingerprint: of target, case and requirement, and of none of the values seen."""

_Json = dict[str, Any]


def dumps(reports: Sequence[Report], site: str = "") -> str:
    """Return a SARIF log with one run a report; `site` is where the requirements' pages are."""
    named = zip(reports, labels(reports), strict=True)
    log = {
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [_run(report, label, site) for report, label in named],
    }
    return json.dumps(log, indent=2, ensure_ascii=False) + "\n"


def _run(report: Report, label: str, site: str) -> _Json:
    rules = requirements_in([report])
    places = {slug: place for place, slug in enumerate(rules)}
    results = [
        _result(report, outcome, violation, number, places, rules)
        for outcome in report.having(Verdict.FAIL, Verdict.EXPECTED_FAIL)
        for violation, number in _counted(outcome.violations)
    ]
    results += [
        _result(report, outcome, violation, number, places, rules)
        for outcome in report.outcomes
        for violation, number in _counted(outcome.advice)
    ]
    driver = {
        "name": "vhint",
        "semanticVersion": report.suite or "0.0.0",
        "rules": [_rule(slug, requirement, site) for slug, requirement in rules.items()],
    }
    if site:
        driver["informationUri"] = site
    invocation = {
        "executionSuccessful": report.exit_status in (ExitStatus.CONFORMS, ExitStatus.VIOLATED),
        "exitCode": int(report.exit_status),
        "exitCodeDescription": verdict_line(report)[0],
        "toolExecutionNotifications": list(_notifications(report)),
    }
    if report.created:
        invocation["endTimeUtc"] = report.created
    return {
        "tool": {"driver": driver},
        # Runs of one category replace each other at the code host, those of others do not.
        "automationDetails": {"id": f"vhint/{quote(label, safe='')}/"},
        "invocations": [invocation],
        "properties": {"target": report.target, "versions": versions(report), "seed": report.seed},
        "results": results,
    }


def _rule(slug: str, requirement: Requirement | None, site: str) -> _Json:
    if requirement is None:
        text = f"{slug}, which this version of vhint does not know"
        return {"id": slug, "shortDescription": {"text": text}}
    about = {
        "id": slug,
        "name": "".join(word.capitalize() for word in slug.replace("-", ".").split(".")),
        "shortDescription": {"text": requirement.text},
        "fullDescription": {"text": f"{requirement.text} {requirement.rationale}".strip()},
        "help": {
            "text": f"{requirement.level}: {requirement.text}\n\n{requirement.rationale}\n\n"
            f"Source: {requirement.source}",
            "markdown": f"**{requirement.level}**: {requirement.text}\n\n{requirement.rationale}"
            f"\n\nSource: {requirement.source}",
        },
        "defaultConfiguration": {"level": _level(requirement)},
        "properties": {
            "tags": [requirement.profile, requirement.role, requirement.status],
            "precision": "very-high",
        },
    }
    if page := page_of(site, requirement):
        about["helpUri"] = page
    return about


def _level(requirement: Requirement | None) -> str:
    if requirement is None or requirement.level.startswith("MUST"):
        return "error"
    return "warning" if requirement.level.startswith("SHOULD") else "note"


def _counted(violations: Sequence[Violation]) -> Iterator[tuple[Violation, int]]:
    """Yield violations with how many of the same requirement came before."""
    seen: Counter[str] = Counter()
    for violation in violations:
        yield violation, seen[violation.requirement]
        seen[violation.requirement] += 1


def _result(
    report: Report,
    outcome: Outcome,
    violation: Violation,
    number: int,
    places: Mapping[str, int],
    rules: Mapping[str, Requirement | None],
) -> _Json:
    slug = violation.requirement
    where = f" ({violation.where})" if violation.where else ""
    said = f"{outcome.id}{where}: expected {violation.expected}; seen {violation.seen}"
    if outcome.repro:
        said += f"\nRun again: {outcome.repro}"
    key = "\0".join((report.target, outcome.id, slug, str(number)))
    result = {
        "ruleId": slug,
        "ruleIndex": places[slug],
        "level": _level(rules[slug]),
        "message": {"text": said},
        "locations": [_location(report, outcome)],
        "partialFingerprints": {FINGERPRINT: hashlib.sha256(key.encode()).hexdigest()},
    }
    if outcome.verdict is Verdict.EXPECTED_FAIL:
        result["suppressions"] = [
            {
                "kind": "external",
                "status": "accepted",
                "justification": f"{each.reason} ({each.link})",
            }
            for each in outcome.expectations
        ]
    return result


def _location(report: Report, outcome: Outcome) -> _Json:
    """Return where it was seen.

    That is a case on a target and in no file; but code hosts show nothing without a file.
    """
    return {
        "physicalLocation": {
            "artifactLocation": {"uri": f"vhint/{quote(report.target, safe='')}"},
            "region": {"startLine": 1},
        },
        "logicalLocations": [
            {
                "name": outcome.id,
                "fullyQualifiedName": f"{report.target}::{outcome.id}",
                "kind": "function",
            }
        ],
    }


def _notifications(report: Report) -> Iterator[_Json]:
    if report.target_error:
        yield _note("error", f"the target could not be started: {report.target_error}")
    for outcome in report.having(Verdict.ERROR):
        yield _note("error", f"{outcome.id}: {outcome.message}")
    for outcome in report.having(Verdict.INCONCLUSIVE):
        yield _note("warning", f"{outcome.id}: inconclusive: {outcome.message}")
    for item in report.out_of_date:
        yield _note("error", complaint(item))
    for line in report.claims_too_much:
        yield _note("error", f"the statement claims too much: {line}")
    if report.not_run:
        yield _note("warning", f"{len(report.not_run)} cases were not run: {report.stopped}")


def _note(level: str, said: str) -> _Json:
    return {"level": level, "message": {"text": said}}
