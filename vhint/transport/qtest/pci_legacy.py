"""The legacy interface of virtio-pci over qtest: a row of ports (VIRTIO 1.4, 4.1.4.10)."""

from __future__ import annotations

from vhint.ring import GuestMemory, Layout
from vhint.transport.interface import Interrupts, TransportError
from vhint.transport.qtest.client import QtestClient
from vhint.transport.qtest.mmio import check_legacy_layout
from vhint.transport.qtest.pci import device_type
from vhint.transport.qtest.pci_bars import place_bars
from vhint.transport.qtest.pci_config import find_function
from vhint.transport.qtest.polled import PolledTransport
from vhint.wire import virtio_pci
from vhint.wire.status import DeviceStatus
from vhint.wire.virtio_pci import LEGACY_FIELDS, LEGACY_PAGE, LEGACY_SIZE, Isr


class LegacyPciTransport(PolledTransport):
    """The first virtio device on PCI bus 0, by the ports behind its BAR 0.

    MSI-X stays off: with it on, the device's configuration would begin four bytes further.  Raises
    `TransportError` if there is no such device, or if it has no legacy interface.
    """

    legacy = True

    def __init__(self, qtest: QtestClient, memory: GuestMemory) -> None:
        self.memory = memory
        self.config = find_function(qtest, virtio_pci.VENDOR)
        if self.config.field("device") not in virtio_pci.TRANSITIONAL_DEVICES:
            raise TransportError(
                f"{self.config.name}: device id {self.config.field('device'):#06x} has no legacy "
                "interface"
            )
        ports = place_bars(self.config).get(0)
        if ports is None or not ports.ports:
            raise TransportError(f"{self.config.name}: expected ports behind BAR 0, seen none")
        name = self.config.name
        self._registers = ports.part(f"{name}, legacy registers", 0, LEGACY_SIZE)
        self._device = ports.part(
            f"{name}, legacy configuration", LEGACY_SIZE, ports.length - LEGACY_SIZE
        )

    def device_id(self) -> int:
        """Return the virtio device id, which is the subsystem id."""
        return device_type(self.config)

    def read_status(self) -> DeviceStatus:
        """Return the device status."""
        return DeviceStatus(self._read("device_status"))

    def write_status(self, status: int) -> None:
        """Write the device status."""
        self._write("device_status", status)

    def read_features(self) -> int:
        """Return the offered bits: the legacy interface has 32."""
        return self._read("device_features")

    def write_features(self, bits: int) -> None:
        """Write the accepted bits; `ValueError` for those that the interface has no room for."""
        if bits >> 32:
            raise ValueError(f"{bits:#x}: the legacy interface has 32 feature bits")
        self._write("driver_features", bits)

    def read_config(self, offset: int, length: int) -> bytes:
        """Return config bytes, read in aligned pieces of 4 bytes where they fit."""
        return self._device.read_bytes(offset, length)

    def write_config(self, offset: int, data: bytes) -> None:
        """Write config bytes, in aligned pieces of 4 bytes where they fit."""
        self._device.write_bytes(offset, data)

    def config_generation(self) -> int:
        """Return 0: there is no such register."""
        return 0

    def queue_max(self, index: int) -> int:
        """Return the size of a queue, which the driver cannot change."""
        self._write("queue_select", index)
        return self._read("queue_size")

    def set_up_queue(self, index: int, layout: Layout) -> bool:
        """Write the number of the queue's first page, and read it back."""
        check_legacy_layout(layout)
        largest = self.queue_max(index)
        if layout.size != largest:
            raise ValueError(f"queue {index} has {largest} entries, and not {layout.size}")
        page = layout.descriptors // LEGACY_PAGE
        self._write("queue_address", page)
        return self._read("queue_address") == page

    def queue_ready(self, index: int) -> bool:
        """Return whether the queue has an address."""
        self._write("queue_select", index)
        return self._read("queue_address") != 0

    def notify(self, index: int) -> None:
        """Write the queue's number to the port for it."""
        self._write("queue_notify", index)

    def take_interrupts(self) -> Interrupts:
        """Return what was signalled: reading the ISR status acknowledges it."""
        pending = Isr(self._read("isr_status"))
        return Interrupts(used=Isr.QUEUE in pending, config=Isr.CONFIG in pending)

    def turn(self) -> None:
        """Read the device status; the ISR status would be cleared by reading."""
        self._read("device_status")

    def _read(self, name: str) -> int:
        offset, size = LEGACY_FIELDS[name]
        return self._registers.read(size, offset)

    def _write(self, name: str, value: int) -> None:
        offset, size = LEGACY_FIELDS[name]
        self._registers.write(size, offset, value)
