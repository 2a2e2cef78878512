"""The format of Liang Li's v1 to v3 (2016): a header and a bitmap of pages.

::

    header, 32 bytes    u16 cmd · u16 page_shift · u16 flag · u16 reserved
                        u64 req_id · u64 start_pfn · u64 bmap_len
    bitmap              bmap_len bytes, in buffers of their own of up to 32 KiB, at most 32

The header's numbers (Linux' ``__virtio`` types) are converted to the order of the device. Bit N of
the bitmap stands for the page `start_pfn` + N, of ``1 << page_shift`` bytes. The bitmap is an array
of ``unsigned long`` of the guest that nobody converts: on a big-endian guest bit N is not in byte
``N // 8``, see `BitmapReport.bits`.

The same message goes over the inflate and deflate queues (where `cmd` and `req_id` are 0) and
answers a request of the host on a miscellaneous queue: there `Request` is what the host writes.
v2 and later split the bitmap into buffers; v1 had one of up to 1 MiB.

>>> report = BitmapReport(0, 12, 0, 0, 0x1000, Octets.of([0b00000101, 0, 0, 0, 0, 0, 0, 0]))
>>> len(build(report)), report.bits().indices().tolist()
(40, [0, 2])
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from construct import Struct, this

from vhint.wire.bitmap import Bitmap
from vhint.wire.columns import Column, column_of
from vhint.wire.errors import WrongLength
from vhint.wire.history.entries import LayoutCodec
from vhint.wire.history.layout import LITTLE, Layout, known_layout
from vhint.wire.history.profile import (
    Confidence,
    FeatureBit,
    Message,
    Profile,
    QueueIndex,
    Quirk,
)
from vhint.wire.schema import End, Repeat, u8
from vhint.wire.source import Face

FRAGMENT_SIZE: Final = 8 * 4096
"""The size in bytes of a buffer with a part of the bitmap, for pages of 4 KiB."""
MAX_FRAGMENTS: Final = 32
"""The most buffers with a part of the bitmap."""


class Command(IntEnum):
    """What a report answers: GET_FREE_PAGES in v1, GET_UNUSED_PAGES in v2 and v3."""

    GET_UNUSED_PAGES = 0


class Flag(IntEnum):
    """Whether more reports follow for the request."""

    CONT = 0
    DONE = 1


HEADERS: Final = {
    layout: Struct(
        "cmd" / layout.converted.u16,
        "page_shift" / layout.converted.u16,
        "flag" / layout.converted.u16,
        "reserved" / layout.converted.u16,
        "req_id" / layout.converted.u64,
        "start_pfn" / layout.converted.u64,
        "bmap_len" / layout.converted.u64,
    )
    for layout in Layout
}
"""The declaration of a report's header, by layout."""

FORMATS: Final = {
    layout: Struct(*header.subcons, "bitmap" / Repeat(this.bmap_len, u8), "end" / End)
    for layout, header in HEADERS.items()
}
"""The declaration of a report, by layout."""

REQUEST_FORMATS: Final = {
    layout: Struct(
        "cmd" / layout.converted.u16,
        *(f"reserved{i}" / layout.converted.u16 for i in range(3)),
        "param" / layout.converted.u64,
        "end" / End,
    )
    for layout in Layout
}
"""The declaration of a request of the host, by layout."""

HEADER_SIZE: Final = int(HEADERS[Layout.LP64_LITTLE].sizeof())
"""The size of a report's header in bytes: 32."""

_OCTET: Final = np.dtype(np.uint8)


class Octets(Column[int]):
    """The bytes of a bitmap as they were in the guest's memory."""

    __slots__ = ()

    @classmethod
    def of(cls, octets: Iterable[int] | npt.NDArray[Any]) -> Octets:
        """Make one of numbers 0 to 255; raises `OutOfRange` or `WrongType`."""
        return cls.over(column_of(octets, _OCTET, "bitmap"))

    def _element(self, record: Any) -> int:
        return int(record)


