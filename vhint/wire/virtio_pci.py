"""Virtio over PCI: the capabilities that say where things are, and the registers themselves.

Source: VIRTIO 1.4, 4.1 Virtio Over PCI Bus. Numbers are little-endian, those of the legacy header
in the guest's order, which is the same on the machines that are driven here.

>>> parse(bytes.fromhex("09501001 04000000 00000000 00100000"))
VirtioCapability(id=9, next=80, size=16, kind=1, bar=4, identity=0, offset=0, length=4096)
>>> COMMON_FIELDS["device_status"], COMMON_FIELDS["queue_reset"]
((20, 1), (58, 2))
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum, IntFlag
from typing import Final

from construct import Struct

from vhint.wire.codec import Codec, Data
from vhint.wire.derive import offsets
from vhint.wire.pci import CapabilityId
from vhint.wire.schema import End, Named, Padding, le16, le32, le64, u8
from vhint.wire.source import Face
from vhint.wire.status import DeviceStatus

VENDOR: Final = 0x1AF4
TRANSITIONAL_DEVICES: Final = range(0x1000, 0x1040)
"""Device ids of transitional devices; the subsystem id says which virtio device it is."""
MODERN_DEVICES: Final = range(0x1040, 0x1080)
"""Device ids of the others: this plus the virtio device id."""


class StructureKind(IntEnum):
    """What a capability locates."""

    COMMON = 1
    NOTIFY = 2
    ISR = 3
    DEVICE = 4
    CONFIG_ACCESS = 5
    SHARED_MEMORY = 8
    VENDOR = 9


class Isr(IntFlag):
    """A bit of the ISR status, which reading clears."""

    QUEUE = 1
    """A queue has used buffers."""
    CONFIG = 2
    """The configuration has changed."""


FORMAT: Final = Struct(
    "id" / Named(u8, CapabilityId),
    "next" / u8.doc("offset of the next capability"),
    "size" / u8.doc("bytes of this capability"),
    "kind" / Named(u8, StructureKind),
    "bar" / u8.doc("base address register"),
    "identity" / u8,
    "padding" / Padding(le16),
    "offset" / le32.doc("bytes into it"),
    "length" / le32.doc("bytes"),
    "end" / End,
)
"""The declaration of a capability (4.1.4 Virtio Structure PCI Capabilities)."""

SIZE: Final = 16
"""Bytes of a capability; one about notifications has four more, and others may have."""

NOTIFY: Final = Struct(*FORMAT.subcons[:-1], "multiplier" / le32)
"""What follows in the capability about notifications (4.1.4.4)."""

NOTIFY_FIELDS: Final = offsets(NOTIFY)
NOTIFY_SIZE: Final = int(NOTIFY.sizeof())

COMMON: Final = Struct(
    "device_feature_select" / le32,
    "device_feature" / le32,
    "driver_feature_select" / le32,
    "driver_feature" / le32,
    "config_msix_vector" / le16,
    "num_queues" / le16,
    "device_status" / Named(u8, DeviceStatus),
    "config_generation" / u8,
    "queue_select" / le16,
    "queue_size" / le16,
    "queue_msix_vector" / le16,
    "queue_enable" / le16,
    "queue_notify_off" / le16,
    "queue_desc" / le64,
    "queue_driver" / le64,
    "queue_device" / le64,
    "queue_notif_config_data" / le16,
    "queue_reset" / le16,
    "admin_queue_index" / le16,
    "admin_queue_num" / le16,
)
"""The common configuration (4.1.4.3); older devices end it after `queue_device`."""

COMMON_FIELDS: Final = offsets(COMMON)
"""Offset and size in bytes of each register, by name."""

COMMON_SIZE: Final = COMMON_FIELDS["queue_notif_config_data"][0]
"""Bytes of the registers that every device has."""

LEGACY: Final = Struct(
    "device_features" / le32,
    "driver_features" / le32,
    "queue_address" / le32,
    "queue_size" / le16,
    "queue_select" / le16,
    "queue_notify" / le16,
    "device_status" / Named(u8, DeviceStatus),
    "isr_status" / Named(u8, Isr),
)
"""The registers of the legacy interface, at the ports of BAR 0 (4.1.4.10)."""

LEGACY_FIELDS: Final = offsets(LEGACY)
LEGACY_SIZE: Final = int(LEGACY.sizeof())
"""Bytes of the legacy registers; with MSI-X off, the device's configuration follows them."""

LEGACY_PAGE: Final = 4096
"""Unit of a legacy queue's address, and the alignment of its used ring."""

NO_VECTOR: Final = 0xFFFF
"""What stands where an event is mapped to no vector."""


@dataclass(frozen=True, slots=True)
class VirtioCapability:
    """Where one structure lies: `length` bytes at `offset` behind the base address register `bar`.

    `kind` is a `StructureKind` or a number that nobody has named; `bar` is 0 to 5, other values
    are reserved. `size` counts the bytes of the capability itself.
    """

    id: int
    next: int
    size: int
    kind: int
    bar: int
    identity: int
    offset: int
    length: int


CODEC: Final = Codec[VirtioCapability]("virtio capability", FORMAT, Face(VirtioCapability))

parse: Final[Callable[[Data], VirtioCapability]] = CODEC.parse
"""Parse exactly 16 bytes. Raises `WireError`."""
build: Final[Callable[[VirtioCapability], bytes]] = CODEC.build
"""Build the 16 bytes. Raises `WireError`."""
