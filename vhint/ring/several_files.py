"""Guest memory that lies in several files, as a virtual machine monitor hands it over.

All parts are mapped into one range of this process's addresses, so that everything which works on
one mapping works here too.  The files are somebody else's: who made them can cut them short at any
time, and a process that then touches what is gone is killed (SIGBUS).  So each is sealed against it
if it can be (a memfd that allows seals), and `problem` looks at the lengths again.
"""

from __future__ import annotations

import ctypes
import fcntl
import mmap
import os
import stat
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from vhint.ring.memory import GuestMemory, Region, in_order
from vhint.spans import PAGE, Span

_libc = ctypes.CDLL(None, use_errno=True)
_mmap = _libc.mmap64
_mmap.restype = ctypes.c_void_p
_mmap.argtypes = (
    ctypes.c_void_p,
    ctypes.c_size_t,
    ctypes.c_int,
    ctypes.c_int,
    ctypes.c_int,
    ctypes.c_int64,
)
_MAP_FIXED = 0x10
_MAP_NORESERVE = 0x4000
_FAILED = ctypes.c_void_p(-1).value


@dataclass(frozen=True, slots=True)
class FilePart:
    """`length` bytes of guest memory at address `start`: those at `offset` of the file `fd`."""

    start: int
    length: int
    fd: int
    offset: int


@dataclass(frozen=True, slots=True)
class _File:
    """One part as it is kept: our own descriptor, and how much of the file has to be there."""

    fd: int
    offset: int
    end: int
    sealed: bool


class SeveralFiles(GuestMemory):
    """The guest's RAM, each part of it in a file of its own or in a part of one.

    It has its own duplicates of the descriptors.  Raises `ValueError` for parts that are not whole
    pages, overlap, or are not within a regular file; `OSError` if they cannot be mapped.
    """

    def __init__(self, parts: Sequence[FilePart]) -> None:
        ordered = sorted(parts, key=lambda part: part.start)
        in_order([Region(part.start, part.length, part.offset) for part in ordered])
        self.fd = -1
        with ExitStack() as stack:
            pages: list[int] = []
            self._files: list[_File] = []
            for part in ordered:
                pages.append(_page_of(part))
                fd = os.dup(part.fd)
                stack.callback(os.close, fd)
                sealed = _seal(fd)
                self._files.append(_File(fd, part.offset, part.offset + part.length, sealed))
            # Huge pages are mapped at multiples of their size, wherever a region begins in one.
            self._page = max(pages)
            windows = [_window(part, page) for part, page in zip(ordered, pages, strict=True)]
            room = sum(_up(high - low, self._page) for low, high in windows) + self._page
            self._adopt(_reserve(room))
            stack.callback(self._let_go)
            self._given = tuple(ordered.index(part) for part in parts)
            base = self.address
            place = _up(base, self._page) - base
            regions: list[Region] = []
            for part, file, (low, high) in zip(ordered, self._files, windows, strict=True):
                _lay(base + place, high - low, file.fd, low)
                regions.append(Region(part.start, part.length, place + part.offset - low))
                place += _up(high - low, self._page)
            self.regions = tuple(regions)
            self._places = [
                (region.offset, region.offset + region.length, file.fd, file.offset)
                for region, file in zip(regions, self._files, strict=True)
            ]
            self._stack = stack.pop_all()

    @property
    def page_size(self) -> int:
        """Bytes of the largest pages behind any part."""
        return self._page

    @property
    def sealed(self) -> bool:
        """Whether nobody can cut any of the files short."""
        return all(file.sealed for file in self._files)

    def fds(self) -> list[int]:
        """Return the descriptor of each part, in the order in which the parts were given."""
        return [self._files[place].fd for place in self._given]

    def problem(self) -> str | None:
        """Say which file has become too short, or return None."""
        for region, file in zip(self.regions, self._files, strict=True):
            if not file.sealed and (size := os.fstat(file.fd).st_size) < file.end:
                area = Span(region.start, region.length)
                return f"the file of guest memory {area} was cut to {size} bytes, {file.end} needed"
        return None

    def resident(self) -> int:
        """Return how many bytes the files take on the host, each file counted once."""
        found = {}
        for file in self._files:
            state = os.fstat(file.fd)
            found[state.st_dev, state.st_ino] = state.st_blocks * 512
        return sum(found.values())

    def in_file(self, offset: int) -> tuple[int, int]:
        """Return the descriptor of the file behind an offset of the mapping, and where in it."""
        for first, end, fd, there in self._places:
            if first <= offset < end:
                return fd, there + offset - first
        raise ValueError(f"no file is mapped at {offset:#x}")

    def view(self) -> SeveralFiles:
        """Map the same files once more."""
        return SeveralFiles(
            [
                FilePart(region.start, region.length, file.fd, file.offset)
                for region, file in zip(self.regions, self._files, strict=True)
            ]
        )

    def close(self) -> None:
        """Unmap and close; calling it twice is harmless."""
        self._stack.close()

    def _let_go(self) -> None:
        self._words.release()
        self._bytes.release()
        self._map.close()


def _page_of(part: FilePart) -> int:
    """Return the size of the pages of a part's file; raise `ValueError` if it cannot serve."""
    state = os.fstat(part.fd)
    where = f"guest memory {Span(part.start, part.length)}"
    if not stat.S_ISREG(state.st_mode):
        raise ValueError(f"{where}: its descriptor is not of a regular file")
    end = part.offset + part.length
    if state.st_size < end:
        raise ValueError(f"{where}: its file has {state.st_size} bytes, {end} needed")
    access = fcntl.fcntl(part.fd, fcntl.F_GETFL) & os.O_ACCMODE
    if access != os.O_RDWR:
        raise ValueError(f"{where}: its file is not open for reading and writing")
    return max(PAGE, os.fstatvfs(part.fd).f_bsize)


def _seal(fd: int) -> bool:
    """Seal a file against being cut short, if it is one that can be; return whether it is."""
    try:
        if not fcntl.fcntl(fd, fcntl.F_GET_SEALS) & fcntl.F_SEAL_SHRINK:
            fcntl.fcntl(fd, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK)
    except OSError:  # not a memfd, or one that takes no more seals
        return False
    return True


def _window(part: FilePart, page: int) -> tuple[int, int]:
    """Return the whole pages of the file that hold a part."""
    return part.offset // page * page, _up(part.offset + part.length, page)


def _reserve(size: int) -> mmap.mmap:
    flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | _MAP_NORESERVE
    return mmap.mmap(-1, size, flags)


def _lay(address: int, size: int, fd: int, offset: int) -> None:
    """Put a part of a file in the place of what was mapped at an address."""
    protection = mmap.PROT_READ | mmap.PROT_WRITE
    done = _mmap(address, size, protection, mmap.MAP_SHARED | _MAP_FIXED, fd, offset)
    if done == _FAILED:
        number = ctypes.get_errno()
        raise OSError(number, f"guest memory cannot be mapped: {os.strerror(number)}")


def _up(value: int, to: int) -> int:
    return -(-value // to) * to
