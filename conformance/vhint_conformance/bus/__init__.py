"""The reference device behind the registers of a bus, in this process.

Real transports drive it: what stands here takes the place of QEMU, one word of qtest at a time.
Every part that a device could get wrong is a method of its own, so that a mutant replaces one.
"""

from vhint_conformance.bus.mmio import MmioSlot
from vhint_conformance.bus.pc import Bar, Function, Pc
from vhint_conformance.bus.pci_legacy import LegacyFunction
from vhint_conformance.bus.pci_modern import ModernFunction
from vhint_conformance.bus.signalling import Signalling
from vhint_conformance.bus.virtio_function import VirtioFunction

__all__ = [
    "Bar",
    "Function",
    "LegacyFunction",
    "MmioSlot",
    "ModernFunction",
    "Pc",
    "Signalling",
    "VirtioFunction",
]
