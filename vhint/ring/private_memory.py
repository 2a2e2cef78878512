"""Guest memory that is private and anonymous, as most virtual machines have it."""

from __future__ import annotations

import mmap
import os
import struct
from collections.abc import Sequence
from typing import Self

from vhint.ring.memory import Backing, GuestMemory, Region, in_order
from vhint.spans import PAGE, Span, merge

_RESIDENT = 0b11 << 62
"""The bits of a pagemap entry that say that a page is in memory or in swap."""


class PrivateMemory(GuestMemory):
    """Guest RAM of this process alone: no file, so every view of it is the same mapping.

    >>> with PrivateMemory.create(0x4000) as memory:
    ...     memory.write(0x1000, b"page")
    ...     memory.holes()
    (Span(0x0, 0x1000), Span(0x2000, 0x2000))
    """

    backing = Backing.PRIVATE_ANONYMOUS

    def __init__(self, regions: Sequence[Region], mapped: mmap.mmap | None = None) -> None:
        self.regions = in_order(regions)
        self.fd = -1
        if mapped is None:
            size = max(region.offset + region.length for region in self.regions)
            mapped = mmap.mmap(-1, size, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
            # Huge pages would fill holes and make them: both would be taken for the guest's doing.
            mapped.madvise(mmap.MADV_NOHUGEPAGE)
        self._adopt(mapped)

    @classmethod
    def create(cls, size: int) -> Self:
        """Make `size` bytes of new, empty guest memory at address 0."""
        return cls([Region(0, size, 0)])

    def view(self) -> PrivateMemory:
        """Return another object over the same mapping."""
        return PrivateMemory(self.regions, self._map)

    def close(self) -> None:
        """Let go of the mapping, which ends with its last view."""
        self._words.release()
        self._bytes.release()

    @property
    def page_size(self) -> int:
        """Bytes of a page of this host."""
        return mmap.PAGESIZE

    def peek(self, span: Span) -> bytes:
        """Return the bytes without making memory of holes, as reading the mapping would."""
        parts: list[bytes] = []
        for page in span.pages():
            start, end = max(span.start, page * PAGE), min(span.end, (page + 1) * PAGE)
            ((at, size),) = self.extents(Span(start, end - start))
            parts.append(bytes(self._bytes[at : at + size]) if self._resident(at) else bytes(size))
        return b"".join(parts)

    def discard(self, span: Span) -> None:
        """Give whole pages back to the host; they read as zeros afterwards."""
        if (span.start | span.length) % PAGE:
            raise ValueError(f"{span} is not whole pages of {PAGE} bytes")
        for at, size in self.extents(span):
            self._map.madvise(mmap.MADV_DONTNEED, at, size)

    def holes(self) -> tuple[Span, ...]:
        """Return the parts of guest memory that have no page behind them, sorted."""
        found: list[Span] = []
        for region in self.regions:
            entries = self._pagemap(region.offset, region.length)
            found += [
                Span(region.start + index * mmap.PAGESIZE, mmap.PAGESIZE)
                for index, entry in enumerate(entries)
                if not entry & _RESIDENT
            ]
        return merge(found)

    def _resident(self, offset: int) -> bool:
        (entry,) = self._pagemap(offset, 1)
        return bool(entry & _RESIDENT)

    def _pagemap(self, offset: int, length: int) -> tuple[int, ...]:
        """Return what the system knows of each page of a part of the mapping."""
        first = (self.address + offset) // mmap.PAGESIZE
        count = -(-length // mmap.PAGESIZE)
        fd = os.open("/proc/self/pagemap", os.O_RDONLY)
        try:
            return struct.unpack(f"={count}Q", os.pread(fd, 8 * count, 8 * first))
        finally:
            os.close(fd)
