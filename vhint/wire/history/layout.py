"""The memory layouts of guests: how wide a C ``long`` is, and in which order bytes come.

The early formats were C structures that the host read as the guest's compiler had laid them out.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import Final, NamedTuple

from vhint.wire.errors import UnknownValue
from vhint.wire.schema import Integer, be16, be32, be64, le16, le32, le64


class Numbers(NamedTuple):
    """The unsigned numbers of one byte order."""

    u16: Integer
    u32: Integer
    u64: Integer


LITTLE: Final = Numbers(le16, le32, le64)
BIG: Final = Numbers(be16, be32, be64)


class Layout(StrEnum):
    """A guest's data model and byte order, and on big-endian guests also the interface.

    There are two kinds of numbers: those stored as they are, and those that a driver converts to
    the order of the device (Linux' ``__virtio`` types), which is the guest's own on the legacy
    interface and little-endian on the modern one (VERSION_1). They differ only on a big-endian
    guest with the modern interface. ILP32 aligns 64-bit numbers to 4 bytes, as the i386 does.
    """

    LP64_LITTLE = "lp64-little"
    LP64_BIG = "lp64-big"
    LP64_BIG_MODERN = "lp64-big-modern"
    ILP32_LITTLE = "ilp32-little"
    ILP32_BIG = "ilp32-big"
    ILP32_BIG_MODERN = "ilp32-big-modern"

    @property
    def is_lp64(self) -> bool:
        """Whether a ``long`` has 8 bytes; else it has 4."""
        return self.value.startswith("lp64")

    @property
    def native(self) -> Numbers:
        """The numbers that are stored as they are."""
        return LITTLE if self.value.endswith("little") else BIG

    @property
    def converted(self) -> Numbers:
        """The numbers that the driver converts to the order of the device."""
        return BIG if self.value.endswith("big") else LITTLE

    @property
    def ulong(self) -> Integer:
        """An ``unsigned long`` that is stored as it is."""
        return self.native.u64 if self.is_lp64 else self.native.u32


def known_layout(layout: object, layouts: Iterable[Layout], name: str) -> Layout:
    """Give the layout of this name if it is one of `layouts`, those of the format called `name`.

    Raises `UnknownValue`.
    """
    known = list(layouts)
    for candidate in known:
        if candidate == layout:
            return candidate
    raise UnknownValue("layout", 0, " or ".join(known), layout, format=name)
