"""A back end in C, written from the specification: judged sound, and each planted fault found."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.transport.c_peer import HEADER, command, compiled
from vhint_conformance import runner
from vhint_conformance.report.model import Report
from vhint_conformance.runner import RunOptions
from vhint_conformance.selection import Level
from vhint_conformance.targets import TargetSettings
from vhint_conformance.variants import Rings
from vhint_conformance.verdict import Verdict

SPLIT = (Rings.SPLIT,)  # the other format doubles every case

BAD = (Verdict.FAIL, Verdict.ERROR, Verdict.INCONCLUSIVE)

FOUND = {
    "LATE_DISCARD": ("reporting.reuse-at-once", "reporting.device.no-effect-after-use"),
    "NEIGHBOUR": ("reporting.one-page", "reporting.device.containment"),
    "WRONG_LENGTH": ("reporting.used-length", "reporting.device.used-length-zero"),
    "ONE_CHAIN": ("ring.one-kick-for-many", "ring.device.drains-available"),
    "IGNORES_POISON": ("reporting.poison-nonzero", "reporting.device.poison-preserved"),
    "FIRST_BYTE_ONLY": ("hint.refuse-outside-ram*", "hint.device.containment"),
    "DOUBLE_FETCH": ("hint.request-names-itself", "hint.device.copy-before-touch"),
    "LOST_COOKIE": ("hint.sound-request*", "hint.device.cookie-echo"),
    "DEAF_TO_STOP": ("ring.after-reset", "ring.device.no-processing-after-reset"),
    "SHORT_ADDRESS": ("balloon.inflate-one-page", "balloon.device.inflate-containment"),
    "FORGETS_OFFSET": ("reporting.one-page", "reporting.device.containment"),
    "EARLY_START": ("ring.before-driver-ok", "ring.device.no-processing-before-driver-ok"),
}
"""The name of a fault to a case that finds it and the requirement that it breaks."""


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("c-peer")


def judge(program: Path, *select: str, level: Level = Level.MUST) -> Report:
    settings = TargetSettings(spawn=command(program))
    return runner.run(RunOptions("vhost-user", settings, select=select, level=level, rings=SPLIT))


def faults() -> dict[str, int]:
    """Return the faults that the source declares, by name."""
    text = re.search(r"enum fault \{(.*?)\};", HEADER.read_text(), re.DOTALL)
    assert text is not None
    names = re.findall(r"^    ([A-Z_]+)", text[1], re.MULTILINE)
    return {name: number for number, name in enumerate(names, 1)}


def test_every_fault_is_known_here() -> None:
    assert list(faults()) == list(FOUND)


@pytest.mark.parametrize(
    "select",
    [
        pytest.param((), id="whole", marks=pytest.mark.long),
        pytest.param(("reporting.*", "hint.sound-request*"), id="hints"),
    ],
)
def test_the_sound_one_conforms(folder: Path, select: tuple[str, ...]) -> None:
    report = judge(compiled(folder), *select, level=Level.SHOULD)
    assert {each.id: each.message for each in report.outcomes if each.verdict in BAD} == {}
    assert report.exit_status == 0
    assert report.summary[Verdict.PASS] > (30 if select else 200)
    for each in report.outcomes:
        if each.verdict is Verdict.NOT_APPLICABLE:
            assert each.message
    given = sum((each.effectiveness or {}).get("discarded_pages", 0) for each in report.outcomes)
    assert given > (1_000 if select else 10_000)


SLOW = "LATE_DISCARD"  # it takes its time at each request: that is its fault


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=pytest.mark.long if name == SLOW else ()) for name in FOUND],
)
def test_a_planted_fault_is_found(folder: Path, name: str) -> None:
    case, requirement = FOUND[name]
    program = compiled(folder, faults()[name])
    report = judge(program, case, level=Level.SHOULD)
    broken = {found.requirement for each in report.outcomes for found in each.violations}
    assert requirement in broken, [(each.id, each.message) for each in report.outcomes]
    assert report.exit_status == 1
