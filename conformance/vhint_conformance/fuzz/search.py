"""Searching for a program that a device fails at: the shortest, and its history to replay."""

from __future__ import annotations

import json
from typing import Any

from vhint_conformance import bench as benches
from vhint_conformance.case import Case
from vhint_conformance.fuzz.compiling import compiled, described
from vhint_conformance.fuzz.hunt import Finding, Hunt, Told, finding_of
from vhint_conformance.fuzz.known import is_known, serious
from vhint_conformance.fuzz.moves import Move, programs
from vhint_conformance.fuzz.options import Options
from vhint_conformance.fuzz.playing import Recorded, play, vector_of
from vhint_conformance.fuzz.setting import Setting, setting_of
from vhint_conformance.targets.base import Target
from vhint_conformance.verdict import Failed, TargetDied

CASE = Case("ring.random-traffic", "Random traffic, valid and nearly valid", ())


def search(target: Target, options: Options, told: Told | None = None) -> Finding:
    """Search for a program that the target fails at; raises `TargetNotStarted` or `NotApplicable`.

    The first failure is shrunk, then played once more to write its history down.
    """
    with benches.open_bench(target, CASE, options.seed, None) as bench:
        setting = setting_of(bench)

    def played(moves: list[Move]) -> None:
        with benches.open_bench(target, CASE, options.seed, None) as bench:
            play(bench, moves, setting)

    def excuses(error: Exception, moves: list[Move]) -> tuple[bool, bool]:
        known = is_known(error, compiled(moves, setting), options.expectations)
        trifle = isinstance(error, Failed) and not serious(error.violations)
        return known, known and not trifle

    hunt = Hunt(options, played, lambda moves: json.dumps(compiled(moves, setting)), excuses, told)
    if not hunt.run(programs(options.steps)):
        return finding_of(hunt, None, described, {})
    return _written_down(hunt, target, setting)


def _written_down(hunt: Hunt[Move], target: Target, setting: Setting) -> Finding:
    """Play the smallest program once more and return its history with what it breaks."""
    moves = hunt.smallest or []
    recorded: Recorded | None = None
    failure = hunt.failure
    try:
        with benches.open_bench(target, CASE, hunt.options.seed, None) as bench:
            recorded = Recorded(bench, compiled(moves, setting))
            recorded.run()
    except (Failed, TargetDied) as error:
        failure = error
    saved: dict[str, Any] = {}
    if recorded is not None and isinstance(failure, Failed):
        saved = vector_of(target.name, recorded.history(), failure.violations[0], moves)
    return finding_of(hunt, failure, described, saved)
