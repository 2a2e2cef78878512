"""A back end that does what a test says: answers from a table, in a thread, and takes notes."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable
from typing import Any

from vhint.wire.vhost_user import (
    SHAPES,
    U64,
    ConfigMessage,
    Header,
    Octets,
    Request,
    VringState,
    header,
    u64,
)

OFFERED = 1 << 32 | 1 << 30 | 1 << 5
Answer = Callable[[Any], bytes | None]


def reply(request: Request, payload: bytes) -> bytes:
    """Return a sound reply."""
    return header.build(Header.of(request, len(payload), reply=True)) + payload


class ScriptedBackEnd:
    """The other end of `sock`, until the front end hangs up.

    `answers` overrides what is sent back for a request (None: nothing); `refuses` are answered with
    a failure where they are acknowledged at all.
    """

    def __init__(
        self,
        *,
        offered: int = OFFERED,
        protocol: int = 0,
        answers: dict[Request, Answer] | None = None,
        refuses: tuple[Request, ...] = (),
    ) -> None:
        self.sock, self._mine = socket.socketpair()
        self.offered, self.protocol = offered, protocol
        self.answers = answers or {}
        self.refuses = refuses
        self.log: list[tuple[Request, Any]] = []
        self.fds: dict[Request, list[int]] = {}
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    @property
    def said(self) -> list[Request]:
        """The requests that came, in order."""
        return [request for request, _ in self.log]

    def channel(self) -> socket.socket:
        """The back end's own channel, as it was handed over."""
        return socket.socket(fileno=os.dup(self.fds[Request.SET_BACKEND_REQ_FD][0]))

    def join(self) -> None:
        """Wait for the end and close what was received; calling it twice is harmless."""
        self._thread.join(5)
        assert not self._thread.is_alive()
        for fds in self.fds.values():
            while fds:
                os.close(fds.pop())

    def _serve(self) -> None:
        try:
            while self._one():
                pass
        except OSError:
            pass
        finally:
            self._mine.close()

    def _one(self) -> bool:
        data, fds, _, _ = socket.recv_fds(self._mine, header.SIZE, 8)
        if not data:
            return False
        head = header.parse(data)
        body = self._mine.recv(head.size, socket.MSG_WAITALL) if head.size else b""
        request = Request(head.request)
        codec = SHAPES[request].payload
        payload = codec.parse(body) if codec else None
        self.fds.setdefault(request, []).extend(fds)
        self.log.append((request, payload))
        answer = self._answer(request, payload, head.needs_reply)
        if answer is None:
            return True
        self._mine.sendall(answer)
        return bool(answer)

    def _answer(self, request: Request, payload: Any, needs_reply: bool) -> bytes | None:
        if request in self.answers:
            return self.answers[request](payload)
        match request:
            case Request.GET_FEATURES:
                return reply(request, u64.build(U64(self.offered)))
            case Request.GET_PROTOCOL_FEATURES:
                return reply(request, u64.build(U64(self.protocol)))
            case Request.GET_QUEUE_NUM:
                return reply(request, u64.build(U64(3)))
            case Request.GET_STATUS:
                return reply(request, u64.build(U64(0)))
            case Request.GET_VRING_BASE:
                return reply(request, SHAPES[request].payload.build(VringState(payload.index, 7)))
            case Request.GET_CONFIG:
                size = len(payload.region)
                answer = ConfigMessage(0, 0, Octets.of(bytes(range(size))))
                return reply(request, SHAPES[request].payload.build(answer))
        if needs_reply:
            return reply(request, u64.build(U64(int(request in self.refuses))))
        return None
