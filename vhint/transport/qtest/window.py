"""A device's registers as a window of known size: no access leaves it."""

from __future__ import annotations

from dataclasses import dataclass

from vhint.transport.interface import TransportError
from vhint.transport.qtest.client import QtestClient


@dataclass(frozen=True, slots=True)
class Window:
    """`length` bytes of registers from `address` on, in memory space or, with `ports`, at ports.

    Every access is held against the length: an offset that a device gave can be any number.
    """

    qtest: QtestClient
    name: str
    address: int
    length: int
    ports: bool = False

    def read(self, size: int, offset: int) -> int:
        """Read a register of 1, 2 or 4 bytes; raise `TransportError` outside the window."""
        at = self._inside(size, offset)
        return self.qtest.read_port(size, at) if self.ports else self.qtest.read(size, at)

    def write(self, size: int, offset: int, value: int) -> None:
        """Write a register of 1, 2 or 4 bytes; raise `TransportError` outside the window."""
        at = self._inside(size, offset)
        if self.ports:
            self.qtest.write_port(size, at, value)
        else:
            self.qtest.write(size, at, value)

    def write64(self, offset: int, value: int) -> None:
        """Write a register of 8 bytes in two halves, the lower first."""
        self.write(4, offset, value & 0xFFFFFFFF)
        self.write(4, offset + 4, value >> 32)

    def read_bytes(self, offset: int, length: int) -> bytes:
        """Return bytes, read in aligned pieces of 4 where they fit; behind the end are zeros."""
        data = b""
        there = max(0, min(length, self.length - offset))
        while len(data) < there:
            at = offset + len(data)
            size = _piece(at, there - len(data))
            data += self.read(size, at).to_bytes(size, "little")
        return data.ljust(length, b"\0")

    def write_bytes(self, offset: int, data: bytes) -> None:
        """Write bytes, in aligned pieces of 4 where they fit; what is behind the end is dropped."""
        data = data[: max(0, self.length - offset)]
        done = 0
        while done < len(data):
            at = offset + done
            size = _piece(at, len(data) - done)
            self.write(size, at, int.from_bytes(data[done : done + size], "little"))
            done += size

    def part(self, name: str, offset: int, length: int) -> Window:
        """Return a window inside this one; raise `TransportError` if it would leave it."""
        if offset < 0 or length < 0 or offset + length > self.length:
            raise TransportError(
                f"{name}: {length:#x} bytes at {offset:#x} are not within {self.name}, which has "
                f"{self.length:#x}"
            )
        return Window(self.qtest, name, self.address + offset, length, self.ports)

    def _inside(self, size: int, offset: int) -> int:
        if offset < 0 or offset + size > self.length:
            raise TransportError(
                f"{self.name}: expected an access within {self.length:#x} bytes, seen {size} at "
                f"{offset:#x}"
            )
        return self.address + offset


def _piece(at: int, left: int) -> int:
    return 4 if at % 4 == 0 and left >= 4 else 1
