"""`vhint fuzz` on devices: what is negotiated, rounds of hints, malformed chains, known faults."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from vhint.host import DeviceOptions
from vhint.spans import PAGE
from vhint.wire.features import Feature, Features
from vhint.wire.queues import Queue
from vhint_conformance import expectations, targets
from vhint_conformance.bench import open_bench
from vhint_conformance.fuzz.compiling import compiled, described
from vhint_conformance.fuzz.known import is_known
from vhint_conformance.fuzz.life import Life
from vhint_conformance.fuzz.moves import (
    Act,
    End,
    Flaw,
    Harm,
    Host,
    Kind,
    Move,
    Notify,
    Offer,
    Restart,
    Say,
    Take,
    Word,
    Write,
)
from vhint_conformance.fuzz.playing import Recorded, play, vector_of
from vhint_conformance.fuzz.search import CASE
from vhint_conformance.fuzz.setting import Setting, setting_of
from vhint_conformance.model.history import write_vector
from vhint_conformance.replay import replay_on
from vhint_conformance.targets.qemu import QemuTarget
from vhint_conformance.targets.reference import REFERENCES
from vhint_conformance.vectors.steps import Step
from vhint_conformance.verdict import Failed, TargetDied, Violation

EVERYTHING = Features((1 << 64) - 1)
SETTING = Setting(
    EVERYTHING, 1 << 20, 0, 32 << 20, 128, 16, frozenset(targets.base.Capability), rounds=True
)
HINT = 16
"""The first unit that is given in rounds."""

ROUND: list[Move] = [Host(Act.START), Say(Word.SHOWN)]


def hint(*units: int, **more: Any) -> Offer:
    return Offer(Kind.FREE_PAGES, tuple(HINT + unit for unit in units), **more)


def steps_of(moves: Sequence[Move], kind: str) -> list[dict[str, Any]]:
    return [step for step in compiled(moves, SETTING) if step["step"] == kind]


def played(name: str, moves: Sequence[Move]) -> set[str]:
    """Play moves on a target; return what it was seen to break."""
    target = targets.resolve(name)
    with open_bench(target, CASE, 0, None) as bench:
        setting = setting_of(bench)
    try:
        with open_bench(target, CASE, 0, None) as bench:
            play(bench, moves, setting)
    except Failed as failed:
        return {each.requirement for each in failed.violations}
    return set()


def recorded(target: targets.Target, steps: list[Step]) -> tuple[tuple[Violation, ...], list[Step]]:
    """Play steps on a target that fails at them; return how, and the history."""
    run: Recorded | None = None
    try:
        with open_bench(target, CASE, 0, None) as bench:
            run = Recorded(bench, steps)
            run.run()
    except Failed as failed:
        assert run is not None
        return tuple(failed.violations), run.history()
    raise AssertionError("nothing was found")


def test_a_life_is_what_is_negotiated() -> None:
    life = Life((Feature.EVENT_IDX, Feature.HINTING), 3, True, 0xAAAAAAAA)
    begin = [Restart(life), Restart(Life(size=3))]
    packed, split = (step for step in compiled(begin, SETTING) if step["step"] == "negotiate")
    assert Feature.RING_PACKED in packed["accepted"]
    assert not {Feature.EVENT_IDX, Feature.HINTING, Feature.HINTING_BITMAP} & {*packed["accepted"]}
    assert (packed["queue_size"], split["queue_size"]) == (3, 4)
    assert [step["value"] for step in steps_of(begin, "set-poison")] == [0xAAAAAAAA]
    assert described(begin)[0].startswith("begin with without EVENT_IDX, HINTING; queues of 3")


@pytest.mark.parametrize(
    ("before", "ignored"),
    [
        ([], "pages-before-id-ignored"),
        ([Host(Act.START)], "pages-before-id-ignored"),
        (ROUND, None),
        ([*ROUND, Say(Word.SHOWN)], None),
        ([*ROUND, Say(Word.STOP)], "pages-after-stop-ignored"),
        ([*ROUND, Say(Word.OTHER)], "stale-id-ignored"),
        ([*ROUND, Host(Act.START)], "stale-id-ignored"),
        ([*ROUND, Host(Act.STOP), Say(Word.SHOWN)], "stale-id-ignored"),
        ([*ROUND, Host(Act.FINISH)], "pages-before-id-ignored"),
    ],
)
def test_a_hint_counts_or_has_to_be_ignored(before: list[Move], ignored: str | None) -> None:
    last = steps_of([*before, hint(0)], "offer")[-1]
    slug = last.get("ignored")
    assert slug == (ignored and f"free-page-hint.device.{ignored}")


def test_a_page_that_may_be_lost_is_not_hinted_as_one_that_may_not() -> None:
    moves = [*ROUND, hint(0), Take(9), Say(Word.STOP), hint(0, 1)]
    offers = [step for step in steps_of(moves, "offer") if step["blocks"]]
    assert [step["blocks"][0]["start"] for step in offers] == [
        str(SETTING.unit(HINT + unit).start) for unit in (0, 1)
    ]
    written = steps_of([*moves[:4], Write((HINT,)), hint(0)], "offer")
    assert "ignored" not in written[-1] or written[-1]["blocks"]


def test_what_was_offered_in_silence_is_notified_of_before_it_is_waited_for() -> None:
    moves = [Offer(Kind.REPORT, (1,), quiet=True), Offer(Kind.INFLATE, (2,), quiet=True), Take(1)]
    found = [step["step"] for step in compiled(moves, SETTING)][3:]
    assert found == ["offer", "offer", "notify", "use", "notify", "end"]


def test_large_units_are_fewer() -> None:
    few = Setting(EVERYTHING, 0, 9, 32 << 20, 128, 16, units=3, hint_units=2)
    assert few.those((0, 3, 4, HINT, HINT + 3)) == (0, 1, 3, 4)


POISONED = Restart(Life(poison=0xAAAAAAAA))
BROKEN: dict[str, tuple[list[Move], str]] = {
    "report-loses-poison": ([POISONED, Offer(Kind.REPORT, (1,))], "reporting.device.poison"),
    "hint-loses-poison": ([POISONED, Offer(Kind.PFNS, (1,))], "hint.device.poison-preserved"),
    "packed-powers-of-two": (
        [Restart(Life(size=3, packed=True)), *[Offer(Kind.REPORT, (1,)), Take(0)] * 4],
        ".device.",
    ),
    "round-any-id": (
        [*ROUND, Say(Word.OTHER), hint(0), Host(Act.FINISH)],
        "free-page-hint.device.stale-id-ignored",
    ),
    "round-no-stop": (
        [*ROUND, Say(Word.STOP), hint(0), Host(Act.FINISH)],
        "free-page-hint.device.pages-after-stop-ignored",
    ),
    "round-over-reset": (
        [*ROUND, hint(0), Restart(end=End.TIDY)],
        "free-page-hint.device.reset-ends-round",
    ),
    "round-never-done": ([*ROUND, hint(0), Host(Act.FINISH)], "publish-done"),
    "round-outward": (
        [*ROUND, hint(0, flaw=Flaw.ODD), Host(Act.FINISH)],
        "skip-covers-whole-pages",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_faults_behind_what_is_negotiated_are_found(name: str) -> None:
    moves, slug = BROKEN[name]
    assert any(slug in each for each in played(f"mutant:{name}", moves))
    assert played("reference", moves) == set()


@pytest.mark.parametrize("queue", [Queue.INFLATE, Queue.HINTING], ids=str)
@pytest.mark.parametrize("chain", ["late-loop", "indirect-empty", "writable-absent"])
@pytest.mark.parametrize("packed", [False, True])
def test_a_sound_device_is_not_blamed_for_malformed_chains(
    queue: Queue, chain: str, packed: bool
) -> None:
    moves: list[Move] = [
        Restart(Life(packed=packed)), Offer(Kind.REPORT, (1, 2)), Harm(queue, chain),
        Offer(Kind.REPORT, (3,)), Notify(Queue.REPORTING), Take(0), Write((3,)),
        Restart(end=End.ABANDON), Offer(Kind.REPORT, (3,)),
    ]  # fmt: skip
    assert played("reference", moves) == set()


def test_a_round_that_failed_can_be_saved_and_replayed(tmp_path: Path) -> None:
    moves = [Restart(Life(packed=True)), *BROKEN["round-any-id"][0], Notify(Queue.FREE_PAGE)]
    target = targets.resolve("mutant:round-any-id")
    with open_bench(target, CASE, 0, None) as bench:
        setting = setting_of(bench)
    violations, history = recorded(target, compiled(moves, setting))
    value = vector_of(target.name, history, violations[0], moves)
    path = tmp_path / "found.json"
    write_vector(path, value)
    kinds = {step["step"] for step in json.loads(path.read_text())["vectors"][0]["steps"]}
    assert {"host", "negotiate", "offer"} <= kinds
    again = replay_on("mutant:round-any-id", path).outcomes[0]
    assert {each.requirement for each in again.violations} >= {
        "free-page-hint.device.stale-id-ignored"
    }
    assert replay_on("reference", path).exit_status == 0


def test_what_the_last_version_saved_is_replayed() -> None:
    path = Path(__file__).with_name("found_before_rounds.json")
    (outcome,) = replay_on("mutant:ack-before-discard", path).outcomes
    assert "reporting.device.no-effect-after-use" in {e.requirement for e in outcome.violations}
    assert replay_on("reference", path).exit_status == 0


@pytest.fixture(scope="module")
def of_qemu() -> tuple[expectations.Expectation, ...]:
    return expectations.load(QemuTarget.deviations(object.__new__(QemuTarget)))


@pytest.mark.parametrize(
    ("chain", "packed", "known"),
    [("indirect-empty", True, True), ("indirect-empty", False, False), ("loop", True, False)],
)
def test_the_death_that_is_known_of_a_target_is_that_of_one_chain(
    chain: str, packed: bool, known: bool, of_qemu: tuple[expectations.Expectation, ...]
) -> None:
    steps = compiled([Restart(Life(packed=packed)), Harm(Queue.INFLATE, chain)], SETTING)
    assert is_known(TargetDied("it died"), steps, of_qemu) is known


@pytest.mark.parametrize(
    ("slug", "known"),
    [
        ("free-page-hint.device.reset-ends-round", True),
        ("free-page-hint.device.containment", False),
        ("reporting.device.used-length-zero", True),
    ],
)
def test_violations_that_are_known_are_so_by_their_requirement(
    slug: str, known: bool, of_qemu: tuple[expectations.Expectation, ...]
) -> None:
    failed = Failed([Violation(slug, "this", "that")])
    assert is_known(failed, (), of_qemu) is known


def test_large_host_pages_are_fuzzed_too() -> None:
    target = REFERENCES["reference:host-page-2m"]
    with open_bench(target, CASE, 0, None) as bench:
        setting = setting_of(bench)
    assert PAGE << setting.order == 2 << 20
    assert 3 <= setting.units + setting.hint_units < 24
    assert DeviceOptions().hint_min_order == 0
