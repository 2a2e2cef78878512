"""What the suite asks of a driver and a device that are judged together, and only looked at.

Nobody stands between the two: what they say to each other is not seen.  What is seen is the guest's
memory from outside, what the host is told about the balloon, and what the guest itself finds when
it is worked by its upper tester.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Self

from vhint.ring import GuestMemory
from vhint.wire.features import Feature, Features
from vhint_conformance.targets.driver import UpperTester
from vhint_conformance.variants import SPLIT, Variant
from vhint_conformance.verdict import NotApplicable


@dataclass(frozen=True, slots=True)
class Setup:
    """How a pair is set up: a name, what the device is to offer beside the plain balloon.

    `files` (absolute path to content) lie in the guest's memory from the beginning.
    """

    name: str
    features: Features
    files: Mapping[str, bytes] = field(default_factory=dict, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class PairLimits:
    """Sizes that a case adapts to.

    In bytes: `ram` is guest memory, `chunk` what the guest can allocate and free at any time,
    `slack` how much less a sound guest may be able to fill a second time.  In seconds: `patience`
    is how long a thing may take to come, `rest` how long nothing may happen before it counts as
    never.
    """

    ram: int
    chunk: int
    slack: int
    patience: float = 30.0
    rest: float = 2.5


class PairSession(ABC):
    """A guest that runs with its device, for one case; use it as a context manager."""

    memory: GuestMemory
    limits: PairLimits
    tester: UpperTester

    @property
    @abstractmethod
    def accepted(self) -> Features:
        """The features that driver and device have agreed on."""

    @abstractmethod
    def run(self, command: str) -> str:
        """Run a shell command in the guest and return what it printed."""

    @abstractmethod
    def unload(self) -> None:
        """Have the driver let go of the device."""

    @abstractmethod
    def load(self) -> None:
        """Have the driver find the device again."""

    @abstractmethod
    def set_balloon(self, pages: int) -> None:
        """Tell the device to have so many pages of 4 KiB in the balloon."""

    @abstractmethod
    def balloon(self) -> int:
        """Return how many pages of 4 KiB the host is told are in the balloon."""

    def move(self) -> int:
        """Move the guest to another host while it runs; return how many bytes were sent.

        `memory` is another one afterwards.
        """
        raise NotApplicable("the target does not move guests")

    @abstractmethod
    def complaints(self) -> tuple[str, ...]:
        """Return what the guest's kernel has found wrong with itself since it was started."""

    @abstractmethod
    def spoil(self) -> None:
        """Have the guest ended after this case: what it holds can no more be relied on."""

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


class PairTarget(ABC):
    """A driver and a device that are judged together."""

    #: How the user named it: `qemu-linux`.
    name: str
    #: One line about it.
    summary: str
    #: In which variants its cases run.
    variants: tuple[Variant, ...] = (SPLIT,)
    #: Whether several processes can judge it at the same time without being asked to.
    concurrent: ClassVar[bool] = False

    @abstractmethod
    def connect(self, setup: Setup) -> PairSession:
        """Return a session with a guest that is set up so, or raise `TargetNotStarted`."""

    @abstractmethod
    def versions(self) -> dict[str, str]:
        """Return name to version of what is judged, or raise `TargetNotStarted`."""

    def take_remarks(self) -> list[str]:
        """Return, once, what the report must say: why guests had to be started again."""
        return []

    def deviations(self) -> Path | None:
        """Return the expectations file that ships with the target, if it has one."""
        return None

    def close(self) -> None:  # noqa: B027 - most targets have nothing that does
        """End what outlives a session; calling it twice is harmless."""


PLAIN = Setup("plain", Features(0))
"""A balloon, and no reporting."""
REPORTS = Setup("reports", Features.of(Feature.PAGE_REPORTING))
"""Free page reporting beside the balloon."""
HINTS = Setup("hints", Features.of(Feature.FREE_PAGE_HINT))
"""Free page hints, which serve migration, beside the balloon."""
