"""QEMU's qtest protocol: a virtio device on MMIO or PCI without a guest operating system."""

from vhint.transport.qtest.launch import Bus, Launch, MachineOptions
from vhint.transport.qtest.machine import Machine
from vhint.transport.qtest.mmio import LegacyMmioTransport, MmioTransport
from vhint.transport.qtest.pci import PciTransport
from vhint.transport.qtest.pci_legacy import LegacyPciTransport

__all__ = [
    "Bus",
    "Launch",
    "LegacyMmioTransport",
    "LegacyPciTransport",
    "Machine",
    "MachineOptions",
    "MmioTransport",
    "PciTransport",
]
