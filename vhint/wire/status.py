"""The device status field (VIRTIO 1.4, 2.1 Device Status Field)."""

from __future__ import annotations

from enum import IntFlag


class DeviceStatus(IntFlag):
    """One bit of the status, or several; 0 is the status of a device that was reset.

    >>> DeviceStatus(15) == DeviceStatus.LIVE
    True
    """

    ACKNOWLEDGE = 1
    """The driver has found the device."""
    DRIVER = 2
    """The driver knows how to drive it."""
    DRIVER_OK = 4
    """The driver is set up; the device may use its queues."""
    FEATURES_OK = 8
    """The driver has accepted features, and the device agrees."""
    NEEDS_RESET = 64
    """The device met an error from which only a reset recovers."""
    FAILED = 128
    """The driver has given up."""

    LIVE = ACKNOWLEDGE | DRIVER | FEATURES_OK | DRIVER_OK
    """The status at the end of initialisation."""
