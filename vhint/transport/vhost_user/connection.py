"""One end of a vhost-user connection: messages and the file descriptors beside them.

Nothing is believed before it is bounded: a header is read first, its size is held against the
largest message there is, and only then is the payload read.  Every descriptor that arrives is
counted, and closed again unless somebody takes it.
"""

from __future__ import annotations

import array
import os
import socket
import stat
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

from vhint.wire.vhost_user import Header, header, memory

MAX_PAYLOAD: Final = 4096
"""Bytes of the largest payload that is read; the largest that means anything is far smaller."""

MAX_FDS: Final = memory.BASELINE_REGIONS
"""The most descriptors that come with a message: one for each region of a memory table."""


class Refused(Exception):  # noqa: N818 - what is done about it
    """What the other end sent cannot be accepted; the text says what was expected and seen."""


class Ended(Exception):  # noqa: N818 - not an error
    """The other end has closed the connection, between two messages."""


@dataclass(slots=True)
class Message:
    """A whole message; `fds` are its own until they are taken, and `close` closes the others."""

    header: Header
    payload: bytes
    fds: list[int] = field(default_factory=list)

    def take_fds(self) -> list[int]:
        """Hand all descriptors over: the caller closes them from now on."""
        taken, self.fds = self.fds, []
        return taken

    def close(self) -> None:
        """Close the descriptors that nobody took."""
        close_all(self.take_fds())


class Connection:
    """A connected socket that is never waited for.  It owns the socket."""

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        self.socket = sock
        self._data = bytearray()
        self._fds: list[int] = []
        self._out = bytearray()

    def fileno(self) -> int:
        """Return the socket's descriptor."""
        return self.socket.fileno()

    @property
    def peer_pid(self) -> int:
        """The process that connected."""
        raw = self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
        return int.from_bytes(raw[:4], "little")

    def receive(self) -> Message | None:
        """Return the next message, or None while it is not there as a whole.

        Raises `Refused` for what cannot be a message, `Ended` if the other end has closed.
        """
        while (wanted := self._missing()) > 0:
            try:
                data, fds = self._read(wanted)
            except BlockingIOError:
                return None
            except ConnectionError as error:
                raise Ended(str(error)) from error
            self._fds += fds
            if len(self._fds) > MAX_FDS:
                raise Refused(f"more than {MAX_FDS} descriptors with one message")
            if any(map(self._leads_here, fds)):  # its end would never be seen
                raise Refused("a descriptor of this very connection")
            if not data:
                if self._data or self._fds:
                    raise Refused(f"the connection ended {len(self._data)} bytes into a message")
                raise Ended("closed")
            self._data += data
        head = header.parse(bytes(self._data[: header.SIZE]))
        message = Message(head, bytes(self._data[header.SIZE :]), self._fds)
        self._data.clear()
        self._fds = []
        return message

    def send(self, data: bytes) -> None:
        """Send, or keep for `flush` what the socket has no room for; raises `Ended`."""
        self._out += data
        self.flush()

    def flush(self) -> None:
        """Send what was kept, as far as there is room; raises `Ended`."""
        try:
            while self._out:
                del self._out[: self.socket.send(self._out)]
        except BlockingIOError:
            pass
        except OSError as error:
            raise Ended(str(error)) from error

    @property
    def is_waiting(self) -> bool:
        """Whether something is kept that the socket had no room for."""
        return bool(self._out)

    def close(self) -> None:
        """Close the socket and every descriptor that came through it and was not taken."""
        close_all(self._fds)
        self._fds = []
        self.socket.close()

    @property
    def is_partial(self) -> bool:
        """Whether a message has begun to arrive and is not there as a whole."""
        return bool(self._data or self._fds)

    def _leads_here(self, fd: int) -> bool:
        """Whether a descriptor is the other end of this connection, at a socket with a name."""
        if not stat.S_ISSOCK(os.fstat(fd).st_mode):
            return False
        with socket.socket(fileno=os.dup(fd)) as other, suppress(OSError):
            name = self.socket.getsockname()
            return bool(name) and bool(other.getpeername() == name)
        return False

    def _missing(self) -> int:
        """Return how many bytes are missing of the header, or else of the payload."""
        have = len(self._data)
        if have < header.SIZE:
            return header.SIZE - have
        size = header.parse(bytes(self._data[: header.SIZE])).size
        if size > MAX_PAYLOAD:
            raise Refused(f"a message of {size} bytes; the largest has {MAX_PAYLOAD}")
        return header.SIZE + size - have

    def _read(self, size: int) -> tuple[bytes, list[int]]:
        """Read once; raises `Refused` if more descriptors came than there is room for."""
        room = socket.CMSG_SPACE((MAX_FDS + 1) * array.array("i").itemsize)
        data, control, flags, _ = self.socket.recvmsg(size, room, socket.MSG_CMSG_CLOEXEC)
        fds = list(_descriptors(control))
        if flags & socket.MSG_CTRUNC:
            close_all(fds)
            raise Refused(f"more than {MAX_FDS} descriptors with one message")
        return data, fds


def send_with_fds(sock: socket.socket, data: bytes, fds: list[int]) -> None:
    """Send a whole message with descriptors beside it, waiting for room."""
    control = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
    sent = sock.sendmsg([data], control)
    sock.sendall(data[sent:])


def close_all(fds: list[int]) -> None:
    """Close descriptors; one that is closed already is no matter."""
    for fd in fds:
        with suppress(OSError):
            os.close(fd)


def _descriptors(control: list[tuple[int, int, bytes]]) -> Iterator[int]:
    for level, kind, data in control:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            fds = array.array("i")
            fds.frombytes(data[: len(data) - len(data) % fds.itemsize])
            yield from fds
