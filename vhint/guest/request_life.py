"""The life of a hinting request as its driver sees it.

The blocks of a request follow it: they are isolated while it is DRAFTED, the device's while it is
AVAILABLE, and come back over exactly one of two ways: a good answer
(`hint.driver.return-every-acknowledged`) or a reset that is complete
(`hint.driver.return-outstanding-after-reset`).  One bad answer taints all: nothing comes back
before the reset (`hint.driver.keep-isolated-on-bad-acknowledgement`), however good later answers
look.  NEEDS_RESET and a closed socket are no events here at all
(`hint.driver.needs-reset-returns-nothing`).
"""

from __future__ import annotations

from enum import Enum, auto

from vhint.guest.tables import follow


class RequestState(Enum):
    """How far a request has come."""

    DRAFTED = auto()
    """Its blocks are isolated; the device has not been told."""
    AVAILABLE = auto()
    """It is in the ring: its blocks are the device's."""
    USED_GOOD = auto()
    """It was used and the answer makes sense: its blocks are the driver's and on their way back."""
    USED_BAD = auto()
    """It was used with an answer that makes no sense: its blocks stay isolated until a reset."""
    QUARANTINED = auto()
    """It is outstanding, and no answer of this device is believed any more."""
    BY_RESET = auto()
    """A reset took it back: its blocks are the driver's and on their way back."""
    RETURNED = auto()
    """Every block is in the allocator again."""


class RequestEvent(Enum):
    """What happens to a request."""

    OFFER = auto()
    """It is made available."""
    WITHDRAW = auto()
    """Before it was made available, its blocks are wanted back (pressure, or no room)."""
    USED_WELL = auto()
    """The device used it with an answer that makes sense, whatever its status."""
    USED_BADLY = auto()
    """Wrong cookie, unknown status, a length that cannot be (vhint, rule 5)."""
    DISTRUST = auto()
    """Another request of the device was used badly, or the driver gives the device up."""
    RESET_DONE = auto()
    """The device status reads 0 again."""
    RETURN = auto()
    """The last block went back to the allocator."""


S, E = RequestState, RequestEvent

STEPS: dict[tuple[RequestState, RequestEvent], RequestState] = {
    (S.DRAFTED, E.OFFER): S.AVAILABLE,
    (S.DRAFTED, E.WITHDRAW): S.RETURNED,
    (S.DRAFTED, E.DISTRUST): S.DRAFTED,
    (S.DRAFTED, E.RESET_DONE): S.DRAFTED,
    (S.AVAILABLE, E.USED_WELL): S.USED_GOOD,
    (S.AVAILABLE, E.USED_BADLY): S.USED_BAD,
    (S.AVAILABLE, E.DISTRUST): S.QUARANTINED,
    (S.AVAILABLE, E.RESET_DONE): S.BY_RESET,
    (S.USED_GOOD, E.DISTRUST): S.USED_GOOD,
    (S.USED_GOOD, E.RESET_DONE): S.USED_GOOD,
    (S.USED_GOOD, E.RETURN): S.RETURNED,
    (S.USED_BAD, E.DISTRUST): S.USED_BAD,
    (S.USED_BAD, E.RESET_DONE): S.BY_RESET,
    # An answer that arrives after the first bad one proves nothing.
    (S.QUARANTINED, E.USED_WELL): S.QUARANTINED,
    (S.QUARANTINED, E.USED_BADLY): S.QUARANTINED,
    (S.QUARANTINED, E.DISTRUST): S.QUARANTINED,
    (S.QUARANTINED, E.RESET_DONE): S.BY_RESET,
    (S.BY_RESET, E.DISTRUST): S.BY_RESET,
    (S.BY_RESET, E.RESET_DONE): S.BY_RESET,
    (S.BY_RESET, E.RETURN): S.RETURNED,
}
"""(how far a request is, what happens) to how far it is then."""


def advance(state: RequestState, event: RequestEvent) -> RequestState:
    """Return the state that follows; raise `UndefinedStepError` for what is no step.

    >>> advance(RequestState.AVAILABLE, RequestEvent.USED_BADLY)
    <RequestState.USED_BAD: 4>
    """
    return follow(STEPS, state, event)
