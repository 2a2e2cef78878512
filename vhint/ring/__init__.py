"""Virtqueues over guest memory, split and packed: the driver half and the device half."""

from vhint.ring.chain import Chain
from vhint.ring.errors import Fault, RingError
from vhint.ring.formats import (
    DeviceRing,
    DriverRing,
    Layout,
    device_ring,
    driver_ring,
    in_format,
    layout_at,
    layout_of,
)
from vhint.ring.layout import SplitLayout
from vhint.ring.memory import AddressError, Backing, GuestMemory, Region
from vhint.ring.packed_device import PackedDeviceQueue
from vhint.ring.packed_driver import PackedDriverQueue
from vhint.ring.packed_layout import PackedLayout, Position
from vhint.ring.private_memory import PrivateMemory
from vhint.ring.several_files import FilePart, SeveralFiles
from vhint.ring.split_device import SplitDeviceQueue
from vhint.ring.split_driver import Completion, QueueFullError, SplitDriverQueue

__all__ = [
    "AddressError",
    "Backing",
    "Chain",
    "Completion",
    "DeviceRing",
    "DriverRing",
    "Fault",
    "FilePart",
    "GuestMemory",
    "Layout",
    "PackedDeviceQueue",
    "PackedDriverQueue",
    "PackedLayout",
    "Position",
    "PrivateMemory",
    "QueueFullError",
    "Region",
    "RingError",
    "SeveralFiles",
    "SplitDeviceQueue",
    "SplitDriverQueue",
    "SplitLayout",
    "device_ring",
    "driver_ring",
    "in_format",
    "layout_at",
    "layout_of",
]
