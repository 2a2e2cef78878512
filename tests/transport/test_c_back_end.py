"""The sample device in C: judged sound, in several builds, and each planted fault found."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.transport.c_faults import FAULTS, WITHOUT_STATUS
from tests.transport.c_peer import SANITIZED, command, compiled, faulty
from vhint_conformance import runner
from vhint_conformance.report.model import Report
from vhint_conformance.runner import RunOptions
from vhint_conformance.selection import Level
from vhint_conformance.targets import TargetSettings
from vhint_conformance.variants import Rings
from vhint_conformance.verdict import Verdict

SPLIT = (Rings.SPLIT,)  # the other format doubles every case

BAD = (Verdict.FAIL, Verdict.ERROR, Verdict.INCONCLUSIVE)


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("c-peer")


def judge(program: Path, *select: str, level: Level = Level.MUST) -> Report:
    settings = TargetSettings(spawn=command(program))
    return runner.run(RunOptions("vhost-user", settings, select=select, level=level, rings=SPLIT))


def conforms(report: Report, at_least: int) -> None:
    assert {each.id: each.message for each in report.outcomes if each.verdict in BAD} == {}
    assert report.exit_status == 0
    assert report.summary[Verdict.PASS] >= at_least
    for each in report.outcomes:
        if each.verdict is Verdict.NOT_APPLICABLE:
            assert each.message


QUICK = (
    "balloon.inflate-*",
    "reporting.order*",
    "hint.sound-request*",
    "hint-bitmap.pattern*",
    "ring.event-idx",
)


def test_the_sample_conforms(folder: Path) -> None:
    report = judge(compiled(folder), *QUICK, level=Level.SHOULD)
    conforms(report, at_least=25)
    given = sum((each.effectiveness or {}).get("discarded_pages", 0) for each in report.outcomes)
    assert given > 1_000


def test_a_back_end_without_status_conforms(folder: Path) -> None:
    program = compiled(folder, WITHOUT_STATUS, edit=WITHOUT_STATUS)
    conforms(judge(program, *QUICK[1:], level=Level.SHOULD), at_least=10)


@pytest.mark.long
@pytest.mark.parametrize(
    ("name", "edit", "flags", "passes"),
    [
        ("optimised", "", ("-O2",), 330),
        ("sanitized", "", SANITIZED, 330),
        (WITHOUT_STATUS, WITHOUT_STATUS, (), 300),
    ],
)
def test_the_whole_sample_conforms(
    folder: Path, name: str, edit: str, flags: tuple[str, ...], passes: int
) -> None:
    report = judge(compiled(folder, name, edit=edit, flags=flags), level=Level.SHOULD)
    conforms(report, at_least=passes)


DAILY = (
    "late-at-once",
    "neighbour",
    "over-the-end",
    "dies",
    "first-byte-only",
    "double-fetch",
    "deaf-to-stop",
    "keeps-memory",
    "misses-memory",
)
"""Those that are judged every day."""


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=() if name in DAILY else pytest.mark.long) for name in FAULTS],
)
def test_a_planted_fault_is_found(folder: Path, name: str) -> None:
    fault = FAULTS[name]
    report = judge(faulty(folder, name), fault.case, level=Level.SHOULD)
    broken = {found.requirement for each in report.outcomes for found in each.violations}
    assert fault.requirement in broken, [(each.id, each.message) for each in report.outcomes]
    assert report.exit_status == 1
