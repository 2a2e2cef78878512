"""What a guest has of its device: queues that take drafts and give answers, and registers.

A profile (`vhint.guest.profiles`) speaks to a port and to nothing else.  `RingPort` is the real
one, over virtqueues; `vhint.guest.direct_port` is one without rings, for models.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from itertools import count

from vhint.guest.arena import Arena
from vhint.guest.driver import Answer, Driver, Emit, Request
from vhint.guest.initialise import (
    Access,
    Negotiated,
    Notify,
    ReadConfig,
    ReadStatus,
    Reply,
    Wish,
    WriteConfig,
    WriteStatus,
    initialise,
)
from vhint.guest.requests import Draft
from vhint.ring import GuestMemory, SplitDriverQueue, SplitLayout
from vhint.spans import Span
from vhint.wire import config
from vhint.wire.features import Feature, Features
from vhint.wire.queues import Queue
from vhint.wire.status import DeviceStatus

Perform = Callable[[Access], Reply]
"""Carries out one access to the device's registers."""


class Port(ABC):
    """The guest's side of one device."""

    #: What was agreed on; nothing while the device is reset.
    accepted: Features

    @abstractmethod
    def has(self, queue: Queue) -> bool:
        """Whether the device is live and has this queue."""

    @abstractmethod
    def room(self, queue: Queue) -> int:
        """Return how many descriptors are free."""

    @abstractmethod
    def add(self, draft: Draft) -> Request:
        """Put a request into its queue; it is available when `publish` was called.

        Raises `QueueFullError` or `ArenaFullError` if there is no room.
        """

    @abstractmethod
    def publish(self, queue: Queue) -> bool:
        """Make what was added available; return whether the device wants to be notified."""

    @abstractmethod
    def notify(self, queue: Queue) -> None:
        """Notify the device."""

    @abstractmethod
    def collect(self, queue: Queue) -> Answer | None:
        """Take the next answer, or None; raise `RingError` if the queue makes no sense."""

    @abstractmethod
    def pending(self, queue: Queue) -> bool:
        """Whether an answer waits to be collected."""

    @abstractmethod
    def read_config(self, field: str) -> int:
        """Return a field of config space."""

    @abstractmethod
    def write_config(self, field: str, value: int) -> None:
        """Write a field of config space."""

    @abstractmethod
    def begin_reset(self) -> None:
        """Ask the device to reset; from now on nothing is in any queue that the guest may use."""

    @abstractmethod
    def reset_done(self) -> bool:
        """Whether the device status reads 0."""

    @abstractmethod
    def start(self) -> None:
        """Initialise the device, to DRIVER_OK; raises `InitialisationError`."""

    @abstractmethod
    def needs_reset(self) -> bool:
        """Whether the device shows DEVICE_NEEDS_RESET."""


class RingPort(Port):
    """Virtqueues in guest memory.

    `structures` is the part of guest memory for rings and requests, which no zone may hold
    (hint.driver.never-name-own-structures).  `perform` does register accesses, and notifies.
    """

    #: The index at which its split queues begin, as those of a guest that has run elsewhere do.
    begin = 0

    def __init__(
        self, memory: GuestMemory, structures: Span, wish: Wish, perform: Perform, emit: Emit
    ) -> None:
        self._memory = memory
        self._structures = structures
        self._wish = wish
        self._perform = perform
        self._emit = emit
        self._tickets: Iterator[int] = count()
        self.driver: Driver | None = None
        self.accepted = Features(0)

    def start(self) -> None:
        """Lay out fresh rings and initialise the device.

        The rings are empty before DRIVER_OK: what a life before left there is no request.
        (virtio.driver.initialisation-order)
        """
        arena = Arena(self._structures)

        def place(size: int) -> SplitLayout:
            return SplitLayout.at(arena.take(SplitLayout.at(0, size).end).start, size)

        sequence = initialise(self._wish, place, live=False)
        reply: Reply = None
        while True:
            try:
                reply = self._perform(sequence.send(reply))
            except StopIteration as end:
                negotiated: Negotiated = end.value
                break
        self.driver = Driver(self._memory, negotiated, arena, self._emit, self._tickets)
        self.accepted = negotiated.accepted
        for ring in self.driver.rings.values():
            if self.begin and isinstance(ring, SplitDriverQueue):
                ring.begin_at(self.begin)
        status = int(self._perform(ReadStatus()) or 0)
        self._perform(WriteStatus(status | DeviceStatus.DRIVER_OK))

    def has(self, queue: Queue) -> bool:
        """Whether the device is live and has this queue."""
        return self.driver is not None and queue in self.driver.rings

    def room(self, queue: Queue) -> int:
        """Return how many descriptors are free."""
        return self._live.rings[queue].free

    def add(self, draft: Draft) -> Request:
        """Put a request into its ring; indirectly if that was negotiated and saves descriptors."""
        buffers = len(draft.blocks) if draft.pages_are_buffers else 1
        indirect = Feature.INDIRECT_DESC in self.accepted and buffers > 1
        return self._live.add(draft, indirect=indirect)

    def publish(self, queue: Queue) -> bool:
        """Move the available index."""
        return self._live.publish(queue)

    def notify(self, queue: Queue) -> None:
        """Notify the device."""
        self._perform(Notify(queue, self._live.negotiated.queues[queue].index))

    def collect(self, queue: Queue) -> Answer | None:
        """Take the next used element."""
        return self._live.collect(queue)

    def pending(self, queue: Queue) -> bool:
        """Whether there is a used element."""
        return self.has(queue) and self._live.rings[queue].waits

    def read_config(self, field: str) -> int:
        """Read a field of config space."""
        value = self._perform(ReadConfig(config.field_offset(field), config.field_size(field)))
        return int(value or 0)

    def write_config(self, field: str, value: int) -> None:
        """Write a field of config space, all of it at once."""
        data = value.to_bytes(config.field_size(field), "little")
        self._perform(WriteConfig(config.field_offset(field), data))

    def begin_reset(self) -> None:
        """Write 0 to the device status."""
        self.driver = None
        self.accepted = Features(0)
        self._perform(WriteStatus(0))

    def reset_done(self) -> bool:
        """Read the device status (virtio.driver.reset-confirmed)."""
        return self._perform(ReadStatus()) == 0

    def needs_reset(self) -> bool:
        """Read the device status."""
        return bool(int(self._perform(ReadStatus()) or 0) & DeviceStatus.NEEDS_RESET)

    @property
    def _live(self) -> Driver:
        if self.driver is None:
            raise RuntimeError("the device is not live: it was reset and not started again")
        return self.driver
