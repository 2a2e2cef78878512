"""A PC without QEMU: the reference device as a PCI function, behind the words that qtest knows.

`FakePc` takes the place of a `QtestClient`.  What a function says of itself is in `config`, so that
a test can make it say anything; `fault` names one thing that the registers then do wrong.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from vhint.host import Device, DeviceOptions
from vhint.ring import GuestMemory, SplitLayout
from vhint.wire import pci, virtio_pci
from vhint.wire.virtio_pci import COMMON_FIELDS, NO_VECTOR, StructureKind

NOTHING = {1: 0xFF, 2: 0xFFFF, 4: 0xFFFFFFFF}

Read = Callable[[int, int], int]
Write = Callable[[int, int, int], None]


@dataclass
class Bar:
    """A base address register: its size, whether it is ports, and who answers behind it."""

    size: int
    read: Read
    write: Write
    ports: bool = False
    wide: bool = False


class FakeFunction:
    """One PCI function: configuration space, and base address registers that can be sized."""

    def __init__(self) -> None:
        self.config = bytearray(pci.CONFIG_SIZE)
        self.bars: dict[int, Bar] = {}
        self.fixed = bytearray(b"\xff" * pci.CONFIG_SIZE)  # bits that cannot be written
        for name in ("command", *(f"bar{index}" for index in range(6))):
            offset, size = pci.HEADER_FIELDS[name]
            self.fixed[offset : offset + size] = bytes(size)

    def set(self, name: str, value: int) -> None:
        offset, size = pci.HEADER_FIELDS[name]
        self.config[offset : offset + size] = value.to_bytes(size, "little")

    def get(self, name: str) -> int:
        offset, size = pci.HEADER_FIELDS[name]
        return int.from_bytes(self.config[offset : offset + size], "little")

    def add_bar(self, index: int, bar: Bar) -> None:
        self.bars[index] = bar
        offset, _ = pci.HEADER_FIELDS[f"bar{index}"]
        flags = 1 if bar.ports else 4 if bar.wide else 0
        low = (bar.size - 1) | flags
        self.fixed[offset : offset + 4] = low.to_bytes(4, "little")
        self.config[offset] = flags

    def seal(self) -> None:
        """Make the registers that nothing is behind read as 0 for ever."""
        halves = {index + 1 for index, bar in self.bars.items() if bar.wide}
        for index in set(range(6)) - self.bars.keys() - halves:
            offset, _ = pci.HEADER_FIELDS[f"bar{index}"]
            self.fixed[offset : offset + 4] = b"\xff" * 4

    def write_config(self, offset: int, data: bytes) -> None:
        for place, value in enumerate(data, offset):
            fixed = self.fixed[place]
            self.config[place] = self.config[place] & fixed | value & ~fixed & 0xFF

    def find(self, address: int, ports: bool) -> tuple[Bar, int] | None:
        needed = pci.Command.IO if ports else pci.Command.MEMORY
        if not self.get("command") & needed:
            return None
        for index, bar in self.bars.items():
            base = self.get(f"bar{index}") & ~(3 if ports else 15)
            if bar.wide:
                base |= self.get(f"bar{index + 1}") << 32
            if bar.ports == ports and base <= address < base + bar.size:
                return bar, address - base
        return None


class FakePc:
    """Configuration mechanism #1, memory space and ports of a machine with one function."""

    def __init__(self, function: FakeFunction, slot: int = 3) -> None:
        self.function = function
        self.slot = slot
        self.accesses: list[tuple[str, int, int]] = []
        self._address = 0

    def read(self, size: int, address: int) -> int:
        return self._read(size, address, False)

    def write(self, size: int, address: int, value: int) -> None:
        self._write(size, address, value, False)

    def read_port(self, size: int, port: int) -> int:
        if 0xCFC <= port <= 0xCFF:
            at = (self._address & 0xFC) + port - 0xCFC
            if self._address >> 11 & 0x1F != self.slot:
                return NOTHING[size]
            return int.from_bytes(self.function.config[at : at + size], "little")
        return self._read(size, port, True)

    def write_port(self, size: int, port: int, value: int) -> None:
        if port == 0xCF8:
            self._address = value
        elif 0xCFC <= port <= 0xCFF:
            if self._address >> 11 & 0x1F == self.slot:
                at = (self._address & 0xFC) + port - 0xCFC
                self.function.write_config(at, value.to_bytes(size, "little"))
        else:
            self._write(size, port, value, True)

    def close(self) -> None:
        pass

    def _read(self, size: int, address: int, ports: bool) -> int:
        self.accesses.append(("read", address, size))
        found = self.function.find(address, ports)
        return NOTHING[size] if found is None else found[0].read(size, found[1])

    def _write(self, size: int, address: int, value: int, ports: bool) -> None:
        self.accesses.append(("write", address, size))
        found = self.function.find(address, ports)
        if found is not None:
            found[0].write(size, found[1], value)


