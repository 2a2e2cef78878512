"""Searching for a program that a driver fails at: the shortest, to be saved and played again."""

from __future__ import annotations

import json
from typing import Any

from vhint_conformance.case import Capability, Case, Role
from vhint_conformance.driver_bench.opening import open_driver_bench
from vhint_conformance.fuzz.driver.moves import Begin, Move, programs
from vhint_conformance.fuzz.driver.playing import play
from vhint_conformance.fuzz.driver.wording import described, to_json
from vhint_conformance.fuzz.hunt import Finding, Hunt, Told, finding_of
from vhint_conformance.fuzz.known import is_known, serious
from vhint_conformance.fuzz.options import Options
from vhint_conformance.replay import MOVES
from vhint_conformance.targets.driver import DriverTarget
from vhint_conformance.verdict import Failed, TargetDied

CASE = Case("driver.random-traffic", "A hostile device and a guest at work", (), Role.DRIVER)


def search(target: DriverTarget, options: Options, told: Told | None = None) -> Finding:
    """Search for a program that the driver fails at; raises `TargetNotStarted`."""
    packed = len(target.variants) > 1

    def fitting(moves: list[Move]) -> list[Move]:
        first = moves[0]
        if isinstance(first, Begin) and not packed:
            moves = [Begin(first.offer, size=first.size), *moves[1:]]
        return moves

    def played(moves: list[Move]) -> None:
        with open_driver_bench(target, CASE, options.seed, None) as bench:
            play(bench, fitting(moves))

    def excuses(error: Exception, moves: list[Move]) -> tuple[bool, bool]:  # noqa: ARG001
        known = is_known(error, (), options.expectations)
        trifle = isinstance(error, Failed) and not serious(error.violations)
        return known, known and not trifle

    def key(moves: list[Move]) -> str:
        return json.dumps([to_json(move) for move in fitting(moves)])

    hunt = Hunt(options, played, key, excuses, told)
    fills = Capability.FILLS_FREE_PAGES in target.capabilities
    found = hunt.run(programs(options.steps, any_offer=target.any_offer, fills=fills))
    failure = hunt.failure
    if found:
        hunt.smallest = fitting(hunt.smallest or [])
        try:  # once more, so that what is told is what a replay shows
            played(hunt.smallest)
        except (Failed, TargetDied) as error:
            failure = error
    return finding_of(hunt, failure, described, _saved(target, hunt, failure))


def _saved(target: DriverTarget, hunt: Hunt[Move], failure: Exception | None) -> dict[str, Any]:
    if not isinstance(failure, Failed):
        return {}
    moves = hunt.smallest or []
    return {
        "comment": " ".join(f"({n}) {text}." for n, text in enumerate(described(moves), 1)),
        "format": MOVES,
        "id": f"fuzz-{target.name}",
        "moves": [to_json(move) for move in moves],
        "requirements": sorted({each.requirement for each in failure.violations}),
        "source": "vhint, found by random traffic",
        "title": str(failure.violations[0]),
    }
