"""Whatever a harness does costs a verdict, no more: it is blamed, ended and started again."""

import time
from pathlib import Path

import pytest

from tests.stdio.tools import exchange, nothing_left, run, wayward
from vhint_conformance.report.model import ExitStatus, Fault
from vhint_conformance.verdict import HarnessFailed, TargetDied, TargetNotStarted, Verdict

ONE = "reporting.one-page"
TWO = (ONE, "reporting.many-pages*")

FAULTS = [
    ("exit", "it exited with status 3 during step-buffer"),
    ("abort", "it was ended by SIGABRT during step-buffer"),
    ("hang", "it did not answer step-buffer within 1 s"),
    ("close", "during step-buffer"),
    ("print", "is not JSON: 'got it'"),
    ("no-json", "is not JSON"),
    ("list", "is not a JSON object"),
    ("deep", "is not JSON"),
    ("endless", "16 MiB without a line's end"),
    ("seq", 'has "seq"'),
    ("no-effects", 'has no "effects"'),
]


@pytest.mark.parametrize(("fault", "said"), FAULTS)
def test_what_is_wrong_is_told(fault: str, said: str) -> None:
    with nothing_left(), pytest.raises(HarnessFailed) as caught:
        exchange(wayward(fault), within=1.0 if fault == "hang" else None)
    assert said in str(caught.value)


def test_the_harness_is_blamed_and_not_the_device() -> None:
    with nothing_left():
        report = run(wayward("exit"), ONE)
    (outcome,) = report.outcomes
    assert outcome.verdict is Verdict.ERROR
    assert outcome.fault is Fault.HARNESS
    assert outcome.message == (
        "the harness failed, not what is judged: it exited with status 3 during step-buffer"
    )
    assert "these are my last words" in outcome.hint
    assert report.exit_status is ExitStatus.TARGET


def test_it_is_started_again_for_the_next_case(tmp_path: Path) -> None:
    with nothing_left():
        report = run(wayward("exit", "reporting", tmp_path / "once"), ONE, "reporting.reuse*")
    verdicts = [outcome.verdict for outcome in report.outcomes]
    assert verdicts[0] is Verdict.ERROR
    assert set(verdicts[1:]) == {Verdict.PASS}


def test_one_that_fails_again_and_again_is_not_started_any_more() -> None:
    begun = time.monotonic()
    report = run(wayward("exit"), "reporting.*")
    errors = [each for each in report.outcomes if each.verdict is Verdict.ERROR]
    assert len(errors) > 10
    assert "failed 5 times in a row" in errors[-1].message
    assert [each.fault for each in errors[:5]] == 5 * [Fault.HARNESS]
    assert report.exit_status is ExitStatus.TARGET
    assert time.monotonic() - begun < 60


def test_what_it_prints_after_an_answer_is_noticed_before_the_next() -> None:
    with pytest.raises(HarnessFailed, match="it said 'and done' without being asked") as caught:
        exchange(wayward("print-after", "driver_ok"))
    assert "standard output is for answers only" in caught.value.hint


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("/nowhere/harness", "/nowhere/harness was not found"),
        ("'unbalanced", "cannot be read"),
        (wayward("exit", "start"), "it exited with status 3 during start"),
        (wayward("protocol", "start"), "speaks vhint-harness/9"),
    ],
)
def test_one_that_does_not_start_stops_the_run(command: str, said: str) -> None:
    with nothing_left(), pytest.raises(TargetNotStarted) as caught:
        exchange(command)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("fault", "slug"),
    [
        ("use-twice", "ring.device.use-chain-once"),
        ("use-absent", "ring.device.use-only-available"),
        ("overflow", "ring.device.writes-within-buffers"),
        ("discard-outside", "reporting.device.containment"),
        ("discard-late", "reporting.device.no-effect-after-use"),
        ("write-outside", "reporting.device.containment"),
        ("write", "reporting.device.containment"),
        ("more-for-ever", "reporting.device.use-every-buffer"),
    ],
)
def test_what_the_device_does_is_judged(fault: str, slug: str) -> None:
    failed = exchange(wayward(fault))
    assert failed is not None
    assert slug in {violation.requirement for violation in failed.violations}


def test_an_error_that_the_harness_reports_is_the_implementations() -> None:
    with pytest.raises(
        TargetDied, match="the implementation failed: ValueError: it broke"
    ) as caught:
        exchange(wayward("error"))
    assert not isinstance(caught.value, HarnessFailed)


def test_what_is_known_to_be_missing_is_not_applicable() -> None:
    (outcome,) = run(wayward("skip"), ONE).outcomes
    assert outcome.verdict is Verdict.NOT_APPLICABLE
    assert outcome.message == "not yet (https://example.org/7)"


def test_validation_finds_what_is_overlooked_otherwise() -> None:
    assert exchange(wayward("typo")) is None
    with pytest.raises(HarnessFailed, match="'efects' was unexpected"):
        exchange(wayward("typo"), validate=True)
