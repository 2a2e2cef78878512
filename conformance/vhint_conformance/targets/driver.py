"""What the suite asks of anything that can be judged as a driver: a guest, and ways to work it.

A driver is worked from two sides.  The *judging device* is what it is connected to.  The *upper
tester* is whatever can have something done in the guest: allocate, free, verify.  A target says by
its capabilities what of that it can; a case that needs more is not applicable.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, ClassVar, Self

from vhint.ring import GuestMemory
from vhint.trace import Recorder
from vhint.wire.queues import QueueMode
from vhint_conformance.case import PECULIAR, Capability
from vhint_conformance.variants import SPLIT, Variant
from vhint_conformance.verdict import Violation

if TYPE_CHECKING:
    from vhint_conformance.driver_bench.device import JudgingDevice
    from vhint_conformance.driver_bench.offer import Offer


@dataclass(frozen=True, slots=True)
class DriverLimits:
    """Sizes that a case adapts to.

    In bytes: `ram` is guest memory, `chunk` a size that the guest can allocate and free and most
    of which its driver then reports or hints, `slack` how much less a sound guest may be able to
    fill a second time.  In seconds of the guest's time: `patience` is how long a request may take
    to come, `rest` how long nothing may happen before it counts as never.  `turns` is how often a
    busy guest does something.  `mode` is how the driver's transport numbers queues.
    """

    ram: int
    chunk: int
    slack: int = 0
    patience: float = 10.0
    rest: float = 4.0
    turns: int = 2400
    mode: QueueMode = QueueMode.COMPACT_OFFERED


@dataclass(frozen=True, slots=True)
class Holding:
    """Memory that the upper tester has allocated and filled: its name and its bytes."""

    name: str
    size: int


class UpperTester:
    """Has things done in the guest.  A target overrides what its capabilities promise.

    What takes time lets the device's side run meanwhile: the guest may need it.
    """

    def allocate(self, size: int) -> Holding:
        """Allocate and fill so many bytes; fewer if there are no more."""
        raise NotImplementedError

    def free(self, holding: Holding) -> None:
        """Free what was allocated."""
        raise NotImplementedError

    def intact(self, holding: Holding) -> bool:
        """Whether the holding's content is what it was filled with."""
        raise NotImplementedError

    def fill(self) -> Holding:
        """Allocate and fill all that the guest has left."""
        raise NotImplementedError

    def drop_caches(self) -> None:
        """Have the guest drop its page cache."""
        raise NotImplementedError

    def set_report_order(self, order: int) -> None:
        """Set the smallest order of blocks that are reported."""
        raise NotImplementedError

    def unload(self) -> bool:
        """Remove the driver: it gives everything back and lets go of the device.

        Returns whether it did in a time that anybody would wait.
        """
        raise NotImplementedError

    def load(self) -> None:
        """Load the driver again."""
        raise NotImplementedError

    def complaints(self) -> tuple[Violation, ...]:
        """Return what the guest has found wrong with itself."""
        return ()


class DriverSession(ABC):
    """One life of a driver on one judging device; use it as a context manager."""

    memory: GuestMemory
    limits: DriverLimits
    tester: UpperTester
    device: JudgingDevice
    #: Called after everything that the driver does: answers what nobody holds.
    background: Callable[[], object] = staticmethod(lambda: None)

    @abstractmethod
    def start(self) -> None:
        """Let the driver find the device and initialise it, to its end whatever that is."""

    @abstractmethod
    def run(self, condition: Callable[[], bool], seconds: float) -> bool:
        """Let driver and guest work until `condition` holds; return whether it came to hold.

        `seconds` are of the guest's time.  The condition is looked at after everything that the
        driver does to the device.
        """

    def begin_at(self, index: int) -> None:
        """Have driver and device begin their split queues at an index; before `start`.

        Raises `NotImplementedError` without the capability BEGINS_ANYWHERE.
        """
        raise NotImplementedError("this driver begins every queue at its beginning")

    def clock(self) -> float:
        """Return the guest's time in seconds, from any beginning."""
        return time.monotonic()

    @abstractmethod
    def close(self) -> None:
        """Let go of the guest; calling it twice is harmless."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class DriverTarget(ABC):
    """A driver that can be judged; a session is begun for every case."""

    #: How the user named it: `reference`, `linux`, `mutant:NAME`.
    name: str
    #: The ways in which it is judged, the plain one first.
    variants: tuple[Variant, ...] = (SPLIT,)
    #: Whether several processes can judge it at the same time without being asked to.
    concurrent: ClassVar[bool] = False

    @property
    @abstractmethod
    def capabilities(self) -> frozenset[Capability]:
        """What a session can be had to do and shows."""

    def why_absent(self, capability: Capability) -> str:
        """Say why a capability is not had."""
        return PECULIAR.get(capability, f"the target has no {capability}")

    #: Whether it takes a device with any offer, and not those alone that cases make.
    any_offer: bool = False
    #: Whether a case in which the guest died is tried once more, in a fresh guest.
    retries: bool = False

    def take_remarks(self) -> list[str]:
        """Return, once, what the report must say: why guests had to be started again."""
        return []

    def close(self) -> None:  # noqa: B027 - most targets have nothing that does
        """End what outlives a session; calling it twice is harmless."""

    @abstractmethod
    def connect(self, offer: Offer, recorder: Recorder) -> DriverSession:
        """Put a judging device that offers `offer` before the driver.

        The driver has not begun: `DriverSession.start` lets it.  Raises `TargetNotStarted`.
        """

    @abstractmethod
    def versions(self) -> dict[str, str]:
        """Return name to version of what is judged, or raise `TargetNotStarted`."""

    def deviations(self) -> Path | None:
        """Return the expectations file that ships with the target, if it has one."""
        return None
