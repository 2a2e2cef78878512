"""A SHOULD that a case about a MUST sees not kept: advice at level MUST, else a failure."""

import io
import json
from pathlib import Path

from rich.console import Console

from vhint_conformance.report import json_report, load, markdown, sarif
from vhint_conformance.report.html.matrix import judged
from vhint_conformance.report.html.page import dumps as page
from vhint_conformance.report.model import ExitStatus
from vhint_conformance.report.terminal import print_report
from vhint_conformance.selection import Level
from vhint_conformance.verdict import Verdict
from vhint_spec import registry

POLITE = "mild.device.polite"


def verdicts(report) -> dict[str, str]:
    return {outcome.id: outcome.verdict.value for outcome in report.outcomes}


def test_a_recommendation_is_no_failure_at_level_must(judge_fake) -> None:
    report = judge_fake("mixed.early", "mixed.late")
    assert verdicts(report) == {"mixed.early": "not_applicable", "mixed.late": "pass"}
    assert report.exit_status is ExitStatus.CONFORMS
    for outcome in report.outcomes:
        assert [each.requirement for each in outcome.advice] == [POLITE]
        assert outcome.violations == ()
    assert POLITE in report.outcomes[0].message


def test_it_is_one_at_level_should(judge_fake) -> None:
    report = judge_fake("mixed.early", "mixed.late", level=Level.SHOULD)
    assert verdicts(report) == {"mixed.early": "fail", "mixed.late": "fail"}
    assert all(outcome.advice == () for outcome in report.outcomes)


def test_beside_a_must_it_is_told_with_it(judge_fake) -> None:
    (outcome,) = judge_fake("mixed.both").outcomes
    assert outcome.verdict is Verdict.FAIL
    assert {each.requirement for each in outcome.violations} == {POLITE, "fake.device.first"}


def test_an_expectation_still_covers_it(judge_fake, write_expectations) -> None:
    path = write_expectations((POLITE, ""))
    report = judge_fake("mixed.early", "mixed.late", expect=(path,))
    assert verdicts(report) == {"mixed.early": "expected_fail", "mixed.late": "expected_fail"}
    assert report.out_of_date == ()


def test_every_form_of_the_report_tells_it(judge_fake, tmp_path: Path) -> None:
    report = judge_fake("mixed.late", "mixed.early")
    said = io.StringIO()
    print_report(Console(file=said, width=100), report, registry.load())
    assert "Recommended, and not done" in said.getvalue()
    assert "1 recommendation not followed" in said.getvalue()
    assert "mixed.early, mixed.late" in said.getvalue()
    for text in (page([report]), markdown.dumps([report])):
        assert "Recommended, and not done" in text
        assert "a greeting" in text
    (run,) = json.loads(sarif.dumps([report]))["runs"]
    assert [result["ruleId"] for result in run["results"]] == [POLITE, POLITE]
    assert judged(report)[POLITE] is Verdict.FAIL
    assert judged(report)["fake.device.first"] is Verdict.PASS
    file = tmp_path / "report.json"
    file.write_text(json_report.dumps(report))
    assert [o.advice for o in load.load(file).outcomes] == [o.advice for o in report.outcomes]
