"""What the back end knows of one ring, and when it may be processed.

Source: the vhost-user protocol, Ring states.  A ring is started by its first kick and stopped by
GET_VRING_BASE; whether it is enabled is another question, and it is processed only if it is both.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

from vhint.ring import Layout, layout_of
from vhint.ring.packed_device import FRESH
from vhint.transport.vhost_user.connection import Refused, close_all
from vhint.transport.vhost_user.memory_map import MemoryMap
from vhint.wire.vhost_user import VringAddress


class RingState(Enum):
    """How far a ring has come."""

    STOPPED_DISABLED = auto()
    """Set up, or not even that."""
    STOPPED_ENABLED = auto()
    """It would be processed if it were kicked."""
    STARTED_DISABLED = auto()
    """It was kicked, and must not be processed for now."""
    RUNNING = auto()
    """It is processed."""


class RingEvent(Enum):
    """What happens to a ring."""

    KICK = auto()
    """New buffers are announced."""
    STOP = auto()
    """GET_VRING_BASE; or it is set up anew, or the device is reset."""
    ENABLE = auto()
    """SET_VRING_ENABLE 1; or the front end does not know of enabling."""
    DISABLE = auto()
    """SET_VRING_ENABLE 0."""


STEPS: dict[tuple[RingState, RingEvent], RingState] = {
    (RingState.STOPPED_DISABLED, RingEvent.KICK): RingState.STARTED_DISABLED,
    (RingState.STOPPED_DISABLED, RingEvent.STOP): RingState.STOPPED_DISABLED,
    (RingState.STOPPED_DISABLED, RingEvent.ENABLE): RingState.STOPPED_ENABLED,
    (RingState.STOPPED_DISABLED, RingEvent.DISABLE): RingState.STOPPED_DISABLED,
    (RingState.STOPPED_ENABLED, RingEvent.KICK): RingState.RUNNING,
    (RingState.STOPPED_ENABLED, RingEvent.STOP): RingState.STOPPED_ENABLED,
    (RingState.STOPPED_ENABLED, RingEvent.ENABLE): RingState.STOPPED_ENABLED,
    (RingState.STOPPED_ENABLED, RingEvent.DISABLE): RingState.STOPPED_DISABLED,
    (RingState.STARTED_DISABLED, RingEvent.KICK): RingState.STARTED_DISABLED,
    (RingState.STARTED_DISABLED, RingEvent.STOP): RingState.STOPPED_DISABLED,
    (RingState.STARTED_DISABLED, RingEvent.ENABLE): RingState.RUNNING,
    (RingState.STARTED_DISABLED, RingEvent.DISABLE): RingState.STARTED_DISABLED,
    (RingState.RUNNING, RingEvent.KICK): RingState.RUNNING,
    (RingState.RUNNING, RingEvent.STOP): RingState.STOPPED_ENABLED,
    (RingState.RUNNING, RingEvent.ENABLE): RingState.RUNNING,
    (RingState.RUNNING, RingEvent.DISABLE): RingState.STARTED_DISABLED,
}
"""(state, what happens) to the state that follows."""


@dataclass(slots=True)
class Vring:
    """One ring as the front end has set it up.  It owns its descriptors; -1 is none.

    `exact` says that `base` is where this back end stopped.
    """

    index: int
    state: RingState = RingState.STOPPED_DISABLED
    size: int = 0
    base: int = 0
    exact: bool = False
    address: VringAddress | None = None
    kick: int = -1
    call: int = -1
    err: int = -1
    kicks: int = 0
    calls: int = 0

    def step(self, event: RingEvent) -> RingState:
        """Walk the table and return the state before."""
        before, self.state = self.state, STEPS[self.state, event]
        return before

    @property
    def is_started(self) -> bool:
        """Whether it has been kicked since it was stopped."""
        return self.state in (RingState.RUNNING, RingState.STARTED_DISABLED)

    def layout(self, memory: MemoryMap, *, packed: bool) -> Layout:
        """Return where its parts lie for the guest; raise `Refused` if that cannot be."""
        if not self.size or self.address is None:
            missing = "size" if not self.size else "address"
            raise Refused(f"ring {self.index} was started before its {missing} was set")
        at = self.address
        said = layout_of(self.size, at.descriptors, at.available, at.used, packed=packed)
        spans = (said.descriptor_span, said.available_span, said.used_span)
        places = [memory.to_guest(span.start, span.length) for span in spans]
        return layout_of(self.size, *places, packed=packed)

    def put_base(self, base: int) -> None:
        """Take where to begin from a front end, which may mean more than one thing by 0."""
        self.exact = self.exact and base == self.base
        self.base = base

    @property
    def has_run(self) -> bool:
        """Whether its base says that somebody served it before."""
        return self.base not in (0, FRESH)

    def close(self) -> None:
        """Close its descriptors."""
        close_all([fd for fd in (self.kick, self.call, self.err) if fd >= 0])
        self.kick = self.call = self.err = -1
