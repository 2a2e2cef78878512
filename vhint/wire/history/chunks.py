"""The chunks of Wei Wang's v9 and v10: a base and a size, both in bytes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from construct import Struct

from vhint.wire.columns import Column, column_of, field_columns
from vhint.wire.derive import to_dtype
from vhint.wire.schema import le64

CHUNK: Final = Struct("base" / le64.doc("guest physical address"), "size" / le64.doc("bytes"))
"""The declaration of a chunk, 16 bytes."""

_DTYPE: Final = to_dtype(CHUNK)
_NAMES: Final = ("base", "size")


@dataclass(frozen=True, slots=True)
class Chunk:
    """`size` bytes from the guest physical address `base` on; 0 to 2^64 - 1, unchecked.

    The driver makes both by shifting a number of 4 KiB pages.
    """

    base: int
    size: int


class Chunks(Column[Chunk]):
    """An immutable sequence of `Chunk`."""

    __slots__ = ()

    @classmethod
    def of(cls, chunks: Iterable[Chunk | tuple[int, int]]) -> Chunks:
        """Make one of chunks or (base, size) pairs; raises `OutOfRange` or `WrongType`."""
        columns = field_columns(chunks, Chunk, _NAMES, "chunks")
        records = np.zeros(len(columns[0]), _DTYPE)
        for name, column in zip(_NAMES, columns, strict=True):
            records[name] = column_of(column, _DTYPE[name], name)
        records.flags.writeable = False
        return cls.over(records)

    def _element(self, record: Any) -> Chunk:
        return Chunk(*record)
