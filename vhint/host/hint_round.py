"""A round of free page hinting at the device as a table: who may begin, feed and end it.

The host asks for hints by showing a command id (`free-page-hint.device.round-id-not-reserved`);
the driver sends it back and pages after it, and only those count
(`free-page-hint.device.pages-before-id-ignored`, `free-page-hint.device.stale-id-ignored`).  The
driver's STOP, another id or the host ends the supply
(`free-page-hint.device.pages-after-stop-ignored`, `free-page-hint.device.stop-when-useless`); the
driver keeps its pages back until the field shows DONE, which is shown as soon as the host needs
them no longer, whether it succeeded, failed or was reset
(`free-page-hint.device.publish-done`, `free-page-hint.device.done-after-failure`,
`free-page-hint.device.reset-ends-round`).
"""

from __future__ import annotations

from enum import Enum, auto


class State(Enum):
    """How far a round has come; `SHOWN` says what the config field shows."""

    NO_ROUND = auto()
    """There has been no round yet."""
    REQUESTED = auto()
    """An id is shown; the driver has not sent it back, so pages mean nothing."""
    RUNNING = auto()
    """The driver has sent the id that is shown: the pages that follow are hints."""
    STOPPED = auto()
    """No more hints are taken, but the host still relies on those it has."""
    DONE = auto()
    """The host relies on no hint: the driver has all of its pages back."""


class Event(Enum):
    """What the host or the driver does."""

    HOST_STARTS = auto()
    """The host asks for hints under a new id; a round that is under way is over."""
    GUEST_SENDS_ID = auto()
    """The driver sends the id that is shown."""
    GUEST_SENDS_STALE_ID = auto()
    """The driver sends any other id that is not STOP, or a command that is not 4 bytes."""
    GUEST_SENDS_STOP = auto()
    """The driver says that no more pages follow."""
    HOST_STOPS = auto()
    """The host wants no more hints for now, as when it looks for pages that were written."""
    HOST_IS_DONE = auto()
    """What the hints were for has succeeded, failed or been cancelled."""
    INHIBIT = auto()
    """The host can no longer honour hints, as under postcopy."""
    RESET = auto()
    """The driver resets the device or the queue."""


STEPS: dict[tuple[State, Event], State] = {
    (State.NO_ROUND, Event.HOST_STARTS): State.REQUESTED,
    (State.NO_ROUND, Event.GUEST_SENDS_STALE_ID): State.NO_ROUND,
    (State.NO_ROUND, Event.GUEST_SENDS_STOP): State.NO_ROUND,
    (State.NO_ROUND, Event.HOST_STOPS): State.NO_ROUND,
    (State.NO_ROUND, Event.HOST_IS_DONE): State.NO_ROUND,
    (State.NO_ROUND, Event.INHIBIT): State.NO_ROUND,
    (State.NO_ROUND, Event.RESET): State.NO_ROUND,
    # A STOP that arrives before the id belongs to an earlier round.
    (State.REQUESTED, Event.HOST_STARTS): State.REQUESTED,
    (State.REQUESTED, Event.GUEST_SENDS_ID): State.RUNNING,
    (State.REQUESTED, Event.GUEST_SENDS_STALE_ID): State.REQUESTED,
    (State.REQUESTED, Event.GUEST_SENDS_STOP): State.REQUESTED,
    (State.REQUESTED, Event.HOST_STOPS): State.STOPPED,
    (State.REQUESTED, Event.HOST_IS_DONE): State.DONE,
    (State.REQUESTED, Event.INHIBIT): State.STOPPED,
    (State.REQUESTED, Event.RESET): State.DONE,
    # An id that is sent twice changes nothing (QEMU takes the second for STOP): the driver must
    # not, and the pages that follow still come under the id that is shown.
    (State.RUNNING, Event.HOST_STARTS): State.REQUESTED,
    (State.RUNNING, Event.GUEST_SENDS_ID): State.RUNNING,
    (State.RUNNING, Event.GUEST_SENDS_STALE_ID): State.STOPPED,
    (State.RUNNING, Event.GUEST_SENDS_STOP): State.STOPPED,
    (State.RUNNING, Event.HOST_STOPS): State.STOPPED,
    (State.RUNNING, Event.HOST_IS_DONE): State.DONE,
    (State.RUNNING, Event.INHIBIT): State.STOPPED,
    (State.RUNNING, Event.RESET): State.DONE,
    (State.STOPPED, Event.HOST_STARTS): State.REQUESTED,
    (State.STOPPED, Event.GUEST_SENDS_STALE_ID): State.STOPPED,
    (State.STOPPED, Event.GUEST_SENDS_STOP): State.STOPPED,
    (State.STOPPED, Event.HOST_STOPS): State.STOPPED,
    (State.STOPPED, Event.HOST_IS_DONE): State.DONE,
    (State.STOPPED, Event.INHIBIT): State.STOPPED,
    (State.STOPPED, Event.RESET): State.DONE,
    (State.DONE, Event.HOST_STARTS): State.REQUESTED,
    (State.DONE, Event.GUEST_SENDS_STALE_ID): State.DONE,
    (State.DONE, Event.GUEST_SENDS_STOP): State.DONE,
    (State.DONE, Event.HOST_STOPS): State.DONE,
    (State.DONE, Event.HOST_IS_DONE): State.DONE,
    (State.DONE, Event.INHIBIT): State.DONE,
    (State.DONE, Event.RESET): State.DONE,
}
"""(state, what happens) to the state that follows.

`GUEST_SENDS_ID` is listed only where an id is shown: anywhere else every id is stale.
"""


class Shown(Enum):
    """What config field `free_page_hint_cmd_id` shows."""

    STOP = auto()
    """0: no hints are wanted."""
    ID = auto()
    """The id of the round."""
    DONE = auto()
    """1: no hinted page is needed."""


SHOWN: dict[State, Shown] = {
    State.NO_ROUND: Shown.STOP,
    State.REQUESTED: Shown.ID,
    State.RUNNING: Shown.ID,
    State.STOPPED: Shown.STOP,
    State.DONE: Shown.DONE,
}
"""What the driver can read in each state; every change of it is notified
(`free-page-hint.device.id-change-notified`)."""


def advance(state: State, event: Event) -> State:
    """Return the state that follows; raise `ValueError` for a step that is not in the table.

    >>> advance(State.REQUESTED, Event.GUEST_SENDS_ID)
    <State.RUNNING: 3>
    """
    if (state, event) not in STEPS:
        raise ValueError(f"a round that is {state.name} never meets {event.name}")
    return STEPS[state, event]
