"""The cases of MMIO, PCI, MSI-X, the legacy interface and queue reset: sound passes, faulty fails.

The device is the reference behind registers that a test can break; QEMU has no MSI-X here, and
breaks what it breaks.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from tests.qtest.fake_legacy import MODERN_ONLY, LegacyFunction
from tests.qtest.fake_pc import FakePc, ModernFunction, VirtioFunction
from vhint.host import ALL_FEATURES, Device, DeviceOptions
from vhint.ring import GuestMemory
from vhint.transport.interface import Transport
from vhint.transport.qtest.pci import PciTransport
from vhint.transport.qtest.pci_legacy import LegacyPciTransport
from vhint.wire.features import Feature, Features
from vhint_conformance import runner, targets
from vhint_conformance.bench import open_bench
from vhint_conformance.case import PECULIAR, Capability, Role
from vhint_conformance.cases.device import test_legacy, test_pci, test_pci_msix, test_queue_reset
from vhint_conformance.report.model import Report
from vhint_conformance.selection import Level
from vhint_conformance.targets.base import Limits, Session, Target
from vhint_conformance.targets.qemu import OF_MODERN
from vhint_conformance.targets.reference import DeviceControl, LoopbackTarget
from vhint_conformance.verdict import Failed, Verdict

RAM = 16 << 20
RESETS = ALL_FEATURES | Features.of(Feature.RING_RESET)


@dataclass
class PcSession(Session):
    function: VirtioFunction | None = None

    def check_alive(self) -> None:
        pass

    def close(self) -> None:
        self.transport.close()
        if self.function is not None:
            self.function.memory.close()


class LegacyControl(DeviceControl):
    """Knows what the fake's registers have taken over, and forgets the first statistics."""

    def __init__(self, function: LegacyFunction) -> None:
        super().__init__(function.device)
        self._function = function
        self._polled = False

    def balloon_size(self) -> int:
        return int.from_bytes(self._function.actual, "little")

    def poll_statistics(self) -> None:
        self._polled = True
        super().poll_statistics()

    def statistics(self) -> dict[int, int]:
        if not self._polled and self._function.fault != "shows-first-statistics":
            return {}
        found = super().statistics()
        if self._function.fault == "reads-big-endian":
            return {
                tag: int.from_bytes(value.to_bytes(8, "big"), "little")
                for tag, value in found.items()
            }
        return found


class PcTarget(Target):
    """The reference device in a fake PC, by its modern or its legacy interface."""

    summary = "a fake"

    def __init__(self, fault: str = "", *, legacy: bool = False, vectors: int = 4) -> None:
        self.name = "faulty"
        self._fault, self._legacy, self._vectors = fault, legacy, vectors

    def start(self) -> Session:
        memory = GuestMemory.create(RAM)
        reasons = dict(PECULIAR)
        del reasons[Capability.OVER_PCI]
        function: VirtioFunction
        transport: Transport
        if self._legacy:
            options = DeviceOptions(offered=ALL_FEATURES - MODERN_ONLY, queue_size=64)
            function = LegacyFunction(memory, options, self._fault)
            transport = LegacyPciTransport(FakePc(function), memory)  # type: ignore[arg-type]
            control: DeviceControl = LegacyControl(function)
            del reasons[Capability.LEGACY_INTERFACE]
            reasons |= OF_MODERN
        else:
            function = ModernFunction(
                memory, DeviceOptions(offered=RESETS), self._fault, self._vectors
            )
            transport = PciTransport(FakePc(function), memory)  # type: ignore[arg-type]
            control = DeviceControl(function.device)
            del reasons[Capability.RESETS_QUEUES]
            if self._vectors:
                del reasons[Capability.HAS_MSIX]
        return PcSession(
            transport=transport,
            limits=Limits(((0, RAM),), (1 << 20, RAM - (1 << 20)), patience=0.05),
            control=control,
            capabilities=frozenset(Capability) - reasons.keys(),
            reasons=reasons,
            function=function,
        )

    def versions(self) -> dict[str, str]:
        return {}


@pytest.fixture(autouse=True)
def forget_targets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vhint_conformance.bench.opening._offers", {})
    monkeypatch.setattr("vhint_conformance.bench.opening._modes", {})


@pytest.fixture
def judge(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Report]:
    def run(target: Target, *select: str) -> Report:
        monkeypatch.setattr(targets, "REFERENCES", {"faulty": target})
        return runner.run(
            runner.RunOptions("faulty", role=Role.DEVICE, select=select, level=Level.SHOULD)
        )

    return run


def violated(target: Target, slug: str) -> set[str]:
    """Run the cases here that check a requirement, without pytest around them."""
    found: set[str] = set()
    for function in CASES:
        info = function.pytestmark[0].args[0]
        if slug in info.requirements:
            try:
                with open_bench(target, info, 0, None) as bench:
                    function(bench)
            except Failed as failure:
                found |= {each.requirement for each in failure.violations}
    return found


CASES = [
    function
    for module in (test_legacy, test_pci, test_pci_msix, test_queue_reset)
    for function in vars(module).values()
    if hasattr(function, "pytestmark")
]


def refuted(report: Report) -> dict[str, str]:
    return {
        each.id: each.message
        for each in report.outcomes
        if each.verdict not in (Verdict.PASS, Verdict.NOT_APPLICABLE)
    }


