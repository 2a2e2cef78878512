"""The back end's own requests: config space has changed, a ring has used buffers.

They need no answer and say nothing more when said twice, so that a front end which does not read
costs a few bits, not memory.
"""

from __future__ import annotations

import socket
from contextlib import suppress

from vhint.transport.vhost_user.connection import Connection, Ended
from vhint.wire.vhost_user import BackendRequest, Header, VringState, header, vring


class Channel:
    """The socket of SET_BACKEND_REQ_FD.  It owns the socket."""

    def __init__(self, sock: socket.socket) -> None:
        self._connection = Connection(sock)
        self._calls: set[int] = set()
        self._config = False

    @classmethod
    def over(cls, fd: int) -> Channel:
        """Take a descriptor over; raises `OSError`, and leaves it open, if it is not a socket."""
        return cls(socket.socket(fileno=fd))

    def fileno(self) -> int:
        """Return the socket's descriptor."""
        return self._connection.fileno()

    def call(self, index: int) -> None:
        """Say that a ring has used buffers."""
        self._calls.add(index)
        self.flush()

    def config_changed(self) -> None:
        """Say that config space has changed."""
        self._config = True
        self.flush()

    @property
    def is_waiting(self) -> bool:
        """Whether there is more to say than the socket has room for."""
        return self._connection.is_waiting or self._config or bool(self._calls)

    def flush(self) -> None:
        """Say what there is room for; what is lost with a closed socket is lost."""
        with suppress(Ended):
            self._connection.flush()
            while self.is_waiting and not self._connection.is_waiting:
                self._connection.send(self._next())

    def drain(self) -> bool:
        """Throw away what the other end sends; return False once it has closed."""
        try:
            return bool(self._connection.socket.recv(4096))
        except BlockingIOError:
            return True
        except OSError:
            return False

    def close(self) -> None:
        """Close the socket."""
        self._connection.close()

    def _next(self) -> bytes:
        if self._config:
            self._config = False
            return header.build(Header.of(BackendRequest.CONFIG_CHANGE_MSG))
        payload = vring.build_state(VringState(self._calls.pop(), 0))
        return header.build(Header.of(BackendRequest.VRING_CALL, len(payload))) + payload