class VirtioFunction(FakeFunction):
    """What both interfaces have in common: the device, its interrupts, its identity."""

    def __init__(self, memory: GuestMemory, options: DeviceOptions, fault: str = "") -> None:
        super().__init__()
        self.memory = memory.view()
        self.device = Device(self.memory, options)
        self.fault = fault
        self.isr = 0
        self.selected = 0
        self.layouts: dict[int, SplitLayout] = {}
        self.seen: dict[int, int] = {}
        self.set("vendor", 0x1AF5 if fault == "vendor" else virtio_pci.VENDOR)
        self.set("status", pci.STATUS_CAPABILITIES)

    def work(self) -> None:
        """Let the device do all that it has to, and signal what came of it."""
        while self.device.step():
            pass
        used, config = self.device.take_interrupts()
        for index, layout in self.layouts.items():
            found = self.memory.load16(layout.used_index_at)
            if found != self.seen.get(index, 0):
                self.seen[index] = found
                if used:
                    self.signal(index)
        if config:
            self.isr |= 0 if self.fault == "isr-config" else 2
            self.signal_config()

    def signal(self, index: int) -> None:
        self.isr |= 0 if self.fault == "isr-queue" else 1

    def signal_config(self) -> None:
        pass

    def take_isr(self) -> int:
        found = self.isr
        if self.fault != "isr-kept":
            self.isr = 0
        return found

    def forget(self) -> None:
        self.isr = 0
        self.layouts.clear()
        self.seen.clear()