@dataclass(frozen=True, slots=True)
class BitmapReport:
    """Pages, as a bitmap.

    Ranges: `cmd` (`Command`), `page_shift`, `flag` (`Flag`) and `reserved` 0 to 2^16 - 1, `req_id`
    and `start_pfn` 0 to 2^64 - 1; none is checked. `start_pfn` counts pages of ``1 << page_shift``
    bytes.
    """

    cmd: int
    page_shift: int
    flag: int
    req_id: int
    start_pfn: int
    bitmap: Octets
    reserved: int = 0

    def bits(self, layout: Layout = Layout.LP64_LITTLE) -> Bitmap:
        """Give the bits in the order of pages, of a bitmap that a guest of this layout wrote.

        Raises `WrongLength` on a big-endian guest for a bitmap that is not whole longs: which part
        of the last one was sent is then the wrong part.
        """
        octets = self.bitmap.records
        guest = known_layout(layout, Layout, CODEC.name)
        if guest.native is not LITTLE:
            size = guest.ulong.sizeof()
            if len(octets) % size:
                expected = f"a multiple of {size} bytes"
                raise WrongLength("bitmap", HEADER_SIZE, expected, len(octets), format=CODEC.name)
            octets = octets.reshape(-1, size)[:, ::-1].ravel()
        return Bitmap(8 * len(octets), octets.tobytes())


@dataclass(frozen=True, slots=True)
class Request:
    """What the host asks for on the miscellaneous queue.

    `cmd` is a `Command`; `param` (0 to 2^64 - 1) comes back as the `req_id` of the answers. The
    three reserved numbers are kept as they are.
    """

    cmd: int
    param: int
    reserved0: int = 0
    reserved1: int = 0
    reserved2: int = 0


CODEC: Final = LayoutCodec[BitmapReport](
    "li-bitmap-2016", FORMATS, Face(BitmapReport, {"bitmap": Octets})
)
REQUEST_CODEC: Final = LayoutCodec[Request](
    "li-bitmap-2016 request", REQUEST_FORMATS, Face(Request)
)

parse: Final[Callable[..., BitmapReport]] = CODEC.parse
"""Parse a report, its buffers joined. Raises `WireError`."""
build: Final[Callable[..., bytes]] = CODEC.build
"""Build a report. Raises `WireError`."""
parse_request: Final[Callable[..., Request]] = REQUEST_CODEC.parse
"""Parse the 16 bytes of a request. Raises `WireError`."""
build_request: Final[Callable[..., bytes]] = REQUEST_CODEC.build
"""Build the 16 bytes of a request. Raises `WireError`."""

PROFILE: Final = Profile(
    name="li-bitmap-2016",
    date="2016",
    summary="32-byte header, then a bitmap of pages",
    confidence=Confidence.POSTED,
    features=(
        FeatureBit("VIRTIO_BALLOON_F_PAGE_BITMAP", 3),
        FeatureBit("VIRTIO_BALLOON_F_MISC_VQ", 4),
    ),
    queues=(
        QueueIndex("inflate", 0, "the driver"),
        QueueIndex("deflate", 1, "the driver"),
        QueueIndex("misc", 3, "the driver, which gives both features up without STATS_VQ"),
    ),
    messages=(
        Message("report", "header and bitmap, their buffers joined", FORMATS, parse, build),
        Message(
            "request",
            "what the host writes on the miscellaneous queue",
            REQUEST_FORMATS,
            parse_request,
            build_request,
        ),
    ),
    quirks=(
        Quirk(
            "length-rounding",
            "On inflate and deflate the bitmap is whole longs, so that it says something of pages "
            "beyond the last one; the last answer to a request is rounded down to bytes instead, "
            "which loses up to 7 pages.",
            "B4",
            Confidence.POSTED,
        ),
        Quirk(
            "native-long-bits",
            "The bitmap is an array of longs in the guest's own order, whatever the interface: on "
            "a big-endian guest the bytes of each long are reversed.",
            None,
            Confidence.INFERRED,
        ),
        Quirk(
            "command-renamed",
            "Command 0 is called GET_FREE_PAGES in the first version and GET_UNUSED_PAGES later.",
            None,
            Confidence.POSTED,
        ),
    ),
)
"""What is known of the profile ``li-bitmap-2016``."""
