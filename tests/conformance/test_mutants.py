"""The kill matrix: what it says of mutants, of sound implementations and of itself."""

from __future__ import annotations

from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

import vhint_conformance
from vhint_conformance import targets
from vhint_conformance.case import Case, Role
from vhint_conformance.collection import Collection
from vhint_conformance.kill_matrix import SUBJECTS, Kill, Matrix, Options, Row, Verdict, run_matrix
from vhint_conformance.kill_matrix.coverage import groups, without_reason
from vhint_conformance.kill_matrix.judge import LAST, judge, stages
from vhint_conformance.model.machines import MACHINES
from vhint_conformance.mutants import BUS_MUTANTS, GUEST_MUTANTS, MUTANTS, SOUND
from vhint_conformance.runner import RunOptions, listing
from vhint_conformance.variants import Rings
from vhint_spec import bugs, registry

COMMITTED = Path(vhint_conformance.__file__).parent / "kill_matrix" / "matrix.json"
SAMPLE = (
    "buffer-address-32-bit",
    "used-twice",
    "ack-before-discard",
    "cookie-32-bit",
    "no-stop",
)
"""A few of each kind; `make matrix` judges all."""


def suite_of(*names: str) -> Collection:
    """Return a suite of these cases only."""
    every = listing(RunOptions("reference", select=names))
    return replace(
        every, cases={node: case for node, case in every.cases.items() if case.id in names}
    )


def test_there_are_mutants_enough() -> None:
    mutants = [subject for subject in SUBJECTS.values() if not subject.sound]
    assert len(mutants) >= 90
    assert {subject.role for subject in mutants} == {Role.DEVICE, Role.DRIVER}
    assert len(SUBJECTS) == sum(map(len, (MUTANTS, BUS_MUTANTS, GUEST_MUTANTS, SOUND)))


def test_what_is_declared_exists() -> None:
    known, faults = registry.load(), bugs.load()
    for subject in SUBJECTS.values():
        assert set(subject.violates) <= known.keys(), subject.name
        assert set(subject.bugs) <= faults.keys(), subject.name
        assert not subject.machine or subject.machine in MACHINES, subject.name
        assert subject.summary[0].islower() or subject.sound, subject.name
        find = targets.resolve if subject.role is Role.DEVICE else targets.resolve_driver
        assert find(subject.target).name == subject.target


def test_the_committed_matrix_is_of_these_subjects_and_good() -> None:
    matrix = Matrix.load(COMMITTED)
    mutants = {each.name: each.violates for each in SUBJECTS.values() if not each.sound}
    rows = {row.name: row.violates for row in matrix.rows}
    assert {name: slugs for name, slugs in rows.items() if slugs} == mutants, "make matrix"
    assert rows.keys() <= SUBJECTS.keys()
    assert [row.name for row in matrix.rows if not row.good] == []


def test_every_requirement_that_can_be_observed_has_a_mutant_or_a_reason() -> None:
    assert without_reason() == [], (
        "write a mutant, or a reason into kill_matrix/without_mutant.toml"
    )
    slugs = [slug for group in groups() for slug in group.slugs]
    stale = [
        glob
        for group in groups()
        for glob in group.globs
        if not any(fnmatchcase(slug, glob) for slug in slugs)
    ]
    assert stale == [], "these have a mutant now: take them out of kill_matrix/without_mutant.toml"


def test_a_sample_is_killed_by_its_requirements() -> None:
    matrix = run_matrix([SUBJECTS[name] for name in SAMPLE], Options(jobs=1))
    assert [(row.name, row.verdict, row.named) for row in matrix.rows if not row.good] == []
    assert [row.name for row in matrix.rows] == list(SAMPLE)
    assert matrix.good


def test_a_mutant_that_nothing_finds_has_survived() -> None:
    subject = replace(
        SUBJECTS["reference"],
        violates=("reporting.device.use-every-buffer",),
        rings=(Rings.SPLIT,),
    )
    assert judge(subject, suite_of("reporting.one-page")).verdict is Verdict.SURVIVED


