"""The three generations of the talk, as policies of one guest.

A policy decides nothing about safety but one thing: whether blocks are isolated, so that they
cannot be allocated, or every allocation is stopped, so that nothing can.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence

from vhint.wire.blocks import Block


class Generation(ABC):
    """How a worker goes about its entries."""

    name: str
    isolates = True
    """Whether blocks leave the free lists; if not, the worker holds the sequence lock instead."""

    def arrange(self, entries: Sequence[Block], zone: Callable[[Block], int]) -> list[Block]:  # noqa: ARG002
        """Return the entries in the order in which they are looked at."""
        return list(entries)

    @abstractmethod
    def keeps_lock(self) -> bool:
        """Whether to go on to the next entry of the zone without releasing the lock."""

    @abstractmethod
    def reports(self, waiting: int, threshold: int, *, scan_over: bool) -> bool:
        """Whether `waiting` blocks in the second array are to be reported now."""


class Blocking(Generation):
    """The first prototype: one sequence lock stops the allocator until the host has answered."""

    name = "blocking"
    isolates = False

    def keeps_lock(self) -> bool:
        """Return True: everything is stopped anyway."""
        return True

    def reports(self, waiting: int, threshold: int, *, scan_over: bool) -> bool:
        """Report whatever there is: nothing may be left when the allocator goes on."""
        return waiting >= threshold or (scan_over and waiting > 0)


class Isolating(Generation):
    """The design of the talk: a worker isolates blocks under the zone lock, entry by entry."""

    name = "isolating"

    def keeps_lock(self) -> bool:
        """Return False: the lock is taken for every entry."""
        return False

    def reports(self, waiting: int, threshold: int, *, scan_over: bool) -> bool:
        """Report at the threshold, and after every scan whatever there is."""
        return waiting >= threshold or (scan_over and waiting > 0)


class Batching(Generation):
    """The talk's future work: sorted by zone, one lock a zone, full batches only."""

    name = "batching"

    def arrange(self, entries: Sequence[Block], zone: Callable[[Block], int]) -> list[Block]:
        """Sort by zone; within a zone the order stays."""
        return sorted(entries, key=zone)

    def keeps_lock(self) -> bool:
        """Return True."""
        return True

    def reports(self, waiting: int, threshold: int, *, scan_over: bool) -> bool:  # noqa: ARG002
        """Report full batches; the rest waits for more, for pressure, or for the time limit."""
        return waiting >= threshold


GENERATIONS: dict[str, type[Generation]] = {
    kind.name: kind for kind in (Blocking, Isolating, Batching)
}
"""Name to policy, in the order in which they came."""
