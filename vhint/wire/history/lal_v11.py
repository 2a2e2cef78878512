"""The format of Lal's RFC v11 (July 2019): an array in the buffer, ended by address 0.

The buffer holds ``struct isolated_memory {__virtio64 phys_addr; __virtio64 size}``, 16 of them:
the driver always sent all 256 bytes, whatever it had to say. Despite their types both numbers were
in the guest's own order. There is no count: `parse` gives every entry that is there, `walk` what
QEMU made of the same bytes.

QEMU read an address and, unless it was 0, a size, and so on until the buffer ended. So an entry
with address 0 hides all that follow, what an earlier request left behind the last entry is freed
again, and a buffer that ends after an address makes use of an earlier size.

>>> data = build(IsolatedMemory.of([(0x200000, 0x200000), (0, 0x1000), (0x400000, 0x1000)]))
>>> len(parse(data)), walk(data)
(3, Walk(ranges=(WalkedRange(phys_addr=2097152, size=2097152, is_stale=False),), used_length=16))
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from construct import Struct

from vhint.wire.codec import Data
from vhint.wire.derive import to_struct
from vhint.wire.errors import WrongType
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

CAPACITY: Final = 16
"""The entries of the driver's buffer, used or not."""

LAYOUTS: Final = (Layout.LP64_LITTLE, Layout.LP64_BIG)
"""The layouts that differ: of a guest's, only the byte order counts."""

RECORDS: Final = {
    layout: Struct(
        "phys_addr" / layout.native.u64.doc("guest physical address"),
        "size" / layout.native.u64.doc("bytes"),
    )
    for layout in LAYOUTS
}
"""The declaration of an entry, by layout."""

FORMATS: Final = {
    layout: Struct("entries" / RepeatToEnd(record), "end" / End)
    for layout, record in RECORDS.items()
}
"""The declaration of the buffer, by layout."""


@dataclass(frozen=True, slots=True)
class IsolatedRange:
    """Free memory: `size` bytes from the guest physical address `phys_addr`; 0 to 2^64 - 1 each.

    An address of 0 ends the list.
    """

    phys_addr: int
    size: int


class IsolatedMemory(Entries[IsolatedRange]):
    """An immutable sequence of `IsolatedRange`."""

    __slots__ = ()
    ELEMENT = IsolatedRange
    RECORDS = RECORDS

    def padded(self) -> IsolatedMemory:
        """Give the buffer that the driver would send: filled up to 16 entries with zeros.

        >>> len(IsolatedMemory.of([(0x200000, 0x200000)]).padded())
        16
        """
        return IsolatedMemory.of([*self, *[(0, 0)] * (CAPACITY - len(self))])


@dataclass(frozen=True, slots=True)
class WalkedRange:
    """A range that QEMU freed.

    `size` is in bytes; None if the buffer ended before the first one, so that it was whatever a
    variable held. `is_stale`: the buffer ended, so that some or all of `size` is the one before.
    """

    phys_addr: int
    size: int | None
    is_stale: bool = False


@dataclass(frozen=True, slots=True)
class Walk:
    """What QEMU made of a buffer: the ranges that it freed and the used length it reported."""

    ranges: tuple[WalkedRange, ...]
    used_length: int


CODEC: Final = LayoutCodec[IsolatedMemory](
    "lal-v11", FORMATS, Face(IsolatedMemory, whole="entries")
)

parse: Final[Callable[..., IsolatedMemory]] = CODEC.parse
"""Parse every entry of a buffer, also those behind the end of the list. Raises `WireError`."""
build: Final[Callable[..., bytes]] = CODEC.build
"""Build a buffer of exactly these entries (see `IsolatedMemory.padded`). Raises `WireError`."""


def walk(data: Data, *, layout: Layout = Layout.LP64_LITTLE) -> Walk:
    """Read a buffer as QEMU did, on a host of this layout: any bytes do.

    The used length is counted up to the address that ended the list, without it. Raises `WireError`
    for what is no bytes.
    """
    number = to_struct(RECORDS[known_layout(layout, RECORDS, CODEC.name)].phys_addr)
    try:
        octets = bytes(memoryview(data).cast("B"))
    except TypeError:
        raise WrongType("", 0, "bytes", data, format=CODEC.name) from None
    ranges: list[WalkedRange] = []
    held: bytes | None = None
    offset = 0
    while len(octets) - offset >= number.size:
        (addr,) = number.unpack_from(octets, offset)
        if addr == 0:
            break
        part = octets[offset + number.size : offset + 2 * number.size]
        offset += number.size + len(part)
        is_stale = len(part) < number.size
        if is_stale and held is not None:
            held = part + held[len(part) :]  # a short read overwrites the leading bytes
        else:
            held = None if is_stale else part
        size = None if held is None else number.unpack(held)[0]
        ranges.append(WalkedRange(addr, size, is_stale))
    return Walk(tuple(ranges), offset)


PROFILE: Final = Profile(
    name="lal-v11",
    date="2019-07-10",
    summary="256-byte buffer of (address, size) in bytes, ended by address 0",
    confidence=Confidence.POSTED,
    features=(FeatureBit("VIRTIO_BALLOON_F_HINTING", 5),),
    queues=(
        QueueIndex("hinting", 3, "QEMU"),
        QueueIndex("hinting", 4, "the driver's enumeration"),
    ),
    messages=(Message("buffer", "the buffer", FORMATS, parse, build),),
    quirks=(
        Quirk(
            "zero-ends",
            "Address 0 ends the list, so the page at address 0 can never be hinted.",
            None,
            Confidence.GIT,
        ),
        Quirk(
            "stale-tail",
            "The buffer is always sent whole and not cleared: entries of an earlier, longer "
            "request are freed again.",
            None,
            Confidence.GIT,
        ),
        Quirk(
            "short-read",
            "A buffer that ends after an address is not refused: the size before it is used again.",
            "N19",
            Confidence.GIT,
        ),
        Quirk(
            "native-order",
            "Both numbers are in the guest's own order, against their types.",
            None,
            Confidence.POSTED,
        ),
        Quirk(
            "used-length",
            "The used length was the number of bytes parsed, of a buffer that nothing can be "
            "written to. Whether the address that ends the list was counted is not recorded; here "
            "it is not.",
            "N6",
            Confidence.INFERRED,
        ),
        Quirk(
            "queue-index",
            "The driver's enumeration puts the queue behind free page hinting (4), QEMU added it "
            "fourth (3); the feature is listed twice.",
            "N16",
            Confidence.POSTED,
        ),
        Quirk("one-pop", "One request was taken for each notification.", "N7", Confidence.GIT),
        Quirk("always-offered", "The feature was always offered.", "N20", Confidence.GIT),
    ),
)
"""What is known of the profile ``lal-v11``."""
