"""Where commands come from: standard input, or anybody who connects to a control socket."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from contextlib import suppress

from vhint.transport.vhost_user.commands import perform
from vhint.transport.vhost_user.listening import ListeningSocket
from vhint.transport.vhost_user.server import Server

MAX_LINE = 4096
"""Bytes of the longest command."""
MAX_CLIENTS = 8
"""How many may be connected to the control socket at once."""


class Commander:
    """Reads lines from a descriptor when there are some, and answers them.

    `answer` is given each answer; `ended` is called once when the lines have come to an end.
    """

    def __init__(
        self,
        server: Server,
        fd: int,
        answer: Callable[[str], None],
        ended: Callable[[], None] = lambda: None,
    ) -> None:
        self._server = server
        self._fd = fd
        self._answer = answer
        self._ended = ended
        self._line = bytearray()
        server.watch(fd, self._read)

    def _read(self) -> None:
        try:
            data = os.read(self._fd, MAX_LINE)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._end()
            return
        *lines, rest = (bytes(self._line) + data).split(b"\n")
        for line in lines:
            self._answer(perform(self._server, line.decode(errors="replace")))
        self._line = bytearray(rest)
        if len(rest) > MAX_LINE:
            self._answer(f"error: a command has at most {MAX_LINE} bytes")
            self._end()

    def _end(self) -> None:
        self._server.unwatch(self._fd)
        self._ended()


class ControlSocket:
    """Takes commands from whoever connects.  The listening socket stays the caller's."""

    def __init__(self, server: Server, listening: ListeningSocket) -> None:
        self._server = server
        self._listening = listening
        self._clients: set[socket.socket] = set()
        server.watch(listening.socket, self._accept)

    def _accept(self) -> None:
        client = self._listening.accept()
        if client is None:
            return
        client.setblocking(False)
        if len(self._clients) >= MAX_CLIENTS:
            _send(client, f"error: {MAX_CLIENTS} are connected already")
            client.close()
            return
        self._clients.add(client)

        def ended() -> None:
            self._clients.discard(client)
            client.close()

        Commander(self._server, client.fileno(), lambda line: _send(client, line), ended)

    def close(self) -> None:
        """Let go of everybody."""
        for client in self._clients:
            client.close()
        self._clients.clear()


def _send(client: socket.socket, line: str) -> None:
    with suppress(OSError):  # whoever does not read the answers does not get them
        client.send(line.encode() + b"\n")
