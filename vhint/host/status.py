"""The device status as a table: what a driver may write when, and what the device makes of it.

VIRTIO 1.4, Device Status Field and Device Initialization.
"""

from __future__ import annotations

from enum import Enum, auto

from vhint.wire.status import DeviceStatus


class Phase(Enum):
    """How far initialisation has come."""

    RESET = auto()
    ACKNOWLEDGED = auto()
    DRIVER = auto()
    FEATURES_OK = auto()
    LIVE = auto()


STEPS: dict[tuple[Phase, DeviceStatus], Phase] = {
    (Phase.RESET, DeviceStatus.ACKNOWLEDGE): Phase.ACKNOWLEDGED,
    (Phase.ACKNOWLEDGED, DeviceStatus.DRIVER): Phase.DRIVER,
    (Phase.DRIVER, DeviceStatus.FEATURES_OK): Phase.FEATURES_OK,
    (Phase.FEATURES_OK, DeviceStatus.DRIVER_OK): Phase.LIVE,
}
"""(phase, the bit that the driver adds) to the phase that follows.

A bit that is not listed for a phase does not move it: the device remembers the bit, which the
driver can read back, and stays where it is.  Several bits in one write count in the order of
the initialisation sequence.  In particular DRIVER_OK without FEATURES_OK leaves every queue
unprocessed.
"""

SEQUENCE = (
    DeviceStatus.ACKNOWLEDGE,
    DeviceStatus.DRIVER,
    DeviceStatus.FEATURES_OK,
    DeviceStatus.DRIVER_OK,
)
"""The order in which the bits of one write are looked at."""


def advance(phase: Phase, added: int) -> Phase:
    """Return the phase after a write that adds the bits `added` to the status.

    >>> advance(Phase.RESET, DeviceStatus.ACKNOWLEDGE | DeviceStatus.DRIVER)
    <Phase.DRIVER: 3>
    >>> advance(Phase.DRIVER, DeviceStatus.DRIVER_OK)
    <Phase.DRIVER: 3>
    """
    for bit in SEQUENCE:
        if added & bit:
            phase = STEPS.get((phase, bit), phase)
    return phase
