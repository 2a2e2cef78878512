"""The reference device behind registers: over PCI, by its legacy interface, and on MMIO."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ClassVar, cast

import vhint
from vhint.host import ALL_FEATURES, EVERY_FEATURE, Device, DeviceOptions
from vhint.ring import GuestMemory
from vhint.transport.interface import Transport
from vhint.transport.qtest.client import QtestClient
from vhint.transport.qtest.mmio import MmioTransport
from vhint.transport.qtest.pci import PciTransport
from vhint.transport.qtest.pci_legacy import LegacyPciTransport
from vhint.wire.features import Feature, Features
from vhint_conformance.bus import LegacyFunction, MmioSlot, ModernFunction, Pc
from vhint_conformance.bus.mmio import BASE
from vhint_conformance.bus.pci_legacy import MODERN_ONLY
from vhint_conformance.case import PECULIAR, Capability
from vhint_conformance.targets.base import Limits, Session, Target
from vhint_conformance.targets.qemu import OF_MODERN
from vhint_conformance.targets.reference import EDGE, RAM, DeviceControl
from vhint_conformance.variants import RING_VARIANTS, SPLIT, Variant

PATIENCE = 0.05
"""Seconds to wait for what a device does that has done everything when a register is read."""

OFFERED = EVERY_FEATURE | Features.of(Feature.RING_RESET)


class LegacyControl(DeviceControl):
    """The host's side by the legacy interface, where not all that was sent counts."""

    def __init__(self, function: LegacyFunction) -> None:
        super().__init__(function.device)
        self._function = function
        self._polled = False

    def balloon_size(self) -> int:
        """Return what `actual` was when the driver had written all of it."""
        return int.from_bytes(self._function.actual, "little")

    def poll_statistics(self) -> None:
        """Use the statistics buffer; what comes from now on was asked for."""
        self._polled = True
        super().poll_statistics()

    def statistics(self) -> dict[int, int]:
        """Return what the host is shown."""
        return self._function.shown_statistics(super().statistics(), self._polled)


@dataclass
class BusSession(Session):
    """A device object behind registers."""

    memory: GuestMemory | None = None

    def check_alive(self) -> None:
        """Do nothing: an object does not die."""

    def close(self) -> None:
        """Unmap the memory of both sides."""
        self.transport.close()
        if self.memory is not None:
            self.memory.close()
            self.memory = None


Made = tuple[Transport, DeviceControl, GuestMemory, dict[Capability, str]]
Wiring = Callable[[GuestMemory], Made]


def over_pci(kind: type[ModernFunction] = ModernFunction, vectors: int = 4) -> Wiring:
    """Return what wires a device up by the modern interface of virtio-pci."""

    def wire(memory: GuestMemory) -> Made:
        function = kind(memory, DeviceOptions(offered=OFFERED), vectors)
        transport = PciTransport(cast(QtestClient, Pc(function)), memory)
        there = {Capability.OVER_PCI, Capability.RESETS_QUEUES}
        there |= {Capability.HAS_MSIX} if vectors else set()
        return transport, _control(function.device), function.memory, _reasons(there)

    return wire


def by_legacy_pci(kind: type[LegacyFunction] = LegacyFunction) -> Wiring:
    """Return what wires a device up by the legacy interface of virtio-pci."""

    def wire(memory: GuestMemory) -> Made:
        options = DeviceOptions(offered=ALL_FEATURES - MODERN_ONLY, queue_size=64)
        function = kind(memory, options)
        transport = LegacyPciTransport(cast(QtestClient, Pc(function)), memory)
        there = {Capability.OVER_PCI, Capability.LEGACY_INTERFACE}
        reasons = _reasons(there) | OF_MODERN
        return transport, LegacyControl(function), function.memory, reasons

    return wire


def on_mmio(kind: type[MmioSlot] = MmioSlot) -> Wiring:
    """Return what wires a device up on virtio-mmio."""

    def wire(memory: GuestMemory) -> Made:
        slot = kind(memory, DeviceOptions(offered=OFFERED))
        transport = MmioTransport(cast(QtestClient, slot), memory, BASE)
        there = {Capability.OVER_MMIO, Capability.RESETS_QUEUES}
        return transport, _control(slot.device), slot.memory, _reasons(there)

    return wire


def wiring_of(kind: type[ModernFunction | LegacyFunction | MmioSlot]) -> Wiring:
    """Return what wires up a device that is made of these registers."""
    if issubclass(kind, ModernFunction):
        return over_pci(kind)
    return by_legacy_pci(kind) if issubclass(kind, LegacyFunction) else on_mmio(kind)


def _control(device: Device) -> DeviceControl:
    return DeviceControl(device)


def _reasons(there: set[Capability]) -> dict[Capability, str]:
    return {each: reason for each, reason in PECULIAR.items() if each not in there}


@dataclass(frozen=True)
class BusTarget(Target):
    """A reference device, sound or not, behind registers that are read and written one by one."""

    name: str
    wire: Wiring
    summary: str = ""
    variants: tuple[Variant, ...] = (SPLIT,)
    concurrent: ClassVar[bool] = True

    def start(self) -> Session:
        """Make a fresh device over fresh memory."""
        memory = GuestMemory.create(RAM)
        try:
            transport, control, theirs, reasons = self.wire(memory)
        except BaseException:
            memory.close()
            raise
        return BusSession(
            transport=transport,
            limits=Limits(((0, RAM),), (EDGE, RAM - EDGE), patience=PATIENCE),
            control=control,
            capabilities=frozenset(Capability) - reasons.keys(),
            reasons=reasons,
            memory=theirs,
        )

    def versions(self) -> dict[str, str]:
        """Return vhint's own version."""
        return {"vhint": vhint.__version__}


ON_BUSES: Mapping[str, BusTarget] = {
    target.name: target
    for target in (
        BusTarget(
            "reference:pci",
            over_pci(),
            "the reference device behind a PCI function with MSI-X",
            RING_VARIANTS,
        ),
        BusTarget(
            "reference:pci-legacy",
            by_legacy_pci(),
            "the reference device behind the ports of a legacy PCI function",
        ),
        BusTarget(
            "reference:mmio",
            on_mmio(),
            "the reference device behind the registers of virtio-mmio",
            RING_VARIANTS,
        ),
    )
}
"""The reference device on every bus, by target name."""
