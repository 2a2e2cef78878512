"""The format of Lal's RFC v10 (June 2019): one structure for two purposes.

``struct hinting_data {__virtio64 phys_addr; __virtio32 size}`` is both

- the request, where `size` is the **number of entries** of an array at `phys_addr`, both converted
  to the order of the device;
- each entry of that array, where `size` is the **number of bytes** of free memory at `phys_addr`,
  both in the guest's own order.

It is not packed: 16 bytes on an LP64 guest, the last 4 of them padding, 12 on an i386 guest. Other
ILP32 guests that align 64-bit numbers to 8 bytes have the layout of LP64; big-endian ILP32 is left
out, as how it aligns is not recorded.

QEMU read 8 + 4 bytes of the request in the host's order: `parse_as_read`.

>>> request = parse(bytes.fromhex("0010000000000000 01000000"), layout=Layout.ILP32_LITTLE)
>>> memory = bytes.fromhex("0000200000000000 00002000")
>>> request, parse_array(memory, request.size, layout=Layout.ILP32_LITTLE)[0]
(Request(phys_addr=4096, size=1), HintedRange(phys_addr=2097152, size=2097152))
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from construct import Struct

from vhint.wire.history.entries import Entries, LayoutCodec
from vhint.wire.history.layout import BIG, LITTLE, Layout, Numbers
from vhint.wire.history.profile import (
    Confidence,
    FeatureBit,
    Message,
    Profile,
    QueueIndex,
    Quirk,
)
from vhint.wire.schema import End, OpenEnd, Padding, Repeat, parameter
from vhint.wire.source import Face

CAPACITY: Final = 16
"""The most entries of an array."""
READ_SIZE: Final = 12
"""The bytes that QEMU read of a request."""
USED_LENGTH: Final = READ_SIZE
"""The used length of a request, though the buffer is not device-writable."""

LAYOUTS: Final = (
    Layout.LP64_LITTLE,
    Layout.LP64_BIG,
    Layout.LP64_BIG_MODERN,
    Layout.ILP32_LITTLE,
)
"""The layouts whose alignment is recorded."""


def _fields(layout: Layout, numbers: Numbers) -> list[Any]:
    padding = ["padding" / Padding(numbers.u32)] if layout.is_lp64 else []
    return [
        "phys_addr" / numbers.u64.doc("guest physical address"),
        "size" / numbers.u32.doc("entries of an array, or bytes of an entry"),
        *padding,
    ]


FORMATS: Final = {
    layout: Struct(*_fields(layout, layout.converted), "end" / End) for layout in LAYOUTS
}
"""The declaration of a request, by layout."""

RECORDS: Final = {layout: Struct(*_fields(layout, layout.native)) for layout in LAYOUTS}
"""The declaration of an entry of the array, by layout."""

ARRAY_FORMATS: Final = {
    layout: Struct("entries" / Repeat(parameter("count"), record), "end" / End)
    for layout, record in RECORDS.items()
}
"""The declaration of the array, by layout; its parameter `count` is the request's `size`."""

AS_READ_FORMATS: Final = {
    layout: Struct("phys_addr" / numbers.u64, "size" / numbers.u32, "end" / OpenEnd)
    for layout, numbers in ((Layout.LP64_LITTLE, LITTLE), (Layout.LP64_BIG, BIG))
}
"""The declaration of the 12 bytes that QEMU read, by the *host's* layout."""


@dataclass(frozen=True, slots=True)
class Request:
    """An array of `size` **entries** (0 to 2^32 - 1) at the guest physical address `phys_addr`."""

    phys_addr: int
    size: int


@dataclass(frozen=True, slots=True)
class HintedRange:
    """Free memory: `size` **bytes** (0 to 2^32 - 1) from the guest physical address `phys_addr`.

    The driver's computation of a size wraps around at 4 GiB.
    """

    phys_addr: int
    size: int


class HintedRanges(Entries[HintedRange]):
    """An immutable sequence of `HintedRange`."""

    __slots__ = ()
    ELEMENT = HintedRange
    RECORDS = RECORDS


