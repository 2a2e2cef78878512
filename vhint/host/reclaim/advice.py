"""The system calls that give memory back: one for each kind of memory, and one for many ranges.

They are called through ctypes because `mmap.madvise` holds the interpreter's lock for the whole
call, which stalls every other queue while gigabytes are freed.
"""

from __future__ import annotations

import ctypes
import errno
import mmap
import os
from array import array
from collections.abc import Callable
from functools import lru_cache

_libc = ctypes.CDLL(None, use_errno=True)

_madvise = _libc.madvise
_madvise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
_madvise.restype = ctypes.c_int

_fallocate = getattr(_libc, "fallocate64", None) or _libc.fallocate
_fallocate.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64)
_fallocate.restype = ctypes.c_int

_process_madvise = getattr(_libc, "process_madvise", None)
if _process_madvise is not None:
    _process_madvise.argtypes = (
        ctypes.c_int,
        ctypes.c_void_p,
        ctypes.c_size_t,
        ctypes.c_int,
        ctypes.c_uint,
    )
    _process_madvise.restype = ctypes.c_ssize_t

_PIDFD_SELF = -10001
"""Stands for this process, threads and all (PIDFD_SELF_THREAD_GROUP)."""

FALLOC_FL_KEEP_SIZE = 0x01
FALLOC_FL_PUNCH_HOLE = 0x02

MOST_RANGES = 1024
"""Ranges that one call of process_madvise takes (UIO_MAXIOV)."""

MOST_BYTES = (2 << 30) - (1 << 20)
"""Bytes that one call of process_madvise is given: the kernel cuts longer vectors short."""


def drop(address: int, size: int) -> None:
    """Drop private anonymous pages (MADV_DONTNEED); raise `OSError`."""
    _call(_madvise, address, size, mmap.MADV_DONTNEED)


def punch(fd: int, offset: int, size: int) -> None:
    """Punch a hole into a file, for every mapping of it; raise `OSError`."""
    _call(_fallocate, fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, size)


def advise_all(vector: array[int], kind: int) -> bool:
    """Give advice on many ranges of this process; return whether it was followed for all of them.

    `vector` has the address and the size of each in turn.  If it returns False, it was followed for
    some, or for none.
    """
    for first in range(0, len(vector), 2 * MOST_RANGES):
        part = vector[first : first + 2 * MOST_RANGES]
        size = sum(part[1::2])
        if size > MOST_BYTES or _advise(part, kind) != size:
            return False
    return True


@lru_cache
def takes_many(kind: int) -> bool:
    """Whether the system takes such advice on many ranges at once (Linux 6.15 does)."""
    return _advise(array("Q"), kind) == 0


def _advise(vector: array[int], kind: int) -> int:
    """Call process_madvise on this process; return the bytes done, or -1."""
    if _process_madvise is None:
        return -1
    address, words = vector.buffer_info()
    return int(_process_madvise(_PIDFD_SELF, address, words // 2, kind, 0))


def _call(function: Callable[..., int], *arguments: int) -> None:
    while function(*arguments):
        number = ctypes.get_errno()
        if number != errno.EINTR:
            raise OSError(number, os.strerror(number))
