import json
import os
import stat
from dataclasses import replace
from io import StringIO
from pathlib import Path

import jsonschema
import pytest
from junitparser import Error, Failure, JUnitXml, Skipped
from rich.console import Console

from vhint_conformance.expectations import Expectation
from vhint_conformance.report import files, json_report, junit
from vhint_conformance.report.model import Fault, Outcome, Report
from vhint_conformance.report.progress import Bar, Lines, make_progress
from vhint_conformance.report.terminal import print_report
from vhint_conformance.selection import Level
from vhint_conformance.verdict import Verdict, Violation
from vhint_spec import registry

SLUG = "reporting.device.containment"
REPRO = "vhint conform qemu --select 'a.case[with a long parameter]' --seed 0"
KNOWN = Expectation(SLUG, "it is known", "https://example.org/issue/1", source="d.toml")


def outcome(verdict: Verdict, name: str = "", **more: object) -> Outcome:
    values = {"id": name or f"case.{verdict}", "requirements": (SLUG,), "repro": REPRO}
    return Outcome(verdict=verdict, **(values | more))  # type: ignore[arg-type]


VIOLATED = {
    "violations": tuple(
        Violation(SLUG, "the page kept", f"[bold]lost\x1b[31m {n}", f"page {n}") for n in range(9)
    ),
    "message": "it broke\x00\x1b[31m <b> & ]]> \ud800 [/bold]",
}
ALL = (
    outcome(Verdict.PASS, observations={"x": [1, None]}, effectiveness={"pages": 3}),
    outcome(Verdict.FAIL, **VIOLATED),
    outcome(Verdict.INCONCLUSIVE, message="could not be seen"),
    outcome(Verdict.NOT_APPLICABLE, message="HINTING is not offered"),
    outcome(Verdict.EXPECTED_FAIL, expectations=(KNOWN,), **VIOLATED),
    outcome(Verdict.ERROR, message="fault in the suite: boom", fault=Fault.SUITE),
)


def report(*outcomes: Outcome, **more: object) -> Report:
    return Report("qemu", {"qemu": "7.2"}, outcomes, **more)  # type: ignore[arg-type]


PASS, KNOWN_FAIL = ALL[0], ALL[4]
MILD = outcome(Verdict.INCONCLUSIVE, level=Level.SHOULD)
DIED = outcome(Verdict.ERROR, "case.died", message="the target died", fault=Fault.DIED)
FULL = report(*ALL, expectations=(KNOWN,), out_of_date=(KNOWN,), not_run=("case.x",), stopped="-x")


@pytest.mark.parametrize(
    ("given", "status"),
    [
        (report(PASS), 0),
        (report(PASS, KNOWN_FAIL, ALL[3]), 0),
        (report(PASS, MILD), 0),
        (report(PASS, ALL[1]), 1),
        (report(PASS, ALL[1], ALL[2], ALL[5]), 1),
        (report(PASS, out_of_date=(KNOWN,)), 1),
        (report(PASS, ALL[1], DIED), 3),
        (report(target_error="not installed"), 3),
        (report(PASS, outcome(Verdict.ERROR, fault=Fault.NOT_STARTED)), 3),
        (report(PASS, ALL[2]), 4),
        (report(PASS, ALL[5]), 4),
        (report(PASS, outcome(Verdict.ERROR, fault=Fault.DEADLINE)), 4),
        (report(PASS, outcome(Verdict.ERROR, level=Level.SHOULD)), 4),
        (report(PASS, not_run=("case.x",), stopped="-x"), 4),
        (report(ALL[3]), 4),  # nothing was judged
        (report(), 4),
        (report(PASS, ALL[1], interrupted=True), 130),
    ],
)
def test_exit_status(given: Report, status: int) -> None:
    assert given.exit_status == status
    jsonschema.validate(json.loads(json_report.dumps(given)), schema())
    assert printed(given)


