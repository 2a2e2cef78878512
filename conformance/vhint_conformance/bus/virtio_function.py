"""What the modern and the legacy interface of a virtio PCI function have in common."""

from __future__ import annotations

from vhint.host import DeviceOptions
from vhint.ring import GuestMemory
from vhint.wire import pci, virtio_pci
from vhint_conformance.bus.pc import Function
from vhint_conformance.bus.signalling import Signalling

QUEUE, CONFIG = 1, 2
"""The bits of the ISR status."""


class VirtioFunction(Function):
    """A PCI function with the reference device behind it: its interrupts and its identity."""

    vendor = virtio_pci.VENDOR

    def __init__(self, memory: GuestMemory, options: DeviceOptions) -> None:
        super().__init__()
        self.memory = memory.view()
        self.device = Signalling(self.memory, options)
        self.isr = 0
        self.selected = 0
        self.set("vendor", self.vendor)
        self.set("status", pci.STATUS_CAPABILITIES)

    def work(self) -> None:
        """Let the device do all that it has to, and signal what came of it."""
        self.device.work()
        used, config = self.device.take_interrupts()
        finished, notified = self.device.take_used()
        for index in sorted(notified if used else ()):
            self.signal(index)
        if config:
            self.signal_config()
        if finished:
            self.finished(finished)

    def signal(self, index: int) -> None:  # noqa: ARG002
        """Interrupt for a used buffer of a queue."""
        self.isr |= QUEUE

    def signal_config(self) -> None:
        """Interrupt for a change of the configuration."""
        self.isr |= CONFIG

    def finished(self, queues: frozenset[int]) -> None:
        """Learn which queues used buffers, notified of or not."""

    def take_isr(self) -> int:
        """Return the ISR status, which reading clears."""
        found, self.isr = self.isr, 0
        return found

    def forget(self) -> None:
        """Be reset."""
        self.isr = 0
