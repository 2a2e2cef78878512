"""The life of one ring as a front end leads it: what is said at each step, as a table.

Source: the vhost-user protocol, Starting and stopping rings.  A ring has two switches.  It is
*started* by a kick and stopped by GET_VRING_BASE; and, once protocol features were negotiated, it
is *enabled* by SET_VRING_ENABLE.  Without protocol features a ring is enabled from the start, so
its kick descriptor must wait for DRIVER_OK.
"""

from __future__ import annotations

import os
import select
from dataclasses import dataclass, field
from enum import Enum, auto

from vhint.ring import Layout
from vhint.wire.vhost_user import Request


class RingState(Enum):
    """What the back end knows of a ring."""

    UNKNOWN = auto()
    """Nothing; a kick has no way to reach it."""
    PLACED = auto()
    """Where it lies, and that it must not be processed yet."""
    RUNNING = auto()
    """That it may be processed."""
    STOPPED = auto()
    """That it must be left alone: its base was asked for, and answered."""


class RingEvent(Enum):
    """What the front end does with a ring."""

    SET_UP = auto()
    """The driver has said where the queue lies and enabled it."""
    GO_LIVE = auto()
    """The driver has set DRIVER_OK."""
    STOP = auto()
    """The driver resets the device."""


STEPS: dict[tuple[RingState, RingEvent], RingState] = {
    (RingState.UNKNOWN, RingEvent.SET_UP): RingState.PLACED,
    (RingState.STOPPED, RingEvent.SET_UP): RingState.PLACED,
    (RingState.PLACED, RingEvent.SET_UP): RingState.PLACED,
    (RingState.PLACED, RingEvent.GO_LIVE): RingState.RUNNING,
    (RingState.RUNNING, RingEvent.GO_LIVE): RingState.RUNNING,
    (RingState.PLACED, RingEvent.STOP): RingState.STOPPED,
    (RingState.RUNNING, RingEvent.STOP): RingState.STOPPED,
}
"""(state, event) to the state that follows; an event without an entry says nothing."""

PLACING = (
    Request.SET_VRING_NUM,
    Request.SET_VRING_BASE,
    Request.SET_VRING_ADDR,
    Request.SET_VRING_ERR,
    Request.SET_VRING_CALL,
)

MESSAGES: dict[RingEvent, tuple[Request, ...]] = {
    RingEvent.SET_UP: (*PLACING, Request.SET_VRING_KICK),
    RingEvent.GO_LIVE: (Request.SET_VRING_ENABLE,),
    RingEvent.STOP: (Request.SET_VRING_ENABLE, Request.GET_VRING_BASE),
}
"""What is sent for an event when protocol features were negotiated."""

MESSAGES_WITHOUT_ENABLE: dict[RingEvent, tuple[Request, ...]] = {
    RingEvent.SET_UP: PLACING,
    RingEvent.GO_LIVE: (Request.SET_VRING_KICK,),
    RingEvent.STOP: (Request.GET_VRING_BASE,),
}
"""What is sent for an event when there are no protocol features."""


def _eventfd() -> int:
    return os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)


@dataclass(slots=True)
class Ring:
    """A ring, and the three eventfds by which both sides signal each other.

    They outlive a reset, so that a back end that goes on signalling is heard; the next set-up has
    new ones.
    """

    index: int
    layout: Layout
    state: RingState = RingState.UNKNOWN
    kick: int = field(default_factory=_eventfd)
    call: int = field(default_factory=_eventfd)
    error: int = field(default_factory=_eventfd)

    def take_call(self) -> bool:
        """Return whether the back end has signalled used buffers since this was last asked."""
        return _drain(self.call)

    def take_error(self) -> bool:
        """Return whether the back end has signalled an error since this was last asked."""
        return _drain(self.error)

    def signal(self) -> None:
        """Tell the back end that there are new buffers."""
        if _ready(self.kick, select.POLLOUT):  # 2^64 signals that nobody took say enough
            os.eventfd_write(self.kick, 1)

    def close(self) -> None:
        """Close the descriptors."""
        for fd in (self.kick, self.call, self.error):
            os.close(fd)


def _drain(fd: int) -> bool:
    return _ready(fd, select.POLLIN) and os.eventfd_read(fd) > 0


def _ready(fd: int, event: int) -> bool:
    """Whether the descriptor would not block; the back end can take O_NONBLOCK off it."""
    poller = select.poll()
    poller.register(fd, event)
    return bool(poller.poll(0))
