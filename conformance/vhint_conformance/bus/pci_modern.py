"""The modern interface of virtio-pci, with interrupts as messages (MSI-X)."""

from __future__ import annotations

from typing import ClassVar

from vhint.host import DeviceOptions
from vhint.ring import GuestMemory, SplitLayout
from vhint.wire import pci, virtio_pci
from vhint.wire.virtio_pci import COMMON_FIELDS, NO_VECTOR, StructureKind
from vhint_conformance.bus.pc import Bar
from vhint_conformance.bus.virtio_function import CONFIG, VirtioFunction

QUEUES = 6
NAMES = {place: name for name, place in COMMON_FIELDS.items()}


class ModernFunction(VirtioFunction):
    """The modern interface behind BAR 4; MSI-X, unless `vectors` is 0, behind BAR 1."""

    PLACES: ClassVar = {
        StructureKind.COMMON: (0x0000, 0x1000),
        StructureKind.ISR: (0x1000, 0x1000),
        StructureKind.DEVICE: (0x2000, 0x1000),
        StructureKind.NOTIFY: (0x3000, 0x1000),
    }
    MULTIPLIER = 4

    def __init__(self, memory: GuestMemory, options: DeviceOptions, vectors: int = 4) -> None:
        super().__init__(memory, options)
        self.set("device", virtio_pci.MODERN_DEVICES.start + 5)
        self.registers = dict.fromkeys(COMMON_FIELDS, 0)
        self.vectors = dict.fromkeys(range(QUEUES), NO_VECTOR)
        self.config_vector = NO_VECTOR
        self.table = bytearray(pci.MSIX_ENTRY_SIZE * max(vectors, 1))
        self.sizes: dict[int, int] = {}
        self.add_bar(4, Bar(0x4000, self.read, self.write, wide=True))
        at = 0x40
        self.set("capabilities", at)
        for kind, (offset, length) in self.PLACES.items():
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
        """Write a capability of virtio into configuration space."""
        capability = virtio_pci.VirtioCapability(9, following, size, kind, bar, 0, offset, length)
        data = virtio_pci.build(capability) + multiplier.to_bytes(4, "little")
        self.config[at : at + len(data)] = data

    # Registers

    def read(self, size: int, offset: int) -> int:
        """Read behind BAR 4."""
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
        """Write behind BAR 4."""
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
        """Read a register of the common configuration."""
        name = NAMES.get((offset, size))
        index = self.selected
        self.work()
        match name:
            case "device_feature":
                half = self.half("device_feature_select")
                return self.device.read_features() >> 32 * half & 0xFFFFFFFF if half < 2 else 0
            case "driver_feature":
                half = self.half("driver_feature_select")
                return self.registers["driver_feature"] >> 32 * half & 0xFFFFFFFF
            case "device_status":
                return self.device.read_status()
            case "config_generation":
                return self.generation() & 0xFF
            case "num_queues":
                return QUEUES
            case "queue_size":
                return self.sizes.get(index, self.device.queue_max(index))
            case "queue_enable":
                return int(self.enabled(index))
            case "queue_reset":
                return int(self.resetting(index))
            case "queue_notify_off":
                return self.notify_off(index)
            case "queue_msix_vector":
                return self.shown(self.vectors.get(index, NO_VECTOR))
            case "config_msix_vector":
                return self.shown(self.config_vector)
        return 0

    def write_common(self, size: int, offset: int, value: int) -> None:
        """Write a register of the common configuration."""
        name = NAMES.get((offset, size))
        if name is None:
            self.write_half(size, offset, value)
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
                self.enable(index)
            case "queue_reset" if value == 1:
                self.reset_queue(index)
            case "queue_msix_vector":
                self.vectors[index] = self.mapped(value)
            case "config_msix_vector":
                self.config_vector = self.mapped(value)
            case _:
                self.registers[name] = value

    def write_half(self, size: int, offset: int, value: int) -> None:
        """Write a half of an address."""
        for wide, (at, length) in COMMON_FIELDS.items():
            if length == 8 and offset in (at, at + 4) and size == 4:
                shift = 8 * (offset - at)
                kept = self.registers[wide] & ~(0xFFFFFFFF << shift)
                self.registers[wide] = kept | value << shift

    def half(self, selector: str) -> int:
        """Return which half of the features is selected."""
        return self.registers[selector]

    def notify_off(self, index: int) -> int:
        """Return where a queue is notified, in units of the multiplier; 0 if there is none."""
        return index if index < QUEUES else 0

    def generation(self) -> int:
        """Return the generation of the configuration."""
        return self.device.config_generation()

    # Queues

    def enable(self, index: int) -> None:
        """Enable the queue where the registers place it."""
        layout = SplitLayout(
            self.sizes.get(index, self.device.queue_max(index)),
            *(self.registers[name] for name in ("queue_desc", "queue_driver", "queue_device")),
        )
        self.device.set_up_queue(index, layout)

    def enabled(self, index: int) -> bool:
        """Return whether a queue shows that it is enabled."""
        return self.device.queue_ready(index)

    def reset_queue(self, index: int) -> None:
        """Reset one queue, at once."""
        self.device.reset_queue(index)
        self.sizes.pop(index, None)

    def resetting(self, index: int) -> bool:  # noqa: ARG002
        """Return whether a queue shows that its reset is going on."""
        return False

    def forget(self) -> None:
        """Be reset: queues have their largest size, and no event a vector."""
        super().forget()
        self.sizes.clear()
        self.unmap()

    # Messages

    @property
    def uses_messages(self) -> bool:
        """Whether the driver has switched MSI-X on."""
        return hasattr(self, "msix_at") and bool(self.config[self.msix_at + 3] & 0x80)

    def unmap(self) -> None:
        """Take every event its vector."""
        self.vectors = dict.fromkeys(range(QUEUES), NO_VECTOR)
        self.config_vector = NO_VECTOR

    def mapped(self, vector: int) -> int:
        """Return the vector that an event gets when the driver asks for one."""
        return vector

    def shown(self, vector: int) -> int:
        """Return what the register of an event with that vector reads."""
        return vector

    def vector_of(self, index: int) -> int:
        """Return the vector with which a queue interrupts."""
        return self.vectors.get(index, NO_VECTOR)

    def vector_of_config(self) -> int:
        """Return the vector with which a change of the configuration interrupts."""
        return self.config_vector

    def read_table(self, size: int, offset: int) -> int:
        """Read the table of vectors."""
        return int.from_bytes(self.table[offset : offset + size], "little")

    def write_table(self, size: int, offset: int, value: int) -> None:
        """Write the table of vectors."""
        self.table[offset : offset + size] = value.to_bytes(size, "little")

    def signal(self, index: int) -> None:
        """Send the queue's message, or set its bit."""
        if self.uses_messages:
            self.send(self.vector_of(index))
        else:
            super().signal(index)

    def signal_config(self) -> None:
        """Send the message, and set the bit, which shows the change either way."""
        if self.uses_messages:
            self.isr |= CONFIG
            self.send(self.vector_of_config())
        else:
            super().signal_config()

    def send(self, vector: int) -> None:
        """Write the message of a vector that is there and not masked."""
        at = vector * pci.MSIX_ENTRY_SIZE
        if at >= len(self.table) or self.table[at + 12] & 1:
            return
        address = int.from_bytes(self.table[at : at + 8], "little")
        self.memory.write(address, bytes(self.table[at + 8 : at + 12]))
