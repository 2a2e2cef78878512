"""The payloads about guest memory: the table of its regions, or one region.

Source: the vhost-user protocol, Message Specification: Memory region description, Single memory
region description, Multiple memory regions description.  A descriptor comes with the message for
each region, in the order of the table.

>>> table = MemoryTable(MemoryRegions.of([MemoryRegion(0, 0x4000, 0x7F0000000000, 0)]))
>>> len(build(table)), parse(build(table)).regions[0].size
(40, 16384)
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from construct import Struct, this

from vhint.wire.codec import Codec, Data
from vhint.wire.columns import Column, column_of, field_columns
from vhint.wire.derive import to_dtype
from vhint.wire.schema import End, Padding, Repeat, le32, le64
from vhint.wire.source import Face

REGION: Final = Struct(
    "guest_address" / le64.doc("guest physical address"),
    "size" / le64.doc("bytes"),
    "user_address" / le64.doc("address in the front end"),
    "mmap_offset" / le64.doc("bytes into the file"),
)
"""The declaration of a region."""

FORMAT: Final = Struct(
    "num_regions" / le32.doc("regions"),
    "padding" / Padding(le32),
    "regions" / Repeat(this.num_regions, REGION),
    "end" / End,
)
"""The declaration of the table (SET_MEM_TABLE)."""

SINGLE: Final = Struct("padding" / Padding(le64), *REGION.subcons, "end" / End)
"""The declaration of one region (ADD_MEM_REG, REM_MEM_REG)."""

BASELINE_REGIONS: Final = 8
"""The most regions of a table without the protocol feature CONFIGURE_MEM_SLOTS."""

HEAD_SIZE: Final = 8
"""Bytes of the table before its regions."""

_DTYPE: Final = to_dtype(REGION)
_NAMES: Final = tuple(_DTYPE.names or ())


@dataclass(frozen=True, slots=True)
class MemoryRegion:
    """`size` bytes of guest memory; everything is in bytes, 0 to 2^64 - 1.

    They are at `guest_address` for the guest, at `user_address` in the front end's mapping, and at
    `mmap_offset` of the file whose descriptor comes with the message.
    """

    guest_address: int
    size: int
    user_address: int
    mmap_offset: int


class MemoryRegions(Column[MemoryRegion]):
    """An immutable sequence of regions."""

    __slots__ = ()

    @classmethod
    def of(cls, regions: Iterable[MemoryRegion | tuple[int, int, int, int]]) -> MemoryRegions:
        """Make one of regions or tuples; raises `OutOfRange` or `WrongType`."""
        columns = field_columns(regions, MemoryRegion, _NAMES, "regions")
        records = np.empty(len(columns[0]), _DTYPE)
        for name, values in zip(_NAMES, columns, strict=True):
            records[name] = column_of(values, _DTYPE[name], f"regions.{name}")
        records.flags.writeable = False
        return cls.over(records)

    def _element(self, record: Any) -> MemoryRegion:
        return MemoryRegion(*record)


@dataclass(frozen=True, slots=True)
class MemoryTable:
    """All of the guest's memory that is shared."""

    regions: MemoryRegions


CODEC: Final = Codec[MemoryTable](
    "memory table", FORMAT, Face(MemoryTable, {"regions": MemoryRegions})
)
SINGLE_CODEC: Final = Codec[MemoryRegion]("memory region", SINGLE, Face(MemoryRegion))

parse: Final[Callable[[Data], MemoryTable]] = CODEC.parse
"""Parse a table that fills the payload; see `without_room`. Raises `WireError`."""
build: Final[Callable[[MemoryTable], bytes]] = CODEC.build
"""Build a table. Raises `WireError`."""
parse_interpreted: Final = CODEC.parse_interpreted
"""Parse by running `FORMAT`: slow, and the oracle for `parse`."""
build_interpreted: Final = CODEC.build_interpreted
"""Build by running `FORMAT`: slow, and the oracle for `build`."""
parse_region: Final[Callable[[Data], MemoryRegion]] = SINGLE_CODEC.parse
"""Parse the 40 bytes of a single region. Raises `WireError`."""
build_region: Final[Callable[[MemoryRegion], bytes]] = SINGLE_CODEC.build
"""Build the 40 bytes of a single region. Raises `WireError`."""


def without_room(data: bytes) -> bytes:
    """Cut off what follows the regions that a table counts.

    Front ends written in C may send their whole buffer: User-Mode Linux always has room for two
    regions and fills one.

    >>> len(without_room(bytes([1]) + bytes(71)))
    40
    """
    count = int.from_bytes(data[:4], "little")
    return data[: HEAD_SIZE + count * _DTYPE.itemsize]
