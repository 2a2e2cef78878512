"""One end of a vhost-user socket: asks a back end, each question against the clock."""

from __future__ import annotations

import os
import select
import socket
import time
from collections.abc import Iterable
from typing import Any

from vhint.transport.interface import TransportError
from vhint.transport.vhost_user.notices import Notices
from vhint.wire.errors import WireError
from vhint.wire.vhost_user import SHAPES, U64, Header, Request, header, u64

MAX_PAYLOAD = 4096
"""Bytes of a reply after which a back end is taken to talk nonsense."""

MAX_FDS = 16
"""Descriptors that are taken off one message, to be closed; the kernel closes any others."""


class Requester:
    """Sends requests over `sock` and receives what answers them, within `seconds` each.

    While it waits it serves the back end's own channel, so that neither waits for the other.
    Raises `TransportError` if the back end is gone, is late, or answers what was not asked.
    """

    def __init__(self, sock: socket.socket, seconds: float) -> None:
        self._sock = sock
        self._sock.setblocking(False)  # whoever waits does it here, with both channels in view
        self._seconds = seconds
        self.acknowledged = False
        """Whether every message is acknowledged (REPLY_ACK)."""
        self.notices: Notices | None = None
        """The back end's own channel, if it has one."""

    def ask(self, request: Request, payload: Any = None) -> Any:
        """Send a request that has a reply, and return the reply's payload."""
        until = time.monotonic() + self._seconds
        self._send(request, payload, (), until, need_reply=False)
        return self._reply(request, SHAPES[request].reply, until)

    def tell(self, request: Request, payload: Any = None, fds: Iterable[int] = ()) -> bool:
        """Send a message without a reply of its own; return False if the back end refused it.

        Without REPLY_ACK nobody can tell, and it returns True.
        """
        until = time.monotonic() + self._seconds
        self._send(request, payload, tuple(fds), until, need_reply=self.acknowledged)
        if not self.acknowledged:
            return True
        answer: U64 = self._reply(request, u64.CODEC, until)
        return answer.is_success

    def demand(self, request: Request, payload: Any = None, fds: Iterable[int] = ()) -> None:
        """Send a message that no sound back end refuses."""
        if not self.tell(request, payload, fds):
            raise TransportError(f"the back end refused {request.name}, as its REPLY_ACK says")

    def fileno(self) -> int:
        """Return the socket's descriptor, to wait on."""
        return self._sock.fileno()

    def check_silent(self) -> None:
        """Raise `TransportError` if the back end has hung up, or speaks without being asked."""
        try:
            said = self._sock.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return
        except OSError as error:
            raise _gone(error) from error
        if not said:
            raise TransportError("the back end closed the connection")
        raise TransportError("the back end sent a message that nothing asked for")

    def has_hung_up(self) -> bool:
        """Whether the back end has closed the connection."""
        try:
            return not self._sock.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return False
        except OSError:
            return True

    def has_more(self) -> bool:
        """Whether there are bytes of the back end's to read."""
        try:
            return bool(self._sock.recv(1, socket.MSG_PEEK))
        except OSError:
            return False

    def close(self) -> None:
        """Close the socket."""
        self._sock.close()

    def _send(
        self,
        request: Request,
        payload: Any,
        fds: tuple[int, ...],
        until: float,
        *,
        need_reply: bool,
    ) -> None:
        codec = SHAPES[request].payload
        body = b"" if codec is None else codec.build(payload)
        message = header.build(Header.of(request, len(body), need_reply=need_reply)) + body
        while message:
            self._await(select.POLLOUT, f"take {request.name} off its socket", until)
            try:
                sent = socket.send_fds(self._sock, [message], fds)
            except BlockingIOError:
                continue
            except OSError as error:
                raise _gone(error) from error
            message, fds = message[sent:], ()

    def _reply(self, request: Request, codec: Any, until: float) -> Any:
        found = header.parse(self._receive(header.SIZE, request, until))
        if found.version != header.VERSION or not found.is_reply or found.request != request:
            raise TransportError(
                f"expected a reply to {request.name} (request {int(request)}, flags 0x5), "
                f"seen request {found.request}, flags {found.flags:#x}"
            )
        if found.size > MAX_PAYLOAD:
            raise TransportError(
                f"the reply to {request.name} says that it has {found.size} bytes, "
                f"expected at most {MAX_PAYLOAD}"
            )
        body = self._receive(found.size, request, until)
        try:
            return codec.parse(body)
        except WireError as error:
            raise TransportError(f"the reply to {request.name}: {error}") from error

    def _receive(self, size: int, request: Request, until: float) -> bytes:
        data = bytearray()
        while len(data) < size:
            self._await(select.POLLIN, f"answer {request.name}", until)
            try:
                piece, fds, _, _ = socket.recv_fds(
                    self._sock,
                    size - len(data),
                    MAX_FDS,
                    socket.MSG_CMSG_CLOEXEC,
                )
            except BlockingIOError:
                continue
            except OSError as error:
                raise _gone(error) from error
            close_all(fds)
            if fds:
                raise TransportError(
                    f"the reply to {request.name} came with {len(fds)} file descriptors, "
                    "expected none"
                )
            if not piece:
                raise TransportError(
                    f"the back end closed the connection when asked for {request.name}"
                )
            data += piece
        return bytes(data)

    def _await(self, event: int, what: str, until: float) -> None:
        """Wait until the socket is ready; serve the other channel meanwhile."""
        while True:
            left = until - time.monotonic()
            if left <= 0:
                raise TransportError(f"the back end did not {what} within {self._seconds:g} s")
            poller = select.poll()
            poller.register(self._sock, event)
            if self.notices is not None and self.notices.open:
                poller.register(self.notices, select.POLLIN)
            ready = {fd for fd, _ in poller.poll(left * 1000 + 1)}
            if self.notices is not None and self.notices.fileno() in ready:
                self.notices.serve()
            if self._sock.fileno() in ready:
                return


def close_all(fds: Iterable[int]) -> None:
    """Close descriptors that came from the other side."""
    for fd in fds:
        os.close(fd)


def _gone(error: OSError) -> TransportError:
    return TransportError(f"the connection to the back end is lost: {error.strerror or error}")
