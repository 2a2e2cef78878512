"""virtio-mmio over qtest (VIRTIO 1.4, Virtio Over MMIO), modern and legacy."""

from __future__ import annotations

from enum import IntEnum
from typing import ClassVar

from vhint.ring import GuestMemory, Layout, SplitLayout
from vhint.transport.interface import Interrupts, TransportError
from vhint.transport.qtest.client import QtestClient
from vhint.transport.qtest.polled import PolledTransport
from vhint.transport.qtest.window import Window
from vhint.wire.status import DeviceStatus
from vhint.wire.virtio_pci import LEGACY_PAGE

MAGIC = 0x74726976  # "virt"
SLOT = 0x200
"""Bytes of registers that a device has, its config space among them."""


class Register(IntEnum):
    """Offsets of the control registers, 32 bits each; config space follows them."""

    MAGIC = 0x000
    VERSION = 0x004
    DEVICE_ID = 0x008
    DEVICE_FEATURES = 0x010
    DEVICE_FEATURES_SEL = 0x014
    DRIVER_FEATURES = 0x020
    DRIVER_FEATURES_SEL = 0x024
    GUEST_PAGE_SIZE = 0x028  # legacy
    QUEUE_SEL = 0x030
    QUEUE_NUM_MAX = 0x034
    QUEUE_NUM = 0x038
    QUEUE_ALIGN = 0x03C  # legacy
    QUEUE_PFN = 0x040  # legacy
    QUEUE_READY = 0x044
    QUEUE_NOTIFY = 0x050
    INTERRUPT_STATUS = 0x060
    INTERRUPT_ACK = 0x064
    STATUS = 0x070
    QUEUE_DESC_LOW = 0x080
    QUEUE_DESC_HIGH = 0x084
    QUEUE_DRIVER_LOW = 0x090
    QUEUE_DRIVER_HIGH = 0x094
    QUEUE_DEVICE_LOW = 0x0A0
    QUEUE_DEVICE_HIGH = 0x0A4
    QUEUE_RESET = 0x0C0
    CONFIG_GENERATION = 0x0FC
    CONFIG = 0x100


class MmioTransport(PolledTransport):
    """A virtio-mmio device at physical address `base`, reached through qtest.

    Raises `TransportError` if there is no device of that kind at that address.
    """

    version: ClassVar[int] = 2
    """What the version register shows."""

    def __init__(self, qtest: QtestClient, memory: GuestMemory, base: int) -> None:
        self.memory = memory
        slot = Window(qtest, f"virtio-mmio at {base:#x}", base, SLOT)
        self.registers = slot.part(f"{slot.name}, registers", 0, Register.CONFIG)
        self._config = slot.part(f"{slot.name}, config", Register.CONFIG, SLOT - Register.CONFIG)
        magic, version = self.identity()
        if (magic, version) != (MAGIC, self.version):
            raise TransportError(
                f"{slot.name}: expected magic {MAGIC:#x} and version {self.version}, "
                f"seen {magic:#x} and {version}"
            )

    def identity(self) -> tuple[int, int]:
        """Return what the registers of the magic value and of the version show."""
        return self._read(Register.MAGIC), self._read(Register.VERSION)

    def device_id(self) -> int:
        """Return the device id, 0 for an empty slot."""
        return self._read(Register.DEVICE_ID)

    def read_status(self) -> DeviceStatus:
        """Return the device status."""
        return DeviceStatus(self._read(Register.STATUS))

    def write_status(self, status: int) -> None:
        """Write the device status."""
        self._write(Register.STATUS, status)

    def read_features(self) -> int:
        """Return the offered bits, read in two halves."""
        halves = []
        for half in (0, 1):
            self._write(Register.DEVICE_FEATURES_SEL, half)
            halves.append(self._read(Register.DEVICE_FEATURES))
        return halves[0] | halves[1] << 32

    def write_features(self, bits: int) -> None:
        """Write the accepted bits, in two halves."""
        for half in (0, 1):
            self._write(Register.DRIVER_FEATURES_SEL, half)
            self._write(Register.DRIVER_FEATURES, bits >> 32 * half & 0xFFFFFFFF)

    def read_config(self, offset: int, length: int) -> bytes:
        """Return config bytes, read in aligned pieces of 4 bytes where they fit."""
        return self._config.read_bytes(offset, length)

    def write_config(self, offset: int, data: bytes) -> None:
        """Write config bytes, in aligned pieces of 4 bytes where they fit."""
        self._config.write_bytes(offset, data)

    def config_generation(self) -> int:
        """Return the config generation."""
        return self._read(Register.CONFIG_GENERATION)

    def queue_max(self, index: int) -> int:
        """Return the largest size of a queue, 0 if there is no such queue."""
        self._write(Register.QUEUE_SEL, index)
        return self._read(Register.QUEUE_NUM_MAX)

    def set_up_queue(self, index: int, layout: Layout) -> bool:
        """Write size and addresses, set ready, and read ready back."""
        self._write(Register.QUEUE_SEL, index)
        self._write(Register.QUEUE_NUM, layout.size)
        for low, address in (
            (Register.QUEUE_DESC_LOW, layout.descriptors),
            (Register.QUEUE_DRIVER_LOW, layout.available),
            (Register.QUEUE_DEVICE_LOW, layout.used),
        ):
            self._write(low, address & 0xFFFFFFFF)
            self._write(low + 4, address >> 32)
        self._write(Register.QUEUE_READY, 1)
        return self.queue_ready(index)

    def queue_ready(self, index: int) -> bool:
        """Read the queue's ready register."""
        self._write(Register.QUEUE_SEL, index)
        return self._read(Register.QUEUE_READY) == 1

    def start_queue_reset(self, index: int) -> None:
        """Write 1 to the register that resets the queue."""
        self._write(Register.QUEUE_SEL, index)
        self._write(Register.QUEUE_RESET, 1)

    def queue_resetting(self, index: int) -> bool:
        """Read the register that resets the queue."""
        self._write(Register.QUEUE_SEL, index)
        return self._read(Register.QUEUE_RESET) != 0

    def notify(self, index: int) -> None:
        """Write the queue's number to the notify register."""
        self._write(Register.QUEUE_NOTIFY, index)

    def take_interrupts(self) -> Interrupts:
        """Read the interrupt status and acknowledge what it shows."""
        pending = self._read(Register.INTERRUPT_STATUS)
        if pending:
            self._write(Register.INTERRUPT_ACK, pending)
        return Interrupts(used=bool(pending & 1), config=bool(pending & 2))

    def turn(self) -> None:
        """Read the interrupt status, which stays as it is until it is acknowledged."""
        self._read(Register.INTERRUPT_STATUS)

    def _read(self, register: int) -> int:
        return self.registers.read(4, register)

    def _write(self, register: int, value: int) -> None:
        self.registers.write(4, register, value)


