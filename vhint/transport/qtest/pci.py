"""Modern virtio-pci over qtest (VIRTIO 1.4, Virtio Over PCI Bus)."""

from __future__ import annotations

from vhint.ring import GuestMemory, Layout
from vhint.transport.interface import Interrupts, TransportError
from vhint.transport.qtest.client import QtestClient
from vhint.transport.qtest.msix import MsixTable, find_msix
from vhint.transport.qtest.pci_bars import place_bars
from vhint.transport.qtest.pci_config import ConfigSpace, find_function
from vhint.transport.qtest.pci_structures import find_structures
from vhint.transport.qtest.polled import PolledTransport
from vhint.wire import virtio_pci
from vhint.wire.status import DeviceStatus
from vhint.wire.virtio_pci import COMMON_FIELDS, NO_VECTOR, Isr

CONFIG_VECTOR, FIRST_QUEUE_VECTOR = 0, 1
"""The vector of configuration changes, and that of queue 0, if there are vectors enough."""


class PciTransport(PolledTransport):
    """The first virtio device on PCI bus 0, by its modern interface.

    Interrupts are seen by the ISR status, as a driver on an interrupt line sees them, or, after
    `use_msix`, by the messages themselves: they are sent to guest memory.  Raises `TransportError`
    if there is no such device, or if what it says of itself cannot be true.
    """

    def __init__(self, qtest: QtestClient, memory: GuestMemory) -> None:
        self.memory = memory
        self.config = find_function(qtest, virtio_pci.VENDOR)
        bars = place_bars(self.config)
        self.structures = find_structures(self.config, bars)
        self.msix: MsixTable | None = find_msix(self.config, bars, memory)
        self._common = self.structures.common
        self._notify_offsets: dict[int, int] = {}

    def device_id(self) -> int:
        """Return the virtio device id that the PCI device id stands for."""
        return device_type(self.config)

    def read_status(self) -> DeviceStatus:
        """Return the device status."""
        return DeviceStatus(self.common("device_status"))

    def write_status(self, status: int) -> None:
        """Write the device status."""
        self.set_common("device_status", status)

    def read_features(self) -> int:
        """Return the offered bits, read in two halves."""
        bits = 0
        for half in (0, 1):
            self.set_common("device_feature_select", half)
            bits |= self.common("device_feature") << 32 * half
        return bits

    def write_features(self, bits: int) -> None:
        """Write the accepted bits, in two halves."""
        for half in (0, 1):
            self.set_common("driver_feature_select", half)
            self.set_common("driver_feature", bits >> 32 * half & 0xFFFFFFFF)

    def read_config(self, offset: int, length: int) -> bytes:
        """Return config bytes, read in aligned pieces of 4 bytes where they fit."""
        device = self.structures.device
        return device.read_bytes(offset, length) if device else bytes(length)

    def write_config(self, offset: int, data: bytes) -> None:
        """Write config bytes, in aligned pieces of 4 bytes where they fit."""
        if self.structures.device:
            self.structures.device.write_bytes(offset, data)

    def config_generation(self) -> int:
        """Return the config generation."""
        return self.common("config_generation")

    def queue_max(self, index: int) -> int:
        """Return the size of a queue: its largest, until the driver has chosen another one."""
        self.select(index)
        return self.common("queue_size")

    def set_up_queue(self, index: int, layout: Layout) -> bool:
        """Write size, addresses and vector, enable the queue, and read that back."""
        self.select(index)
        self.set_common("queue_size", layout.size)
        for name, address in (
            ("queue_desc", layout.descriptors),
            ("queue_driver", layout.available),
            ("queue_device", layout.used),
        ):
            self._common.write64(COMMON_FIELDS[name][0], address)
        if self.msix is not None and self.msix.enabled:
            self.map_event("config_msix_vector", CONFIG_VECTOR)
            vector = min(FIRST_QUEUE_VECTOR + index, self.msix.vectors - 1)
            self.map_event("queue_msix_vector", vector)
        self.set_common("queue_enable", 1)
        return self.common("queue_enable") == 1

    def queue_ready(self, index: int) -> bool:
        """Return whether the queue is enabled."""
        self.select(index)
        return self.common("queue_enable") == 1

    def start_queue_reset(self, index: int) -> None:
        """Write 1 to the register that resets the queue."""
        self.select(index)
        self.set_common("queue_reset", 1)

    def queue_resetting(self, index: int) -> bool:
        """Read the register that resets the queue."""
        self.select(index)
        return self.common("queue_reset") != 0

    def notify(self, index: int) -> None:
        """Write the queue's number where it is notified, as 16 bits."""
        offset = self._notify_offsets.get(index)
        if offset is None:
            self.select(index)
            offset = self.common("queue_notify_off") * self.structures.multiplier
            self._notify_offsets[index] = offset
        self.structures.notify.write(2, offset, index)

    def take_interrupts(self) -> Interrupts:
        """Return what was signalled: reading the ISR status acknowledges it.

        With MSI-X the messages tell; a device need not set the queue bit of the ISR status then.
        """
        if self.msix is not None and self.msix.enabled:
            vectors = self.msix.take()
            return Interrupts(used=any(vectors - {CONFIG_VECTOR}), config=CONFIG_VECTOR in vectors)
        pending = Isr(self.read_isr())
        return Interrupts(used=Isr.QUEUE in pending, config=Isr.CONFIG in pending)

    def read_isr(self) -> int:
        """Read the ISR status, which clears it."""
        return self.structures.isr.read(1, 0)

    def turn(self) -> None:
        """Read the device status; the ISR status would be cleared by reading."""
        self.common("device_status")

    def common(self, name: str) -> int:
        """Read a register of the common configuration, of at most 4 bytes."""
        offset, size = COMMON_FIELDS[name]
        return self._common.read(size, offset)

    def set_common(self, name: str, value: int) -> None:
        """Write a register of the common configuration, of at most 4 bytes."""
        offset, size = COMMON_FIELDS[name]
        self._common.write(size, offset, value)

    def select(self, index: int) -> None:
        """Choose the queue that the registers of a queue are about."""
        self.set_common("queue_select", index)

    def use_msix(self) -> None:
        """Have interrupts sent as messages from now on; mappings are made with the queues.

        Raises `TransportError` if the device has no MSI-X, or too few vectors to tell a used
        buffer from a configuration change.
        """
        if self.msix is None or self.msix.vectors <= FIRST_QUEUE_VECTOR:
            raise TransportError(f"{self.config.name}: no MSI-X with two vectors or more")
        self.msix.enable()

    def map_event(self, register: str, vector: int) -> int:
        """Map an event to a vector, and return the vector that the device shows then."""
        self.set_common(register, vector)
        return self.common(register)

    def unmap_event(self, register: str) -> int:
        """Map an event to no vector, and return what the device shows then."""
        return self.map_event(register, NO_VECTOR)


def device_type(config: ConfigSpace) -> int:
    """Return the virtio device id of a function; raise `TransportError` if it is none."""
    device = config.field("device")
    if device in virtio_pci.MODERN_DEVICES:
        return device - virtio_pci.MODERN_DEVICES.start
    if device in virtio_pci.TRANSITIONAL_DEVICES:
        return config.field("subsystem")
    first, last = virtio_pci.TRANSITIONAL_DEVICES.start, virtio_pci.MODERN_DEVICES.stop - 1
    raise TransportError(
        f"{config.name}: device id {device:#06x}, expected {first:#06x} to {last:#06x}"
    )