PCI = ("virtio.pci-*", "ring.queue-reset*", "ring.event-idx*", "virtio.reset-*", "virtio.small*")
LEGACY = ("*.legacy-*", "virtio.queue-sizes", "ring.after-reset", "virtio.reset-*")


def test_a_sound_device_passes_over_pci(judge: Callable[..., Report]) -> None:
    report = judge(PcTarget(), *PCI)
    assert refuted(report) == {}
    passed = {each.id for each in report.outcomes if each.verdict is Verdict.PASS}
    assert {"virtio.pci-any-vector", "virtio.pci-isr-queue", "ring.queue-reset-anew"} <= passed


def test_without_msix_its_cases_are_not_applicable(judge: Callable[..., Report]) -> None:
    report = judge(PcTarget(vectors=0), "virtio.pci-any-vector", "virtio.pci-reset-unmaps")
    assert {each.verdict for each in report.outcomes} == {Verdict.NOT_APPLICABLE}
    assert {each.message for each in report.outcomes} == {"the device has no MSI-X"}


def test_a_sound_device_passes_by_its_legacy_interface(judge: Callable[..., Report]) -> None:
    report = judge(PcTarget(legacy=True), *LEGACY)
    assert refuted(report) == {}
    assert report.summary[Verdict.PASS] >= 16


PCI_FAULTS = {
    "device-half": "virtio.device.pci-device-features-selected",
    "driver-half": "virtio.device.pci-driver-features-selected",
    "generation": "virtio.device.pci-config-generation",
    "reset-keeps-queues": "virtio.device.pci-reset-disables-queues",
    "isr-config": "virtio.device.pci-isr-configuration-bit",
    "isr-queue": "virtio.device.pci-isr-queue-bit",
    "isr-kept": "virtio.device.pci-isr-cleared-by-read",
    "no-device-config": "virtio.device.pci-config-capability",
    "always-vector-0": "virtio.device.pci-any-vector",
    "shows-other-vector": "virtio.device.pci-vector-shown",
    "refuses-vector": "virtio.device.pci-mapping-not-refused",
    "keeps-vector": "virtio.device.pci-vector-unmapped",
    "reset-keeps-vectors": "virtio.device.pci-reset-unmaps-vectors",
    "sends-unmapped": "virtio.device.pci-no-vector-no-interrupt",
    "sends-unmapped-config": "virtio.device.pci-no-vector-no-config-interrupt",
}


@pytest.mark.parametrize("fault", PCI_FAULTS)
def test_a_fault_of_the_pci_registers_is_found(fault: str) -> None:
    slug = PCI_FAULTS[fault]
    assert slug in violated(PcTarget(fault), slug)


LEGACY_FAULTS = {
    "sets-features-ok": "virtio.device.legacy-detected",
    "no-any-layout": "virtio.device.legacy-any-layout",
    "offers-reporting": "reporting.device.legacy-not-offered",
    "offers-hinting": "hint.device.not-on-legacy",
    "waits-for-ever": "virtio.device.legacy-early-use",
    "packs-used-ring": "ring.device.legacy-layout",
    "quiet-on-empty": "ring.device.legacy-notify-on-empty",
    "uses-actual-bytewise": "balloon.device.legacy-actual-complete",
    "reads-big-endian": "balloon.device.stats-legacy-native-endian",
    "shows-first-statistics": "balloon.device.stats-legacy-first-ignored",
}


@pytest.mark.parametrize("fault", LEGACY_FAULTS)
def test_a_fault_of_the_legacy_interface_is_found(fault: str) -> None:
    slug = LEGACY_FAULTS[fault]
    assert slug in violated(PcTarget(fault, legacy=True), slug)


class ResetIgnored(Device):
    def reset_queue(self, index: int) -> bool:
        return False


class ResetForgetsNothing(Device):
    """Is enabled again where it was."""

    def set_up_queue(self, index, layout):  # type: ignore[no-untyped-def]
        old = getattr(self, "_first", None)
        self._first = self._first if old else layout
        again = self._phase.name == "LIVE"
        return super().set_up_queue(index, self._first if again else layout)


class ResetKeepsWorking(Device):
    """Says that the queue is reset and goes on."""

    def reset_queue(self, index: int) -> bool:
        self._hidden = index
        return True

    def queue_ready(self, index: int) -> bool:
        return index != getattr(self, "_hidden", None) and super().queue_ready(index)


RESET_FAULTS = {
    ResetIgnored: "ring.device.queue-reset-performed",
    ResetForgetsNothing: "ring.device.queue-reset-clears-state",
    ResetKeepsWorking: "ring.device.queue-reset-no-processing",
}


def test_a_device_that_resets_queues_passes(judge: Callable[..., Report]) -> None:
    sound = LoopbackTarget("faulty", lambda memory: Device(memory, DeviceOptions(offered=RESETS)))
    report = judge(sound, "ring.queue-reset*")
    assert refuted(report) == {}
    assert {each.verdict for each in report.outcomes} == {Verdict.PASS}


@pytest.mark.parametrize("faulty", RESET_FAULTS)
def test_a_queue_reset_that_is_none_is_found(faulty: type[Device]) -> None:
    slug = RESET_FAULTS[faulty]
    target = LoopbackTarget("faulty", lambda memory: faulty(memory, DeviceOptions(offered=RESETS)))
    assert slug in violated(target, slug)
