"""A migration of a QEMU to a socket that is read here, held back and let go as a case needs it.

The source is held by its bandwidth: at `HELD` it sends a few pages ten times a second, so that a
round of hints stays open as long as a case likes.  `again` lets it come to the end of guest memory
while pages are dirty that it cannot leave out, so that it has to begin anew, with another id.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable

from vhint.transport.interface import TransportError
from vhint.transport.qtest.client import QmpClient
from vhint_conformance.targets.migration.arrived import Arrived
from vhint_conformance.targets.migration.stream import StreamError, read_stream
from vhint_conformance.verdict import Inconclusive

HELD = 400_000
"""Bytes a second while a migration is held: ten pages at each of QEMU's ten turns a second."""
FREE = 1 << 40
SHORTEST, LONGEST = 1, 2000
"""Milliseconds of downtime that are allowed: how much may be left when QEMU comes to the end."""

ENDED = frozenset({"completed", "failed", "cancelled"})
NAME = "vhint-migration"

STEP = 1 << 18
"""Bytes that are read between two looks, while an end must not be missed."""
BUFFER = 1 << 16
"""Bytes that may be under way in the socket."""


class Sink:
    """Reads what comes over a socket in a thread of its own, all of it or so much as it may.

    Whoever does not read stops QEMU, which waits for us with its locks held.  More than `limit`
    bytes are not kept: the connection is ended.
    """

    def __init__(self, sock: socket.socket, limit: int) -> None:
        self.data = bytearray()
        self._socket = sock
        self._limit = limit
        self._may: int | None = None
        self._changed = threading.Condition()
        self._ended = False
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def allow(self, count: int | None) -> None:
        """Let so many more bytes be read, from now on; None: all that come."""
        with self._changed:
            self._may = count
            self._changed.notify_all()

    def read(self, count: int, seconds: float) -> bool:
        """Read so many more bytes, or what comes in that time; return whether any came."""
        before = len(self.data)
        self.allow(count)
        with self._changed:
            self._changed.wait_for(lambda: self._ended or self._may == 0, seconds)
        return len(self.data) > before

    def wait(self, seconds: float) -> bool:
        """Wait until the other side has closed the connection; return whether it has."""
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def close(self) -> None:
        """End the connection and the thread; calling it twice is harmless."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()
        with contextlib.suppress(OSError):  # the other side was faster
            self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._socket.close()

    def _run(self) -> None:
        while len(self.data) <= self._limit:
            with self._changed:
                self._changed.wait_for(lambda: self._ended or self._may != 0)
                if self._ended:
                    break
                count = 1 << 20 if self._may is None else self._may
            try:
                piece = self._socket.recv(count)
            except OSError:
                piece = b""
            if not piece:
                break
            self.data += piece
            with self._changed:
                if self._may is not None:
                    self._may = max(0, self._may - len(piece))
                    self._changed.notify_all()
        with self._changed:
            self._ended = True
            self._changed.notify_all()


class LiveMigration:
    """One `migrate` command and what comes of it; `ram` is the guest's RAM in bytes.

    No answer is waited for longer than `seconds`.  Raises `TransportError` for what a sound QEMU
    does not do.
    """

    def __init__(self, qmp: QmpClient, ram: int, seconds: float) -> None:
        self._qmp = qmp
        self._seconds = seconds
        self._parameters(HELD, SHORTEST)
        ours, theirs = socket.socketpair()
        theirs.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER)
        self._sink = Sink(ours, 4 * ram + (16 << 20))
        try:
            with theirs:
                qmp.command("getfd", fd=theirs.fileno(), fdname=NAME)
            qmp.command("migrate", uri=f"fd:{NAME}")
        except TransportError:
            self._sink.close()
            raise

    def again(self, shown: Callable[[], int], dirty: Callable[[], None]) -> None:
        """Have QEMU go once more over guest memory, as it does when pages were written.

        `shown` reads the command id, `dirty` writes more pages than QEMU can leave to the end.
        """
        until = time.monotonic() + self._seconds
        before = shown()
        while not self._info().get("ram", {}).get("mbps"):  # QEMU has not measured its speed
            self._check(until, "did not begin")
            time.sleep(0.01)
        dirty()
        self._sink.allow(0)
        self._parameters(FREE, SHORTEST)
        while shown() in (0, 1, before):
            if self._sink.read(STEP, 0.05):
                until = time.monotonic() + self._seconds
            elif self._sink.wait(0):
                raise Inconclusive("the migration came to its end before a second round")
            self._check(until, "did not go over memory again")
        self._parameters(HELD, SHORTEST)
        self._sink.allow(None)

    def finish(self) -> Arrived:
        """Let QEMU send everything, and return what arrived."""
        self._parameters(FREE, LONGEST)
        status = self._end()
        if status != "completed" or not self._sink.wait(self._seconds):
            raise TransportError(f"QEMU's migration did not complete: it {status}")
        self._sink.close()
        try:
            return read_stream(self._sink.data)
        except StreamError as error:
            raise TransportError(str(error)) from error

    def cancel(self) -> None:
        """Give the migration up and wait until QEMU has."""
        self._qmp.command("migrate_cancel")
        self._end()
        self._sink.close()

    def break_off(self) -> None:
        """Close the connection, so that the migration fails, and wait until QEMU has noticed."""
        self._sink.close()
        self._end()

    def close(self) -> None:
        """Let go of it, whatever has become of it."""
        self._sink.close()

    def _end(self) -> str:
        until = time.monotonic() + self._seconds
        while (status := str(self._info().get("status"))) not in ENDED:
            self._check(until, f"is still {status}")
            time.sleep(0.002)
        return status

    def _check(self, until: float, what: str) -> None:
        if time.monotonic() > until:
            raise TransportError(f"QEMU's migration {what} within {self._seconds:g} s")

    def _info(self) -> dict[str, dict[str, float]]:
        found: dict[str, dict[str, float]] = self._qmp.command("query-migrate")
        return found

    def _parameters(self, bandwidth: int, downtime: int) -> None:
        self._qmp.command(
            "migrate-set-parameters", **{"max-bandwidth": bandwidth, "downtime-limit": downtime}
        )
