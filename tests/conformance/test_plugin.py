import os
import subprocess
import sys
from pathlib import Path

import pytest

from vhint_conformance import runner
from vhint_conformance.case import Role
from vhint_conformance.collection import UsageError
from vhint_conformance.report.model import Fault, Report
from vhint_conformance.runner import RunOptions, listing
from vhint_conformance.selection import Level
from vhint_conformance.verdict import Verdict


def verdicts(report: Report) -> dict[str, str]:
    return {outcome.id: outcome.verdict.value for outcome in report.outcomes}


def test_every_way_to_end_has_its_verdict(judge_fake) -> None:
    report = judge_fake("sound.*", "bad.*", "open.*", "fixture.*", "bare.*", "lost.*")
    assert verdicts(report) == {
        "sound.passes": "pass",
        "sound.sizes[1]": "pass",
        "sound.sizes[2]": "pass",
        "sound.absent": "not_applicable",
        "bad.one": "fail",
        "bad.two": "fail",
        "bad.late": "fail",
        "open.inconclusive": "inconclusive",
        "open.fault": "error",
        "open.assertion": "error",
        "open.late-inapplicable": "not_applicable",
        "lost.died": "error",
        "lost.gone": "error",
        "fixture.setup": "error",
        "fixture.teardown": "error",
        "bare.passes": "pass",
    }


def test_a_fault_is_told_in_one_line_with_its_place(judge_fake) -> None:
    (outcome,) = judge_fake("open.fault").outcomes
    assert outcome.fault is Fault.SUITE
    assert outcome.message.startswith("fault in the suite: ValueError: boom (test_cases.py:")
    assert outcome.traceback == ""


def test_debugging_keeps_the_traceback(judge_fake, monkeypatch, capsys) -> None:
    monkeypatch.setenv("VHINT_DEBUG", "1")
    (outcome,) = judge_fake("open.fault").outcomes
    assert "Traceback" in outcome.traceback
    assert "Traceback" in capsys.readouterr().err


def test_what_the_bench_found_is_in_the_outcome(judge_fake) -> None:
    (outcome,) = judge_fake("sound.passes", seed=5).outcomes
    assert outcome.observations == {"kept": {"odd": "NaN", "bytes": "b'ab'"}, "seed": 5}
    assert outcome.effectiveness == {"pages": 0}
    assert outcome.repro == "vhint conform fake --select sound.passes --seed 5"
    (late,) = judge_fake("bad.late").outcomes
    assert late.violations[0].requirement == "fake.device.first"


def test_the_command_that_repeats_a_case_is_quoted_and_complete(judge_fake) -> None:
    report = judge_fake("sound.sizes[1]", "mild.polite", level=Level.SHOULD, no_expect=True)
    assert [outcome.repro for outcome in report.outcomes] == [
        "vhint conform fake --select 'sound.sizes[1]' --no-expect --seed 0",
        "vhint conform fake --select mild.polite --level should --no-expect --seed 0",
    ]


@pytest.mark.parametrize("case", ["slow.hangs", "slow.swallows"])
def test_a_case_that_takes_too_long_is_an_error_whatever_it_says(judge_fake, case: str) -> None:
    (outcome,) = judge_fake(case, deadline=0.2).outcomes
    assert (outcome.verdict, outcome.fault) == (Verdict.ERROR, Fault.DEADLINE)
    assert outcome.message == "no answer within 0.2 s"
    assert outcome.duration_s < 5


def test_the_target_is_closed_after_the_deadline(judge_fake, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("FAKE_LOG", str(tmp_path / "log"))
    judge_fake("slow.hangs", "sound.passes", deadline=0.2)
    assert (tmp_path / "log").read_text() == "closed sound.passes\nclosed slow.hangs\n"


def test_every_case_writes_its_trace(judge_fake, tmp_path: Path) -> None:
    judge_fake("sound.sizes", trace=tmp_path / "t")
    assert sorted(path.name for path in (tmp_path / "t").iterdir()) == [
        "sound.sizes[1].jsonl",
        "sound.sizes[2].jsonl",
    ]


# Selection


def test_level(judge_fake, fake_suite) -> None:
    by_default = {outcome.id for outcome in judge_fake("mild.[!d]*").outcomes}
    assert by_default == {"mild.free"}
    more = {outcome.id for outcome in judge_fake("mild.[!d]*", level=Level.SHOULD).outcomes}
    assert more == {"mild.free", "mild.polite", "mild.inconclusive"}


def test_selection_by_requirement_role_and_keyword(judge_fake) -> None:
    assert set(verdicts(judge_fake("fake.device.first", target="fake-both", role=Role.DRIVER))) == {
        "driver.passes"
    }
    report = judge_fake("sound.*", pytest_args=("-k", "passes"))
    assert set(verdicts(report)) == {"sound.passes"}
    assert report.deselected == len(listing(RunOptions("fake")).cases) - 1


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"select": ("sound.pases",)}, "did you mean sound.passes"),
        ({"select": ("qqqq",)}, "no case and no requirement matches; see --list"),
        ({"select": ("sound.*", "qqqq")}, "--select qqqq"),
        ({"select": ("mild.polite",)}, "--level should takes some"),
        ({"pytest_args": ("-k", "nothing-is-called-this")}, "the selection is empty"),
        ({"pytest_args": ("--no-such-option",)}, "unrecognized arguments: --no-such-option"),
    ],
)
def test_an_empty_selection_is_a_complaint(fake_suite, capsys, options, complaint: str) -> None:
    with pytest.raises(UsageError) as caught:
        listing(RunOptions("fake", **options))
    assert complaint in str(caught.value)
    assert capsys.readouterr() == ("", "")


