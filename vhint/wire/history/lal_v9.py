"""The format of Lal's RFC v9 (March 2019): a request that points to an array.

The buffer is ``{__virtio64 phys_addr; __virtio64 count}``, 16 bytes; the array is that of v8
(`lal_v8`), at `phys_addr` in the guest's memory. The two sides disagreed on `count`:

- The driver converted it as a 32-bit number and stored the result in the 64-bit field. `parse`
  and `FORMATS` are what it meant, `Request.count` being the number of entries.
- QEMU read 8 bytes at 0 and **4 bytes at 8**, in the host's order. `parse_as_read` is what it saw.

They agree for little-endian guests and hosts. From a big-endian guest QEMU saw a count of 0.

>>> request = Request(0x12345000, 3)
>>> build(request).hex(" ", 8)
'0050341200000000 0300000000000000'
>>> parse_as_read(build(request))
Request(phys_addr=305418240, count=3)
>>> parse_as_read(build(request, layout=Layout.LP64_BIG_MODERN))
Request(phys_addr=305418240, count=0)
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from construct import Struct

from vhint.wire.history import lal_v8
from vhint.wire.history.entries import LayoutCodec
from vhint.wire.history.lal_v8 import IsolatedBlock, IsolatedBlocks
from vhint.wire.history.layout import BIG, LITTLE, Layout, Numbers
from vhint.wire.history.profile import (
    Confidence,
    FeatureBit,
    Message,
    Profile,
    QueueIndex,
    Quirk,
)
from vhint.wire.schema import Bounded, End, OpenEnd, Repeat, Reserved, parameter
from vhint.wire.source import Face

__all__ = [
    "ARRAY_FORMATS",
    "AS_READ_FORMATS",
    "FORMATS",
    "PROFILE",
    "READ_SIZE",
    "USED_LENGTH",
    "IsolatedBlock",
    "IsolatedBlocks",
    "Request",
    "build",
    "build_array",
    "build_as_read",
    "parse",
    "parse_array",
    "parse_as_read",
]

READ_SIZE: Final = 12
"""The bytes that QEMU read of a request."""
USED_LENGTH: Final = READ_SIZE
"""The used length of a request, though the buffer is not device-writable."""


def _as_meant(layout: Layout) -> Any:
    if layout.native is layout.converted:
        count = ["count" / Bounded(layout.native.u64, 0, (1 << 32) - 1).doc("entries")]
    else:
        # The 32-bit number was swapped, then widened: its bytes are the last four.
        count = ["high" / Reserved(LITTLE.u32), "count" / LITTLE.u32.doc("entries")]
    return Struct(
        "phys_addr" / layout.converted.u64.doc("guest physical address"), *count, "end" / End
    )


FORMATS: Final = {layout: _as_meant(layout) for layout in Layout}
"""The declaration of a request as the driver meant it, by layout."""


def _as_read(host: Numbers) -> Any:
    return Struct(
        "phys_addr" / host.u64.doc("guest physical address"),
        "count" / host.u32.doc("entries"),
        "end" / OpenEnd,
    )


AS_READ_FORMATS: Final = {
    Layout.LP64_LITTLE: _as_read(LITTLE),
    Layout.LP64_BIG: _as_read(BIG),
}
"""The declaration of the 12 bytes that QEMU read, by the *host's* layout."""

ARRAY_FORMATS: Final = {
    layout: Struct("entries" / Repeat(parameter("count"), record), "end" / End)
    for layout, record in lal_v8.RECORDS.items()
}
"""The declaration of the array, by layout; its parameter is the request's count."""


@dataclass(frozen=True, slots=True)
class Request:
    """An array of `count` entries (0 to 2^32 - 1) at the guest physical address `phys_addr`."""

    phys_addr: int
    count: int


CODEC: Final = LayoutCodec[Request]("lal-v9", FORMATS, Face(Request))
AS_READ_CODEC: Final = LayoutCodec[Request]("lal-v9 as read", AS_READ_FORMATS, Face(Request))
ARRAY_CODEC: Final = LayoutCodec[IsolatedBlocks](
    "lal-v9 array", ARRAY_FORMATS, Face(IsolatedBlocks, whole="entries"), ("count",)
)

parse: Final[Callable[..., Request]] = CODEC.parse
"""Parse the 16 bytes of a request as the driver meant it. Raises `WireError`."""
build: Final[Callable[..., bytes]] = CODEC.build
"""Build the 16 bytes as the driver did. Raises `WireError`."""
parse_as_read: Final[Callable[..., Request]] = AS_READ_CODEC.parse
"""Parse a request as QEMU read it, on a host of this layout.

Only the first 12 bytes count: what follows was not looked at. Raises `ShortInput` if there are
fewer (QEMU then went on with what its variables held).
"""
build_as_read: Final[Callable[..., bytes]] = AS_READ_CODEC.build
"""Build 12 bytes that QEMU would read as this request. Raises `WireError`."""
parse_array: Final[Callable[..., IsolatedBlocks]] = ARRAY_CODEC.parse
"""Parse the memory at a request's address, given its count. Raises `WireError`."""
build_array: Final[Callable[..., bytes]] = ARRAY_CODEC.build
"""Build the array. Raises `WireError`."""


PROFILE: Final = Profile(
    name="lal-v9",
    date="2019-03-06",
    summary="16-byte request that points to an array of (pfn, order)",
    confidence=Confidence.POSTED,
    features=(FeatureBit("VIRTIO_BALLOON_F_HINTING", 5),),
    queues=(
        QueueIndex("hinting", 3, "QEMU"),
        QueueIndex("hinting", 3, "the driver, where free page hinting comes after it"),
    ),
    messages=(
        Message("request", "the buffer, as the driver meant it", FORMATS, parse, build),
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
            "count-width",
            "The driver stored a number converted as 32 bits in the 64-bit count; QEMU read 32 "
            "bits at offset 8. A big-endian guest's count is in the other half, so QEMU saw 0.",
            "N4",
            Confidence.POSTED,
        ),
        Quirk(
            "no-swap",
            "QEMU swapped no bytes, neither of the request nor of the array.",
            None,
            Confidence.POSTED,
        ),
        Quirk(
            "ack-no-swap",
            "The driver's acknowledgement handler used both fields without converting them back.",
            "N5",
            Confidence.POSTED,
        ),
        Quirk(
            "native-long",
            "The array's entries have 16 bytes on an LP64 guest and 8 on an ILP32 guest.",
            "N3",
            Confidence.POSTED,
        ),
        Quirk(
            "used-length",
            "The used length was 12, the bytes that were read, of a buffer that nothing can be "
            "written to.",
            "N6",
            Confidence.POSTED,
        ),
        Quirk(
            "int-shift",
            "The host computed 1 << order as a signed int: not defined from order 31 on.",
            "N12",
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
            "One request was taken for each notification; none there was an error message.",
            "N7",
            Confidence.POSTED,
        ),
        Quirk(
            "no-lock",
            "The driver gave the pages back to the allocator without the zone's lock.",
            "N8",
            Confidence.POSTED,
        ),
        Quirk("always-offered", "The feature was always offered.", "N20", Confidence.POSTED),
    ),
)
"""What is known of the profile ``lal-v9``."""
