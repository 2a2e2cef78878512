"""What the host knows of the guest's writes: without it, no hinted page may be discarded.

A hint is a promise about the past.  The driver may take a hinted page back and write it before
its buffer is used (VIRTIO 1.4, Driver Requirements: Free Page Hinting), so that the device's
permission ends with the first write (`free-page-hint.device.guest-write-wins`).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from vhint.spans import Span, merge, subtract


class WriteLog(ABC):
    """Sees writes to guest memory by anyone but this device: processors and other devices."""

    @abstractmethod
    def restart(self) -> None:
        """Count writes from now on; called before an id is shown."""

    @abstractmethod
    @contextmanager
    def unwritten(self, spans: Sequence[Span]) -> Iterator[tuple[Span, ...]]:
        """Give what of the spans has certainly not been written since `restart`.

        Until the context ends none of it is written: whoever tries waits (as with stopped
        processors or write-protected pages).  A log that only looks is no good: between the look
        and the discard a write could slip in and be lost.
        """


class NothingKnown(WriteLog):
    """Knows of no writes, so that everything may have been written."""

    def restart(self) -> None:
        """Do nothing."""

    @contextmanager
    def unwritten(self, spans: Sequence[Span]) -> Iterator[tuple[Span, ...]]:  # noqa: ARG002
        """Give nothing."""
        yield ()


class NotedWrites(WriteLog):
    """Knows the writes that it is told of, between two steps of the device.

    For models and for tests, in which nothing happens during a step.
    """

    def __init__(self) -> None:
        self._written: tuple[Span, ...] = ()

    def note(self, span: Span) -> None:
        """Take note that the guest wrote here."""
        self._written = merge([*self._written, span])

    def restart(self) -> None:
        """Forget all writes."""
        self._written = ()

    @contextmanager
    def unwritten(self, spans: Sequence[Span]) -> Iterator[tuple[Span, ...]]:
        """Give the spans without what was written."""
        yield subtract(spans, self._written)
