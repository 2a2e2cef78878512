"""The device as its driver sees it: down, live, given up, resetting.

Giving up is not yet a reset, and a reset that was asked for is not yet complete: what the device
has comes back only with RESET_DONE (`hint.driver.no-return-before-reset-done`,
`virtio.driver.reset-confirmed`).
"""

from __future__ import annotations

from enum import Enum, auto

from vhint.guest.tables import follow


class DeviceState(Enum):
    """What the driver has of its device."""

    DOWN = auto()
    """Nothing: it is reset, and every buffer is the driver's."""
    LIVE = auto()
    """DRIVER_OK is set."""
    GIVEN_UP = auto()
    """It answered nonsense, shows NEEDS_RESET, or does not answer: a reset is due."""
    RESETTING = auto()
    """0 was written to the status; it has not been read back."""


class DeviceEvent(Enum):
    """What happens to the device."""

    START = auto()
    """Initialisation went through."""
    GIVE_UP = auto()
    """The driver will not use it as it is (hint.driver.reset-on-bad-acknowledgement)."""
    RESET = auto()
    """The driver writes 0 to the status."""
    RESET_DONE = auto()
    """The status reads back 0."""


S, E = DeviceState, DeviceEvent

STEPS: dict[tuple[DeviceState, DeviceEvent], DeviceState] = {
    (S.DOWN, E.START): S.LIVE,
    (S.LIVE, E.GIVE_UP): S.GIVEN_UP,
    (S.LIVE, E.RESET): S.RESETTING,
    (S.GIVEN_UP, E.GIVE_UP): S.GIVEN_UP,
    (S.GIVEN_UP, E.RESET): S.RESETTING,
    (S.RESETTING, E.GIVE_UP): S.RESETTING,
    (S.RESETTING, E.RESET_DONE): S.DOWN,
}
"""(what the driver has, what happens) to what it has then."""


def advance(state: DeviceState, event: DeviceEvent) -> DeviceState:
    """Return the state that follows; raise `UndefinedStepError` for what is no step.

    >>> advance(DeviceState.RESETTING, DeviceEvent.RESET_DONE)
    <DeviceState.DOWN: 1>
    """
    return follow(STEPS, state, event)
