"""What a back end says of its own accord, over the channel of SET_BACKEND_REQ_FD."""

from __future__ import annotations

import os
import socket

from vhint.transport.interface import TransportError
from vhint.wire.errors import WireError
from vhint.wire.vhost_user import (
    BACKEND_SHAPES,
    U64,
    BackendRequest,
    Header,
    VringState,
    header,
    u64,
)

MAX_PAYLOAD = 4096
MAX_MESSAGES = 256
"""Messages that are read in one go; a back end that sends more waits for its turn."""


class Notices:
    """The front end's end of the channel, which never blocks, and what was heard over it.

    `theirs` goes to the back end and is then closed here.  Raises `TransportError` for what is not
    a message.
    """

    def __init__(self) -> None:
        self._sock, self.theirs = socket.socketpair()
        self._sock.setblocking(False)
        self._rest = bytearray()
        self.open = True
        """Whether the back end still holds its end."""
        self.config_changes = 0
        """How often the back end said that its config space has changed."""
        self.called: set[int] = set()
        """Rings of which a buffer was used, and nobody has taken note yet."""
        self.broken: set[int] = set()
        """Rings on which the back end met an error."""

    def fileno(self) -> int:
        """Return the descriptor to wait on."""
        return self._sock.fileno()

    def handed_over(self) -> None:
        """Close the end that the back end has now."""
        self.theirs.close()

    def serve(self) -> None:
        """Take in the messages that have come, and answer those that want it."""
        if not self.open:
            return
        for _ in range(MAX_MESSAGES):
            while (message := self._next()) is None:
                if not self._fill():
                    return
            self._hear(*message)

    def close(self) -> None:
        """Close both ends."""
        self.open = False
        self._sock.close()
        self.theirs.close()

    def _fill(self) -> bool:
        """Read what is there; return whether there was anything."""
        try:
            piece, fds, _, _ = socket.recv_fds(self._sock, 1 << 12, 16, socket.MSG_CMSG_CLOEXEC)
        except BlockingIOError:
            return False
        except OSError:
            piece, fds = b"", []
        for fd in fds:  # no message of a balloon device carries any
            os.close(fd)
        self.open = bool(piece)
        self._rest += piece
        return self.open

    def _next(self) -> tuple[Header, bytes] | None:
        """Return the next whole message, if there is one."""
        if len(self._rest) < header.SIZE:
            return None
        head = header.parse(bytes(self._rest[: header.SIZE]))
        if head.version != header.VERSION or head.is_reply or head.size > MAX_PAYLOAD:
            raise TransportError(
                "the back end's channel: expected a request of version 1 and at most "
                f"{MAX_PAYLOAD} bytes, seen flags {head.flags:#x} and {head.size} bytes"
            )
        end = header.SIZE + head.size
        if len(self._rest) < end:
            return None
        body = bytes(self._rest[header.SIZE : end])
        del self._rest[:end]
        return head, body

    def _hear(self, head: Header, body: bytes) -> None:
        try:
            request = BackendRequest(head.request)
        except ValueError as error:
            raise TransportError(
                f"the back end's channel: there is no request {head.request}"
            ) from error
        shape = BACKEND_SHAPES.get(request)
        try:
            payload = shape.payload.parse(body) if shape and shape.payload else None
        except WireError as error:
            raise TransportError(f"the back end's {request.name}: {error}") from error
        match request:
            case BackendRequest.CONFIG_CHANGE_MSG:
                self.config_changes += 1
            case BackendRequest.VRING_CALL if isinstance(payload, VringState):
                self.called.add(payload.index)
            case BackendRequest.VRING_ERR if isinstance(payload, VringState):
                self.broken.add(payload.index)
            case _:
                pass  # nothing that concerns a balloon device
        if head.needs_reply:
            self._answer(request, refused=shape is None)

    def _answer(self, request: BackendRequest, *, refused: bool) -> None:
        body = u64.build(U64(int(refused)))
        try:
            self._sock.send(header.build(Header.of(request, len(body), reply=True)) + body)
        except BlockingIOError:
            raise TransportError(
                "the back end asks for replies on its channel and does not read them"
            ) from None
        except OSError:
            self.open = False
