"""Guest memory: a file that is mapped, with bounds, aligned stores, discards and holes.

Every address that a guest or a host says is checked here before a byte is touched.  Loads and
stores of ring indices go through aligned 16-bit views: a byte-wise copy can show the other side
a value that was never written (half of the old, half of the new).
"""

from __future__ import annotations

import ctypes
import mmap
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import TracebackType
from typing import ClassVar, Self

from vhint.spans import PAGE, Span, merge

if sys.byteorder != "little":  # pragma: no cover - the 16-bit views below are native
    raise ImportError("vhint.ring needs a little-endian host: rings are little-endian in memory")


class AddressError(ValueError):
    """A range that is not wholly inside guest memory."""

    def __init__(self, span: Span, regions: Sequence[Region]) -> None:
        self.span = span
        ram = ", ".join(str(Span(region.start, region.length)) for region in regions)
        super().__init__(f"{span} is not inside guest memory; expected a range within {ram}")


@dataclass(frozen=True, slots=True)
class Region:
    """`length` bytes of guest memory at address `start`, found at `offset` of the file.

    All three are multiples of the page size.
    """

    start: int
    length: int
    offset: int


class Backing(StrEnum):
    """What kind of host memory guest memory is; it decides how pages can be discarded."""

    SHARED_FILE = "shared file"
    """A memfd, or a file on hugetlbfs or elsewhere, mapped shared."""
    PRIVATE_ANONYMOUS = "private anonymous"
    """Memory of this process alone."""


