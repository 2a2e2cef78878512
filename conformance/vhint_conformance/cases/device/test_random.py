"""Random traffic on all queues, valid and nearly valid, judged by every monitor."""

from __future__ import annotations

import pytest

from vhint_conformance.bench import Bench
from vhint_conformance.case import case


@pytest.mark.parametrize("number", range(3))
@case(
    "reporting.device.containment",
    "reporting.device.no-effect-after-use",
    "reporting.device.use-every-buffer",
    "balloon.device.inflate-containment",
    "balloon.device.inflate-use-every-buffer",
    "balloon.device.deflated-page-keeps-writes",
    "hint.device.containment",
    "hint.device.no-effect-after-use",
    "hint.device.status-known",
    "hint.device.unaccepted-untouched",
    "hint.device.partial-not-all",
    "hint.device.refusal-touches-nothing",
    "hint.device.refusal-processed-zero",
    "ring.device.use-chain-once",
    "ring.device.writes-within-buffers",
    id="ring.random-traffic",
)
def test_random(bench: Bench, number: int) -> None:
    """Many requests of all kinds, cut up, flawed and out of order, over several lives.

    What fails here `vhint fuzz` finds too, and shrinks to a few moves.
    """
    from vhint_conformance.fuzz.judging import judge  # the one case that takes Hypothesis

    judge(bench, number)
