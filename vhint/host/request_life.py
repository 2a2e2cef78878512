"""A hinting request at the device as a table: taken, copied, validated, discarded, answered.

The order is the protocol.  A request is copied whole before it is judged
(`hint.device.copy-before-touch`), judged whole before a block is touched
(`hint.device.validate-before-touch`), and answered when the last discard is done, after which
nothing of it is touched (`hint.device.no-effect-after-use`).  Every path that a reset does not
cut short ends in `USED`, once (`hint.device.use-every-buffer`, `hint.device.use-once`); one that
it does ends in `ABANDONED` from wherever it was (`hint.device.no-effect-after-reset`).
"""

from __future__ import annotations

from enum import Enum, auto


class State(Enum):
    """How far the device is with a request."""

    POPPED = auto()
    """The chain was taken from the ring; none of the request has been read."""
    COPIED = auto()
    """The request is in memory that the driver cannot write; the driver's buffers are not read
    again."""
    VALIDATED = auto()
    """No rule speaks against the request; no block has been touched."""
    DISCARDING = auto()
    """Blocks are being touched: their content may be lost from here on."""
    ANSWERED = auto()
    """The discards are over; the acknowledgement says OK or PARTIAL."""
    REFUSED = auto()
    """The acknowledgement says MALFORMED, UNSUPPORTED or INHIBITED; nothing was touched."""
    UNANSWERABLE = auto()
    """There is no room for an acknowledgement: nothing is read, touched or written."""
    USED = auto()
    """The buffer is in the used ring: all blocks are the driver's again."""
    ABANDONED = auto()
    """A reset or a broken ring came first: nothing more is touched, written or used."""


class Event(Enum):
    """What the device does with a request, or a reset."""

    COPY = auto()
    """Copies the device-readable bytes, no more than the longest valid request has."""
    FIND_NO_ROOM = auto()
    """Finds fewer than 16 device-writable bytes."""
    ACCEPT = auto()
    """Finds no fault in the copy."""
    REFUSE = auto()
    """Finds a fault: the request is malformed or asks for what is not supported."""
    INHIBIT = auto()
    """Cannot discard at present: the host says so, or pages must keep showing poison_val."""
    DISCARD = auto()
    """Begins to discard the blocks, rounded inward to host pages."""
    FINISH = auto()
    """Has discarded all that it will."""
    USE = auto()
    """Writes the acknowledgement, if there is one, and puts the buffer into the used ring."""
    RESET = auto()
    """The driver resets the device or the queue, or breaks a ring so that only a reset helps."""


STEPS: dict[tuple[State, Event], State] = {
    (State.POPPED, Event.FIND_NO_ROOM): State.UNANSWERABLE,
    (State.POPPED, Event.COPY): State.COPIED,
    (State.COPIED, Event.REFUSE): State.REFUSED,
    (State.COPIED, Event.ACCEPT): State.VALIDATED,
    (State.VALIDATED, Event.INHIBIT): State.REFUSED,
    (State.VALIDATED, Event.DISCARD): State.DISCARDING,
    (State.DISCARDING, Event.FINISH): State.ANSWERED,
    (State.UNANSWERABLE, Event.USE): State.USED,
    (State.REFUSED, Event.USE): State.USED,
    (State.ANSWERED, Event.USE): State.USED,
    (State.POPPED, Event.RESET): State.ABANDONED,
    (State.COPIED, Event.RESET): State.ABANDONED,
    (State.VALIDATED, Event.RESET): State.ABANDONED,
    (State.DISCARDING, Event.RESET): State.ABANDONED,
    (State.ANSWERED, Event.RESET): State.ABANDONED,
    (State.REFUSED, Event.RESET): State.ABANDONED,
    (State.UNANSWERABLE, Event.RESET): State.ABANDONED,
}
"""(state, what happens) to the state that follows; what is not listed is never done."""


def advance(state: State, event: Event) -> State:
    """Return the state that follows; raise `ValueError` for a step that is not in the table.

    >>> advance(State.VALIDATED, Event.DISCARD)
    <State.DISCARDING: 4>
    """
    if (state, event) not in STEPS:
        raise ValueError(f"a request that is {state.name} never meets {event.name}")
    return STEPS[state, event]
