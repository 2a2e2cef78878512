import json
from dataclasses import replace
from io import StringIO

import pytest
from rich.console import Console

from tests.report.samples import FAILED, HOSTILE, OTHER, hostile, outcome, report
from vhint_conformance.report import diff_show
from vhint_conformance.report.diff import Kind, compare
from vhint_conformance.report.model import Fault
from vhint_conformance.verdict import Verdict, Violation

V = Verdict


def ended(verdict):
    return outcome(verdict, "case.a", violations=FAILED.violations if verdict is V.FAIL else ())


@pytest.mark.parametrize(
    ("old", "new", "kind", "status"),
    [
        (V.PASS, V.FAIL, Kind.NEWLY_FAILING, 1),
        (V.EXPECTED_FAIL, V.FAIL, Kind.NEWLY_FAILING, 1),
        (V.NOT_APPLICABLE, V.FAIL, Kind.NEWLY_FAILING, 1),
        (V.INCONCLUSIVE, V.FAIL, Kind.NEWLY_FAILING, 1),
        (V.ERROR, V.FAIL, Kind.NEWLY_FAILING, 1),
        (V.PASS, V.ERROR, Kind.UNSETTLED, 4),
        (V.PASS, V.INCONCLUSIVE, Kind.UNSETTLED, 4),
        (V.FAIL, V.ERROR, Kind.UNSETTLED, 4),
        (V.FAIL, V.PASS, Kind.NEWLY_PASSING, 0),
        (V.INCONCLUSIVE, V.PASS, Kind.NEWLY_PASSING, 0),
        (V.NOT_APPLICABLE, V.PASS, Kind.NEWLY_PASSING, 0),
        (V.PASS, V.NOT_APPLICABLE, Kind.CHANGED, 0),
        (V.FAIL, V.EXPECTED_FAIL, Kind.CHANGED, 0),
        (V.INCONCLUSIVE, V.ERROR, Kind.CHANGED, 0),
        (V.PASS, V.PASS, None, 0),
        (V.FAIL, V.FAIL, None, 0),
        (V.ERROR, V.ERROR, None, 0),
    ],
)
def test_what_became_of_a_case(old, new, kind, status):
    found = compare(report(ended(old)), report(ended(new)))
    assert [change.kind for change in found.changes] == ([kind] if kind else [])
    assert found.same == (0 if kind else 1)
    assert found.exit_status == status


def test_a_case_that_fails_by_another_requirement_has_changed():
    other = replace(FAILED, violations=(Violation(OTHER, "this", "that"),))
    (change,) = compare(report(FAILED), report(other)).changes
    assert change.kind is Kind.CHANGED
    moved = replace(FAILED, violations=(replace(FAILED.violations[0], where="elsewhere"),))
    assert compare(report(FAILED), report(moved)).changes == ()


def test_new_and_gone_cases_are_no_steps_back():
    found = compare(report(outcome(V.PASS, "case.old")), report(FAILED))
    assert [(change.id, change.kind) for change in found.changes] == [
        ("case.fail", Kind.NEW),
        ("case.old", Kind.GONE),
    ]
    assert found.exit_status == 0


@pytest.mark.parametrize("more", [{"target_error": "no"}, {"not_run": ("x",), "stopped": "-x"}])
def test_a_run_that_did_not_get_far_is_not_good_news(more):
    assert compare(report(FAILED), report(**more)).exit_status == 4


OLD = report(
    outcome(V.PASS, "case.broken"),
    outcome(V.FAIL, "case.mended", violations=FAILED.violations),
    outcome(V.PASS, "case.died"),
    outcome(V.PASS, "case.gone"),
    outcome(V.PASS, "case.same"),
)
NEW = report(
    outcome(V.FAIL, "case.broken", violations=FAILED.violations),
    outcome(V.PASS, "case.mended"),
    outcome(V.ERROR, "case.died", message="the target died", fault=Fault.DIED),
    outcome(V.PASS, "case.new"),
    outcome(V.PASS, "case.same"),
)


def printed(found, width=200):
    console = Console(file=StringIO(), width=width, markup=False, highlight=False, emoji=False)
    diff_show.print_diff(found, console)
    return console.file.getvalue()


def test_in_words():
    text = printed(compare(OLD, NEW))
    assert "Newly failing (1)\n  case.broken  pass -> fail\n" in text
    assert "expected the page kept; seen the page lost" in text
    assert "and 6 more" in text
    assert "the target died" in text
    assert "case.gone  was pass" in text
    assert text.index("Newly failing") < text.index("No longer settled") < text.index("Gone")
    assert text.endswith(
        "worse: 1 newly failing, 1 no longer settled, 1 newly passing, 1 new, 1 gone, 1 unchanged\n"
    )
    assert "nothing fails that did not fail before: 5 unchanged" in printed(compare(OLD, OLD))


def test_as_json():
    values = json.loads(diff_show.as_json(compare(OLD, NEW)))
    assert values["schema"] == "vhint-report-diff/1"
    kinds = ("newly_failing", "no_longer_settled", "newly_passing", "changed", "new", "gone")
    assert {kind: [each["id"] for each in values[kind]] for kind in kinds} == {
        "newly_failing": ["case.broken"],
        "no_longer_settled": ["case.died"],
        "newly_passing": ["case.mended"],
        "changed": [],
        "new": ["case.new"],
        "gone": ["case.gone"],
    }
    assert values["exit_status"] == 1
    assert values["unchanged"] == 1


def test_as_markdown():
    text = diff_show.as_markdown(compare(OLD, NEW))
    assert "<details open><summary>Newly failing (1)</summary>" in text
    assert "- `case.broken`: pass -&gt; fail" in text
    assert text.count("<details") == text.count("</details>")


def test_hostile_text_is_shown_as_it_is():
    found = compare(report(), hostile())
    assert "\x1b" not in printed(found)
    text = diff_show.as_markdown(found)
    assert "\x1b" not in text
    assert HOSTILE.split("\x00", maxsplit=1)[0].replace("|", "\\|") in text
    json.loads(diff_show.as_json(found))
