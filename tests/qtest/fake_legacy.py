"""The reference device behind the ports of a legacy PCI function."""

from __future__ import annotations

from tests.qtest.fake_pc import Bar, VirtioFunction
from vhint.host import DeviceOptions
from vhint.ring import GuestMemory, SplitLayout
from vhint.transport.interface import TransportError
from vhint.wire import virtio_pci
from vhint.wire.features import Feature, Features
from vhint.wire.status import DeviceStatus
from vhint.wire.virtio_pci import LEGACY_FIELDS

LEGACY_ONLY = Features.of(Feature.NOTIFY_ON_EMPTY, Feature.ANY_LAYOUT)
MODERN_ONLY = Features.of(
    Feature.VERSION_1,
    Feature.HINTING,
    Feature.HINTING_BITMAP,
    Feature.PAGE_REPORTING,
    Feature.FREE_PAGE_HINT,
)


class LegacyFunction(VirtioFunction):
    """The legacy interface at the ports of BAR 0; it is live from its first notification on."""

    def __init__(self, memory: GuestMemory, options: DeviceOptions, fault: str = "") -> None:
        super().__init__(memory, options, fault)
        self.set("device", virtio_pci.TRANSITIONAL_DEVICES.start + 2)
        self.set("subsystem", 5)
        self.status = 0
        self.accepted = Features(0)
        self.actual = bytearray(4)
        self.add_bar(0, Bar(64, self.read, self.write, ports=True))
        self.seal()

    @property
    def offered(self) -> Features:
        own = Features(self.device.read_features()) | LEGACY_ONLY
        if self.fault == "no-any-layout":
            own -= Features.of(Feature.ANY_LAYOUT)
        if self.fault == "offers-hinting":
            own |= Features.of(Feature.HINTING)
        if self.fault == "offers-reporting":
            own |= Features.of(Feature.PAGE_REPORTING)
        return own

    def read(self, size: int, offset: int) -> int:
        if offset >= virtio_pci.LEGACY_SIZE:
            place = offset - virtio_pci.LEGACY_SIZE
            return int.from_bytes(self.device.read_config(place, size), "little")
        name = next(n for n, place in LEGACY_FIELDS.items() if place == (offset, size))
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
        if offset >= virtio_pci.LEGACY_SIZE:
            self.write_device(size, offset - virtio_pci.LEGACY_SIZE, value)
            return
        name = next(n for n, place in LEGACY_FIELDS.items() if place == (offset, size))
        match name:
            case "driver_features":
                self.accepted = Features(value)
            case "queue_select":
                self.selected = value
            case "queue_address":
                self.place_queue(value << 12)
            case "queue_notify":
                self.begin(refuse=self.fault == "waits-for-ever")
                self.device.notify(value)
            case "device_status":
                self.write_status(value)
        self.work()

    def write_status(self, value: int) -> None:
        self.status = value
        if value == 0:
            self.device.write_status(0)
            self.accepted = Features(0)
            self.forget()
        elif value & DeviceStatus.DRIVER_OK and self.fault != "waits-for-ever":
            self.begin()
        elif self.fault == "sets-features-ok":
            self.status |= DeviceStatus.FEATURES_OK

    def agree(self) -> None:
        """Bring the device to where it takes queues, which legacy drivers do not say."""
        if self.device.read_status() & DeviceStatus.FEATURES_OK:
            return
        wanted = self.accepted & Features(self.device.read_features())
        self.device.write_status(3)
        self.device.write_features(wanted.bits)
        self.device.write_status(11)

    def begin(self, *, refuse: bool = False) -> None:
        if not refuse:
            self.agree()
            self.device.write_status(15)

    def place_queue(self, address: int) -> None:
        self.agree()
        align = 4 if self.fault == "packs-used-ring" else virtio_pci.LEGACY_PAGE
        size = self.device.queue_max(self.selected)
        layout = SplitLayout.at(address, size, used_align=align)
        if self.device.set_up_queue(self.selected, layout):
            self.layouts[self.selected] = layout
            self.seen[self.selected] = 0

    def write_device(self, size: int, offset: int, value: int) -> None:
        early = not self.device.read_status() & DeviceStatus.DRIVER_OK
        if early and self.fault == "breaks-on-early-write":
            raise TransportError("the device died of an early write")
        self.device.write_config(offset, value.to_bytes(size, "little"))
        if self.fault == "uses-actual-bytewise" or offset <= 7 < offset + size:
            self.actual[:] = self.device.read_config(4, 4)

    def work(self) -> None:
        before = dict(self.seen)
        super().work()
        empty = Feature.NOTIFY_ON_EMPTY in self.accepted and self.fault != "quiet-on-empty"
        if empty and self.seen != before:
            self.isr |= 1
