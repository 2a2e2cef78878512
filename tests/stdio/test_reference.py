"""The reference device behind a harness: what the protocol carries is enough to be judged by."""

import sys
from pathlib import Path

import pytest

from tests.stdio.tools import nothing_left, run, vhint
from vhint_conformance.verdict import Verdict

HARNESS = f"{sys.executable} {Path(__file__).with_name('reference_logic.py')}"
SOME = (
    "balloon.stats-values", "balloon.stats-reset-while-held", "balloon.poison-config",
    "free-page-hint.new-ids", "free-page-hint.inhibited", "free-page-hint.pages-after-stop",
    "hint.sound-request*", "hint.fragmented*", "ring.queue-reset-quiet",
    "virtio.config-change-notified",
)  # fmt: skip


def test_every_kind_of_event_is_judged() -> None:
    with nothing_left():
        report = run(HARNESS, *SOME, validate=True)
    bad = {each.id: each.message for each in report.outcomes
           if each.verdict not in (Verdict.PASS, Verdict.NOT_APPLICABLE)}  # fmt: skip
    assert bad == {}
    passed = {each.id for each in report.having(Verdict.PASS)}
    assert {"balloon.stats-values", "free-page-hint.new-ids", "ring.queue-reset-quiet"} <= passed


def test_smoke_has_one_exchange_for_each_profile() -> None:
    found = vhint("smoke", f"stdio:{HARNESS}")
    assert found.return_value == 0, found.output
    for step in ("hint-bitmap", "free-page-hint", "polls-statistics", "starts-rounds"):
        assert f"ok {step} " in " ".join(found.output.split())


@pytest.mark.long
def test_it_conforms_altogether() -> None:
    report = run(HARNESS, "*", validate=True)
    bad = {each.id: each.message for each in report.outcomes
           if each.verdict not in (Verdict.PASS, Verdict.NOT_APPLICABLE)}  # fmt: skip
    assert bad == {}
    assert report.summary[Verdict.PASS] > 250