def test_a_wrong_attribution_is_told_from_a_kill() -> None:
    subject = replace(SUBJECTS["discard-neighbour"], violates=("virtio.device.identity",))
    row = judge(replace(subject, machine=""), suite_of("reporting.one-page"))
    assert row.verdict is Verdict.MISATTRIBUTED
    assert row.kill == Kill("reporting.one-page", "reporting.device.containment")


def test_what_is_found_in_something_sound_is_a_false_alarm() -> None:
    subject = replace(SUBJECTS["discard-neighbour"], violates=())
    row = judge(subject, suite_of("reporting.one-page"))
    assert row.verdict is Verdict.FALSE_ALARM
    assert "reporting.one-page" in row.note


def test_who_cannot_be_judged_has_no_verdict() -> None:
    subject = replace(SUBJECTS["discard-neighbour"], target="mutant:nobody")
    (row,) = run_matrix([subject], Options(jobs=1)).rows
    assert row.verdict is Verdict.BROKEN
    assert "nobody" in row.note


def test_the_likeliest_cases_come_first() -> None:
    slugs = {"a": ("x",), "b": ("y", "z"), "c": ("z",)}
    cases = [Case(name, "", each) for name, each in slugs.items()]
    subject = replace(SUBJECTS["reference"], violates=("z",))
    assert stages(subject, cases) == [[], ["b", "c"], ["a"]]
    assert stages(subject, cases, "c") == [["c"], ["b"], ["a"]]
    assert stages(subject, cases, "machine X") == [[], ["b", "c"], ["a"]]


def test_who_killed_it_before_is_asked_first_and_not_believed() -> None:
    subject = replace(SUBJECTS["discard-neighbour"], machine="")
    suite = suite_of("reporting.one-page", "virtio.identity")
    row = judge(subject, suite, killer="virtio.identity")
    assert (row.verdict, row.judged) == (Verdict.KILLED, 2)
    assert judge(subject, suite, killer="reporting.one-page").judged == 1


def test_what_takes_long_comes_last_and_exists() -> None:
    cases = listing(RunOptions("reference")).cases.values()
    assert {case.id for case in cases} >= LAST
    subject = replace(SUBJECTS["reference"], violates=("ring.device.idx-wrap",))
    _, first, _ = stages(subject, cases)
    assert len(first) > len(LAST)
    assert set(first[-len(LAST) :]) == LAST


def test_a_matrix_is_saved_and_read(tmp_path: Path) -> None:
    row = Row("a", "device", "rings", Verdict.KILLED, ("x",), Kill("c", "x"), ("x",), 3, 0.5)
    path = tmp_path / "m.json"
    path.write_text(Matrix((row, replace(row, name="b", kill=None))).as_json())
    assert Matrix.load(path).rows[0] == row
    path.write_text("{}")
    with pytest.raises(ValueError, match="vhint-matrix/1"):
        Matrix.load(path)


def test_mutants_are_listed_by_role_and_subject(vhint_says) -> None:
    status, out, _ = vhint_says("mutants", "--list")
    assert status == 0
    assert "device: used ring" in out
    assert "driver: capture and isolation" in out
    for subject in SUBJECTS.values():
        assert any(f" {subject.name} " in line and subject.summary in line
                   for line in out.splitlines())  # fmt: skip
    _, out, _ = vhint_says("mutants", "--list", "--role", "driver", "--sound")
    assert "guest-batching" in out
    assert "release-on-offer" not in out


def test_the_command_prints_saves_and_decides(vhint_says, tmp_path: Path) -> None:
    path = tmp_path / "m.json"
    status, out, err = vhint_says("mutants", "answer-cookie-zero", "-j", "1", "--json", path)
    assert status == 0
    assert "hint.device.cookie-echo (hint.sound-request" in out
    assert "1 of 1 mutants killed by their name" in out
    assert "1/1" in err
    assert Matrix.load(path).rows[0].verdict is Verdict.KILLED


def test_a_wrong_name_is_told_with_those_that_are_near(vhint_says) -> None:
    status, _, err = vhint_says("mutants", "answer-cookie-zer")
    assert status == 2
    assert "answer-cookie-zero" in err
