"""What the demonstration asks of a guest."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import ClassVar, Self

from vhint_conformance.demo.plan import Mode, Plan


class GuestFailed(Exception):  # noqa: N818 - it says what
    """A guest did not start, died, or could not do what it was told; the text is for people."""


@dataclass(frozen=True, slots=True)
class GuestFigures:
    """What one guest costs and says at a moment.

    `resident` is bytes of host memory, as the allocated blocks of its memory file; `requests` and
    `pages` (of 4 KiB) are what it has offered to the device so far.
    """

    resident: int = 0
    requests: int = 0
    pages: int = 0


class DemoGuest(ABC):
    """A running guest with its driver; a context manager.  Everything may raise `GuestFailed`.

    Attributes:
        kind: which of the guests it is, as ``--guest`` says it.
        description: what it is, and its version.

    """

    kind: ClassVar[str]
    description: str

    @abstractmethod
    def figures(self) -> GuestFigures:
        """Return the newest figures; may be called from any thread, and after `close`."""

    @abstractmethod
    def keep(self, size: int) -> None:
        """Allocate memory that is kept to the end, and write what `intact` can tell again."""

    @abstractmethod
    def allocate(self, size: int) -> None:
        """Allocate memory and write to all of it."""

    @abstractmethod
    def free(self) -> None:
        """Free what `allocate` allocated."""

    @abstractmethod
    def intact(self) -> bool:
        """Read all that was kept; return whether it is what was written."""

    @abstractmethod
    def live(self) -> None:
        """Let time pass for a guest that does not live by itself; notice if it has died."""

    @abstractmethod
    def close(self) -> None:
        """End it and all that belongs to it; calling it twice is harmless."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


StartGuest = Callable[[Plan, Mode, int], DemoGuest]
"""Starts guest number n of a plan on a device that offers hinting or does not."""