def test_what_is_no_case_or_cannot_be_read_is_not_lost(fake_suite: Path, judge_fake) -> None:
    (fake_suite / "test_stray.py").write_text("def test_stray(): pass\n")
    (fake_suite / "test_unreadable.py").write_text("import no_such_module\n")
    (fake_suite / "test_syntax.py").write_text("def (:\n")
    found = {outcome.id: outcome for outcome in judge_fake("sound.passes").outcomes}
    assert found["test_stray.py::test_stray"].verdict is Verdict.ERROR
    assert "no_such_module" in found["test_unreadable.py"].message
    assert found["test_syntax.py"].verdict is Verdict.ERROR
    assert found["sound.passes"].verdict is Verdict.PASS


def test_two_cases_of_one_name_are_refused(fake_suite: Path, judge_fake) -> None:
    (fake_suite / "test_twice.py").write_text((fake_suite / "test_cases.py").read_text())
    with pytest.raises(UsageError, match="two cases are called"):
        judge_fake()


def test_a_case_whose_outcome_got_lost_is_an_error(judge_fake, monkeypatch) -> None:
    monkeypatch.setattr(runner, "outcome_in", lambda _: None)
    (outcome,) = judge_fake("sound.passes").outcomes
    assert (outcome.verdict, outcome.message) == (
        Verdict.ERROR,
        "no verdict: nobody reported one",
    )


def test_the_users_own_pytest_takes_no_part(judge_fake, tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "conftest.py").write_text("raise SystemExit('conftest of the user')\n")
    (tmp_path / "pytest.ini").write_text("[pytest]\naddopts = --no-such-option\n")
    (tmp_path / "test_own.py").write_text("def test_own(): pass\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTEST_ADDOPTS", "--no-such-option")
    assert verdicts(judge_fake("sound.passes")) == {"sound.passes": "pass"}
    assert os.environ["PYTEST_ADDOPTS"] == "--no-such-option"


# Other processes


def test_several_jobs_give_the_same_outcomes(judge_fake) -> None:
    globs = ("sound.*", "bad.*", "open.*", "fixture.*", "lost.*")
    alone = judge_fake(*globs)
    shared = judge_fake(*globs, jobs=2)
    assert verdicts(shared) == verdicts(alone)
    assert [o.message for o in shared.outcomes] == [o.message for o in alone.outcomes]
    assert shared.exit_status == alone.exit_status


def test_a_crash_costs_one_verdict(judge_fake) -> None:
    report = judge_fake("crash.exits", "sound.*", "slow.hangs", deadline=0.2, pytest_args=("-n1",))
    found = verdicts(report)
    assert found.pop("crash.exits") == "error"
    assert found.pop("slow.hangs") == "error"
    assert set(found.values()) == {"pass", "not_applicable"}
    crashed = next(outcome for outcome in report.outcomes if outcome.id == "crash.exits")
    assert "crashed" in crashed.message
    assert len(report.outcomes) == 6


@pytest.mark.parametrize("more", [(), ("-n1",)])
def test_a_target_that_does_not_start_stops_the_run(judge_fake, more) -> None:
    report = judge_fake(target="fake-broken", pytest_args=more)
    assert report.outcomes[0].fault is Fault.NOT_STARTED
    assert report.outcomes[0].hint == "look at its log"
    assert len(report.not_run) > 5
    assert "could not be started" in report.stopped


def own_pytest(cases: Path) -> list[str]:
    words = [sys.executable, "-m", "pytest", "-p", "vhint_conformance.plugin", str(cases)]
    return [*words, "--vhint-target=fake", "-p", "no:cacheprovider", f"-c{cases}/pytest.ini"]


def test_a_user_of_pytest_gets_pytests_own_outcomes(fake_suite: Path) -> None:
    globs = ("sound.*", "bad.one", "open.*")
    done = subprocess.run(
        [*own_pytest(fake_suite), "-rA", *(f"--vhint-select={glob}" for glob in globs)],
        capture_output=True,
        text=True,
        env={**os.environ, "COLUMNS": "120"},
        check=False,
    )
    assert done.returncode == 1
    assert "4 failed, 3 passed, 2 skipped" in done.stdout
    assert "fail: bad.one: fake.device.second: page 7: expected 4" in done.stdout
    assert "rerun: vhint conform fake --select bad.one --seed 0" in done.stdout
    assert "not applicable: FEATURE is not offered" in done.stdout
    assert "Traceback" not in done.stdout
    assert "def test_one" not in done.stdout


def test_under_pytest_alone_a_refuted_requirement_fails_the_run(
    fake_suite: Path, write_expectations
) -> None:
    path = write_expectations(("mild.device.free", ""))
    done = subprocess.run(
        [*own_pytest(fake_suite), "--vhint-select=mild.free", f"--vhint-expect={path}"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "unexpected pass: every case that checks mild.device.free passed" in done.stdout