class GuestMemory:
    """The guest's RAM, shared through a file descriptor.

    Ranges may cross from one region into another that follows it without a gap.  The object
    owns its descriptor and its mapping: close it, or use it as a context manager.  Raises
    `ValueError` for regions that are not whole pages of the file or that overlap.

    >>> with GuestMemory.create(0x10000) as memory:
    ...     memory.write(0x1000, b"page")
    ...     memory.discard(Span(0x1000, 0x1000))
    ...     memory.holes() == (Span(0, 0x10000),)
    True
    """

    backing: ClassVar[Backing] = Backing.SHARED_FILE

    #: Told of every store through this object, with its address and bytes, just before it is made.
    before_store: Callable[[int, bytes], object] | None = None

    def __init__(self, fd: int, regions: Sequence[Region]) -> None:
        self.regions = in_order(regions)
        size = max(region.offset + region.length for region in self.regions)
        self.fd = os.dup(fd)
        try:
            self._adopt(mmap.mmap(self.fd, size, mmap.MAP_SHARED))
        except (OSError, ValueError):
            os.close(self.fd)
            raise

    def _adopt(self, mapped: mmap.mmap) -> None:
        self._map = mapped
        self._bytes = memoryview(mapped)
        self._words = self._bytes.cast("H")

    @classmethod
    def create(cls, size: int) -> Self:
        """Make `size` bytes of new, empty guest memory at address 0, in a memfd."""
        fd = os.memfd_create("vhint-ram", os.MFD_CLOEXEC)
        try:
            os.ftruncate(fd, size)
            return cls(fd, [Region(0, size, 0)])
        finally:
            os.close(fd)

    def view(self) -> GuestMemory:
        """Map the same memory once more, as the other side of a transport does."""
        return GuestMemory(self.fd, self.regions)

    def close(self) -> None:
        """Unmap and close; calling it twice is harmless."""
        if self.fd >= 0:
            self._words.release()
            self._bytes.release()
            self._map.close()
            os.close(self.fd)
            self.fd = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def address(self) -> int:
        """Where in this process the mapping begins; offsets of `extents` count from here."""
        return ctypes.addressof(ctypes.c_char.from_buffer(self._map))

    @property
    def page_size(self) -> int:
        """Bytes of the pages behind the memory: more than 4096 on hugetlbfs."""
        return max(PAGE, os.fstatvfs(self.fd).f_bsize)

    def region_of(self, span: Span) -> Region | None:
        """Return the region that holds all of the span (an empty one: its address), or None."""
        start, length = span
        for region in self.regions:
            room = region.start + region.length - start
            if 0 <= length <= room and room > 0 and region.start <= start:
                return region
        return None

    def contains(self, span: Span) -> bool:
        """Whether every byte of the span is guest memory (an empty span: its address is)."""
        if self.region_of(span):  # as nearly always
            return True
        try:
            self.extents(span)
        except AddressError:
            return False
        return True

    def read(self, span: Span) -> bytes:
        """Return a copy of the bytes; raise `AddressError` outside guest memory."""
        start, length = span
        at = self._in_one_piece(start, length)
        if at is not None:  # as nearly always
            return self._bytes[at : at + length].tobytes()
        return b"".join(self._bytes[at : at + size] for at, size in self.extents(span))

    def write(self, address: int, data: bytes) -> None:
        """Store the bytes; raise `AddressError`, and store nothing, outside guest memory."""
        at = self._in_one_piece(address, len(data))
        # As nearly always it is one part.
        parts = self.extents(Span(address, len(data))) if at is None else [(at, len(data))]
        if self.before_store is not None:
            self.before_store(address, data)
        done = 0
        for at, size in parts:
            self._bytes[at : at + size] = data[done : done + size]
            done += size

    def load16(self, address: int) -> int:
        """Return the little-endian 16-bit value at an even address, in one load."""
        return self._words[self._word(address)]

    def store16(self, address: int, value: int) -> None:
        """Store a little-endian 16-bit value at an even address, in one store."""
        word = self._word(address)
        if self.before_store is not None:
            self.before_store(address, (value & 0xFFFF).to_bytes(2, "little"))
        self._words[word] = value & 0xFFFF

    def peek(self, span: Span) -> bytes:
        """Return the bytes without making memory of holes, as reading the mapping would."""
        parts = [(*self.in_file(at), size) for at, size in self.extents(span)]
        return b"".join(os.pread(fd, size, at) for fd, at, size in parts)

    def in_file(self, offset: int) -> tuple[int, int]:
        """Return the descriptor of the file behind an offset of the mapping, and its offset there.

        A part that `extents` gives is in one file from its start to its end.
        """
        return self.fd, offset

    def discard(self, span: Span) -> None:
        """Give the pages of the span back to the host; they read as zeros afterwards.

        The memory is shared, so the file is punched: MADV_DONTNEED would free nothing.  Raises
        `ValueError` for a span that is not whole pages, `AddressError` outside guest memory.
        """
        if (span.start | span.length) % PAGE:
            raise ValueError(f"{span} is not whole pages of {PAGE} bytes")
        for at, size in self.extents(span):
            self._map.madvise(mmap.MADV_REMOVE, at, size)

    def holes(self) -> tuple[Span, ...]:
        """Return the parts of guest memory that have no page behind them, sorted."""
        found: list[Span] = []
        for region in self.regions:
            fd, first = self.in_file(region.offset)
            position, end = first, first + region.length
            while position < end:
                try:
                    data = min(os.lseek(fd, position, os.SEEK_DATA), end)
                except OSError:  # ENXIO: no data behind this position
                    data = end
                if data > position:
                    found.append(Span(region.start + position - first, data - position))
                if data < end:
                    data = min(os.lseek(fd, data, os.SEEK_HOLE), end)
                position = data
        return merge(found)

    def _word(self, address: int) -> int:
        if address % 2:
            raise ValueError(f"{address:#x} is odd: a 16-bit access must be aligned")
        at = self._in_one_piece(address, 2)
        if at is None:  # an aligned word is not on two pages
            raise AddressError(Span(address, 2), self.regions)
        return at // 2

    def _in_one_piece(self, start: int, length: int) -> int | None:
        """Return where a range that one region holds begins in the mapping; None for others."""
        for region in self.regions:
            inner = start - region.start
            if 0 <= inner < region.length and 0 <= length <= region.length - inner:
                return region.offset + inner
        return None

    def extents(self, span: Span) -> list[tuple[int, int]]:
        """Return (offset in the mapping, size) of each part of a span; none is empty but of one.

        Raises `AddressError` unless all of the span is inside.
        """
        position, length = span
        if position < 0 or length < 0:
            raise AddressError(span, self.regions)
        pieces: list[tuple[int, int]] = []
        for region in self.regions:
            inner = position - region.start
            room = region.length - inner
            if inner >= 0 and room > 0:
                if length <= room:
                    pieces.append((region.offset + inner, length))
                    return pieces
                pieces.append((region.offset + inner, room))
                position += room
                length -= room
        raise AddressError(span, self.regions)


def in_order(regions: Sequence[Region]) -> tuple[Region, ...]:
    """Sort regions by address; raise `ValueError` if they overlap or are not whole pages."""
    if not regions:
        raise ValueError("guest memory needs at least one region")
    regions = tuple(sorted(regions, key=lambda region: region.start))
    end = 0
    for region in regions:
        if (region.start | region.length | region.offset) % PAGE:
            raise ValueError(f"{region} is not aligned to {PAGE} bytes")
        if region.length <= 0 or region.offset < 0:
            raise ValueError(f"{region} is empty or not in the file")
        if region.start < end:
            raise ValueError(f"{region} overlaps the region before it or starts below 0")
        end = region.start + region.length
    return regions
