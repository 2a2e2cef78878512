"""Driver and reference device in one process: deterministic, and schedulable step by step."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType

from vhint.host import Device, DeviceFactory
from vhint.host.device import BALLOON_DEVICE_ID
from vhint.ring import GuestMemory, Layout
from vhint.transport.interface import Interrupts, Transport, TransportError
from vhint.wire.queues import Queue
from vhint.wire.status import DeviceStatus

MAX_STEPS = 1_000_000
"""Steps of one `wait` after which a device is taken to work for ever."""


class DeviceFaults(AbstractContextManager[None]):
    """A context that turns whatever a device object raises into `TransportError`.

    A device that raises has crashed, as a process would; the driver must not crash with it.
    """

    def __enter__(self) -> None:
        pass

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if isinstance(error, (Exception, SystemExit)):
            place = traceback.extract_tb(trace)[-1]
            raise TransportError(
                f"the device raised {type(error).__name__}: {error} "
                f"({Path(place.filename).name}:{place.lineno})"
            ) from error


DEVICE_FAULTS = DeviceFaults()


class Loopback(Transport):
    """A transport to a device object over `size` bytes of shared memory, or a view of `memory`.

    The two sides have a mapping each, as two processes would.  The device works only inside
    `wait`, `settle` and `step`, so a test decides what happens between any two of its steps.
    `memory` is the driver's mapping, `device_memory` the device's.
    Every call of it is made within `faults`, which says what becomes of an exception.
    """

    def __init__(
        self,
        make_device: DeviceFactory,
        size: int,
        memory: GuestMemory | None = None,
        faults: AbstractContextManager[None] = DEVICE_FAULTS,
    ) -> None:
        self._faults = faults
        self.memory = memory.view() if memory else GuestMemory.create(size)
        self.device_memory = self.memory.view()
        try:
            with self._faults:
                self.device: Device = make_device(self.device_memory)
        except BaseException:
            self.close()
            raise

    def device_id(self) -> int:
        """Return 5, the memory balloon."""
        return BALLOON_DEVICE_ID

    def read_status(self) -> DeviceStatus:
        """Return the device status."""
        with self._faults:
            return DeviceStatus(self.device.read_status())

    def write_status(self, status: int) -> None:
        """Write the device status."""
        with self._faults:
            self.device.write_status(status)

    def read_features(self) -> int:
        """Return the offered bits."""
        with self._faults:
            return self.device.read_features()

    def write_features(self, bits: int) -> None:
        """Write the accepted bits."""
        with self._faults:
            self.device.write_features(bits)

    def read_config(self, offset: int, length: int) -> bytes:
        """Return bytes of config space."""
        with self._faults:
            return self.device.read_config(offset, length)

    def write_config(self, offset: int, data: bytes) -> None:
        """Write bytes of config space."""
        with self._faults:
            self.device.write_config(offset, data)

    def config_generation(self) -> int:
        """Return the config generation."""
        with self._faults:
            return self.device.config_generation()

    def queue_max(self, index: int) -> int:
        """Return the largest size of a queue."""
        with self._faults:
            return self.device.queue_max(index)

    def set_up_queue(self, index: int, layout: Layout) -> bool:
        """Tell the device where a queue lies."""
        with self._faults:
            return self.device.set_up_queue(index, layout)

    def begin_queue_at(self, index: int, base: int) -> None:
        """Tell the device where a split queue begins."""
        with self._faults:
            self.device.begin_queue_at(index, base)

    def queue_ready(self, index: int) -> bool:
        """Return whether a queue is enabled."""
        with self._faults:
            return self.device.queue_ready(index)

    def start_queue_reset(self, index: int) -> None:
        """Reset the queue; it is done when this returns."""
        with self._faults:
            self.device.reset_queue(index)

    def queue_resetting(self, index: int) -> bool:  # noqa: ARG002
        """Return False: a reset takes no time here."""
        return False

    def notify(self, index: int) -> None:
        """Note the notification; the device acts on it when it is stepped."""
        with self._faults:
            self.device.notify(index)

    def take_interrupts(self) -> Interrupts:
        """Return and acknowledge the device's notifications."""
        with self._faults:
            used, config = self.device.take_interrupts()
        return Interrupts(used, config)

    def step(self, queue: Queue | None = None) -> bool:
        """Let the device do one step; return whether there was one to do."""
        with self._faults:
            return self.device.step(queue)

    def wait(self, condition: Callable[[], bool], seconds: float) -> bool:  # noqa: ARG002
        """Step the device until the condition holds or nothing is left to do."""
        for _ in range(MAX_STEPS):
            if condition():
                return True
            if not self.step():
                return condition()
        raise TransportError(f"the device was still busy after {MAX_STEPS} steps")

    def settle(self) -> None:
        """Step the device until nothing is left to do."""
        self.wait(lambda: False, 0)

    def close(self) -> None:
        """Unmap the memory of both sides."""
        self.memory.close()
        self.device_memory.close()
