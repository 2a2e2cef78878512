"""Blocks of guest pages as the hinting virtqueue names them: a PFN and an order.

Source: vhint, The hinting virtqueue.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from construct import Struct

from vhint.wire.columns import Column, column_of, field_columns
from vhint.wire.derive import to_dtype
from vhint.wire.errors import WrongLength
from vhint.wire.schema import Bounded, Reserved, le32, le64

MAX_ORDER: Final = 40
"""The largest order: with it, a block is as large as the 52 bits of a guest physical address."""
PFN_LIMIT: Final = 1 << 52
"""PFNs are below this."""

RECORD: Final = Struct(
    "pfn" / Bounded(le64, 0, PFN_LIMIT - 1).doc("pages of 4 KiB"),
    "order" / Bounded(le32, 0, MAX_ORDER).doc("order of 4 KiB pages"),
    "reserved" / Reserved(le32),
)
"""The declaration of one entry of a PFN array, 16 bytes."""

DTYPE: Final = to_dtype(RECORD)


@dataclass(frozen=True, slots=True)
class Block:
    """The 2^order pages of 4 KiB from `pfn` on."""

    pfn: int
    order: int


class Blocks(Column[Block]):
    """An immutable sequence of `Block`, kept as a structured array.

    What the numbers may be is checked when they are built into a message, not before; only what no
    entry can hold is refused at once. Elements may be read one by one, but the columns are fast.

    >>> blocks = Blocks.of([(512, 9), Block(3, 0)])
    >>> blocks[0], blocks.pfn.tolist(), blocks.order.tolist()
    (Block(pfn=512, order=9), [512, 3], [9, 0])
    """

    __slots__ = ()

    @classmethod
    def of(cls, blocks: Iterable[Block | tuple[int, int]]) -> Blocks:
        """Make a sequence of blocks or (pfn, order) pairs; raises `WireError`."""
        return cls.from_columns(*field_columns(blocks, Block, ("pfn", "order"), "blocks"))

    @classmethod
    def from_columns(
        cls, pfn: Iterable[int] | npt.NDArray[Any], order: Iterable[int] | npt.NDArray[Any]
    ) -> Blocks:
        """Make a sequence of two columns of the same length; raises `WireError`."""
        pfns = column_of(pfn, DTYPE["pfn"], "pfn")
        orders = column_of(order, DTYPE["order"], "order")
        if len(pfns) != len(orders):
            raise WrongLength("order", 0, f"{len(pfns)} elements", len(orders))
        records = np.zeros(len(pfns), DTYPE)
        records["pfn"] = pfns
        records["order"] = orders
        records.flags.writeable = False
        return cls.over(records)

    @property
    def pfn(self) -> npt.NDArray[np.uint64]:
        """The PFNs, as a read-only view of shape ``(len,)``."""
        column: npt.NDArray[np.uint64] = self.records["pfn"]
        return column

    @property
    def order(self) -> npt.NDArray[np.uint32]:
        """The orders, as a read-only view of shape ``(len,)``."""
        column: npt.NDArray[np.uint32] = self.records["order"]
        return column

    def first_misaligned(self) -> int | None:
        """Give the position of the first block whose PFN is no multiple of 2^order, or None.

        >>> Blocks.of([(512, 9), (513, 9), (1, 1)]).first_misaligned()
        1
        """
        return _first((self.pfn & (self._pages() - np.uint64(1))) != 0)

    def first_beyond_limit(self) -> int | None:
        """Give the position of the first block that ends above 2^52 pages, or None."""
        return _first((self.pfn > PFN_LIMIT) | (self.pfn + self._pages() > PFN_LIMIT))

    def _pages(self) -> npt.NDArray[np.uint64]:
        pages: npt.NDArray[np.uint64] = np.uint64(1) << np.minimum(self.order, 63).astype(np.uint64)
        return pages

    def _element(self, record: Any) -> Block:
        return Block(record[0], record[1])


def _first(found: npt.NDArray[np.bool_]) -> int | None:
    return int(found.argmax()) if found.any() else None
