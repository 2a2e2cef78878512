"""Back ends that really give memory back to the operating system.

The advice has to fit the memory: MADV_DONTNEED on a shared mapping frees nothing, and hole
punching does not exist for anonymous memory.
"""

from __future__ import annotations

import mmap
from abc import abstractmethod
from array import array
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import ClassVar

from vhint.host.reclaim import advice
from vhint.host.reclaim.base import Discarded, Failure, Reclaimer
from vhint.ring import Backing, GuestMemory
from vhint.spans import Span, merge

MAX_RETRIES = 64
"""Refused calls after which ranges that fail are no longer looked into."""


class KernelReclaimer(Reclaimer):
    """Gives merged ranges back, all in one call if that succeeds, or else each in one.

    If the system refuses a range, its halves are tried, so that one locked page costs no more
    than itself; the number of such attempts is bounded.  Raises `ValueError` for memory of
    another kind than it is for.

    Attributes:
        at_once: whether several ranges are handed over in one call, as the system allows or not.

    """

    backing: ClassVar[Backing]
    kind: ClassVar[int]

    def __init__(self, memory: GuestMemory) -> None:
        super().__init__(memory)
        if memory.backing is not self.backing:
            raise ValueError(
                f"{type(self).__name__} is for {self.backing} memory; this is {memory.backing}: "
                "let reclaimer_for choose"
            )
        self.page = memory.page_size
        self.at_once = advice.takes_many(self.kind)

    @abstractmethod
    def give_back(self, offset: int, size: int) -> None:
        """Give back `size` bytes from `offset` of the mapping, or raise `OSError`."""

    def discard(self, spans: Sequence[Span]) -> Discarded:
        """Discard the union of the spans."""
        wanted = merge(spans)
        # What a refused call has done of them all is done once more below, which does no harm.
        if len(wanted) > 1 and self.at_once and self._all_at_once(wanted):
            return Discarded(wanted)
        return self._one_by_one(wanted)

    def _all_at_once(self, wanted: Sequence[Span]) -> bool:
        base = self.memory.address
        first, last = wanted[0], wanted[-1]
        region = self.memory.region_of(Span(first.start, last.end - first.start))
        if region is not None:  # as nearly always: one has them all
            shift = base + region.offset - region.start
            ranges = ((start + shift, size) for start, size in wanted)
        else:
            ranges = ((base + at, part.length) for part, at in self._ranges(wanted))
        return advice.advise_all(array("Q", chain.from_iterable(ranges)), self.kind)

    def _one_by_one(self, wanted: Sequence[Span]) -> Discarded:
        gone: list[Span] = []
        failures: list[Failure] = []
        refused = 0
        for span, offset in self._ranges(wanted):
            waiting = [(span, offset)]
            while waiting:
                part, at = waiting.pop()
                try:
                    self.give_back(at, part.length)
                except OSError as error:
                    refused += 1
                    half = part.length // self.page // 2 * self.page
                    if half and refused <= MAX_RETRIES:
                        first = Span(part.start, half)
                        rest = Span(part.start + half, part.length - half)
                        waiting += [(rest, at + half), (first, at)]
                    else:
                        failures.append(Failure(part, str(error)))
                else:
                    gone.append(part)
        return Discarded(merge(gone), tuple(failures))

    def _ranges(self, spans: Sequence[Span]) -> Iterator[tuple[Span, int]]:
        """Yield each range that is in one piece, in guest memory and in the mapping."""
        for span in spans:
            start = span.start
            for offset, size in self.memory.extents(span):
                yield Span(start, size), offset
                start += size


class PunchHoles(KernelReclaimer):
    """Gives pages of shared guest memory (a memfd or another file) back by punching its file."""

    backing = Backing.SHARED_FILE
    kind = mmap.MADV_REMOVE

    def give_back(self, offset: int, size: int) -> None:
        """Punch a hole."""
        fd, at = self.memory.in_file(offset)
        advice.punch(fd, at, size)


class DropAnonymous(KernelReclaimer):
    """Gives pages of private anonymous guest memory back."""

    backing = Backing.PRIVATE_ANONYMOUS
    kind = mmap.MADV_DONTNEED

    def give_back(self, offset: int, size: int) -> None:
        """Drop the pages."""
        advice.drop(self.memory.address + offset, size)
