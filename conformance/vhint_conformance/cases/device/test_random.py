"""Random traffic on all queues, valid and nearly valid, judged by every monitor."""

from __future__ import annotations

import pytest

from vhint_conformance.bench import Bench
from vhint_conformance.case import case
from vhint_conformance.fuzz.compiling import described
from vhint_conformance.fuzz.moves import Move
from vhint_conformance.fuzz.options import Options
from vhint_conformance.fuzz.playing import play, setting_of
from vhint_conformance.fuzz.search import drawn
from vhint_conformance.verdict import Failed

PROGRAMS = 12
MOVES = 30


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
    setting = setting_of(bench)
    seed = bench.rng.getrandbits(32) + number
    bench.observations["fuzz"] = f"--seed {seed} --examples {PROGRAMS} --steps {MOVES}"

    failed: list[Failed] = []

    def use(moves: list[Move]) -> None:
        if failed:
            raise failed[0]  # Hypothesis asks again, but this device has lost its innocence
        bench.observations["program"] = described(moves)
        try:
            play(bench, moves, setting)
        except Failed as failure:
            failed.append(failure)
            raise

    drawn(Options(seed, PROGRAMS, MOVES), use, shrink=False)
    del bench.observations["program"]
