"""`make repeat`: runs that do not agree are told apart."""

from __future__ import annotations

import os
import signal
from collections import Counter

import pytest
from click.testing import CliRunner

from vhint_conformance import repeat


def judged(monkeypatch: pytest.MonkeyPatch, *runs: dict[str, str]) -> tuple[int, str]:
    left = iter(runs)
    monkeypatch.setattr(repeat, "run", lambda _: next(left))
    done = CliRunner().invoke(repeat.main, ["reference", "--times", str(len(runs))])
    return done.exit_code, done.output


def test_runs_that_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    status, said = judged(
        monkeypatch, {"a": "pass", "exit status": "0"}, {"exit status": "0", "a": "pass"}
    )
    assert status == 0
    assert "2 runs of 1 cases agree" in said


def test_runs_that_do_not(monkeypatch: pytest.MonkeyPatch) -> None:
    status, said = judged(monkeypatch, {"a": "pass"}, {"a": "pass"}, {"a": "fail"})
    assert status == 1
    assert "run 3 differs" in said
    assert "a: 2 x pass, 1 x fail" in said


def test_a_case_that_did_not_run_is_a_difference() -> None:
    assert repeat.differences([{"a": "pass"}, {}]) == {"a": Counter({"pass": 1, "not run": 1})}


def test_what_a_report_says() -> None:
    report = {"cases": [{"id": "x", "verdict": "fail"}], "exit_status": 1}
    assert repeat.verdicts_of(report) == {"x": "fail", "exit status": "1"}


def test_an_interrupt_keeps_what_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    left = iter([{"a": "pass"}, {"b": "fail"}, {"a": "pass"}, {"b": "fail"}])

    def run(target: str) -> repeat.Verdicts:
        found = next(left, None)
        if found is None:  # as Ctrl-C is, even where a shell had it ignored
            os.kill(os.getpid(), signal.SIGINT)
        return found or {}

    before = signal.signal(signal.SIGINT, signal.SIG_IGN)

    monkeypatch.setattr(repeat, "run", run)
    done = CliRunner().invoke(repeat.main, ["one", "two", "--times", "50"])
    assert signal.signal(signal.SIGINT, before) is signal.SIG_IGN
    assert done.exit_code == 1  # not all of them were made
    assert "one: 2 runs of 0 cases agree" in done.output
    assert "two: 2 runs of 0 cases agree" in done.output
