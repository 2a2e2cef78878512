"""Which payload each message has, which reply, and how many file descriptors come with it.

>>> SHAPES[Request.SET_VRING_NUM].payload is vring.STATE_CODEC
True
>>> SHAPES[Request.SET_MEM_TABLE].fds
range(1, 9)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from vhint.wire.codec import Codec
from vhint.wire.vhost_user import config, memory, u64, vring
from vhint.wire.vhost_user.names import BackendRequest, Request

NO_FDS: Final = range(1)
ONE_FD: Final = range(1, 2)
MAYBE_ONE_FD: Final = range(2)


@dataclass(frozen=True, slots=True)
class Shape:
    """What a message looks like."""

    payload: Codec[Any] | None = None
    """The codec of what the sender sends; None for no payload."""
    reply: Codec[Any] | None = None
    """The codec of the reply that is always sent; None if there is none, or none but the
    acknowledgement that a sender can ask for with REPLY_ACK."""
    fds: range = NO_FDS
    """How many file descriptors may come with it."""


_GET_U64: Final = Shape(reply=u64.CODEC)
_SET_U64: Final = Shape(u64.CODEC)
_SET_STATE: Final = Shape(vring.STATE_CODEC)
_SET_FILE: Final = Shape(vring.FILE_CODEC, fds=MAYBE_ONE_FD)
_NOTHING: Final = Shape()

SHAPES: Final[dict[Request, Shape]] = {
    Request.GET_FEATURES: _GET_U64,
    Request.SET_FEATURES: _SET_U64,
    Request.SET_OWNER: _NOTHING,
    Request.RESET_OWNER: _NOTHING,
    Request.SET_MEM_TABLE: Shape(memory.CODEC, fds=range(1, memory.BASELINE_REGIONS + 1)),
    Request.SET_LOG_FD: Shape(fds=ONE_FD),
    Request.SET_VRING_NUM: _SET_STATE,
    Request.SET_VRING_ADDR: Shape(vring.ADDRESS_CODEC),
    Request.SET_VRING_BASE: _SET_STATE,
    Request.GET_VRING_BASE: Shape(vring.STATE_CODEC, vring.STATE_CODEC),
    Request.SET_VRING_KICK: _SET_FILE,
    Request.SET_VRING_CALL: _SET_FILE,
    Request.SET_VRING_ERR: _SET_FILE,
    Request.GET_PROTOCOL_FEATURES: _GET_U64,
    Request.SET_PROTOCOL_FEATURES: _SET_U64,
    Request.GET_QUEUE_NUM: _GET_U64,
    Request.SET_VRING_ENABLE: _SET_STATE,
    Request.SET_BACKEND_REQ_FD: Shape(fds=ONE_FD),
    Request.GET_CONFIG: Shape(config.CODEC, config.CODEC),
    Request.SET_CONFIG: Shape(config.CODEC),
    Request.RESET_DEVICE: _NOTHING,
    Request.VRING_KICK: _SET_STATE,
    Request.GET_MAX_MEM_SLOTS: _GET_U64,
    Request.ADD_MEM_REG: Shape(memory.SINGLE_CODEC, fds=ONE_FD),
    Request.REM_MEM_REG: Shape(memory.SINGLE_CODEC, fds=MAYBE_ONE_FD),
    Request.SET_STATUS: _SET_U64,
    Request.GET_STATUS: _GET_U64,
}
"""The shapes of front ends' messages.  Requests without an entry are not for a balloon device."""

BACKEND_SHAPES: Final[dict[BackendRequest, Shape]] = {
    BackendRequest.CONFIG_CHANGE_MSG: _NOTHING,
    BackendRequest.VRING_CALL: _SET_STATE,
    BackendRequest.VRING_ERR: _SET_STATE,
}
"""The shapes of a back end's messages."""
