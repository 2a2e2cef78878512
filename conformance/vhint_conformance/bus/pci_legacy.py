"""The legacy interface of virtio-pci: ports, one address a queue, no word on its parts."""

from __future__ import annotations

from vhint.host import DeviceOptions
from vhint.ring import GuestMemory, SplitLayout
from vhint.wire import virtio_pci
from vhint.wire.features import Feature, Features
from vhint.wire.status import DeviceStatus
from vhint.wire.virtio_pci import LEGACY_FIELDS
from vhint_conformance.bus.pc import Bar
from vhint_conformance.bus.virtio_function import QUEUE, VirtioFunction

LEGACY_ONLY = Features.of(Feature.NOTIFY_ON_EMPTY, Feature.ANY_LAYOUT)
MODERN_ONLY = Features.of(
    Feature.VERSION_1,
    Feature.HINTING,
    Feature.HINTING_BITMAP,
    Feature.PAGE_REPORTING,
    Feature.FREE_PAGE_HINT,
)
"""What is not offered over the legacy interface."""


class LegacyFunction(VirtioFunction):
    """The legacy interface at the ports of BAR 0; it is live from its first notification on."""

    used_align = virtio_pci.LEGACY_PAGE

    def __init__(self, memory: GuestMemory, options: DeviceOptions) -> None:
        super().__init__(memory, options)
        self.set("device", virtio_pci.TRANSITIONAL_DEVICES.start + 2)
        self.set("subsystem", 5)
        self.status = 0
        self.accepted = Features(0)
        self.layouts: dict[int, SplitLayout] = {}
        #: What the driver last wrote to `actual` as a whole.
        self.actual = bytearray(4)
        self.add_bar(0, Bar(64, self.read, self.write, ports=True))
        self.seal()

    @property
    def offered(self) -> Features:
        """The features on offer."""
        return Features(self.device.read_features()) | LEGACY_ONLY

    def read(self, size: int, offset: int) -> int:
        """Read a port."""
        if offset >= virtio_pci.LEGACY_SIZE:
            place = offset - virtio_pci.LEGACY_SIZE
            return int.from_bytes(self.device.read_config(place, size), "little")
        name = next(name for name, place in LEGACY_FIELDS.items() if place == (offset, size))
        self.work()
        match name:
            case "device_features":
                return self.offered.bits & 0xFFFFFFFF
            case "queue_size":
                return self.device.queue_max(self.selected)
            case "queue_address":
                layout = self.layouts.get(self.selected)
                return layout.descriptors >> 12 if layout else 0
            case "device_status":
                return self.status
            case "isr_status":
                return self.take_isr()
        return 0

    def write(self, size: int, offset: int, value: int) -> None:
        """Write a port."""
        if offset >= virtio_pci.LEGACY_SIZE:
            self.write_device(size, offset - virtio_pci.LEGACY_SIZE, value)
            return
        name = next(name for name, place in LEGACY_FIELDS.items() if place == (offset, size))
        match name:
            case "driver_features":
                self.accepted = Features(value)
            case "queue_select":
                self.selected = value
            case "queue_address":
                self.place_queue(value << 12)
            case "queue_notify":
                self.begin()
                self.device.notify(value)
            case "device_status":
                self.write_status(value)
        self.work()

    def write_status(self, value: int) -> None:
        """Keep the status; 0 resets."""
        self.status = value
        if value == 0:
            self.device.write_status(0)
            self.accepted = Features(0)
            self.layouts.clear()
            self.forget()
        elif value & DeviceStatus.DRIVER_OK:
            self.begin()

    def agree(self) -> None:
        """Bring the device to where it takes queues, which legacy drivers do not say."""
        if self.device.read_status() & DeviceStatus.FEATURES_OK:
            return
        wanted = self.accepted & Features(self.device.read_features())
        self.device.write_status(3)
        self.device.write_features(wanted.bits)
        self.device.write_status(11)

    def begin(self) -> None:
        """Serve the queues: the driver notifies, or has written DRIVER_OK."""
        self.agree()
        self.device.write_status(15)

    def place_queue(self, address: int) -> None:
        """Take a queue whose parts follow each other from an address on."""
        self.agree()
        size = self.device.queue_max(self.selected)
        layout = SplitLayout.at(address, size, used_align=self.used_align)
        if self.device.set_up_queue(self.selected, layout):
            self.layouts[self.selected] = layout

    def write_device(self, size: int, offset: int, value: int) -> None:
        """Take a write to the device's configuration; `actual` counts once its last byte came."""
        self.device.write_config(offset, value.to_bytes(size, "little"))
        if self.completes_actual(size, offset):
            self.actual[:] = self.device.read_config(4, 4)

    def completes_actual(self, size: int, offset: int) -> bool:
        """Return whether a write is the last of those that make up `actual`."""
        return offset <= 7 < offset + size

    def finished(self, queues: frozenset[int]) -> None:  # noqa: ARG002
        """Interrupt for a queue that ran empty, if that was accepted."""
        if Feature.NOTIFY_ON_EMPTY in self.accepted:
            self.isr |= QUEUE

    def shown_statistics(self, found: dict[int, int], polled: bool) -> dict[int, int]:
        """Return what the host is shown: not the first figures, which no driver may have known."""
        return found if polled else {}
