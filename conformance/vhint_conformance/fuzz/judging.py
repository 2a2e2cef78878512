"""Judging a bench by a few random programs: what a case does with the searcher."""

from __future__ import annotations

import time

from vhint_conformance.bench import Bench
from vhint_conformance.fuzz.compiling import described
from vhint_conformance.fuzz.hunt import drawn
from vhint_conformance.fuzz.moves import Move, programs
from vhint_conformance.fuzz.options import Options
from vhint_conformance.fuzz.playing import play
from vhint_conformance.fuzz.setting import setting_of
from vhint_conformance.verdict import Failed

PROGRAMS = 12
MOVES = 30
SECONDS = 20.0
"""How long they may take: of a device that takes its time fewer programs are asked."""


def judge(bench: Bench, number: int) -> None:
    """Play some programs; raise `Failed` at the first violation.  `number` tells calls apart."""
    setting = setting_of(bench)
    seed = bench.rng.getrandbits(32) + number
    bench.observations["fuzz"] = f"--seed {seed} --examples {PROGRAMS} --steps {MOVES}"

    failed: list[Failed] = []
    ends = time.monotonic() + SECONDS

    def use(moves: list[Move]) -> None:
        if failed:
            raise failed[0]  # Hypothesis asks again, but this device has lost its innocence
        if time.monotonic() > ends:
            return
        bench.observations["program"] = described(moves)
        try:
            play(bench, moves, setting)
        except Failed as failure:
            failed.append(failure)
            raise

    drawn(Options(seed, PROGRAMS, MOVES), programs(MOVES, tame=True), use, shrink=False)
    del bench.observations["program"]
