"""`vhint fuzz`: it shrinks planted faults to a few moves, and saves what replays."""

from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis.internal.conjecture import providers
from hypothesis.internal.constants_ast import Constants

from vhint.host import Device
from vhint.host.work import Line
from vhint.ring import GuestMemory
from vhint.wire import hint_request
from vhint.wire.features import Features
from vhint.wire.queues import Queue
from vhint_conformance import targets
from vhint_conformance.bench import open_bench
from vhint_conformance.cli.fuzz import fuzz
from vhint_conformance.fuzz.compiling import compiled
from vhint_conformance.fuzz.hunt import drawn
from vhint_conformance.fuzz.moves import Flaw, Kind, Move, Offer, Take, Write
from vhint_conformance.fuzz.moves import programs as random_programs
from vhint_conformance.fuzz.options import Options
from vhint_conformance.fuzz.playing import play
from vhint_conformance.fuzz.search import CASE, search
from vhint_conformance.fuzz.setting import Setting, setting_of
from vhint_conformance.model.history import write_vector
from vhint_conformance.mutants import MUTANTS
from vhint_conformance.replay import replay_on
from vhint_conformance.targets.reference import REFERENCES, LoopbackTarget
from vhint_conformance.vectors.replay import replay_problem
from vhint_conformance.verdict import Failed

SHORT = Options(seed=1, examples=60, steps=8, seconds=100)
SETTING = Setting(Features((1 << 64) - 1 & 0x0000000130C00027), 1 << 20, 0, 32 << 20, 128, 16)


class TakesFlags(Device):
    """Does not look at the flags of a request for hints."""

    def _fresh_handlers(self) -> dict:
        handlers = super()._fresh_handlers()
        validated = handlers[Queue.HINTING]._validated

        def without_flags(_header: object, data: bytes) -> object:
            data = data[:2] + b"\0\0" + data[4:]
            return validated(hint_request.peek_header(data), data)

        handlers[Queue.HINTING]._validated = without_flags
        return handlers


class Crashes(Device):
    """Dies of a report in a table."""

    def complete(self, name: Queue, line: Line, head: int, length: int) -> None:
        if name is Queue.REPORTING:
            raise KeyError(head)
        super().complete(name, line, head, length)


@pytest.mark.parametrize(
    ("make", "slug", "most"),
    [
        (MUTANTS["discard-neighbour"].make_device, "device.inflate-containment", 1),
        (MUTANTS["ack-before-discard"].make_device, "device.no-effect-after", 3),
    ],
)
def test_planted_faults_are_shrunk(
    make: type[Device], slug: str, most: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    finding = search(LoopbackTarget("faulty", make), SHORT)
    assert any(slug in each.requirement for each in finding.violations)
    assert len(finding.scenario) <= most
    assert replay_problem(finding.saved["vectors"][0]["steps"]) is None
    path = tmp_path / "found.json"
    write_vector(path, finding.saved)
    monkeypatch.setattr(
        targets, "REFERENCES", REFERENCES | {"faulty": LoopbackTarget("faulty", make)}
    )
    again = {
        each.requirement for case in replay_on("faulty", path).outcomes for each in case.violations
    }
    assert again & {each.requirement for each in finding.violations}
    assert replay_on("reference", path).exit_status == 0


@pytest.mark.parametrize("kind", [Kind.PFNS, Kind.BITMAP])
def test_a_flaw_that_a_device_overlooks_is_found(kind: Kind) -> None:
    target = LoopbackTarget("faulty", TakesFlags)
    with open_bench(target, CASE, 0, None) as bench:
        setting = setting_of(bench)
    moves: list[Move] = [Offer(kind, (1,), Flaw.FLAGS)]
    with pytest.raises(Failed, match=r"hint\.device"), open_bench(target, CASE, 0, None) as bench:
        play(bench, moves, setting)


def test_a_device_that_dies_is_found() -> None:
    finding = search(LoopbackTarget("faulty", Crashes), SHORT)
    assert "KeyError" in finding.died
    assert finding.moves[-1].kind is Kind.REPORT
    assert len(finding.scenario) <= 3
    assert finding.saved == {}


def test_nothing_is_found_in_the_reference() -> None:
    finding = search(REFERENCES["reference"], Options(seed=3, examples=15, steps=20, seconds=20))
    assert finding.sound
    assert 0 < finding.examples <= 15  # what compiles to the same is played once


def test_a_search_ends_in_time() -> None:
    finding = search(REFERENCES["reference"], Options(examples=10_000, seconds=0.05))
    assert finding.sound
    assert finding.examples < 1000


def test_the_same_seed_gives_the_same_traffic() -> None:
    seen: list[list[list[Move]]] = [[], [], []]
    for number, seed in enumerate((5, 5, 6)):
        drawn(Options(seed, 10, 10), random_programs(10), seen[number].append, shrink=False)
    assert seen[0] == seen[1] != seen[2]


def test_nothing_but_the_seed_decides_and_no_file_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def programs() -> list[list[Move]]:
        found: list[list[Move]] = []
        drawn(Options(7, 40, 30), random_programs(30), found.append, shrink=False)
        return found

    def constants() -> Constants:
        return Constants(integers=(3, 5, 7))

    monkeypatch.chdir(tmp_path)
    before = programs()
    monkeypatch.setattr(providers, "_get_local_constants", constants)
    providers.CONSTANTS_CACHE.cache.clear()
    assert programs() == before
    assert providers._get_local_constants is constants
    assert not [*tmp_path.iterdir()]


def test_programs_name_no_page_that_the_device_has() -> None:
    moves: list[Move] = [
        Offer(Kind.REPORT, (1, 2)),
        Offer(Kind.REPORT, (2, 3)),
        Write((1, 2, 3, 4)),
        Take(0),
        Write((1, 2)),
    ]
    steps = compiled(moves, SETTING)
    offers = [step for step in steps if step["step"] == "offer"]
    writes = [step for step in steps if step["step"] == "write"]
    assert [len(step["blocks"]) for step in offers] == [2, 1]
    assert [len(step["spans"]) for step in writes] == [1, 2]


def test_a_request_that_must_be_refused_gives_nothing_away() -> None:
    flawed = Offer(Kind.PFNS, (1,), Flaw.FLAGS)
    (offer,) = (step for step in compiled([flawed], SETTING) if step["step"] == "offer")
    assert offer["blocks"] == []
    assert offer["answer"]["statuses"] == ["MALFORMED", "UNSUPPORTED"]


def test_the_command_says_what_was_found(tmp_path: Path) -> None:
    path = tmp_path / "found.json"
    run = CliRunner().invoke(
        fuzz, ["mutant:discard-neighbour", "--examples", "20", "--save", str(path)],
        standalone_mode=False,
    )  # fmt: skip
    assert run.return_value == 1
    assert "seed 0" in run.output
    assert "1. offer inflate of units 0" in run.output
    assert path.exists()


def test_an_unknown_target_is_refused() -> None:
    run = CliRunner().invoke(fuzz, ["nonesuch"])
    assert run.exit_code == 2
    assert "nonesuch" in run.output


def test_memory_that_is_too_small_is_no_verdict(monkeypatch: pytest.MonkeyPatch) -> None:
    from vhint.host import DeviceOptions

    def make(memory: GuestMemory) -> Device:
        return Device(memory, DeviceOptions(hint_min_order=12))

    monkeypatch.setattr(targets, "REFERENCES", {"large": LoopbackTarget("large", make)})
    run = CliRunner().invoke(fuzz, ["large"], standalone_mode=False)
    assert run.return_value == 4
    assert "too small" in run.output
