"""What the suite asks of protocol logic: requests come in, effects go out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from vhint.spans import Span, total
from vhint.wire.features import Features, problems
from vhint.wire.queues import Queue
from vhint_conformance.case import Capability
from vhint_conformance.logic.effects import Effect

Effects = Iterable[Effect]

CAN = frozenset(
    {
        Capability.SETS_BALLOON_SIZE,
        Capability.READS_BALLOON_SIZE,
        Capability.POLLS_STATISTICS,
        Capability.READS_STATISTICS,
        Capability.STARTS_ROUNDS,
        Capability.REPEATS_ROUNDS,
        Capability.STOPS_ROUNDS,
        Capability.CANCELS_ROUNDS,
        Capability.INHIBITS_ROUNDS,
    }
)
"""What a host may be able to ask of its device, beyond the virtio interface."""


@dataclass(frozen=True, slots=True)
class Buffer:
    """One descriptor chain as the device sees it.

    `id` names it among those that are outstanding on its queue.  `readable` are the bytes of each
    device-readable descriptor, cut off after `ProtocolLogic.reads` bytes in all;
    `readable_length` is how many there really are.  `writable` are the (address, length) ranges
    that the device may write: on the reporting queue and that of free page hints, the pages.
    """

    queue: Queue
    id: int
    readable: tuple[bytes, ...]
    readable_length: int
    writable: tuple[Span, ...]

    @property
    def data(self) -> bytes:
        """The readable bytes, however they are split."""
        return b"".join(self.readable)

    @property
    def room(self) -> int:
        """How many bytes may be written."""
        return total(self.writable)


class ProtocolLogic(ABC):
    """A balloon device without virtqueues and registers.

    Every method returns at once; those that return effects may return any number, also for
    buffers that came earlier.  What a method raises is reported as a crash of the device.

    Attributes:
        version: what the report says was judged.
        host_page: the unit of discarding in bytes.
        reads: how many readable bytes of a chain the device wants to see at most.
        can: what the host's side can do, of `CAN`; the methods that go with it are called then.

    """

    version: str = "unknown"
    host_page: int = 4096
    reads: int = 1 << 16
    can: Collection[Capability] = frozenset()

    @abstractmethod
    def offered(self) -> Features:
        """Return the features on offer: those of the device type, VERSION_1 and RING_RESET.

        Features of rings are added by whoever supplies these.
        """

    def accept(self, features: Features) -> bool:
        """Take what the driver accepts; return whether the device agrees (FEATURES_OK)."""
        return not problems(self.offered(), features)

    def start(self, queues: Collection[Queue]) -> Effects:  # noqa: ARG002 - as for all below
        """Learn that the driver is ready (DRIVER_OK) and which queues it has set up."""
        return ()

    @abstractmethod
    def take(self, buffer: Buffer) -> Effects:
        """Take a buffer that was made available; it may be used now or later."""

    def read_config(self, offset: int, length: int) -> bytes:  # noqa: ARG002
        """Return bytes of config space; what lies behind its end is zeros."""
        return bytes(length)

    def write_config(self, offset: int, data: bytes) -> Effects:  # noqa: ARG002
        """Take a write of the driver to config space."""
        return ()

    @property
    def busy(self) -> bool:
        """Whether there is work left that `proceed` would go on with."""
        return False

    def proceed(self) -> Effects:
        """Go on with work that was begun."""
        return ()

    @abstractmethod
    def reset(self) -> None:
        """Forget the driver and all of its buffers."""

    def reset_queue(self, queue: Queue) -> Effects:  # noqa: ARG002
        """Forget the buffers of one queue; called only if RING_RESET is offered."""
        return ()

    # The host's side

    def set_balloon_size(self, pages: int) -> Effects:
        """Ask the driver for a balloon of so many 4 KiB pages."""
        raise NotImplementedError

    def balloon_size(self) -> int:
        """Return how large the driver says its balloon is, in 4 KiB pages."""
        raise NotImplementedError

    def poll_statistics(self) -> Effects:
        """Ask the driver for new statistics: use the buffer that is held, if there is one."""
        raise NotImplementedError

    def statistics(self) -> Mapping[int, int]:
        """Return the last statistics that were understood, tag to value."""
        raise NotImplementedError

    def start_round(self) -> Effects:
        """Ask the driver for free page hints, anew if a round is under way."""
        raise NotImplementedError

    def stop_round(self) -> Effects:
        """Want no more hints, and go on using those that came."""
        raise NotImplementedError

    def finish_round(self) -> Effects:
        """Be done with all hints, because what they were for has succeeded."""
        raise NotImplementedError

    def cancel_round(self) -> Effects:
        """Be done with all hints, because what they were for was given up."""
        raise NotImplementedError

    def inhibit(self, on: bool) -> Effects:
        """Be where hints are of no use, or no longer."""
        raise NotImplementedError
