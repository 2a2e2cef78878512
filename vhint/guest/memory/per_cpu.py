"""Per-CPU page lists: single pages that a CPU frees and allocates without the zone lock.

A list takes pages until it holds `high` of them and then gives `batch` back to the buddy lists;
an empty one is filled with `batch`.  What is parked here is free, yet in no buddy list: it cannot
be isolated, which is why so many captured pages are missed.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PerCpuMarks:
    """How many pages a list moves at once, and from how many on; `high` 0 means no lists.

    The defaults are what Linux had for large zones at the time of the talk.
    """

    batch: int = 31
    high: int = 186


class PerCpuList:
    """The parked pages of one zone on one CPU, the warmest last.

    >>> parked = PerCpuList(PerCpuMarks(batch=2, high=3))
    >>> [parked.push(pfn) for pfn in (1, 2, 3)]
    [[], [], [1, 2]]
    >>> parked.pop(), parked.pop()
    (3, None)
    """

    def __init__(self, marks: PerCpuMarks) -> None:
        self.marks = marks
        self.pages: deque[int] = deque()

    def push(self, pfn: int) -> list[int]:
        """Park a page; return the pages that have to go to the buddy lists now, coldest first."""
        self.pages.append(pfn)
        return self.cold(self.marks.batch) if len(self.pages) >= self.marks.high else []

    def cold(self, count: int) -> list[int]:
        """Take the coldest pages off the list."""
        return [self.pages.popleft() for _ in range(min(count, len(self.pages)))]

    def pop(self) -> int | None:
        """Take the warmest page, or None."""
        return self.pages.pop() if self.pages else None

    def __len__(self) -> int:
        return len(self.pages)
