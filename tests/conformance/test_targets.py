"""The real targets, whole: sound devices pass, QEMU as known, each mutant fails by its name."""

import multiprocessing
import os
import subprocess

import pytest

from tests import peers
from vhint.spans import PAGE
from vhint_conformance import runner
from vhint_conformance.case import Role
from vhint_conformance.report.model import Report
from vhint_conformance.runner import RunOptions
from vhint_conformance.selection import Level
from vhint_conformance.targets import UnknownTarget, judged, known, resolve
from vhint_conformance.targets.qemu import PACKAGE, QemuTarget
from vhint_conformance.targets.reference import REFERENCES
from vhint_conformance.variants import ANY_RINGS, Rings
from vhint_conformance.verdict import TargetNotStarted, Verdict

#: Cases that a variant of the reference needs to be judged by; the reference itself runs them all.
ESSENTIAL = ("balloon.*", "hint*", "reporting.*", "virtio.*")

ROUNDS = ("reference:ignores-hints", "reference:never-asks")
"""Those that differ from the reference in rounds of free page hints alone."""


def run(
    target: str,
    *select: str,
    level: Level = Level.SHOULD,
    rings: tuple[Rings, ...] = ANY_RINGS,
) -> Report:
    options = RunOptions(target, role=Role.DEVICE, select=select, level=level, rings=rings)
    return runner.run(options)


def verdicts(report: Report, *wanted: Verdict) -> dict[str, str]:
    return {each.id: each.message for each in report.outcomes if each.verdict in wanted}


def test_larger_pages_of_the_host_pass_some() -> None:
    """The reference itself is judged whole by the tests of the command."""
    found = run("reference:host-page-64k", "hint-pfn.*", "reporting.o*", rings=(Rings.SPLIT,))
    assert verdicts(found, Verdict.FAIL, Verdict.ERROR, Verdict.INCONCLUSIVE) == {}
    assert found.exit_status == 0
    assert found.summary[Verdict.PASS] > 20


@pytest.mark.long
@pytest.mark.parametrize("name", REFERENCES)
def test_sound_devices_pass(name: str) -> None:
    wanted = ESSENTIAL if name not in ROUNDS else ("free-page-hint.*",)
    report = run(name) if name == "reference" else run(name, *wanted)
    bad = verdicts(report, Verdict.FAIL, Verdict.ERROR, Verdict.INCONCLUSIVE)
    assert bad == {}
    assert report.exit_status == 0
    assert report.summary[Verdict.PASS] > (2 if name in ROUNDS else 40)


def scribble() -> None:
    with REFERENCES["reference"].start() as session:
        address, length = session.limits.usable
        session.transport.memory.write(address + length - PAGE, b"x" * PAGE)


def test_a_process_that_is_forked_leaves_the_memory_alone() -> None:
    """What a case leaves is used by the next one, which must not find what another wrote there."""
    assert run("reference", "reporting.one-page").exit_status == 0
    child = multiprocessing.get_context("fork").Process(target=scribble)
    child.start()
    child.join()
    assert child.exitcode == 0
    assert run("reference", "reporting.one-page").exit_status == 0


def test_the_reference_really_discards() -> None:
    report = run("reference", "reporting.one-page", "hint.sound-request*")
    lazy = run("reference:discards-nothing", "reporting.one-page", "hint.sound-request*")
    assert all(each.effectiveness["discarded_pages"] for each in report.outcomes)
    assert not any(each.effectiveness["discarded_pages"] for each in lazy.outcomes)


ON_BUS = {
    "mmio": ("virtio.mmio-*", "ring.queue-reset@", "reporting.one-page*"),
    "pci": ("virtio.pci-*", "ring.queue-reset*", "reporting.one-page"),
    "mmio-legacy": ("balloon.legacy-*", "reporting.one-page"),
    "pci-legacy": ("*.legacy-*", "reporting.one-page"),
}
"""Cases that tell one bus from another, and one that shows that the balloon works there."""


@pytest.mark.parametrize("bus", ON_BUS)
def test_qemu_conforms_on_every_bus(bus: str) -> None:
    peers.qemu()
    report = run(f"qemu:{bus}", *ON_BUS[bus])
    assert verdicts(report, Verdict.FAIL, Verdict.ERROR, Verdict.INCONCLUSIVE) == {}
    assert report.summary[Verdict.PASS] >= 2
    assert leftovers() == []


@pytest.mark.long
def test_qemu_conforms_but_for_its_known_deviations() -> None:
    peers.qemu()
    report = run("qemu")
    bad = verdicts(report, Verdict.FAIL, Verdict.ERROR, Verdict.INCONCLUSIVE)
    assert bad == {}
    assert report.exit_status == 0
    judged = {each.id.partition("[")[0] for each in report.outcomes}
    judged -= {each.partition("[")[0] for each in verdicts(report, Verdict.NOT_APPLICABLE)}
    assert len(judged) >= 60
    assert leftovers() == []


def leftovers() -> list[str]:
    """Return the QEMU processes that are children of this one."""
    found = subprocess.run(
        ["ps", "--ppid", str(os.getpid()), "-o", "comm="],
        capture_output=True,
        text=True,
        check=False,
    )
    return [line for line in found.stdout.splitlines() if "qemu" in line]


def test_a_missing_qemu_says_what_to_install() -> None:
    with pytest.raises(TargetNotStarted) as caught:
        QemuTarget("qemu-system-nowhere").start()
    assert "qemu-system-nowhere" in str(caught.value)
    assert PACKAGE in caught.value.hint


def test_names_resolve_and_others_are_explained() -> None:
    names = [name for name in known() if "PATH" not in name and "MODULE" not in name]
    for name in (*names[:30], *names[30::40]):  # after the first come hundreds of mutants
        assert {target.name for target in judged(name).values()} == {name}
    with pytest.raises(UnknownTarget, match="Did you mean qemu") as caught:
        resolve("qmeu")
    assert "reference" in str(caught.value)
