"""The machines: sound guests and hosts are never blamed, and each mutant is found by its name."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from vhint_conformance.model.campaign import DEVICE_MUTANTS, HUNTED, broken_machine
from vhint_conformance.model.history import write_vector
from vhint_conformance.model.machines import MACHINES
from vhint_conformance.model.run import Result, run_machine
from vhint_conformance.mutants import GUEST_MUTANTS, MUTANTS
from vhint_conformance.vectors.lint import _against_schema, _file
from vhint_conformance.vectors.replay import replay_problem
from vhint_spec import registry

SOUND_EXAMPLES = 15
"""Of each machine here; a campaign runs many more."""

CORE = {
    "capture-without-recheck": 8,
    "recheck-outside-lock": 10,
    "release-on-offer": 8,
    "ack-before-discard": 15,
    "take-back-before-reset-done": 12,
}
"""The faults that the project is about, and how many sentences may be needed to tell of each."""


@pytest.mark.parametrize("name", MACHINES)
def test_what_is_sound_is_never_blamed(name: str) -> None:
    result = run_machine(MACHINES[name], examples=SOUND_EXAMPLES)
    assert result.sound, result
    assert result.examples >= SOUND_EXAMPLES


def some(names: Iterable[str]) -> list[object]:
    """Return parameters for all but the core, most of them for `make long`.

    (`make campaign` and `make matrix` run them all too.)
    """
    rest = [name for name in names if name not in CORE]
    marks = pytest.mark.long
    return [pytest.param(name, marks=marks if n % 4 else ()) for n, name in enumerate(rest)]


@pytest.mark.parametrize("name", some(HUNTED))
def test_guest_mutants_are_found_by_their_requirement(name: str) -> None:
    result = run_machine(broken_machine(name), shrink=False)
    assert result.violation, f"{name} was not found in {result.examples} examples"
    assert result.violation.requirement in GUEST_MUTANTS[name].breaks, result


@pytest.mark.parametrize("name", some(DEVICE_MUTANTS))
def test_device_mutants_are_found(name: str) -> None:
    result = run_machine(broken_machine(name), shrink=False)
    assert result.violation, f"{name} was not found in {result.examples} examples"
    assert ".device." in result.violation.requirement, result


@pytest.mark.parametrize("name", CORE)
def test_scenarios_of_the_core_faults_are_short(name: str) -> None:
    result = run_machine(broken_machine(name))
    mutant = {**MUTANTS, **GUEST_MUTANTS}[name]
    assert result.violation, result
    breaks = GUEST_MUTANTS[name].breaks if name in GUEST_MUTANTS else None
    if breaks:
        assert result.violation.requirement in breaks
    else:
        assert result.violation.requirement == "hint.device.no-effect-after-use", mutant
    assert len(result.scenario) <= CORE[name], result
    assert problems(result) == []


def problems(result: Result) -> list[str]:
    """Say what is wrong with the vector of a failure."""
    value = result.vector
    found = list(_against_schema("stateful", value))
    found += _file(f"{value['id']}.json", value)
    replayed = replay_problem(value["vectors"][0]["steps"])
    return found + ([replayed] if replayed else [])


def test_every_requirement_of_a_mutant_is_in_the_registry() -> None:
    known = registry.load()
    for mutant in GUEST_MUTANTS.values():
        assert mutant.breaks <= known.keys(), mutant.name
        assert not mutant.machine or mutant.machine in MACHINES
    assert not GUEST_MUTANTS.keys() & MUTANTS.keys()


def test_what_is_found_again_with_the_same_seed_is_the_same() -> None:
    first, second = (
        run_machine(broken_machine("reports-twice"), seeded=7, shrink=False) for _ in range(2)
    )
    assert first.scenario == second.scenario
    assert first.scenario


def test_a_failure_is_told_and_saved(tmp_path) -> None:
    result = run_machine(broken_machine("release-on-offer"), shrink=False)
    assert result.violation
    text = str(result)
    assert text.startswith(f"{result.machine}: {result.violation.requirement}")
    assert all(sentence in text for sentence in result.scenario)
    result.save(tmp_path / "found.json")
    write_vector(tmp_path / "again.json", result.vector)
    assert (tmp_path / "found.json").read_bytes() == (tmp_path / "again.json").read_bytes()


def test_nothing_found_is_nothing_to_save(tmp_path) -> None:
    with pytest.raises(ValueError, match="found nothing"):
        Result("HintPages").save(tmp_path / "no.json")
