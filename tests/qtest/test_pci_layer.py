"""The PCI layer over a function that says of itself what it likes."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from vhint.host import DeviceOptions
from vhint.ring import GuestMemory, SplitLayout
from vhint.transport.interface import TransportError
from vhint.transport.qtest.pci import PciTransport
from vhint.transport.qtest.pci_bars import Room, Rooms, place_bars
from vhint.transport.qtest.pci_config import ConfigSpace
from vhint.transport.qtest.pci_legacy import LegacyPciTransport
from vhint.wire import pci
from vhint.wire.virtio_pci import StructureKind
from vhint_conformance.bus import ModernFunction, Pc
from vhint_conformance.mutants.device.bus import NoDeviceConfig

COMMON, NOTIFY, ISR, DEVICE = 0x40, 0xA0, 0x60, 0x80
"""Where the fake function has its capabilities."""


@pytest.fixture
def memory() -> Iterator[GuestMemory]:
    with GuestMemory.create(1 << 20) as made:
        yield made


@pytest.fixture
def function(memory: GuestMemory) -> Iterator[ModernFunction]:
    made = ModernFunction(memory, DeviceOptions())
    yield made
    made.memory.close()


def test_the_function_is_found_placed_and_driven(
    function: ModernFunction, memory: GuestMemory
) -> None:
    transport = PciTransport(Pc(function, slot=7), memory)
    assert transport.config.device == 7
    assert transport.device_id() == 5
    assert transport.structures.multiplier == 4
    assert transport.msix is not None
    assert transport.msix.vectors == 4
    decoding = pci.Command.IO | pci.Command.MEMORY | pci.Command.BUS_MASTER
    assert function.get("command") & decoding == decoding
    assert transport.queue_max(0) == 256
    assert transport.set_up_queue(0, SplitLayout.at(0x10000, 16))
    assert transport.queue_ready(0)
    assert transport.queue_max(0) == 16
    transport.write_status(0)
    assert not transport.queue_ready(0)


def test_a_slot_without_a_function_and_other_vendors_are_passed_over(
    function: ModernFunction, memory: GuestMemory
) -> None:
    function.set("vendor", 0x8086)
    with pytest.raises(TransportError, match=r"vendor 0x1af4 on bus 0, seen vendors 0x8086"):
        PciTransport(Pc(function), memory)


def test_a_bridge_is_no_device(function: ModernFunction, memory: GuestMemory) -> None:
    function.set("header_type", 0x81)
    with pytest.raises(TransportError, match="bridge"):
        PciTransport(Pc(function), memory)


def test_a_modern_device_has_no_legacy_interface(
    function: ModernFunction, memory: GuestMemory
) -> None:
    with pytest.raises(TransportError, match="0x1045 has no legacy interface"):
        LegacyPciTransport(Pc(function), memory)


Change = Callable[[ModernFunction], None]


def point(at: int, to: int) -> Change:
    return lambda function: function.config.__setitem__(at + 1, to)


def put(
    at: int, kind: StructureKind, bar: int, offset: int, length: int, *, size: int = 20, **more: int
) -> Change:
    def change(function: ModernFunction) -> None:
        following = function.config[at + 1]
        function.put_capability(at, kind, bar, offset, length, size, following, **more)

    return change


def header(name: str, value: int) -> Change:
    return lambda function: function.set(name, value)


HOSTILE: dict[str, tuple[Change, str]] = {
    "loop": (point(DEVICE, COMMON), "comes back to 0x40"),
    "self-loop": (point(COMMON, COMMON), "comes back to 0x40"),
    "into-the-header": (point(COMMON, 0x10), "capability at 0x10, expected one between 0x40"),
    "no-list": (header("status", 0), "no capability for the common configuration"),
    "empty-list": (header("capabilities", 0), "no capability for the common configuration"),
    "first-in-header": (header("capabilities", 0x04), "capability at 0x4"),
    "cut-at-the-end": (
        lambda function: (
            point(COMMON, 0xF8)(function),
            function.config.__setitem__(slice(0xF8, 0xFB), bytes([9, 0, 16])),
        ),
        "more than are left",
    ),
    "short": (put(COMMON, StructureKind.COMMON, 4, 0, 0x1000, size=15), "15 bytes, expected at"),
    "too-long": (
        put(COMMON, StructureKind.COMMON, 4, 0, 0x1000, size=0xFF),
        "more than are left",
    ),
    "entries-overlap": (
        put(COMMON, StructureKind.COMMON, 4, 0, 0x1000, size=0x28),
        "runs into the one at 0x60",
    ),
    "empty-bar": (put(COMMON, StructureKind.COMMON, 2, 0, 0x1000), "BAR 2, which is empty"),
    "upper-half": (put(COMMON, StructureKind.COMMON, 5, 0, 0x1000), "BAR 5, which is empty"),
    "past-the-bar": (
        put(COMMON, StructureKind.COMMON, 4, 0x3800, 0x1000),
        "0x1000 bytes at 0x3800 are not within",
    ),
    "far-past-the-bar": (
        put(COMMON, StructureKind.COMMON, 4, 0xFFFFFFFC, 0xFFFFFFFF),
        "are not within",
    ),
    "misaligned": (put(COMMON, StructureKind.COMMON, 4, 2, 0x100), "a multiple of 4"),
    "common-too-small": (
        put(COMMON, StructureKind.COMMON, 4, 0, 55),
        "55 bytes long, expected at least 56",
    ),
    "notify-too-small": (put(NOTIFY, StructureKind.NOTIFY, 4, 0x3000, 1), "1 bytes long"),
    "notify-short-entry": (
        put(NOTIFY, StructureKind.NOTIFY, 4, 0x3000, 0x1000, size=16),
        "has 16 bytes, expected at least 20",
    ),
    "odd-multiplier": (
        put(NOTIFY, StructureKind.NOTIFY, 4, 0x3000, 0x1000, multiplier=3),
        "multiplier 3",
    ),
    "odd-power": (
        put(NOTIFY, StructureKind.NOTIFY, 4, 0x3000, 0x1000, multiplier=1),
        "multiplier 1",
    ),
    "structures-overlap": (
        put(ISR, StructureKind.ISR, 4, 0x0800, 0x1000),
        "the common configuration and the ISR status overlap",
    ),
    "no-isr": (
        put(ISR, StructureKind.SHARED_MEMORY, 4, 0x1000, 0x1000),
        "no capability for the ISR status",
    ),
    "no-notify": (put(NOTIFY, StructureKind.VENDOR, 4, 0, 0), "no capability for the notifi"),
    "reserved-bar": (put(COMMON, StructureKind.COMMON, 6, 0, 0x1000), "no capability for the com"),
    "msix-empty-bar": (
        lambda function: function.config.__setitem__(function.msix_at + 4, 3),
        "MSI-X table is said to lie behind BAR 3",
    ),
    "msix-past-the-bar": (
        lambda function: function.config.__setitem__(
            slice(function.msix_at + 2, function.msix_at + 4), b"\xff\x07"
        ),
        "the MSI-X table: 0x8000 bytes at 0x0 are not within",
    ),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_function_that_cannot_be_is_refused(
    name: str, function: ModernFunction, memory: GuestMemory
) -> None:
    change, message = HOSTILE[name]
    change(function)
    with pytest.raises(TransportError, match=message):
        PciTransport(Pc(function), memory)


def test_the_first_of_two_structures_counts_and_unknown_ones_are_passed_over(
    function: ModernFunction, memory: GuestMemory
) -> None:
    after = function.config[DEVICE + 1]
    function.config[DEVICE + 1] = 0xE0
    function.put_capability(0xE0, StructureKind.COMMON, 4, 0x100, 0x40, 16, after)
    transport = PciTransport(Pc(function), memory)
    assert transport.structures.common.length == 0x1000
    function.config[0xE0 + 3] = 0x77  # a kind that nobody has named
    assert PciTransport(Pc(function), memory).structures.isr.length == 0x1000


def test_a_queue_that_is_notified_outside_is_refused(
    function: ModernFunction, memory: GuestMemory, monkeypatch: pytest.MonkeyPatch
) -> None:
    transport = PciTransport(Pc(function), memory)
    transport.notify(3)
    monkeypatch.setattr(function, "notify_off", lambda index: index)
    with pytest.raises(TransportError, match="the notifications: expected an access within 0x1000"):
        transport.notify(0x400)


def test_without_a_device_configuration_it_reads_as_zeros(memory: GuestMemory) -> None:
    function = NoDeviceConfig(memory, DeviceOptions())
    transport = PciTransport(Pc(function), memory)
    assert transport.structures.device is None
    assert transport.read_config(0, 8) == bytes(8)
    transport.write_config(4, b"\1\0\0\0")
    function.memory.close()


def test_config_beyond_the_end_is_zeros_and_never_accessed(
    function: ModernFunction, memory: GuestMemory
) -> None:
    put(DEVICE, StructureKind.DEVICE, 4, 0x2000, 10)(function)
    pc = Pc(function)
    transport = PciTransport(pc, memory)
    function.device.write_config(4, b"\1\2\3\4")
    pc.accesses.clear()
    assert transport.read_config(4, 16) == b"\1\2\3\4".ljust(16, b"\0")
    transport.write_config(8, bytes(8))
    end = transport.structures.device.address + 10
    assert all(address + size <= end for _, address, size in pc.accesses)


@pytest.mark.parametrize(("offset", "size"), [(0x100, 1), (0xFE, 4), (1, 2), (2, 4), (-4, 4)])
def test_configuration_is_accessed_within_its_bounds(
    function: ModernFunction, offset: int, size: int
) -> None:
    with pytest.raises(TransportError, match="aligned access within 256 bytes"):
        ConfigSpace(Pc(function), 3).read(size, offset)


def test_a_register_of_64_bits_needs_two(function: ModernFunction) -> None:
    function.fixed[pci.HEADER_FIELDS["bar5"][0]] = 0x0F
    function.config[pci.HEADER_FIELDS["bar5"][0]] = 4
    function.bars.clear()
    function.fixed[pci.HEADER_FIELDS["bar4"][0] : pci.HEADER_FIELDS["bar4"][0] + 4] = b"\xff" * 4
    function.config[pci.HEADER_FIELDS["bar4"][0]] = 0
    function.fixed[pci.HEADER_FIELDS["bar5"][0] : pci.HEADER_FIELDS["bar5"][0] + 4] = bytes(
        [0xFF, 0, 0, 0]
    )
    with pytest.raises(TransportError, match="BAR 5: a register of 64 bits without a second half"):
        place_bars(ConfigSpace(Pc(function), 3))


def test_a_size_that_is_no_power_of_two_is_refused(function: ModernFunction) -> None:
    at = pci.HEADER_FIELDS["bar1"][0]
    function.fixed[at : at + 4] = b"\xff\xaf\xff\x0f"
    with pytest.raises(TransportError, match="BAR 1: expected a power of two"):
        place_bars(ConfigSpace(Pc(function), 3))


def test_more_than_there_is_room_for_is_refused(function: ModernFunction) -> None:
    rooms = Rooms(Room("memory space", 0x1000, 0x3000), Room("port space", 0, 0))
    with pytest.raises(TransportError, match="0x4000 bytes of memory space are more"):
        place_bars(ConfigSpace(Pc(function), 3), rooms)
