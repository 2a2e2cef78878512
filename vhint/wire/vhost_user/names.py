"""The names of vhost-user: requests of both directions, protocol features, bits of the header.

Source: the vhost-user protocol as QEMU publishes it (docs/interop/vhost-user.rst).  A *front end*
is the virtual machine monitor, whose guest has the driver; a *back end* is the process that serves
the device.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum, IntFlag
from typing import Final

VHOST_USER_F_PROTOCOL_FEATURES: Final = 30
"""The virtio feature bit by which a back end says that it has protocol features.

It is acknowledged to the back end only; a driver never sees it.  Without it rings are enabled from
the start; with it they wait for SET_VRING_ENABLE.
"""

VHOST_F_LOG_ALL: Final = 26
"""The virtio feature bit by which a front end switches the log of dirtied pages on."""


class Request(IntEnum):
    """What a front end asks."""

    GET_FEATURES = 1
    SET_FEATURES = 2
    SET_OWNER = 3
    RESET_OWNER = 4
    SET_MEM_TABLE = 5
    SET_LOG_BASE = 6
    SET_LOG_FD = 7
    SET_VRING_NUM = 8
    SET_VRING_ADDR = 9
    SET_VRING_BASE = 10
    GET_VRING_BASE = 11
    SET_VRING_KICK = 12
    SET_VRING_CALL = 13
    SET_VRING_ERR = 14
    GET_PROTOCOL_FEATURES = 15
    SET_PROTOCOL_FEATURES = 16
    GET_QUEUE_NUM = 17
    SET_VRING_ENABLE = 18
    SEND_RARP = 19
    NET_SET_MTU = 20
    SET_BACKEND_REQ_FD = 21
    IOTLB_MSG = 22
    SET_VRING_ENDIAN = 23
    GET_CONFIG = 24
    SET_CONFIG = 25
    CREATE_CRYPTO_SESSION = 26
    CLOSE_CRYPTO_SESSION = 27
    POSTCOPY_ADVISE = 28
    POSTCOPY_LISTEN = 29
    POSTCOPY_END = 30
    GET_INFLIGHT_FD = 31
    SET_INFLIGHT_FD = 32
    GPU_SET_SOCKET = 33
    RESET_DEVICE = 34
    VRING_KICK = 35
    GET_MAX_MEM_SLOTS = 36
    ADD_MEM_REG = 37
    REM_MEM_REG = 38
    SET_STATUS = 39
    GET_STATUS = 40
    GET_SHARED_OBJECT = 41
    SET_DEVICE_STATE_FD = 42
    CHECK_DEVICE_STATE = 43


class BackendRequest(IntEnum):
    """What a back end asks, on the channel of SET_BACKEND_REQ_FD."""

    IOTLB_MSG = 1
    CONFIG_CHANGE_MSG = 2
    VRING_HOST_NOTIFIER_MSG = 3
    VRING_CALL = 4
    VRING_ERR = 5
    SHARED_OBJECT_ADD = 6
    SHARED_OBJECT_REMOVE = 7
    SHARED_OBJECT_LOOKUP = 8


class HeaderFlag(IntFlag):
    """Bits of a header's flags above the two of the version."""

    REPLY = 4
    """This message answers one."""
    NEED_REPLY = 8
    """With REPLY_ACK: the sender wants to know whether it worked."""


class ProtocolFeature(IntEnum):
    """A feature of the protocol itself, as the number of its bit."""

    MQ = 0
    LOG_SHMFD = 1
    RARP = 2
    REPLY_ACK = 3
    MTU = 4
    BACKEND_REQ = 5
    CROSS_ENDIAN = 6
    CRYPTO_SESSION = 7
    PAGEFAULT = 8
    CONFIG = 9
    BACKEND_SEND_FD = 10
    HOST_NOTIFIER = 11
    INFLIGHT_SHMFD = 12
    RESET_DEVICE = 13
    INBAND_NOTIFICATIONS = 14
    CONFIGURE_MEM_SLOTS = 15
    STATUS = 16
    XEN_MMAP = 17
    SHARED_OBJECT = 18
    DEVICE_STATE = 19


@dataclass(frozen=True, slots=True, repr=False)
class ProtocolFeatures:
    """A set of protocol features: a 64-bit mask that never loses a bit it has no name for.

    >>> offered = ProtocolFeatures.of(ProtocolFeature.CONFIG, ProtocolFeature.REPLY_ACK)
    >>> offered, ProtocolFeature.CONFIG in offered, list(ProtocolFeatures(1 << 40))
    (ProtocolFeatures(REPLY_ACK | CONFIG), True, [])
    """

    bits: int = 0

    @classmethod
    def of(cls, *features: ProtocolFeature) -> ProtocolFeatures:
        """Make the set of the given features."""
        return cls(sum(1 << feature for feature in set(features)))

    def __contains__(self, feature: ProtocolFeature) -> bool:
        return bool(self.bits >> feature & 1)

    def __iter__(self) -> Iterator[ProtocolFeature]:
        return (feature for feature in ProtocolFeature if feature in self)

    def __and__(self, other: ProtocolFeatures) -> ProtocolFeatures:
        return ProtocolFeatures(self.bits & other.bits)

    def __sub__(self, other: ProtocolFeatures) -> ProtocolFeatures:
        return ProtocolFeatures(self.bits & ~other.bits)

    def __bool__(self) -> bool:
        return self.bits != 0

    def __repr__(self) -> str:
        names = [feature.name for feature in self]
        unknown = self.bits & ~sum(1 << feature for feature in ProtocolFeature)
        names += [f"bit {n}" for n in range(unknown.bit_length()) if unknown >> n & 1]
        return f"ProtocolFeatures({' | '.join(names)})"
