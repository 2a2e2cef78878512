"""Buffers whose descriptors are the message: free memory is what they point at."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import numpy as np
from construct import Struct

from vhint.wire.columns import Column, column_of, field_columns
from vhint.wire.schema import End, RepeatToEnd
from vhint.wire.vring import DESCRIPTOR, DESCRIPTOR_DTYPE, Descriptor

FORMAT: Final = Struct("descriptors" / RepeatToEnd(DESCRIPTOR), "end" / End)
"""The declaration of a table of descriptors, as an indirect one is; little-endian."""

_NAMES: Final = ("addr", "len", "flags", "next")


class Descriptors(Column[Descriptor]):
    """An immutable sequence of `Descriptor`, in the order of the table."""

    __slots__ = ()

    @classmethod
    def of(cls, descriptors: Iterable[Descriptor | tuple[int, int, int, int]]) -> Descriptors:
        """Make one of descriptors or (addr, len, flags, next); raises `WireError`."""
        columns = field_columns(descriptors, Descriptor, _NAMES, "descriptors")
        records = np.zeros(len(columns[0]), DESCRIPTOR_DTYPE)
        for name, column in zip(_NAMES, columns, strict=True):
            records[name] = column_of(column, DESCRIPTOR_DTYPE[name], name)
        records.flags.writeable = False
        return cls.over(records)

    def _element(self, record: Any) -> Descriptor:
        return Descriptor(*record)
