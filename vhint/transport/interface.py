"""What a transport supplies to a driver: status, features, config space, queues, notify, wait.

Nothing else: the memory is shared beside it and the rings are in the memory.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from vhint.ring import GuestMemory, Layout
from vhint.wire.status import DeviceStatus


@dataclass(frozen=True, slots=True)
class Interrupts:
    """Which notifications the device sent since they were last taken."""

    used: bool = False
    config: bool = False

    def __or__(self, other: Interrupts) -> Interrupts:
        return Interrupts(self.used or other.used, self.config or other.config)


class Transport(ABC):
    """The driver's end of a connection to one device.

    Values are plain integers as they stand in the registers.  `TransportError` means that the
    other end is gone or answers nonsense; what the device does wrong by the standard is not an
    error here.
    """

    #: The driver's own mapping of guest memory.
    memory: GuestMemory

    #: Whether this is the legacy interface: 32 feature bits, no FEATURES_OK, and one address a
    #: queue, whose size is the device's and whose used ring begins on a page of its own.
    legacy: ClassVar[bool] = False

    #: Whether the device works while nobody waits for it, so that it can be caught in the act.
    works_by_itself: ClassVar[bool] = False

    @abstractmethod
    def device_id(self) -> int:
        """Return the virtio device id (5: memory balloon)."""

    @abstractmethod
    def read_status(self) -> DeviceStatus:
        """Return the device status."""

    @abstractmethod
    def write_status(self, status: int) -> None:
        """Write the device status; 0 asks for a reset, which `read_status` shows as done."""

    @abstractmethod
    def read_features(self) -> int:
        """Return the 64 feature bits that the device offers."""

    @abstractmethod
    def write_features(self, bits: int) -> None:
        """Write the 64 feature bits that the driver accepts."""

    @abstractmethod
    def read_config(self, offset: int, length: int) -> bytes:
        """Return bytes of config space; what the device does not have reads as zeros or junk."""

    @abstractmethod
    def write_config(self, offset: int, data: bytes) -> None:
        """Write bytes of config space."""

    @abstractmethod
    def config_generation(self) -> int:
        """Return the number that changes whenever the device changes its config space."""

    @abstractmethod
    def queue_max(self, index: int) -> int:
        """Return the largest size of queue `index`, 0 if there is no such queue."""

    @abstractmethod
    def set_up_queue(self, index: int, layout: Layout) -> bool:
        """Tell the device where a queue lies and enable it; return whether it reads as ready."""

    def begin_queue_at(self, index: int, base: int) -> None:
        """Have split queue `index` begin at that index of its rings when it is set up next.

        So begins a queue that has run elsewhere, as after a migration.  Raises
        `NotImplementedError` where the transport has no way to say so.
        """
        raise NotImplementedError("this transport begins every queue at its beginning")

    @abstractmethod
    def queue_ready(self, index: int) -> bool:
        """Return whether queue `index` is enabled."""

    def start_queue_reset(self, index: int) -> None:
        """Ask the device to reset queue `index` alone, as VIRTIO_F_RING_RESET allows.

        Raises `NotImplementedError` where the transport has no way to ask.
        """
        raise NotImplementedError("this transport resets no single queue")

    def queue_resetting(self, index: int) -> bool:
        """Return whether a reset of queue `index` alone is still going on."""
        raise NotImplementedError("this transport resets no single queue")

    @abstractmethod
    def notify(self, index: int) -> None:
        """Tell the device that a queue has new buffers."""

    @abstractmethod
    def take_interrupts(self) -> Interrupts:
        """Return what the device signalled since the last call, and acknowledge it."""

    @abstractmethod
    def wait(self, condition: Callable[[], bool], seconds: float) -> bool:
        """Let the device work until `condition` holds; return whether it came to hold.

        A transport whose device has no time of its own returns False as soon as the device has
        nothing left to do.
        """

    @abstractmethod
    def settle(self) -> None:
        """Give the device every chance to do what it has begun; used before a negative check."""

    @abstractmethod
    def close(self) -> None:
        """Let go of the connection and of the memory."""


class TransportError(Exception):
    """The other end of the transport is gone, or does not speak its protocol."""
