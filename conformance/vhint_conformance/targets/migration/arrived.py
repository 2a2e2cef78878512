"""The memory that a migration has at its destination."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from vhint.ring import GuestMemory
from vhint.spans import PAGE, Span, block, merge, subtract

Bytes = npt.NDArray[np.uint8]

CHUNK = 1 << 20
"""Bytes that are compared at a time."""


class Arrived(ABC):
    """What came of guest RAM, which begins at address 0; what was never sent reads as zeros."""

    @abstractmethod
    def missing(self) -> tuple[Span, ...]:
        """Return the pages that were never sent."""

    @abstractmethod
    def differing(self, memory: GuestMemory, but: Sequence[Span] = ()) -> tuple[Span, ...]:
        """Return the pages that are not what they are in `memory`; the bytes of `but` aside."""


class Received(Arrived):
    """RAM of `size` bytes, put together from what was sent: of each page the last copy counts.

    >>> received = Received(2 * PAGE)
    >>> received.page(1, b"x" * PAGE)
    >>> received.missing()
    (Span(0x0, 0x1000),)
    """

    def __init__(self, size: int) -> None:
        self.content: Bytes = np.zeros(size, np.uint8)
        self.times: npt.NDArray[np.uint32] = np.zeros(size // PAGE, np.uint32)
        """How often each page was sent."""

    def page(self, number: int, data: bytes | memoryview) -> None:
        """Take a page that was sent."""
        at = number * PAGE
        self.content[at : at + PAGE] = np.frombuffer(data, np.uint8)
        self.times[number] += 1

    def filled(self, number: int, value: int) -> None:
        """Take a page that was sent as one byte of which it is full."""
        at = number * PAGE
        self.content[at : at + PAGE] = value
        self.times[number] += 1

    def missing(self) -> tuple[Span, ...]:
        """Return the pages that were never sent."""
        return _pages(np.flatnonzero(self.times == 0))

    def differing(self, memory: GuestMemory, but: Sequence[Span] = ()) -> tuple[Span, ...]:
        """Return the pages that are not what they are in `memory`; the bytes of `but` aside."""
        found: list[Span] = []
        for at in range(0, len(self.content), CHUNK):
            here = Span(at, min(CHUNK, len(self.content) - at))
            source = np.frombuffer(memory.peek(here), np.uint8)
            wrong = np.flatnonzero(source != self.content[at : here.end]) + at
            for span in but:
                wrong = wrong[(wrong < span.start) | (wrong >= span.end)]
            found.extend(_pages(np.unique(wrong // PAGE)))
        return merge(found)


class AllBut(Arrived):
    """All of RAM as it is at the source, but for whole pages that were left out."""

    def __init__(self, left_out: Iterable[Span]) -> None:
        self._missing = merge(left_out)

    def missing(self) -> tuple[Span, ...]:
        """Return the pages that were left out."""
        return self._missing

    def differing(self, memory: GuestMemory, but: Sequence[Span] = ()) -> tuple[Span, ...]:
        """Return what was left out and is not zeros."""
        pages = (block(number) for span in self._missing for number in span.pages())
        return merge(
            page for page in pages if any(any(memory.peek(part)) for part in subtract([page], but))
        )


def _pages(numbers: Iterable[int]) -> tuple[Span, ...]:
    return merge(block(int(number)) for number in numbers)
