"""A PC with one PCI function, behind the words that qtest knows: configuration space, BARs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from vhint.wire import pci

NOTHING = {1: 0xFF, 2: 0xFFFF, 4: 0xFFFFFFFF}
"""What a bus reads where nobody answers."""

Read = Callable[[int, int], int]
Write = Callable[[int, int, int], None]


@dataclass
class Bar:
    """A base address register: its size, whether it is ports, and who answers behind it."""

    size: int
    read: Read
    write: Write
    ports: bool = False
    wide: bool = False


class Function:
    """One PCI function: configuration space, and base address registers that can be sized."""

    def __init__(self) -> None:
        self.config = bytearray(pci.CONFIG_SIZE)
        self.bars: dict[int, Bar] = {}
        self.fixed = bytearray(b"\xff" * pci.CONFIG_SIZE)  # bits that cannot be written
        for name in ("command", *(f"bar{index}" for index in range(6))):
            offset, size = pci.HEADER_FIELDS[name]
            self.fixed[offset : offset + size] = bytes(size)

    def set(self, name: str, value: int) -> None:
        """Set a field of the header."""
        offset, size = pci.HEADER_FIELDS[name]
        self.config[offset : offset + size] = value.to_bytes(size, "little")

    def get(self, name: str) -> int:
        """Return a field of the header."""
        offset, size = pci.HEADER_FIELDS[name]
        return int.from_bytes(self.config[offset : offset + size], "little")

    def add_bar(self, index: int, bar: Bar) -> None:
        """Put something behind a base address register."""
        self.bars[index] = bar
        offset, _ = pci.HEADER_FIELDS[f"bar{index}"]
        flags = 1 if bar.ports else 4 if bar.wide else 0
        low = (bar.size - 1) | flags
        self.fixed[offset : offset + 4] = low.to_bytes(4, "little")
        self.config[offset] = flags

    def seal(self) -> None:
        """Make the registers that nothing is behind read as 0 for ever."""
        halves = {index + 1 for index, bar in self.bars.items() if bar.wide}
        for index in set(range(6)) - self.bars.keys() - halves:
            offset, _ = pci.HEADER_FIELDS[f"bar{index}"]
            self.fixed[offset : offset + 4] = b"\xff" * 4

    def write_config(self, offset: int, data: bytes) -> None:
        """Write to configuration space, as far as that can be written."""
        for place, value in enumerate(data, offset):
            fixed = self.fixed[place]
            self.config[place] = self.config[place] & fixed | value & ~fixed & 0xFF

    def find(self, address: int, ports: bool) -> tuple[Bar, int] | None:
        """Return who answers at an address of memory space or at a port, and the offset there."""
        needed = pci.Command.IO if ports else pci.Command.MEMORY
        if not self.get("command") & needed:
            return None
        for index, bar in self.bars.items():
            base = self.get(f"bar{index}") & ~(3 if ports else 15)
            if bar.wide:
                base |= self.get(f"bar{index + 1}") << 32
            if bar.ports == ports and base <= address < base + bar.size:
                return bar, address - base
        return None


class Pc:
    """Configuration mechanism #1, memory space and ports of a machine with one function.

    It takes the place of a `QtestClient`.
    """

    def __init__(self, function: Function, slot: int = 3) -> None:
        self.function = function
        self.slot = slot
        self.accesses: list[tuple[str, int, int]] = []
        self._address = 0

    def read(self, size: int, address: int) -> int:
        """Read memory space."""
        return self._read(size, address, False)

    def write(self, size: int, address: int, value: int) -> None:
        """Write memory space."""
        self._write(size, address, value, False)

    def read_port(self, size: int, port: int) -> int:
        """Read a port."""
        if 0xCFC <= port <= 0xCFF:
            at = (self._address & 0xFC) + port - 0xCFC
            if self._address >> 11 & 0x1F != self.slot:
                return NOTHING[size]
            return int.from_bytes(self.function.config[at : at + size], "little")
        return self._read(size, port, True)

    def write_port(self, size: int, port: int, value: int) -> None:
        """Write a port."""
        if port == 0xCF8:
            self._address = value
        elif 0xCFC <= port <= 0xCFF:
            if self._address >> 11 & 0x1F == self.slot:
                at = (self._address & 0xFC) + port - 0xCFC
                self.function.write_config(at, value.to_bytes(size, "little"))
        else:
            self._write(size, port, value, True)

    def close(self) -> None:
        """Do nothing: there is no connection."""

    def _read(self, size: int, address: int, ports: bool) -> int:
        self.accesses.append(("read", address, size))
        found = self.function.find(address, ports)
        return NOTHING[size] if found is None else found[0].read(size, found[1])

    def _write(self, size: int, address: int, value: int, ports: bool) -> None:
        self.accesses.append(("write", address, size))
        found = self.function.find(address, ports)
        if found is not None:
            found[0].write(size, found[1], value)