def test_an_outcome_survives_its_journey() -> None:
    for item in ALL:
        assert Outcome.from_json(json.loads(json.dumps(item.as_json()))) == item


# JSON


def schema() -> dict[str, object]:
    loaded: dict[str, object] = json.loads(json_report.SCHEMA_FILE.read_text())
    jsonschema.Draft202012Validator.check_schema(loaded)
    return loaded


def test_json_has_what_the_schema_says() -> None:
    loaded = json.loads(json_report.dumps(FULL))
    jsonschema.validate(loaded, schema())
    assert loaded["schema"] == "vhint-report/1"
    assert loaded["summary"] == {verdict.value: 1 for verdict in Verdict}
    assert [case["verdict"] for case in loaded["cases"]] == [item.verdict for item in ALL]
    assert loaded["cases"][0]["observations"] == {"x": [1, None]}
    assert loaded["expectations"][0]["cases"] == ["case.expected_fail"]


@pytest.mark.parametrize("key", ["schema", "target", "versions", "summary", "cases"])
def test_the_schema_misses_what_is_not_there(key: str) -> None:
    loaded = json.loads(json_report.dumps(FULL))
    del loaded[key]
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(loaded, schema())


def test_the_schema_knows_the_verdicts() -> None:
    loaded = json.loads(json_report.dumps(FULL))
    loaded["cases"][0]["verdict"] = "passed"
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(loaded, schema())


# JUnit


def test_junit_in_a_readers_eyes() -> None:
    document = JUnitXml.fromstring(junit.dumps([FULL]).encode())
    (suite,) = document
    assert (suite.tests, suite.failures, suite.errors, suite.skipped) == (8, 2, 3, 2)
    assert (document.tests, document.failures, document.errors) == (8, 2, 3)
    results = {case.name: [type(result) for result in case.result] for case in suite}
    assert results == {
        "case.pass": [],
        "case.fail": [Failure],
        "case.inconclusive": [Error],
        "case.not_applicable": [Skipped],
        "case.expected_fail": [Skipped],
        "case.error": [Error],
        "case.x": [Error],
        SLUG: [Failure],
    }


def test_junit_replaces_what_xml_cannot_hold() -> None:
    (suite,) = JUnitXml.fromstring(junit.dumps([report(ALL[1])]).encode())
    (case,) = suite
    assert case.result[0].message == "it broke\ufffd\ufffd[31m <b> & ]]> \ufffd [/bold]"
    assert REPRO in case.result[0].text


def test_junit_of_a_target_that_is_not_there() -> None:
    (suite,) = JUnitXml.fromstring(junit.dumps([report(target_error="no qemu")]).encode())
    assert suite.errors == 1


# Terminal


def printed(what: Report, width: int = 80) -> str:
    console = Console(file=StringIO(), width=width, markup=False, highlight=False, emoji=False)
    print_report(console, what, registry.load())
    return console.file.getvalue()  # type: ignore[attr-defined]


@pytest.mark.parametrize("width", [40, 80, 120])
def test_everything_fits_but_the_commands(width: int) -> None:
    for text in printed(FULL, width).splitlines():
        assert len(text) <= width or text.strip() == REPRO
        assert text == text.rstrip()


def test_a_failure_says_all_about_itself() -> None:
    text = printed(report(ALL[1]), 200)
    requirement = registry.load()[SLUG]
    for part in (SLUG, requirement.level, requirement.text, requirement.source, "the page kept"):
        assert part in text
    assert f"\n    {REPRO}\n" in text
    assert "[bold]lost\\x1b[31m 0" in text
    assert "\x1b" not in text
    assert "and 6 more" in text
    same = [Violation(SLUG, "this", "that", f"head {n}") for n in range(9)]
    text = printed(report(outcome(Verdict.FAIL, violations=tuple(same))), 200)
    assert "head 0; head 1; head 2 and 6 more\n" in text
    assert text.count("seen ") == 1
    assert "does not conform: 1 failed, 0 passed" in text


