"""The messages of vhost-user, by which a virtual machine monitor hands a device to a process.

Source: the vhost-user protocol as QEMU publishes it.  Each module has one subject, as everywhere in
`vhint.wire`; `messages.SHAPES` says which payload belongs to which request.

==============  ============================================================================
module          subject
==============  ============================================================================
names           requests of both directions, protocol features, flags
header          the 12 bytes before every payload
u64             the payload that is a number
memory          the table of memory regions, and the single region
vring           a ring's numbers, addresses and event descriptors
config          a part of config space
messages        which request has which payload, reply and descriptors
==============  ============================================================================
"""

from vhint.wire.vhost_user.config import ConfigMessage, ConfigPurpose, Octets
from vhint.wire.vhost_user.header import Header
from vhint.wire.vhost_user.memory import MemoryRegion, MemoryRegions, MemoryTable
from vhint.wire.vhost_user.messages import BACKEND_SHAPES, SHAPES, Shape
from vhint.wire.vhost_user.names import (
    VHOST_F_LOG_ALL,
    VHOST_USER_F_PROTOCOL_FEATURES,
    BackendRequest,
    HeaderFlag,
    ProtocolFeature,
    ProtocolFeatures,
    Request,
)
from vhint.wire.vhost_user.u64 import U64
from vhint.wire.vhost_user.vring import VringAddress, VringFile, VringState

__all__ = [
    "BACKEND_SHAPES",
    "SHAPES",
    "U64",
    "VHOST_F_LOG_ALL",
    "VHOST_USER_F_PROTOCOL_FEATURES",
    "BackendRequest",
    "ConfigMessage",
    "ConfigPurpose",
    "Header",
    "HeaderFlag",
    "MemoryRegion",
    "MemoryRegions",
    "MemoryTable",
    "Octets",
    "ProtocolFeature",
    "ProtocolFeatures",
    "Request",
    "Shape",
    "VringAddress",
    "VringFile",
    "VringState",
]
