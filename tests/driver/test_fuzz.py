"""`vhint fuzz --role driver`: hostile devices that are drawn, shrunk, saved and replayed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from click.testing import CliRunner

from vhint.wire.queues import Queue
from vhint_conformance import targets
from vhint_conformance.cli.main import vhint_command
from vhint_conformance.collection import UsageError
from vhint_conformance.driver_bench.opening import open_driver_bench
from vhint_conformance.fuzz.driver.moves import (
    MOVES,
    Allocate,
    Answer,
    Begin,
    Configure,
    DemandReset,
    Field,
    Free,
    Interrupt,
    Lose,
    Manner,
    Move,
    Press,
    Reload,
    Serve,
    Stray,
    Wait,
    Work,
    programs,
)
from vhint_conformance.fuzz.driver.playing import play
from vhint_conformance.fuzz.driver.search import CASE, search
from vhint_conformance.fuzz.driver.wording import described, from_json, to_json
from vhint_conformance.fuzz.hunt import drawn
from vhint_conformance.fuzz.options import Options
from vhint_conformance.mutants import GUEST_MUTANTS
from vhint_conformance.replay import replay_on
from vhint_conformance.verdict import Failed

HINTS, REPORTS = Begin("hints"), Begin("reports")
BUSY: list[Move] = [Allocate(512), Free(0), Wait(20)]
"""What makes a guest tell its device of free memory."""

ALL: list[Move] = [
    Begin("full"), Serve(True), *BUSY, Configure(Field.TARGET, 200), Wait(5), Serve(False), *BUSY,
    Answer(Queue.HINTING, 0, Manner.PART, 1), Interrupt(None), Stray(Queue.REPORTING, False),
    Lose(Queue.REPORTING), Answer(Queue.REPORTING, 0), Configure(Field.ROUND), Wait(3),
    Answer(Queue.HINTING, 0, Manner.BAD, 4), Work(20), Answer(Queue.INFLATE, 0, Manner.LENGTH, 7),
    Press(), DemandReset(slow=True), Wait(3), DemandReset(), Reload(), Allocate(30),
]  # fmt: skip
"""Every kind of move."""


def played(name: str, moves: Sequence[Move]) -> set[str]:
    """Play moves on a driver; return what it was seen to break."""
    try:
        with open_driver_bench(targets.resolve_driver(name), CASE, 0, None) as bench:
            play(bench, moves)
    except Failed as failed:
        return {each.requirement for each in failed.violations}
    return set()


@pytest.mark.parametrize("name", ["reference", "reference:blocking", "reference:batching"])
def test_a_sound_driver_comes_through_everything(name: str) -> None:
    assert {type(move) for move in ALL} == {*MOVES.values()}
    assert played(name, ALL) == set()


BROKEN: dict[str, tuple[list[Move], str]] = {
    "release-on-offer": (
        [HINTS, *BUSY, Lose(Queue.HINTING), Press()],
        "hint.driver.no-allocate-while-outstanding",
    ),
    "reports-without-waiting": (
        [REPORTS, *BUSY, Lose(Queue.REPORTING), Press()],
        "reporting.driver.no-touch-until-use",
    ),
    "stray-id-taken": (
        [REPORTS, *BUSY, Lose(Queue.REPORTING), Stray(Queue.REPORTING, False), Wait(5), Press()],
        "reporting.driver.no-touch-until-use",
    ),
    "needs-reset-taken-for-return": (
        [HINTS, *BUSY, Lose(Queue.HINTING), DemandReset(slow=True), Wait(2), Press()],
        "hint.driver",
    ),
    "report-leaks-on-reset": (
        [REPORTS, *BUSY, DemandReset(), Wait(5)],
        "return-every-page",
    ),
    "returns-accepted-only": (
        [HINTS, *BUSY, Answer(Queue.HINTING, 0, Manner.PART, 1), Wait(5)],
        "hint.driver.return-every-acknowledged",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_drivers_that_hand_out_or_lose_pages_are_found(name: str) -> None:
    moves, slug = BROKEN[name]
    assert any(slug in each for each in played(f"mutant:{name}", moves))
    assert played("reference", moves) == set()


def test_what_is_found_is_shrunk_saved_and_replayed(tmp_path: Path) -> None:
    path = tmp_path / "found.json"
    words = ["fuzz", "mutant:reports-twice", "--role", "driver", "--examples", "30", "--seconds",
             "300", "--save", str(path), "--quiet"]  # fmt: skip
    run = CliRunner().invoke(vhint_command, words, standalone_mode=False)
    assert run.return_value == 1, run.output
    assert any(slug in run.output for slug in GUEST_MUTANTS["reports-twice"].violates)
    assert f"saved: vhint conform mutant:reports-twice --replay {path}" in run.output
    saved = json.loads(path.read_text())
    assert len(saved["moves"]) <= 4
    (outcome,) = replay_on("mutant:reports-twice", path).outcomes
    assert {each.requirement for each in outcome.violations} == {*saved["requirements"]}
    assert replay_on("reference", path).exit_status == 0


def test_every_program_can_be_said_and_saved() -> None:
    seen: list[list[Move]] = []
    drawn(Options(3, 20), programs(20, any_offer=True, fills=True), seen.append, shrink=False)
    for moves in [*seen, ALL]:
        assert len(described(moves)) == len(moves)
        assert [from_json(json.loads(json.dumps(to_json(move)))) for move in moves] == moves


@pytest.mark.parametrize(
    ("move", "said"),
    [
        ({"move": "fly"}, "there is no move 'fly'"),
        ({"move": "work"}, "turns"),
        ({"move": "work", "turns": "many"}, "'many' is no int"),
        ({"move": "work", "turns": True}, "True is no int"),
        ({"move": "lose", "queue": "nonesuch"}, "nonesuch"),
        ({"move": "press", "hard": 1}, "unknown member 'hard'"),
        ({"move": "begin", "offer": "nonesuch"}, "there is no offer 'nonesuch'"),
        (7, "expected an object"),
    ],
)
def test_a_file_that_is_none_is_refused(move: object, said: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.json"
    path.write_text(json.dumps({"format": "vhint-driver-moves/1", "moves": [move]}))
    with pytest.raises(UsageError, match=rf"move 0: .*{said}"):
        replay_on("reference", path)


def test_a_search_ends_in_time() -> None:
    driver = targets.resolve_driver("reference")
    finding = search(driver, Options(examples=10_000, seconds=0.05))
    assert finding.sound
    assert finding.examples < 100


def test_a_device_is_no_driver() -> None:
    run = CliRunner().invoke(vhint_command, ["fuzz", "qemu", "--role", "driver"])
    assert run.exit_code == 2
    assert "qemu" in run.output
