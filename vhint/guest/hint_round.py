"""A round of free page hinting, as its driver sees it (VIRTIO 1.4, Free Page Hinting).

The device shows a command id in config space.  A new id begins a round: the driver sends it, once
and first (`free-page-hint.driver.id-first`, `id-once`), supplies pages, and ends with STOP
(`finish-with-stop`): when it has no more, when the device shows STOP or DONE
(`stop-on-command`), or under memory pressure.  The pages stay away until DONE (`release-on-done`);
under pressure they may come back before, and are then written first (`may-release-early`,
`initialise-early-release`).  A new id may follow STOP without a DONE between: the pages of the old
round stay held.
"""

from __future__ import annotations

from enum import Enum, auto

from vhint.guest.tables import follow


class RoundState(Enum):
    """What the driver is about to do."""

    IDLE = auto()
    """No round, and no page held."""
    ANNOUNCED = auto()
    """The device shows a new id; it has not been sent back."""
    SUPPLYING = auto()
    """The id is in the queue; pages follow it."""
    ENDING = auto()
    """Nothing more will be supplied; STOP has yet to be sent."""
    STOPPED = auto()
    """STOP was sent; the pages are held until DONE."""
    RELEASING = auto()
    """The device shows DONE: what is held goes back to the allocator."""


class RoundEvent(Enum):
    """What happens to a round."""

    NEW_ID = auto()
    """Config space shows an id of 2 or more that is not the current round's."""
    SEND_ID = auto()
    """The driver makes the id available."""
    SUPPLY = auto()
    """The driver makes a block of pages available."""
    OUT_OF_PAGES = auto()
    """There is no block left that the driver can spare."""
    PRESSURE = auto()
    """The guest needs memory: supplying ends, and held pages may be taken back."""
    COMMAND_STOP = auto()
    """Config space shows STOP (0)."""
    COMMAND_DONE = auto()
    """Config space shows DONE (1)."""
    SEND_STOP = auto()
    """The driver makes STOP available, in the slot that it kept for it."""
    RELEASED = auto()
    """The last held page is back in the allocator."""
    RESET = auto()
    """A reset of the device is complete: there is no round, and what was held goes back."""


S, E = RoundState, RoundEvent

STEPS: dict[tuple[RoundState, RoundEvent], RoundState] = {
    (S.IDLE, E.NEW_ID): S.ANNOUNCED,
    (S.IDLE, E.COMMAND_STOP): S.IDLE,
    (S.IDLE, E.COMMAND_DONE): S.IDLE,
    (S.IDLE, E.PRESSURE): S.IDLE,
    (S.IDLE, E.RESET): S.IDLE,
    (S.ANNOUNCED, E.SEND_ID): S.SUPPLYING,
    (S.ANNOUNCED, E.NEW_ID): S.ANNOUNCED,
    # Nothing of this round is in the queue, so nothing needs to be ended there.
    (S.ANNOUNCED, E.COMMAND_STOP): S.STOPPED,
    (S.ANNOUNCED, E.COMMAND_DONE): S.RELEASING,
    (S.ANNOUNCED, E.PRESSURE): S.ANNOUNCED,
    (S.ANNOUNCED, E.RESET): S.RELEASING,
    (S.SUPPLYING, E.SUPPLY): S.SUPPLYING,
    (S.SUPPLYING, E.OUT_OF_PAGES): S.ENDING,
    (S.SUPPLYING, E.PRESSURE): S.ENDING,
    (S.SUPPLYING, E.COMMAND_STOP): S.ENDING,
    (S.SUPPLYING, E.COMMAND_DONE): S.ENDING,
    (S.SUPPLYING, E.NEW_ID): S.ENDING,
    (S.SUPPLYING, E.RESET): S.RELEASING,
    (S.ENDING, E.SEND_STOP): S.STOPPED,
    (S.ENDING, E.PRESSURE): S.ENDING,
    (S.ENDING, E.COMMAND_STOP): S.ENDING,
    (S.ENDING, E.COMMAND_DONE): S.ENDING,
    (S.ENDING, E.NEW_ID): S.ENDING,
    (S.ENDING, E.RESET): S.RELEASING,
    (S.STOPPED, E.PRESSURE): S.STOPPED,
    (S.STOPPED, E.COMMAND_STOP): S.STOPPED,
    (S.STOPPED, E.COMMAND_DONE): S.RELEASING,
    (S.STOPPED, E.NEW_ID): S.ANNOUNCED,
    (S.STOPPED, E.RELEASED): S.IDLE,
    (S.STOPPED, E.RESET): S.RELEASING,
    (S.RELEASING, E.RELEASED): S.IDLE,
    (S.RELEASING, E.PRESSURE): S.RELEASING,
    (S.RELEASING, E.COMMAND_STOP): S.RELEASING,
    (S.RELEASING, E.COMMAND_DONE): S.RELEASING,
    (S.RELEASING, E.RESET): S.RELEASING,
}
"""(what the driver is about to do, what happens) to what it is about to do then.

While ENDING or RELEASING a new id waits: config space still shows it afterwards.
"""


def advance(state: RoundState, event: RoundEvent) -> RoundState:
    """Return the state that follows; raise `UndefinedStepError` for what is no step.

    >>> advance(RoundState.SUPPLYING, RoundEvent.OUT_OF_PAGES)
    <RoundState.ENDING: 4>
    """
    return follow(STEPS, state, event)
