"""Checking all records of an array at once, by bounds that a construct declaration states.

A bound on a number and the reserved fields right after it are one question: read little-endian as
one wider number, the field is in bounds and the rest zero exactly if the wide number is in bounds.
So an entry of pfn, order and reserved takes two comparisons, not three, and an exact maximum over a
column answers each for the whole array.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from vhint.wire.derive import Leaf, NotDerivable, leaves, to_dtype
from vhint.wire.schema import Choice, Masked, Reserved

Records = npt.NDArray[Any]

_WIDEST: Final = 8


@dataclass(frozen=True, slots=True)
class Lane:
    """Bytes of a record that, read as one unsigned number, must be in ``low..high``.

    With a `mask` only its bits count.
    """

    offset: int
    size: int
    order: str
    low: int
    high: int
    mask: int | None = None

    def counted(self, column: str) -> str:
        """Give the source of the bits that count, of a column called so."""
        return column if self.mask is None else f"({column} & {self.mask})"

    def joined(self, after: Lane) -> Lane | None:
        """Take in a lane that must be zero, if both together are a number numpy can read."""
        size = self.size + after.size
        fits = self.mask is None and after.high == 0 and self.size == after.size and size <= _WIDEST
        if fits and self.order == after.order == "<" and self.offset % size == 0:
            return Lane(self.offset, size, "<", self.low, self.high)
        return None


class RecordLayout:
    """What is known of an array's records: their dtype and which lanes must be in which bounds.

    >>> from construct import Struct
    >>> from vhint.wire.schema import Bounded, le32, le64
    >>> layout = RecordLayout(Struct("pfn" / le64, "order" / Bounded(le32, 0, 40), "pad" / le32))
    >>> records = np.array([(1, 0, 0), (2, 41, 0), (3, 42, 0)], layout.dtype)
    >>> layout.first_invalid(records), layout.first_invalid(records[:1])
    (1, None)
    """

    dtype: np.dtype[Any]
    """The dtype of the records."""
    lanes: tuple[Lane, ...]
    """The lanes that can be out of bounds at all."""
    lane_dtype: np.dtype[Any] | None
    """The same bytes with one field a lane, ``lane0``, ``lane1``...; None if there are no lanes."""

    def __init__(self, con: Any) -> None:
        self.dtype = to_dtype(con)
        self.lanes = _lanes(leaves(con))
        self.lane_dtype = (
            np.dtype(
                {
                    "names": [f"lane{i}" for i in range(len(self.lanes))],
                    "formats": [f"{lane.order}u{lane.size}" for lane in self.lanes],
                    "offsets": [lane.offset for lane in self.lanes],
                    "itemsize": self.dtype.itemsize,
                }
            )
            if self.lanes
            else None
        )

    def first_invalid(self, records: Records) -> int | None:
        """Give the position of the first record that is out of bounds, or None."""
        if self.lane_dtype is None:
            return None
        view = records.view(self.lane_dtype)
        found = None
        for i, lane in enumerate(self.lanes):
            column = view[f"lane{i}"][:found]
            if lane.mask is not None:
                column = column & lane.mask
            bad = column > lane.high
            if lane.low:
                bad |= column < lane.low
            if bad.any():
                found = int(bad.argmax())
        return found


def _lanes(parts: tuple[Leaf, ...]) -> tuple[Lane, ...]:
    joined: list[Lane] = []
    for leaf in parts:
        if isinstance(leaf.rule, Choice):
            raise NotDerivable(f"{leaf.name}: a choice cannot be checked for a whole array")
        if leaf.rule is None and leaf.dtype.kind != "u":
            raise NotDerivable(f"{leaf.name}: only unsigned numbers have bounds")
        if isinstance(leaf.rule, Masked):
            rule = leaf.rule
            joined.append(
                Lane(leaf.offset, leaf.size, leaf.order, rule.value, rule.value, rule.mask)
            )
            continue
        low, high = (leaf.rule.low, leaf.rule.high) if leaf.rule else (0, _top(leaf.size))
        lane = Lane(leaf.offset, leaf.size, leaf.order, low, high)
        wider = joined[-1].joined(lane) if joined and isinstance(leaf.rule, Reserved) else None
        if wider:
            joined[-1] = wider
        else:
            joined.append(lane)
    return tuple(lane for lane in joined if lane.low > 0 or lane.high < _top(lane.size))


def _top(size: int) -> int:
    return (1 << 8 * size) - 1