def test_expected_failures_always_have_their_reasons() -> None:
    text = printed(report(PASS, KNOWN_FAIL, expectations=(KNOWN,)))
    for part in ("it is known", "https://example.org/issue/1", "case.expected_fail", "d.toml"):
        assert part in text
    assert "conforms: 1 passed, 1 expected failure\n" in text


def test_reasons_are_told_once() -> None:
    absent = [replace(ALL[3], id=f"a.{n}") for n in range(7)]
    broken = [replace(ALL[5], id=f"b.{n}") for n in range(7)]
    text = printed(report(PASS, *absent, *broken))
    assert text.count("HINTING is not offered") == 1
    assert "  7  HINTING" in text
    assert text.count("fault in the suite") == 1
    assert "b.1, b.2, b.3" in text


@pytest.mark.parametrize(
    ("given", "line"),
    [
        (report(PASS, KNOWN_FAIL, ALL[3]), "conforms: 1 passed, 1 expected failure, 1 not appl"),
        (report(PASS, ALL[2]), "no verdict: no violation seen, but 1 MUST case is inconclusive"),
        (report(PASS, DIED), "no verdict: the target died (in case.died)"),
        (report(ALL[3]), "no verdict: nothing was judged"),
        (report(PASS, out_of_date=(KNOWN,)), "1 expectation is out of date: 1 passed"),
        (report(PASS, interrupted=True, not_run=("a", "b")), "interrupted: 1 passed, 2 not run"),
        (
            report(target_error="no qemu", target_hint="install it"),
            "no verdict: the target qemu could not be started: no qemu\n  install it",
        ),
    ],
)
def test_the_last_line(given: Report, line: str) -> None:
    assert line in printed(given, 200)


def test_plain_lines_where_nobody_watches() -> None:
    console = Console(file=StringIO(), width=80)
    shown = make_progress(console)
    assert isinstance(shown, Lines)
    shown.finished(replace(PASS, id="x." + "long-" * 30, duration_s=0.123))
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert text.splitlines() == [f"pass            x.{'long-' * 30}  0.12 s"]


def test_a_bar_where_somebody_watches() -> None:
    console = Console(file=StringIO(), width=80, force_terminal=True, _environ={"TERM": "xterm"})
    shown = make_progress(console)
    assert isinstance(shown, Bar)
    shown.begin(2)
    shown.started("a.case")
    shown.finished(ALL[1])
    shown.finished(PASS)
    shown.end()
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert "case.fail" in text
    assert "case.pass" not in text


# Files


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "r.json"
    path.write_text("old")
    with pytest.raises(UnicodeEncodeError):
        files.write(path, "new \ud800")
    assert path.read_text() == "old"
    files.write(path, "new")
    assert path.read_text() == "new"
    assert [item.name for item in tmp_path.iterdir()] == ["r.json"]
    mask = os.umask(0)
    os.umask(mask)
    assert stat.S_IMODE(path.stat().st_mode) == 0o666 & ~mask


def test_a_link_stays_a_link_and_a_device_a_device(tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "real")
    files.check_file(link)
    files.write(link, "text")
    assert link.is_symlink()
    assert (tmp_path / "real").read_text() == "text"
    files.check_file(Path("/dev/null"))
    files.write(Path("/dev/null"), "text")
    assert Path("/dev/null").is_char_device()


def test_what_cannot_be_written_is_known_beforehand(tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    plain.write_text("")
    for path in (tmp_path, tmp_path / "no" / "r.json", plain / "r.json"):
        with pytest.raises(files.Unwritable, match=str(path)):
            files.check_file(path)
    with pytest.raises(files.Unwritable):
        files.check_directory(plain)
    files.check_file(tmp_path / "fine")
    files.check_directory(tmp_path / "a" / "b")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "plain"]


def test_a_full_disk_is_a_complaint() -> None:
    with pytest.raises(files.Unwritable, match="No space left"):
        files.write(Path("/dev/full"), "text")
