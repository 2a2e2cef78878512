"""The cases of MMIO, PCI, MSI-X, the legacy interface and queue reset: what is sound passes.

The device is the reference behind registers in this process; QEMU has no MSI-X here, and breaks
what it breaks.  That faults of the registers are found is what `vhint mutants` is about.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from vhint_conformance import runner, targets
from vhint_conformance.case import Role
from vhint_conformance.report.model import Report
from vhint_conformance.selection import Level
from vhint_conformance.targets.base import Target
from vhint_conformance.targets.on_bus import BusTarget, over_pci
from vhint_conformance.verdict import Verdict

PCI = (
    "virtio.pci-*",
    "ring.queue-reset*",
    "ring.event-idx*",
    "virtio.reset-*",
    "virtio.small*",
    "ring.hostile-notifications",
)
LEGACY = ("*.legacy-*", "virtio.queue-sizes", "ring.after-reset", "virtio.reset-*")
MMIO = ("virtio.*", "ring.queue-reset*", "ring.event-idx*")


@pytest.fixture(autouse=True)
def forget_targets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vhint_conformance.bench.opening._offers", {})
    monkeypatch.setattr("vhint_conformance.bench.opening._modes", {})


@pytest.fixture
def judge(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Report]:
    def run(target: Target, *select: str) -> Report:
        monkeypatch.setattr(targets, "REFERENCES", {"judged": target})
        return run_named("judged", *select)

    return run


def run_named(name: str, *select: str) -> Report:
    return runner.run(runner.RunOptions(name, role=Role.DEVICE, select=select, level=Level.SHOULD))


def refuted(report: Report) -> dict[str, str]:
    return {
        each.id: each.message
        for each in report.outcomes
        if each.verdict not in (Verdict.PASS, Verdict.NOT_APPLICABLE)
    }


def passed(report: Report) -> set[str]:
    return {each.id for each in report.outcomes if each.verdict is Verdict.PASS}


def test_a_sound_device_passes_over_pci_with_rings_of_either_format() -> None:
    report = run_named("reference:pci", *PCI)
    assert refuted(report) == {}
    assert {
        "virtio.pci-any-vector",
        "virtio.pci-isr-queue",
        "ring.queue-reset-anew",
        "ring.queue-reset-anew@packed",
        "ring.hostile-notifications",
    } <= passed(report)


@pytest.mark.long
def test_a_sound_device_passes_on_mmio() -> None:
    report = run_named("reference:mmio", *MMIO)
    assert refuted(report) == {}
    assert {"virtio.mmio-identity", "ring.queue-reset-quiet@packed"} <= passed(report)


def test_without_msix_its_cases_are_not_applicable(judge: Callable[..., Report]) -> None:
    target = BusTarget("judged", over_pci(vectors=0))
    report = judge(target, "virtio.pci-any-vector", "virtio.pci-reset-unmaps")
    assert {each.verdict for each in report.outcomes} == {Verdict.NOT_APPLICABLE}
    assert {each.message for each in report.outcomes} == {"the device has no MSI-X"}


def test_a_sound_device_passes_by_its_legacy_interface() -> None:
    report = run_named("reference:pci-legacy", *LEGACY)
    assert refuted(report) == {}
    assert report.summary[Verdict.PASS] >= 16
