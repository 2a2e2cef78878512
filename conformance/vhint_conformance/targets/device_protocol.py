"""What a Python object has to be for the suite to take it for a device."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from vhint.ring import Layout


@runtime_checkable
class DeviceUnderTest(Protocol):
    """A virtio balloon device over guest memory that its factory was given.

    `vhint.host.Device` is one.  It works only inside `step`: a call to any other method returns
    at once.  Attributes `host_page` (the unit of discarding in bytes) and `queue_mode` (a
    `vhint.wire.queues.QueueMode`) are looked at if there are any, and the methods in `OPTIONAL`
    let more cases run.
    """

    def read_status(self) -> int:
        """Return the device status."""

    def write_status(self, value: int) -> None:
        """Take a write to the device status; 0 asks for a reset."""

    def read_features(self) -> int:
        """Return the 64 feature bits that are offered."""

    def write_features(self, bits: int) -> None:
        """Take the 64 feature bits that the driver accepts."""

    def read_config(self, offset: int, length: int) -> bytes:
        """Return bytes of config space."""

    def write_config(self, offset: int, data: bytes) -> None:
        """Take a write to config space."""

    def config_generation(self) -> int:
        """Return the number that changes with config space."""

    def queue_max(self, index: int) -> int:
        """Return the largest size of a queue, 0 if there is no such queue."""

    def set_up_queue(self, index: int, layout: Layout) -> bool:
        """Learn where a queue lies (packed, with RING_PACKED); return whether it is ready."""

    def queue_ready(self, index: int) -> bool:
        """Return whether a queue is enabled."""

    def notify(self, index: int) -> None:
        """Learn that a queue has new buffers."""

    def take_interrupts(self) -> tuple[bool, bool]:
        """Return (used buffer, config) notifications since the last call."""

    def step(self) -> bool:
        """Do one bounded piece of work; return whether there was any."""


OPTIONAL = ("set_balloon_size", "poll_statistics", "statistics", "start_round", "stop_round",
            "finish_round", "cancel_round")  # fmt: skip
"""Methods that let the suite play the host's administrator."""

_NEEDED = tuple(
    name for name, value in vars(DeviceUnderTest).items()
    if callable(value) and not name.startswith("_")
)  # fmt: skip


def missing_from(device: object) -> list[str]:
    """Return the methods of `DeviceUnderTest` that an object has not.

    >>> missing_from(object())[:2]
    ['read_status', 'write_status']
    """
    return [name for name in _NEEDED if not callable(getattr(device, name, None))]
