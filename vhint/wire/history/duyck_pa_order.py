"""The format of Duyck's "bubble hinting" v1 (June 2019): an address with an order in its low bits.

A buffer holds up to 32 numbers of 64 bits: a guest physical address, whose low 8 bits are replaced
by an order of 4 KiB pages. The block has ``1 << (12 + order)`` bytes. Bits 8 to 11 are zero, as an
address is a multiple of 4 KiB; QEMU did not look, and took them for part of the address.

Numbers are converted to the order of the device: little-endian, or the guest's own on the legacy
interface.

>>> hints = PaOrders.of([(0x12200000, 9)])
>>> build(hints).hex(), parse(build(hints))
('0900201200000000', PaOrders([PaOrder(addr=304087040, order=9)]))
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from construct import Struct

from vhint.wire.columns import field_columns
from vhint.wire.derive import to_dtype
from vhint.wire.errors import OutOfRange, WrongType
from vhint.wire.history.entries import Entries, LayoutCodec
from vhint.wire.history.layout import Layout, known_layout
from vhint.wire.history.profile import (
    Confidence,
    FeatureBit,
    Message,
    Profile,
    QueueIndex,
    Quirk,
)
from vhint.wire.schema import End, RepeatToEnd
from vhint.wire.source import Face

CAPACITY: Final = 32
"""The most hints of a buffer."""
ORDER_BITS: Final = 8
PAGE_SHIFT: Final = 12
_ORDER_MASK: Final = (1 << ORDER_BITS) - 1

LAYOUTS: Final = (Layout.LP64_LITTLE, Layout.LP64_BIG)
"""The layouts that differ: modern or little-endian, and big-endian on the legacy interface."""

RECORDS: Final = {
    layout: Struct("pa_order" / layout.converted.u64.doc("address, and an order in the low 8 bits"))
    for layout in LAYOUTS
}
"""The declaration of a hint, by layout."""

FORMATS: Final = {
    layout: Struct("hints" / RepeatToEnd(record), "end" / End) for layout, record in RECORDS.items()
}
"""The declaration of a buffer, by layout."""


@dataclass(frozen=True, slots=True)
class PaOrder:
    """A hint.

    Ranges: `addr`, a guest physical address in bytes, 0 to 2^64 - 256 in steps of 256 (though sound
    ones are multiples of the block's length); `order` 0 to 255, of 4 KiB pages.
    """

    addr: int
    order: int

    @property
    def length(self) -> int | None:
        """The length in bytes, or None if QEMU's 64-bit shift leaves it open (order above 51)."""
        return 1 << PAGE_SHIFT + self.order if PAGE_SHIFT + self.order < 64 else None


@dataclass(frozen=True, slots=True)
class _Word:
    pa_order: int


class PaOrders(Entries[PaOrder]):
    """An immutable sequence of `PaOrder`."""

    __slots__ = ()
    ELEMENT = _Word
    RECORDS = RECORDS

    @classmethod
    def of(
        cls, entries: Iterable[PaOrder | tuple[int, ...]], layout: Layout = Layout.LP64_LITTLE
    ) -> PaOrders:
        """Make one of hints or (addr, order) pairs; raises `OutOfRange` or `WrongType`."""
        words = []
        pairs = zip(*field_columns(entries, PaOrder, ("addr", "order"), "hints"), strict=True)
        for i, (addr, order) in enumerate(pairs):
            offset = 8 * i
            for name, value in (("addr", addr), ("order", order)):
                if not isinstance(value, int):
                    raise WrongType(f"hints[{i}].{name}", offset, "an integer", value)
            if addr & _ORDER_MASK or not 0 <= addr < 1 << 64:
                expected = "0..2^64 - 256, a multiple of 256"
                raise OutOfRange(f"hints[{i}].addr", offset, expected, addr)
            if not 0 <= order <= _ORDER_MASK:
                raise OutOfRange(f"hints[{i}].order", offset, f"0..{_ORDER_MASK}", order)
            words.append((addr | order,))
        dtype = to_dtype(RECORDS[known_layout(layout, RECORDS, cls.__name__)])
        records = np.array(words, dtype)
        records.flags.writeable = False
        return cls.over(records)

    def _element(self, record: Any) -> PaOrder:
        (word,) = record
        return PaOrder(word & ~_ORDER_MASK, word & _ORDER_MASK)


CODEC: Final = LayoutCodec[PaOrders]("duyck-pa-order", FORMATS, Face(PaOrders, whole="hints"))

parse: Final[Callable[..., PaOrders]] = CODEC.parse
"""Parse a buffer of hints. Raises `ShortInput`."""
build: Final[Callable[..., bytes]] = CODEC.build
"""Build a buffer of hints. Raises `WrongType`."""


def used_length(hints: PaOrders) -> int:
    """Give the used length that QEMU reported: the bytes it had read."""
    return len(build(hints))


PROFILE: Final = Profile(
    name="duyck-pa-order",
    date="2019-06-19",
    summary="64-bit addresses with an order in the low 8 bits",
    confidence=Confidence.POSTED,
    features=(FeatureBit("VIRTIO_BALLOON_F_HINTING", 5),),
    queues=(QueueIndex("hinting", 3, "QEMU"), QueueIndex("hinting", 4, "the driver's enumeration")),
    messages=(Message("hints", "the buffer", FORMATS, parse, build),),
    quirks=(
        Quirk(
            "order-in-address",
            "The low 8 bits of the address are the order; bits 8 to 11 are not looked at.",
            None,
            Confidence.POSTED,
        ),
        Quirk(
            "order-unchecked",
            "QEMU shifted a 64-bit 1 by 12 + order unchecked: not defined from order 52 on.",
            None,
            Confidence.POSTED,
        ),
        Quirk(
            "used-length",
            "The used length was the number of bytes read, of a buffer that nothing can be "
            "written to.",
            None,
            Confidence.POSTED,
        ),
        Quirk(
            "predecessor",
            "The RFC before it (May 2019) had two 32-bit numbers instead, a PFN and a number of "
            "4 KiB pages, under the same feature bit and in as many bytes.",
            None,
            Confidence.POSTED,
        ),
    ),
)
"""What is known of the profile ``duyck-pa-order``."""