CODEC: Final = LayoutCodec[Request]("lal-v10", FORMATS, Face(Request))
AS_READ_CODEC: Final = LayoutCodec[Request]("lal-v10 as read", AS_READ_FORMATS, Face(Request))
ARRAY_CODEC: Final = LayoutCodec[HintedRanges](
    "lal-v10 array", ARRAY_FORMATS, Face(HintedRanges, whole="entries"), ("count",)
)

parse: Final[Callable[..., Request]] = CODEC.parse
"""Parse the 16 (or 12) bytes of a request. Raises `WireError`."""
build: Final[Callable[..., bytes]] = CODEC.build
"""Build a request, with zero padding. Raises `WireError`."""
parse_as_read: Final[Callable[..., Request]] = AS_READ_CODEC.parse
"""Parse a request as QEMU read it, on a host of this layout.

Only the first 12 bytes count: what follows was not looked at. Raises `ShortInput`.
"""
build_as_read: Final[Callable[..., bytes]] = AS_READ_CODEC.build
"""Build 12 bytes that QEMU would read as this request. Raises `WireError`."""
parse_array: Final[Callable[..., HintedRanges]] = ARRAY_CODEC.parse
"""Parse the memory at a request's address, given its `size`. Raises `WireError`."""
build_array: Final[Callable[..., bytes]] = ARRAY_CODEC.build
"""Build the array. Raises `WireError`."""


PROFILE: Final = Profile(
    name="lal-v10",
    date="2019-06-03",
    summary="request and array of the same structure (address, size)",
    confidence=Confidence.POSTED,
    features=(FeatureBit("VIRTIO_BALLOON_F_HINTING", 5),),
    queues=(
        QueueIndex("hinting", 3, "QEMU"),
        QueueIndex("hinting", 4, "the driver's enumeration"),
    ),
    messages=(
        Message("request", "the buffer", FORMATS, parse, build),
        Message(
            "request-as-read",
            "the buffer, as QEMU read it; the layout is the host's",
            AS_READ_FORMATS,
            parse_as_read,
            build_as_read,
            reads=READ_SIZE,
        ),
        Message(
            "array",
            "the memory at the request's address",
            ARRAY_FORMATS,
            parse_array,
            build_array,
            ("count",),
        ),
    ),
    quirks=(
        Quirk(
            "unpacked",
            "The structure is not packed: 16 bytes on an LP64 guest, 12 on an i386 guest.",
            "N14",
            Confidence.POSTED,
        ),
        Quirk(
            "two-meanings",
            "`size` counts entries in the request and bytes in an entry.",
            "N15",
            Confidence.POSTED,
        ),
        Quirk(
            "entries-native",
            "The request is converted to the order of the device, the entries are not.",
            None,
            Confidence.POSTED,
        ),
        Quirk(
            "size-wraps",
            "A size is computed as 32 bits: a block of 4 GiB or more becomes a smaller one, or 0.",
            None,
            Confidence.INFERRED,
        ),
        Quirk(
            "queue-index",
            "The driver's enumeration puts the queue behind free page hinting (4), QEMU added it "
            "fourth (3); the feature is listed twice.",
            "N16",
            Confidence.POSTED,
        ),
        Quirk(
            "freed-while-exposed",
            "If the notification was suppressed the driver did not wait, and freed the request "
            "while the device still had it.",
            "N13",
            Confidence.POSTED,
        ),
        Quirk(
            "used-length",
            "The used length was 12, of a buffer that nothing can be written to.",
            "N6",
            Confidence.POSTED,
        ),
        Quirk(
            "abort",
            "The first address outside of RAM ended the request; it was acknowledged all the same.",
            "N11",
            Confidence.POSTED,
        ),
        Quirk(
            "one-pop",
            "One request was taken for each notification.",
            "N7",
            Confidence.POSTED,
        ),
        Quirk(
            "alignment",
            "A development version aligned by the order where it meant 2^order.",
            "N23",
            Confidence.POSTED,
        ),
        Quirk("always-offered", "The feature was always offered.", "N20", Confidence.POSTED),
    ),
)
"""What is known of the profile ``lal-v10``."""