class LegacyMmioTransport(MmioTransport):
    """The legacy interface of virtio-mmio: one address a queue, and no word on its parts."""

    version = 1
    legacy = True

    def read_features(self) -> int:
        """Return the offered bits: the legacy interface has 32."""
        self._write(Register.DEVICE_FEATURES_SEL, 0)
        return self._read(Register.DEVICE_FEATURES)

    def write_features(self, bits: int) -> None:
        """Write the accepted bits; `ValueError` for those that the interface has no room for."""
        if bits >> 32:
            raise ValueError(f"{bits:#x}: the legacy interface has 32 feature bits")
        self._write(Register.DRIVER_FEATURES_SEL, 0)
        self._write(Register.DRIVER_FEATURES, bits)

    def config_generation(self) -> int:
        """Return 0: there is no such register."""
        return 0

    def set_up_queue(self, index: int, layout: Layout) -> bool:
        """Write the page size, the queue's size and alignment, and the number of its first page."""
        check_legacy_layout(layout)
        self._write(Register.GUEST_PAGE_SIZE, LEGACY_PAGE)
        self._write(Register.QUEUE_SEL, index)
        self._write(Register.QUEUE_NUM, layout.size)
        self._write(Register.QUEUE_ALIGN, LEGACY_PAGE)
        self._write(Register.QUEUE_PFN, layout.descriptors // LEGACY_PAGE)
        return self.queue_ready(index)

    def queue_ready(self, index: int) -> bool:
        """Return whether the queue has an address."""
        self._write(Register.QUEUE_SEL, index)
        return self._read(Register.QUEUE_PFN) != 0

    def start_queue_reset(self, index: int) -> None:
        """Raise `NotImplementedError`: there is no such register."""
        raise NotImplementedError("the legacy interface resets no single queue")

    def queue_resetting(self, index: int) -> bool:  # noqa: ARG002
        """Return False: there is no such register."""
        return False


def check_legacy_layout(layout: Layout) -> None:
    """Raise `ValueError` for a queue whose parts are not where a legacy device looks for them."""
    if layout != SplitLayout.at(layout.descriptors, layout.size, used_align=LEGACY_PAGE) or (
        layout.descriptors % LEGACY_PAGE
    ):
        raise ValueError(f"{layout} is not laid out for the legacy interface")
