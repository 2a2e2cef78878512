"""The configuration space of a PCI function, as far as a driver of one device needs it.

Source: PCI Local Bus Specification 3.0, chapter 6. Numbers are little-endian.

>>> HEADER_FIELDS["command"], HEADER_FIELDS["capabilities"]
((4, 2), (52, 1))
>>> parse_msix(bytes.fromhex("11000100 04000000 04080000")).vectors
2
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum, IntFlag
from typing import Final

from construct import Struct

from vhint.wire.codec import Codec, Data
from vhint.wire.derive import offsets
from vhint.wire.schema import End, Named, le16, le32, u8
from vhint.wire.source import Face


class Command(IntFlag):
    """A bit of the command register."""

    IO = 1
    """The function answers at its I/O ports."""
    MEMORY = 2
    """The function answers in memory space."""
    BUS_MASTER = 4
    """The function may read and write memory itself, and send messages."""
    INTERRUPT_DISABLE = 1 << 10
    """The function may not assert its interrupt line."""


class CapabilityId(IntEnum):
    """What a capability is about."""

    VENDOR = 9
    MSIX = 17


HEADER: Final = Struct(
    "vendor" / le16,
    "device" / le16,
    "command" / Named(le16, Command),
    "status" / le16,
    "revision" / u8,
    "interface" / u8,
    "subclass" / u8,
    "class" / u8,
    "cache_line" / u8,
    "latency" / u8,
    "header_type" / u8,
    "self_test" / u8,
    "bar0" / le32,
    "bar1" / le32,
    "bar2" / le32,
    "bar3" / le32,
    "bar4" / le32,
    "bar5" / le32,
    "card_information" / le32,
    "subsystem_vendor" / le16,
    "subsystem" / le16,
    "rom" / le32,
    "capabilities" / u8,
    "reserved0" / u8,
    "reserved1" / le16,
    "reserved2" / le32,
    "interrupt_line" / u8,
    "interrupt_pin" / u8,
    "min_grant" / u8,
    "max_latency" / u8,
)
"""The header of a function that is no bridge (type 0)."""

HEADER_FIELDS: Final = offsets(HEADER)
"""Offset and size in bytes of each field of the header, by name."""

CONFIG_SIZE: Final = 256
"""Bytes of configuration space; what PCI Express adds is not used here."""

FIRST_CAPABILITY: Final = 0x40
"""The first offset at which a capability can lie: those before it are the header."""

BAR_COUNT: Final = 6

MSIX: Final = Struct(
    "id" / Named(u8, CapabilityId),
    "next" / u8,
    "control" / le16,
    "table" / le32,
    "pending" / le32,
    "end" / End,
)
"""The capability of message-signalled interrupts with a table (MSI-X)."""

MSIX_FIELDS: Final = offsets(Struct(*MSIX.subcons[:-1]))
"""Offset and size in bytes of each field of the capability, by name."""
MSIX_SIZE: Final = int(MSIX.sizeof())

MSIX_ENTRY: Final = Struct(
    "address_low" / le32, "address_high" / le32, "data" / le32, "control" / le32
)
"""One vector: where the message goes, what it says, and whether it is masked."""

MSIX_ENTRY_FIELDS: Final = offsets(MSIX_ENTRY)
MSIX_ENTRY_SIZE: Final = int(MSIX_ENTRY.sizeof())


STATUS_CAPABILITIES: Final = 1 << 4
"""The bit of the status register that says that there is a list of capabilities."""

HEADER_TYPE_MASK: Final = 0x7F
"""The bits of the header's type that are not the one of several functions."""


class BarKind(IntFlag):
    """The lowest bits of a base address register, which say what it wants to be given."""

    IO = 1
    """Ports, and not memory."""
    WIDE = 4
    """Memory anywhere in 64 bits: the register after it is its upper half."""


BAR_IO_FLAGS: Final = 0x3
BAR_MEMORY_FLAGS: Final = 0xF
BAR_TYPE_MASK: Final = 0x6
"""The bits of a memory register that say where in memory it can be: 0, or `BarKind.WIDE`."""


@dataclass(frozen=True, slots=True)
class MsixCapability:
    """Where a function has its table of vectors, and whether it uses them."""

    id: int
    next: int
    control: int
    table: int
    pending: int

    @property
    def vectors(self) -> int:
        """How many vectors there are: 1 to 2048."""
        return (self.control & 0x7FF) + 1

    @property
    def bar(self) -> int:
        """The base address register behind which the table lies; 6 and 7 are no register."""
        return self.table & 7

    @property
    def offset(self) -> int:
        """Where behind that register the table begins."""
        return self.table & ~7


MSIX_ENABLE: Final = 1 << 15
"""The bit of the MSI-X control that turns messages on, and the interrupt line off."""
MSIX_MASK_ALL: Final = 1 << 14
"""The bit of the MSI-X control that masks every vector."""

MSIX_CODEC: Final = Codec[MsixCapability]("MSI-X capability", MSIX, Face(MsixCapability))

parse_msix: Final[Callable[[Data], MsixCapability]] = MSIX_CODEC.parse
"""Parse exactly 12 bytes. Raises `WireError`."""
build_msix: Final[Callable[[MsixCapability], bytes]] = MSIX_CODEC.build
"""Build the 12 bytes. Raises `WireError`."""
