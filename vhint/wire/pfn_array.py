"""The buffers of the inflate and deflate queues: 32-bit PFNs up to the end.

Source: VIRTIO 1.4, 5.5.6 Device Operation. A PFN is a guest physical address divided by 4096,
whatever the guest's page size is, so a guest with larger pages sends several for each.

>>> build(PfnArray.of([1, 0x100])).hex(" ", 4)
'01000000 00010000'
>>> parse(bytes(7))  # doctest: +ELLIPSIS
Traceback (most recent call last):
vhint.wire.errors.ShortInput: balloon pfns: pfns[1] at byte 4: ...: expected 4 bytes, seen 3
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from construct import Struct

from vhint.wire.codec import Codec, Data
from vhint.wire.columns import Column, column_of
from vhint.wire.derive import to_dtype
from vhint.wire.schema import End, RepeatToEnd, le32
from vhint.wire.source import Face

FORMAT: Final = Struct("pfns" / RepeatToEnd(le32.doc("pages of 4 KiB")), "end" / End)
"""The declaration of a buffer of PFNs."""

PFN_SHIFT: Final = 12
"""A guest physical address is a PFN shifted left by this."""

_DTYPE: Final = to_dtype(le32)


class PfnArray(Column[int]):
    """An immutable sequence of PFNs, 0 to 2^32 - 1 each.

    >>> pfns = PfnArray.of([1, 2])
    >>> pfns[1], pfns.addresses().tolist()
    (2, [4096, 8192])
    """

    __slots__ = ()

    @classmethod
    def of(cls, pfns: Iterable[int] | npt.NDArray[Any]) -> PfnArray:
        """Make one of numbers; raises `OutOfRange` or `WrongType`."""
        return cls.over(column_of(pfns, _DTYPE, "pfns"))

    def addresses(self) -> npt.NDArray[np.uint64]:
        """Give the guest physical addresses in bytes; widened first, so that none wraps around."""
        return self.records.astype(np.uint64) << np.uint64(PFN_SHIFT)

    def _element(self, record: Any) -> int:
        return int(record)


CODEC: Final = Codec[PfnArray]("balloon pfns", FORMAT, Face(PfnArray, whole="pfns"))

parse: Final[Callable[[Data], PfnArray]] = CODEC.parse
"""Parse a buffer; the numbers are a view of `data` if that is `bytes`. Raises `ShortInput`."""
build: Final[Callable[[PfnArray], bytes]] = CODEC.build
"""Build a buffer. Raises `WrongType` for what is no `PfnArray`."""
parse_interpreted: Final = CODEC.parse_interpreted
"""Parse by running `FORMAT`: slow, and the oracle for `parse`."""
build_interpreted: Final = CODEC.build_interpreted
"""Build by running `FORMAT`: slow, and the oracle for `build`."""
