"""A PCI function's configuration space over qtest: access, discovery, the list of capabilities.

Access is by the two ports of configuration mechanism #1, which every PC has from the start; the
memory-mapped one of PCI Express is for firmware to set up, and there is none.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from vhint.transport.interface import TransportError
from vhint.transport.qtest.client import QtestClient
from vhint.wire import pci

ADDRESS_PORT = 0xCF8
DATA_PORT = 0xCFC
ENABLE = 1 << 31
DEVICES = range(32)
NOBODY = 0xFFFF
"""What a vendor id reads as where there is no function."""


@dataclass(frozen=True, slots=True)
class Capability:
    """An entry of the list: where it is, and what it is about (`CapabilityId`, or unknown)."""

    offset: int
    id: int


class ConfigSpace:
    """The 256 bytes of configuration of function 0 of a device on bus 0."""

    def __init__(self, qtest: QtestClient, device: int) -> None:
        self.qtest = qtest
        self.device = device

    @property
    def name(self) -> str:
        """The place of the function, for a complaint about it."""
        return f"PCI function 00:{self.device:02x}.0"

    def read(self, size: int, offset: int) -> int:
        """Read 1, 2 or 4 bytes, aligned to their size; raise `TransportError` outside."""
        self._select(size, offset)
        return self.qtest.read_port(size, DATA_PORT + offset % 4)

    def write(self, size: int, offset: int, value: int) -> None:
        """Write 1, 2 or 4 bytes, aligned to their size; raise `TransportError` outside."""
        self._select(size, offset)
        self.qtest.write_port(size, DATA_PORT + offset % 4, value)

    def read_bytes(self, offset: int, length: int) -> bytes:
        """Return a copy of bytes that begin and end at multiples of 4."""
        places = range(offset, offset + length, 4)
        return b"".join(self.read(4, place).to_bytes(4, "little") for place in places)

    def field(self, name: str) -> int:
        """Read a field of the header."""
        offset, size = pci.HEADER_FIELDS[name]
        return self.read(size, offset)

    def set_field(self, name: str, value: int) -> None:
        """Write a field of the header."""
        offset, size = pci.HEADER_FIELDS[name]
        self.write(size, offset, value)

    def capabilities(self) -> Iterator[Capability]:
        """Walk the list of capabilities, which a device may have made of anything.

        Raises `TransportError` for an entry in the header or not at a multiple of 4, and for a
        list that comes back to where it has been.
        """
        if not self.field("status") & pci.STATUS_CAPABILITIES:
            return
        seen: set[int] = set()
        offset = self.field("capabilities") & ~3  # the low bits are reserved, and to be masked
        while offset:
            if offset < pci.FIRST_CAPABILITY:
                raise TransportError(
                    f"{self.name}: a capability at {offset:#x}, expected one between "
                    f"{pci.FIRST_CAPABILITY:#x} and {pci.CONFIG_SIZE:#x}"
                )
            if offset in seen:
                raise TransportError(
                    f"{self.name}: the list of capabilities comes back to {offset:#x}"
                )
            seen.add(offset)
            entry = self.read(2, offset)
            yield Capability(offset, entry & 0xFF)
            offset = entry >> 8 & ~3

    def _select(self, size: int, offset: int) -> None:
        if offset < 0 or offset % size or offset + size > pci.CONFIG_SIZE:
            raise TransportError(
                f"{self.name}: expected an aligned access within {pci.CONFIG_SIZE} bytes of "
                f"configuration, seen {size} bytes at {offset:#x}"
            )
        self.qtest.write_port(4, ADDRESS_PORT, ENABLE | self.device << 11 | offset & ~3)


def find_function(qtest: QtestClient, vendor: int) -> ConfigSpace:
    """Return the first function of that vendor on bus 0, or raise `TransportError`."""
    seen: list[str] = []
    for device in DEVICES:
        config = ConfigSpace(qtest, device)
        found = config.field("vendor")
        if found == vendor:
            if config.field("header_type") & pci.HEADER_TYPE_MASK:
                raise TransportError(f"{config.name} is a bridge, expected a device")
            return config
        if found != NOBODY:
            seen.append(f"{found:#06x}")
    raise TransportError(
        f"PCI: expected a function of vendor {vendor:#06x} on bus 0, seen vendors "
        f"{', '.join(seen) or 'none'}"
    )
