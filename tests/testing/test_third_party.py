"""What others import: their guest or device in the machines, found out by what it does alone."""

from __future__ import annotations

import subprocess
import sys
import textwrap

import pytest

from tests.testing import small_guest
from tests.testing.small_guest import SmallGuest
from vhint.host import EVERY_FEATURE, Device
from vhint.trace import Recorder
from vhint.wire.features import Feature, Features
from vhint_conformance import testing
from vhint_conformance.model.reference_guest import Mutation, ReferenceGuest
from vhint_conformance.mutants import GUEST_MUTANTS, MUTANTS
from vhint_conformance.testing import (
    DeviceUnderTest,
    GuestPlace,
    GuestUnderTest,
    HintPages,
    PackedRings,
    ReportedPages,
    ResetsAnywhere,
    Result,
    check_device,
    check_guest,
    run_machine,
    with_device,
    with_guest,
)

KNOWN = Features.of(Feature.PAGE_REPORTING)


def run(guest, machine=ReportedPages, examples: int = 120, **options) -> Result:
    return run_machine(with_guest(machine, guest, KNOWN), examples=examples, **options)


def test_the_reference_is_what_the_protocols_ask_for() -> None:
    assert issubclass(Device, DeviceUnderTest)
    assert issubclass(ReferenceGuest, GuestUnderTest)
    assert issubclass(SmallGuest, GuestUnderTest)
    assert set(testing.__all__) <= set(dir(testing))


@pytest.mark.parametrize("machine", [ReportedPages, ResetsAnywhere])
def test_somebodys_sound_guest_is_never_blamed(machine) -> None:
    (result,) = check_guest(SmallGuest, [machine], features=KNOWN, examples=40)
    assert result.sound, result


@pytest.mark.parametrize(
    ("name", "machine", "slug"),
    [
        ("Careless", ReportedPages, "reporting.driver.no-touch-until-use"),
        ("Leaky", ReportedPages, "hint.driver.return-every-acknowledged"),
        ("Silent", ReportedPages, "ring.driver.kick-when-flags-zero"),
    ],
)
def test_somebodys_broken_guest_is_found_out(name: str, machine, slug: str) -> None:
    result = run(getattr(small_guest, name), machine, shrink=False)
    assert result.violation, result
    assert result.violation.requirement == slug, result


def test_a_crash_is_told_as_a_scenario() -> None:
    result = run(small_guest.Crashing)
    assert not result.sound
    assert result.error.startswith("KeyError")
    assert len(result.scenario) <= 6
    assert any("crashes" in sentence for sentence in result.scenario)


def reference(mutation: Mutation | None = None):
    """Make the reference guest such that nothing but its rings shows what it does."""

    def make(place: GuestPlace) -> ReferenceGuest:
        return ReferenceGuest(place.setup, place.transport, Recorder(), mutation)

    return make


def test_the_reference_guest_is_sound_from_outside_too() -> None:
    for machine, examples in ((HintPages, 25), (ResetsAnywhere, 25), (PackedRings, 12)):
        guest = with_guest(machine, reference(), EVERY_FEATURE)
        result = run_machine(guest, examples=examples)
        assert result.sound, result


@pytest.mark.parametrize(
    "name",
    ["capture-without-recheck", "release-on-offer", "reuses-request-memory", "second-id",
     "returns-accepted-only", "page-used-before-deflate-used", "packed-driver-flags-first",
     "packed-kick-without-counter"],
)  # fmt: skip
def test_mutants_are_found_out_from_outside(name: str) -> None:
    mutant = GUEST_MUTANTS[name]
    machine = testing.MACHINES[mutant.machine]
    guest = with_guest(machine, reference(mutant.mutation), EVERY_FEATURE)
    result = run_machine(guest, shrink=False)
    assert not result.sound, f"{name} was not found in {result.examples} examples"
    if result.violation:  # some trip over themselves first
        assert result.violation.requirement.partition(".")[2].startswith("driver"), result


def test_somebodys_device_takes_the_references_place() -> None:
    sound, broken = Device, MUTANTS["discard-neighbour"].make_device
    (result,) = check_device(sound, [HintPages], examples=20)
    assert result.sound, result
    result = run_machine(with_device(ReportedPages, broken), shrink=False)
    assert result.violation
    assert result.violation.requirement.startswith("reporting.device."), result


def test_a_machine_runs_in_somebodys_own_pytest(tmp_path) -> None:
    (tmp_path / "test_mine.py").write_text(
        textwrap.dedent("""
            from hypothesis import Phase, settings
            from vhint.host import Device
            from vhint_conformance.mutants import MUTANTS
            from vhint_conformance.testing import ReportedPages, with_device

            TestSound = with_device(ReportedPages, Device).TestCase
            TestSound.settings = settings(max_examples=5, database=None)
            Bad = MUTANTS["lost-acknowledgement"].make_device
            TestBroken = with_device(ReportedPages, Bad).TestCase
            TestBroken.settings = settings(
                max_examples=20, database=None, deadline=None, phases=[Phase.generate]
            )
        """)
    )
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)],
        capture_output=True, text=True, check=False, cwd=tmp_path,
    )  # fmt: skip
    assert "1 failed, 1 passed" in ran.stdout, ran.stdout
    assert "reporting.device.use-every-buffer" in ran.stdout


def test_with_device_leaves_the_machine_alone() -> None:
    made = with_device(HintPages, Device)
    assert made is not HintPages
    assert HintPages.make_device is None