class ModernFunction(VirtioFunction):
    """The modern interface behind BAR 4, MSI-X behind BAR 1."""

    PLACES: ClassVar = {
        StructureKind.COMMON: (0x0000, 0x1000),
        StructureKind.ISR: (0x1000, 0x1000),
        StructureKind.DEVICE: (0x2000, 0x1000),
        StructureKind.NOTIFY: (0x3000, 0x1000),
    }
    MULTIPLIER = 4

    def __init__(
        self, memory: GuestMemory, options: DeviceOptions, fault: str = "", vectors: int = 4
    ) -> None:
        super().__init__(memory, options, fault)
        self.set("device", virtio_pci.MODERN_DEVICES.start + 5)
        self.registers = dict.fromkeys(COMMON_FIELDS, 0)
        self.vectors = dict.fromkeys(range(6), NO_VECTOR)
        self.config_vector = NO_VECTOR
        self.table = bytearray(pci.MSIX_ENTRY_SIZE * max(vectors, 1))
        self.sizes: dict[int, int] = {}
        self.add_bar(4, Bar(0x4000, self.read, self.write, wide=True))
        at = 0x40
        self.set("capabilities", at)
        for kind, (offset, length) in self.PLACES.items():
            if fault == "no-device-config" and kind is StructureKind.DEVICE:
                continue
            size = 20 if kind is StructureKind.NOTIFY else 16
            self.put_capability(at, kind, 4, offset, length, size, at + 0x20)
            at += 0x20
        if vectors:
            self.add_bar(1, Bar(0x1000, self.read_table, self.write_table))
            self.msix_at = at
            data = pci.build_msix(pci.MsixCapability(17, 0, vectors - 1, 1, 0x801))
            self.config[at : at + len(data)] = data
            self.fixed[at + 2 : at + 4] = (0x7FF).to_bytes(2, "little")
        else:
            self.config[at - 0x20 + 1] = 0
        self.seal()

    def put_capability(
        self,
        at: int,
        kind: int,
        bar: int,
        offset: int,
        length: int,
        size: int,
        following: int,
        *,
        multiplier: int = MULTIPLIER,
    ) -> None:
        capability = virtio_pci.VirtioCapability(9, following, size, kind, bar, 0, offset, length)
        data = virtio_pci.build(capability) + multiplier.to_bytes(4, "little")
        self.config[at : at + len(data)] = data

    # Registers

    def read(self, size: int, offset: int) -> int:
        place = offset & 0xFFF
        match offset >> 12:
            case 0:
                return self.read_common(size, place)
            case 1:
                return self.take_isr()
            case 2:
                return int.from_bytes(self.device.read_config(place, size), "little")
        return 0

    def write(self, size: int, offset: int, value: int) -> None:
        place = offset & 0xFFF
        match offset >> 12:
            case 0:
                self.write_common(size, place, value)
            case 2:
                self.device.write_config(place, value.to_bytes(size, "little"))
            case 3 if place == self.MULTIPLIER * value and size == 2:
                self.device.notify(value)
        self.work()

    def read_common(self, size: int, offset: int) -> int:
        name = next((n for n, place in COMMON_FIELDS.items() if place == (offset, size)), None)
        index = self.selected
        self.work()
        match name:
            case "device_feature":
                half = self.registers["device_feature_select"]
                half = 0 if self.fault == "device-half" else half
                return self.device.read_features() >> 32 * half & 0xFFFFFFFF if half < 2 else 0
            case "driver_feature":
                half = self.registers["driver_feature_select"]
                half = 0 if self.fault == "driver-half" else half
                return self.registers["driver_feature"] >> 32 * half & 0xFFFFFFFF
            case "device_status":
                return self.device.read_status()
            case "config_generation":
                return 0 if self.fault == "generation" else self.device.config_generation() & 0xFF
            case "num_queues":
                return 6
            case "queue_size":
                return self.sizes.get(index, self.device.queue_max(index))
            case "queue_enable":
                return int(self.device.queue_ready(index) or self.stays_enabled(index))
            case "queue_notify_off":
                return index
            case "queue_msix_vector":
                return self.vectors.get(index, NO_VECTOR)
            case "config_msix_vector":
                return self.config_vector
        return 0

    def stays_enabled(self, index: int) -> bool:
        return self.fault == "reset-keeps-queues" and index == 0

    def write_common(self, size: int, offset: int, value: int) -> None:
        names = {place: name for name, place in COMMON_FIELDS.items()}
        name = names.get((offset, size))
        if name is None:  # a half of an address
            for wide, (at, length) in COMMON_FIELDS.items():
                if length == 8 and offset in (at, at + 4) and size == 4:
                    shift = 8 * (offset - at)
                    kept = self.registers[wide] & ~(0xFFFFFFFF << shift)
                    self.registers[wide] = kept | value << shift
            return
        index = self.selected
        match name:
            case "driver_feature":
                shift = 32 * self.registers["driver_feature_select"]
                kept = self.registers[name] & ~(0xFFFFFFFF << shift)
                self.registers[name] = kept | value << shift
                self.device.write_features(self.registers[name])
            case "device_status":
                self.device.write_status(value)
                if value == 0:
                    self.forget()
            case "queue_select":
                self.selected = value
            case "queue_size":
                self.sizes[index] = value
            case "queue_enable" if value == 1:
                layout = SplitLayout(
                    self.sizes.get(index, self.device.queue_max(index)),
                    *(self.registers[n] for n in ("queue_desc", "queue_driver", "queue_device")),
                )
                if self.device.set_up_queue(index, layout):
                    self.layouts[index] = layout
                    self.seen[index] = 0
            case "queue_reset" if value == 1:
                self.device.reset_queue(index)
                self.layouts.pop(index, None)
                self.sizes.pop(index, None)
            case "queue_msix_vector":
                self.vectors[index] = self.mapped(value)
            case "config_msix_vector":
                self.config_vector = self.mapped(value)
            case _:
                self.registers[name] = value

    def mapped(self, vector: int) -> int:
        if self.fault == "refuses-vector" and vector not in (NO_VECTOR, 0, 1):
            return NO_VECTOR
        if self.fault == "shows-other-vector" and vector != NO_VECTOR:
            return vector ^ 1
        if self.fault == "keeps-vector" and vector == NO_VECTOR:
            return 0
        return vector

    def forget(self) -> None:
        super().forget()
        self.sizes.clear()
        if self.fault != "reset-keeps-vectors":
            self.vectors = dict.fromkeys(range(6), NO_VECTOR)
            self.config_vector = NO_VECTOR

    # Messages

    @property
    def uses_messages(self) -> bool:
        return hasattr(self, "msix_at") and bool(self.config[self.msix_at + 3] & 0x80)

    def read_table(self, size: int, offset: int) -> int:
        return int.from_bytes(self.table[offset : offset + size], "little")

    def write_table(self, size: int, offset: int, value: int) -> None:
        self.table[offset : offset + size] = value.to_bytes(size, "little")

    def signal(self, index: int) -> None:
        if not self.uses_messages:
            super().signal(index)
            return
        vector = self.vectors[index]
        if self.fault == "sends-unmapped" and vector == NO_VECTOR:
            vector = 1
        self.send(0 if self.fault == "always-vector-0" else vector)

    def signal_config(self) -> None:
        if self.uses_messages:
            vector = self.config_vector
            if self.fault == "sends-unmapped-config" and vector == NO_VECTOR:
                vector = 0
            self.send(vector)

    def send(self, vector: int) -> None:
        at = vector * pci.MSIX_ENTRY_SIZE
        if at >= len(self.table) or self.table[at + 12] & 1:
            return
        address = int.from_bytes(self.table[at : at + 8], "little")
        self.memory.write(address, bytes(self.table[at + 8 : at + 12]))
