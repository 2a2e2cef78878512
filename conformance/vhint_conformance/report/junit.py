"""The report as JUnit XML, for continuous integration.

A violated requirement is a failure, and so is a statement that claims too much.  What could not be
settled (inconclusive, error, not run) is an error and never skipped, because many readers take
skipped for good.  Not applicable, not claimed and expected failures are skipped, with their reason.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from io import BytesIO

from junitparser import Error, Failure, JUnitXml, Skipped, TestCase, TestSuite

from vhint_conformance.expectations import complaint
from vhint_conformance.report.model import Outcome, Report
from vhint_conformance.report.runs import labels
from vhint_conformance.verdict import Verdict

_Result = Error | Failure | Skipped

# XML 1.0 has no way to write these at all, not even escaped.
_ILLEGAL = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def dumps(reports: Sequence[Report], site: str = "") -> str:  # noqa: ARG001 - it has no links
    """Return the reports as the text of a JUnit XML file, a test suite each."""
    document = JUnitXml("vhint")
    for report, label in zip(reports, labels(reports), strict=True):
        document.add_testsuite(_suite(report, label))
    document.update_statistics()  # type: ignore[no-untyped-call]
    buffer = BytesIO()
    document.write(buffer)
    return buffer.getvalue().decode()


def _suite(report: Report, label: str) -> TestSuite:
    suite = TestSuite(_clean(f"vhint {label}"))
    for name, version in report.versions.items():
        suite.add_property(_clean(name), _clean(version))
    suite.add_property("seed", str(report.seed))
    if report.target_error:
        suite.add_testcase(_case("target", "start", Error(_clean(report.target_error))))
    for outcome in report.outcomes:
        suite.add_testcase(_outcome(outcome))
    for name in report.not_run:
        why = Error(_clean(f"not run: {report.stopped}"))
        suite.add_testcase(_case(name.partition(".")[0], name, why))
    for line in report.claims_too_much:
        name = line.partition(":")[0]
        suite.add_testcase(_case("statement", _clean(name), Failure(_clean(line))))
    for name, reason in report.not_claimed.items():
        suite.add_testcase(_case(name.partition(".")[0], name, Skipped(_clean(reason))))
    for item in report.out_of_date:
        suite.add_testcase(
            _case("expectations", _clean(item.slug), Failure(_clean(complaint(item))))
        )
    return suite


def _outcome(outcome: Outcome) -> TestCase:
    message = _clean(outcome.message)
    result: _Result | None = None
    if outcome.verdict is Verdict.FAIL:
        result = Failure(message, _clean(",".join(v.requirement for v in outcome.violations)))
        result.text = _details(outcome)
    elif outcome.verdict in (Verdict.ERROR, Verdict.INCONCLUSIVE):
        result = Error(f"{outcome.verdict}: {message}", outcome.verdict.value)
        result.text = _details(outcome)
    elif outcome.verdict is Verdict.NOT_APPLICABLE:
        result = Skipped(f"not applicable: {message}")
    elif outcome.verdict is Verdict.EXPECTED_FAIL:
        reasons = "; ".join(f"{item.reason} ({item.link})" for item in outcome.expectations)
        result = Skipped(_clean(f"expected failure: {reasons}"))
    case = _case(outcome.profile, outcome.id, result)
    case.time = outcome.duration_s
    return case


def _case(profile: str, name: str, result: _Result | None) -> TestCase:
    case = TestCase(_clean(name), classname=_clean(f"vhint.{profile}"), time=0.0)
    if result is not None:
        case.result = [result]
    return case


def _details(outcome: Outcome) -> str:
    lines = [outcome.title, f"requirements: {', '.join(outcome.requirements)}", outcome.message]
    lines += [outcome.hint, f"rerun: {outcome.repro}" if outcome.repro else ""]
    return _clean("\n".join(line for line in lines if line))


def _clean(text: str) -> str:
    return _ILLEGAL.sub("\ufffd", text)
