"""The format of Liang Li's v6 (December 2016): ranges in one word, or in two.

A response is the header of `li_response`, then little-endian 64-bit words: a PFN of 4 KiB pages
above bit 12 and the number of pages in the low 12 bits. If those are 0, the *next word* is the
number. The declaration is run by construct, as whether a second word comes is in the first.

`build` writes 4096 pages in two words, as it must. The driver did not: it compared with ``>``, so
that 4096 is ORed into the PFN and leaves 0 below. `build_as_posted` does the same. A reader then
takes the next word, be it another range, for the number of pages.

>>> response = Response(0, 1, 7, (PageRange(0x1000, 4096), PageRange(3, 2)))
>>> build(response)[8:].hex(" ", 8)
'0000000100000000 0010000000000000 0230000000000000'
>>> build_as_posted(response)[8:].hex(" ", 8)
'0010000100000000 0230000000000000'
>>> parse(build_as_posted(response)).ranges
(PageRange(pfn=4097, pages=12290),)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from construct import If, Struct, this

from vhint.wire.codec import Data
from vhint.wire.history import li_response
from vhint.wire.history.interpreted import InterpretedCodec
from vhint.wire.history.layout import LITTLE, Layout, known_layout
from vhint.wire.history.li_response import Command, Flag, Request, build_request, parse_request
from vhint.wire.history.profile import Confidence, FeatureBit, Message, Profile, Quirk
from vhint.wire.schema import BitFields, RepeatToEnd, le64

__all__ = [
    "FORMAT",
    "PROFILE",
    "Command",
    "Flag",
    "PageRange",
    "Request",
    "Response",
    "build",
    "build_as_posted",
    "build_request",
    "parse",
    "parse_request",
]

PAGE_SHIFT: Final = 12
COUNT_BITS: Final = 12
COUNT_LIMIT: Final = 1 << COUNT_BITS
"""Numbers of pages below this, and above 0, fit into the first word."""

RANGE: Final = Struct(
    "head" / BitFields(le64, ("pages", COUNT_BITS), ("pfn", 64 - COUNT_BITS)),
    "pages" / If(this.head.pages == 0, le64),
)
"""The declaration of a range."""

FORMAT: Final = Struct(
    "header" / li_response.header(LITTLE), "ranges" / RepeatToEnd(RANGE), "end" / li_response.END
)
"""The declaration of a response."""


@dataclass(frozen=True, slots=True)
class PageRange:
    """`pages` (0 to 2^64 - 1) pages of 4 KiB from `pfn` (0 to 2^52 - 1) on."""

    pfn: int
    pages: int

    @property
    def addr(self) -> int:
        """The guest physical address in bytes."""
        return self.pfn << PAGE_SHIFT

    @property
    def length(self) -> int:
        """The length in bytes."""
        return self.pages << PAGE_SHIFT


@dataclass(frozen=True, slots=True)
class Response:
    """Ranges of the inflate or deflate queue, or an answer to the host's request.

    Ranges: `cmd` (`Command`) and `flag` (`Flag`) 0 to 255, `id` 0 to 2^16 - 1; none is checked.
    """

    cmd: int
    flag: int
    id: int
    ranges: tuple[PageRange, ...]


def _to_face(values: Any) -> Response:
    head = values["header"]
    ranges = []
    for item in values["ranges"]:
        is_short = item["pages"] is None
        pages = item["head"]["pages"] if is_short else item["pages"]
        ranges.append(PageRange(item["head"]["pfn"], pages))
    return Response(head["cmd"], head["flag"], head["id"], tuple(ranges))


def _to_values(face: Response) -> Mapping[str, Any]:
    ranges = []
    words = 0
    for item in li_response.items(face.ranges, PageRange, "ranges"):
        is_short = isinstance(item.pages, int) and 0 < item.pages < COUNT_LIMIT
        head = {"pages": item.pages if is_short else 0, "pfn": item.pfn}
        ranges.append({"head": head, "pages": None if is_short else item.pages})
        words += 1 if is_short else 2
    header = {"cmd": face.cmd, "flag": face.flag, "id": face.id, "data_len": 8 * words}
    return {"header": header, "ranges": ranges}


CODEC: Final = InterpretedCodec[Response]("li-range-v6", FORMAT, Response, _to_face, _to_values)


def parse(data: Data) -> Response:
    """Parse a response, its two buffers joined. Raises `WireError`."""
    return CODEC.parse(data)


def build(face: Response) -> bytes:
    """Build a response with every range in the form that says it. Raises `WireError`."""
    return CODEC.build(face)


def build_as_posted(face: Response, *, layout: Layout = Layout.LP64_LITTLE) -> bytes:
    """Build a response with the driver's faults, on a guest of this byte order.

    Up to and including 4096 pages go into one word, which was not converted to little-endian;
    larger numbers go into two that were. The header is as the guest's compiler lays it out.
    Raises `WireError`.
    """
    guest = known_layout(layout, (Layout.LP64_LITTLE, Layout.LP64_BIG), CODEC.name)
    CODEC.build(face)  # refuses what no range can be
    data = b""
    for item in face.ranges:
        word = item.pfn << COUNT_BITS
        if item.pages > COUNT_LIMIT:
            data += word.to_bytes(8, "little") + item.pages.to_bytes(8, "little")
        else:
            data += guest.native.u64.build(word | item.pages)
    head = {"cmd": face.cmd, "flag": face.flag, "id": face.id, "data_len": len(data)}
    return bytes(li_response.header(guest.native).build(head)) + data


PROFILE: Final = Profile(
    name="li-range-v6",
    date="2016-12",
    summary="64-bit words of PFN and number of pages, with a second word for large numbers",
    confidence=Confidence.POSTED,
    features=(FeatureBit("VIRTIO_BALLOON_F_PAGE_RANGE", 3), li_response.HOST_REQUEST_VQ),
    queues=li_response.QUEUES,
    messages=(
        Message("response", "header and ranges, their buffers joined", FORMAT, parse, build),
        Message(
            "request",
            "what the host writes on its queue",
            li_response.REQUEST_FORMAT,
            parse_request,
            build_request,
        ),
    ),
    quirks=(
        Quirk(
            "4096-pages",
            "Exactly 4096 pages go into one word: the number overflows into the PFN, and 0 below "
            "says that the next word is the number.",
            "B1",
            Confidence.POSTED,
        ),
        Quirk(
            "half-converted",
            "Words with a number of pages are not converted to little-endian, those without are; "
            "of a big-endian guest's words it cannot be told which is which, so no layout is given "
            "for them.",
            "B2",
            Confidence.POSTED,
        ),
        Quirk(
            "bit-fields",
            "The header is C bit fields of 64 bits, as in v5.",
            "B3",
            Confidence.POSTED,
        ),
    ),
)
"""What is known of the profile ``li-range-v6``."""
