"""The registers of a virtio-mmio device, version 2."""

from __future__ import annotations

from vhint.host import DeviceOptions
from vhint.host.device import BALLOON_DEVICE_ID
from vhint.ring import GuestMemory, SplitLayout
from vhint.transport.qtest.mmio import MAGIC, Register
from vhint_conformance.bus.signalling import Signalling

BASE = 0xFEB00000
_ADDRESSES = (Register.QUEUE_DESC_LOW, Register.QUEUE_DRIVER_LOW, Register.QUEUE_DEVICE_LOW)


class MmioSlot:
    """The reference device behind the registers at `BASE`; it takes the place of a `QtestClient`.

    As on a real bus every register has 4 bytes, and the configuration follows them.
    """

    version = 2
    magic = MAGIC

    def __init__(self, memory: GuestMemory, options: DeviceOptions) -> None:
        self.memory = memory.view()
        self.device = Signalling(self.memory, options)
        self.kept: dict[int, int] = {}  # registers that only keep what was written
        self.features = 0
        self.pending = 0

    def read(self, size: int, address: int) -> int:
        """Read a register or configuration."""
        offset = address - BASE
        self.work()
        if offset >= Register.CONFIG:
            return int.from_bytes(self.device.read_config(offset - Register.CONFIG, size), "little")
        return self.read_register(offset)

    def read_register(self, offset: int) -> int:
        """Return what a register shows; 0 for one that only takes writes."""
        index = self.kept.get(Register.QUEUE_SEL, 0)
        match offset:
            case Register.MAGIC:
                return self.magic
            case Register.VERSION:
                return self.version
            case Register.DEVICE_ID:
                return BALLOON_DEVICE_ID
            case Register.DEVICE_FEATURES:
                half = self.kept.get(Register.DEVICE_FEATURES_SEL, 0)
                return self.device.read_features() >> 32 * half & 0xFFFFFFFF if half < 2 else 0
            case Register.QUEUE_NUM_MAX:
                return self.device.queue_max(index)
            case Register.QUEUE_READY:
                return int(self.device.queue_ready(index))
            case Register.INTERRUPT_STATUS:
                return self.pending
            case Register.STATUS:
                return self.device.read_status()
            case Register.CONFIG_GENERATION:
                return self.device.config_generation()
        return 0

    def write(self, size: int, address: int, value: int) -> None:
        """Write a register or configuration."""
        offset = address - BASE
        if offset >= Register.CONFIG:
            self.device.write_config(offset - Register.CONFIG, value.to_bytes(size, "little"))
        else:
            self.write_register(offset, value)
        self.work()

    def write_register(self, offset: int, value: int) -> None:
        """Take a write to a register."""
        index = self.kept.get(Register.QUEUE_SEL, 0)
        match offset:
            case Register.DRIVER_FEATURES:
                shift = 32 * self.kept.get(Register.DRIVER_FEATURES_SEL, 0)
                self.features = self.features & ~(0xFFFFFFFF << shift) | value << shift
                self.device.write_features(self.features)
            case Register.QUEUE_READY if value:
                self.device.set_up_queue(index, self.layout())
            case Register.QUEUE_RESET if value:
                self.device.reset_queue(index)
            case Register.QUEUE_NOTIFY:
                self.device.notify(value)
            case Register.INTERRUPT_ACK:
                self.pending &= ~value
            case Register.STATUS:
                self.device.write_status(value)
                if value == 0:
                    self.kept.clear()
                    self.features = self.pending = 0
            case _:
                self.kept[offset] = value

    def layout(self) -> SplitLayout:
        """Return where the registers place the selected queue."""
        size = self.kept.get(Register.QUEUE_NUM, 0)
        parts = (self.kept.get(low, 0) | self.kept.get(low + 4, 0) << 32 for low in _ADDRESSES)
        return SplitLayout(size, *parts)

    def work(self) -> None:
        """Let the device work, and note its interrupts."""
        self.device.work()
        used, config = self.device.take_interrupts()
        self.device.take_used()
        self.pending |= used | config << 1

    def close(self) -> None:
        """Do nothing: there is no connection."""
