"""The buffer of the statistics queue: (tag, value) entries of 10 bytes up to the end.

Source: VIRTIO 1.4, 5.5.6.3 Memory Statistics. The entry is packed: the value is not aligned. The
standard also says that the buffer's size is a multiple of 6 bytes, which no entry of 10 bytes can
mean; the requirement is read as a multiple of 10. A device ignores tags that it does not know, so
they are kept here as plain numbers.

>>> build(Statistics.of([(StatisticTag.MEMFREE, 4096), (99, 1)])).hex(" ", 2)
'0400 0010 0000 0000 0000 6300 0100 0000 0000 0000'
>>> list(parse(bytes([99, 0, 1, 0, 0, 0, 0, 0, 0, 0])))
[Statistic(tag=99, value=1)]
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Final

import numpy as np
from construct import Struct

from vhint.wire.codec import Codec, Data
from vhint.wire.columns import Column, column_of, field_columns
from vhint.wire.derive import to_dtype
from vhint.wire.schema import End, Named, RepeatToEnd, le16, le64
from vhint.wire.source import Face


class StatisticTag(IntEnum):
    """What a value counts: bytes for memory, else numbers of events.

    0 to 9 are the standard's; from OOM_KILL on they are sent by Linux 6.12 and later, and in no
    version of the standard up to 1.4.
    """

    SWAP_IN = 0
    SWAP_OUT = 1
    MAJFLT = 2
    MINFLT = 3
    MEMFREE = 4
    MEMTOT = 5
    AVAIL = 6
    CACHES = 7
    HTLB_PGALLOC = 8
    HTLB_PGFAIL = 9
    OOM_KILL = 10
    ALLOC_STALL = 11
    ASYNC_SCAN = 12
    DIRECT_SCAN = 13
    ASYNC_RECLAIM = 14
    DIRECT_RECLAIM = 15

    @property
    def is_standard(self) -> bool:
        """Whether VIRTIO 1.4 defines it."""
        return self <= StatisticTag.HTLB_PGFAIL


RECORD: Final = Struct(
    "tag" / Named(le16, StatisticTag), "value" / le64.doc("bytes, or a number of events")
)
"""The declaration of one entry."""

FORMAT: Final = Struct("entries" / RepeatToEnd(RECORD), "end" / End)
"""The declaration of a buffer of entries."""

_DTYPE: Final = to_dtype(RECORD)
ENTRY_SIZE: Final = _DTYPE.itemsize
"""The size of an entry: 10 bytes."""


_TAGS: Final[dict[int, StatisticTag]] = {int(tag): tag for tag in StatisticTag}


@dataclass(frozen=True, slots=True)
class Statistic:
    """One entry: a tag (a `StatisticTag` if it is known, else its number) and a 64-bit value."""

    tag: StatisticTag | int
    value: int


class Statistics(Column[Statistic]):
    """An immutable sequence of `Statistic`; tags may repeat and come in any order."""

    __slots__ = ()

    @classmethod
    def of(cls, entries: Iterable[Statistic | tuple[int, int]]) -> Statistics:
        """Make one of entries or (tag, value) pairs; raises `OutOfRange` or `WrongType`."""
        tags, values = field_columns(entries, Statistic, ("tag", "value"), "entries")
        records = np.zeros(len(tags), _DTYPE)
        records["tag"] = column_of(tags, _DTYPE["tag"], "tag")
        records["value"] = column_of(values, _DTYPE["value"], "value")
        records.flags.writeable = False
        return cls.over(records)

    def get(self, tag: StatisticTag | int) -> int | None:
        """Give the value of the last entry with a tag, or None."""
        found = np.flatnonzero(self.records["tag"] == int(tag))
        return int(self.records["value"][found[-1]]) if len(found) else None

    def _element(self, record: Any) -> Statistic:
        return Statistic(_TAGS.get(record[0], record[0]), record[1])


CODEC: Final = Codec[Statistics]("balloon statistics", FORMAT, Face(Statistics, whole="entries"))

parse: Final[Callable[[Data], Statistics]] = CODEC.parse
"""Parse a buffer; the entries are a view of `data` if that is `bytes`. Raises `ShortInput`."""
build: Final[Callable[[Statistics], bytes]] = CODEC.build
"""Build a buffer. Raises `WrongType` for what is no `Statistics`."""
parse_interpreted: Final = CODEC.parse_interpreted
"""Parse by running `FORMAT`: slow, and the oracle for `parse`."""
build_interpreted: Final = CODEC.build_interpreted
"""Build by running `FORMAT`: slow, and the oracle for `build`."""
