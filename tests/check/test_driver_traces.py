"""Traces of drivers: sound ones hold where the trace tells, faults in initialisation are named."""

from pathlib import Path

import pytest

from tests.check.plays import judged
from vhint_conformance import targets
from vhint_conformance.case import Case, Role
from vhint_conformance.check.result import TraceVerdict
from vhint_conformance.driver_bench import offer as offers
from vhint_conformance.driver_bench.opening import open_driver_bench
from vhint_conformance.mutants.guest import GUEST_MUTANTS
from vhint_conformance.verdict import Failed, TargetError

HOLDS, VIOLATED, UNDETERMINED = TraceVerdict
TOLD = "virtio.driver.*"
"""Requirements that a trace of a driver tells about."""
SEEN = (
    "accepts-unoffered",
    "version-1-not-accepted",
    "driver-ok-with-features-ok",
    "live-before-queues",
)


def record(target: str, folder: Path) -> bytes:
    """The trace of an initialisation."""
    info, file = Case("check.driver", "a start", ()), folder / "trace.jsonl"
    offer = offers.PLAIN if "unoffered" in target else offers.STANDARD
    try:
        with open_driver_bench(targets.resolve_driver(target), info, 0, file) as bench:
            bench.start(offer)
            bench.idle(1.0)
    except (Failed, TargetError):
        pass
    return file.read_bytes()


@pytest.mark.parametrize("target", ["reference", "reference:blocking", "reference:batching"])
def test_sound_drivers(tmp_path, target: str) -> None:
    trace = record(target, tmp_path)
    found = judged(trace, role=Role.DRIVER)
    assert (found.verdict, found.findings) == (UNDETERMINED, ())
    assert "bytes of requests" in found.doubts[0].reason
    assert judged(trace, role=Role.DRIVER, select=[TOLD]).verdict is HOLDS
    assert judged(trace).verdict is HOLDS


@pytest.mark.parametrize("mutant", SEEN)
def test_faults_in_initialisation(tmp_path, mutant: str) -> None:
    found = judged(record(f"mutant:{mutant}", tmp_path), role=Role.DRIVER)
    assert found.verdict is VIOLATED
    named = {each.violation.requirement for each in found.findings}
    assert named & {*GUEST_MUTANTS[mutant].violates}
