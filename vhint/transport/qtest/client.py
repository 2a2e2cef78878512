"""The two line protocols by which QEMU is driven: qtest (registers) and QMP (management)."""

from __future__ import annotations

import json
import socket
import time
from typing import Any

from vhint.transport.interface import TransportError

MAX_LINE = 16 << 20
"""Bytes without a line's end after which a peer is taken to talk nonsense."""


class LineSocket:
    """A stream socket read and written line by line, against the clock.

    The clock starts with each line that is sent (and when the socket is taken over): whatever is
    received up to the next one must have come within `seconds`, in however many pieces.
    """

    def __init__(self, sock: socket.socket, name: str, seconds: float) -> None:
        self._sock = sock
        self._name = name
        self._seconds = seconds
        self._until = time.monotonic() + seconds
        self._rest = bytearray()

    def send(self, line: str, fd: int | None = None) -> None:
        """Send one line, and a descriptor with it."""
        self._until = time.monotonic() + self._seconds
        data = line.encode() + b"\n"
        try:
            self._sock.settimeout(self._seconds)
            if fd is not None:
                data = data[socket.send_fds(self._sock, [data], [fd]) :]
            self._sock.sendall(data)
        except OSError as error:
            raise TransportError(f"{self._name}: {error.strerror or error}") from error

    def receive(self) -> str:
        """Return the next line without its end; raise `TransportError` at the end or too late."""
        searched = 0
        while (end := self._rest.find(b"\n", searched)) < 0:
            searched = len(self._rest)
            if searched > MAX_LINE:
                raise TransportError(f"{self._name}: {searched} bytes without the end of a line")
            self._rest += self._piece()
        line = self._rest[:end].decode(errors="replace").rstrip("\r")
        del self._rest[: end + 1]
        return line

    def _piece(self) -> bytes:
        left = self._until - time.monotonic()
        try:
            if left <= 0:
                raise TimeoutError
            self._sock.settimeout(left)
            data = self._sock.recv(1 << 16)
        except TimeoutError:
            raise TransportError(f"{self._name}: no answer within {self._seconds} s") from None
        except OSError as error:
            raise TransportError(f"{self._name}: {error.strerror or error}") from error
        if not data:
            raise TransportError(f"{self._name}: the connection was closed")
        return data

    def close(self) -> None:
        """Close the socket."""
        self._sock.close()


class QtestClient:
    """Reads and writes a machine's physical address space and ports over a qtest connection."""

    def __init__(self, sock: socket.socket, seconds: float) -> None:
        self._lines = LineSocket(sock, "qtest", seconds)

    def command(self, *words: str) -> list[str]:
        """Run one command and return the words after OK; raise `TransportError` otherwise."""
        self._lines.send(" ".join(words))
        while True:
            answer = self._lines.receive().split()
            if answer and answer[0] == "IRQ":  # sent unasked when an interrupt is intercepted
                continue
            if not answer or answer[0] != "OK":
                raise TransportError(f"qtest: {' '.join(words)!r} answered {' '.join(answer)!r}")
            return answer[1:]

    def read(self, size: int, address: int) -> int:
        """Read a register of 1, 2 or 4 bytes."""
        return self._number(f"read{_SUFFIX[size]}", hex(address))

    def write(self, size: int, address: int, value: int) -> None:
        """Write a register of 1, 2 or 4 bytes."""
        self.command(f"write{_SUFFIX[size]}", hex(address), hex(value))

    def read_port(self, size: int, port: int) -> int:
        """Read an I/O port, 1, 2 or 4 bytes wide."""
        return self._number(f"in{_SUFFIX[size]}", hex(port))

    def write_port(self, size: int, port: int, value: int) -> None:
        """Write an I/O port, 1, 2 or 4 bytes wide."""
        self.command(f"out{_SUFFIX[size]}", hex(port), hex(value))

    def close(self) -> None:
        """Close the connection."""
        self._lines.close()

    def _number(self, *command: str) -> int:
        words = self.command(*command)
        try:
            (value,) = words
            return int(value, 16)
        except ValueError as error:
            raise TransportError(f"qtest: expected one hex number, seen {words}") from error


_SUFFIX = {1: "b", 2: "w", 4: "l"}


class QmpError(TransportError):
    """QEMU refused a management command."""


class QmpClient:
    """Runs QMP commands; events are kept in `events` in the order in which they came."""

    def __init__(self, sock: socket.socket, seconds: float) -> None:
        self._lines = LineSocket(sock, "QMP", seconds)
        self.events: list[dict[str, Any]] = []
        self._message()  # the greeting
        self.command("qmp_capabilities")

    def command(self, name: str, *, fd: int | None = None, **arguments: Any) -> Any:
        """Run a command and return its value; raise `QmpError` if QEMU refuses it.

        `fd` is a descriptor that goes with it, for `getfd`.
        """
        self._lines.send(json.dumps({"execute": name, "arguments": arguments}), fd)
        while True:
            message = self._message()
            if "event" in message:
                self.events.append(message)
            elif "error" in message:
                error = message["error"]
                text = error.get("desc", error) if isinstance(error, dict) else error
                raise QmpError(f"QMP {name}: {text}")
            elif "return" in message:
                return message["return"]

    def close(self) -> None:
        """Close the connection."""
        self._lines.close()

    def _message(self) -> dict[str, Any]:
        line = self._lines.receive()
        try:
            message = json.loads(line)
        except ValueError as error:
            raise TransportError(f"QMP: not JSON: {line[:80]!r}") from error
        if not isinstance(message, dict):
            raise TransportError(f"QMP: not an object: {line[:80]!r}")
        return message
