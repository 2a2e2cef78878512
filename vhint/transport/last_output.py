"""What a program that we started prints: heard to the end, and only the end of it kept."""

from __future__ import annotations

import os
import select
import threading
from typing import Self

KEPT = 1 << 16
"""Bytes that are kept; older ones go, so that a program which prints without end fills nothing."""

_PIECE = 1 << 16
_PIECES = 64
"""Reads at one go: a program that prints faster than we read must not keep us here."""


class LastOutput:
    """A pipe for a program's output, emptied by a thread as long as this is open.

    Hand `fd` to the program as its standard output and error, and call `handed_over` then.

    >>> with LastOutput() as output:
    ...     _ = os.write(output.fd, b"hello")
    ...     output.text()
    'hello'
    """

    def __init__(self, kept: int = KEPT) -> None:
        self._read, self.fd = os.pipe2(os.O_CLOEXEC)
        os.set_blocking(self._read, False)
        self._stop = os.eventfd(0, os.EFD_CLOEXEC)
        self._limit = kept
        self._kept = bytearray()
        self._total = 0
        self._at_end = self.closed = False
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="last-output", daemon=True)
        self._thread.start()

    def handed_over(self) -> None:
        """Close our end for writing: the program has its own by now."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1

    def text(self, most: int = KEPT) -> str:
        """Return the last `most` bytes of what was printed so far, without space around them."""
        self._drain()
        with self._lock:
            return bytes(self._kept[-most:]).decode(errors="replace").strip()

    @property
    def total(self) -> int:
        """How many bytes were printed so far."""
        self._drain()
        return self._total

    def close(self) -> None:
        """Stop hearing; what was kept stays.  Calling it twice is harmless."""
        if self.closed:
            return
        self._drain()
        self.closed = True
        os.eventfd_write(self._stop, 1)
        self._thread.join()
        self.handed_over()
        os.close(self._read)
        os.close(self._stop)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _run(self) -> None:
        while not self._at_end:
            ready, _, _ = select.select([self._read, self._stop], [], [])
            if self._stop in ready:
                return
            self._drain()

    def _drain(self) -> None:
        """Take what is in the pipe, up to a bound."""
        with self._lock:
            for _ in range(0 if self.closed or self._at_end else _PIECES):
                try:
                    data = os.read(self._read, _PIECE)
                except BlockingIOError:
                    return
                self._at_end = not data
                if self._at_end:
                    return
                self._total += len(data)
                self._kept += data
                del self._kept[: -self._limit]
