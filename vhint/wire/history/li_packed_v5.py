r"""The format of Liang Li's v5 (November 2016): packed headers, each with a short bitmap.

A response is the header of `li_response`, then records of a 64-bit head cut into bit fields
(`start_pfn` 52 bits, `page_shift` 6, `bmap_len` 6) and `bmap_len` **bytes** of bitmap:

- `bmap_len` 8 and `page_shift` 12: bit N is the page `start_pfn` + N. The driver rounds
  `start_pfn` down to a multiple of 64.
- `bmap_len` 0: the block of ``1 << page_shift`` bytes at `start_pfn`, which always counts 4 KiB
  pages.

The declarations are run by construct, as the length of each record is in the record itself.
Big-endian guests: the heads are as such a compiler lays them out; of the bitmaps the driver
converts some and some not, so that they are kept as they came.

>>> response = Response(0, 1, 7, (Record(0x1000, 21), Record(0x40, 12, Bitmap(64, b"\x05" * 8))))
>>> parse(build(response)) == response, len(build(response))
(True, 32)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from construct import Struct, this

from vhint.wire.bitmap import Bitmap
from vhint.wire.codec import Data
from vhint.wire.errors import OutOfRange, WrongLength, WrongType
from vhint.wire.history import li_response
from vhint.wire.history.interpreted import InterpretedCodec
from vhint.wire.history.layout import LITTLE, Layout, Numbers, known_layout
from vhint.wire.history.li_response import Command, Flag, Request, build_request, parse_request
from vhint.wire.history.profile import Confidence, FeatureBit, Message, Profile, Quirk
from vhint.wire.schema import BitFields, Bits, RepeatToEnd

__all__ = [
    "FORMATS",
    "MAX_BITMAP_BYTES",
    "PROFILE",
    "Command",
    "Flag",
    "Record",
    "Request",
    "Response",
    "build",
    "build_request",
    "parse",
    "parse_request",
]

PAGE_SHIFT: Final = 12
MAX_BITMAP_BYTES: Final = 63
"""The longest bitmap that a record has room to count."""


def _record(numbers: Numbers) -> Any:
    return Struct(
        "head"
        / BitFields(
            numbers.u64,
            ("start_pfn", 52),
            ("page_shift", 6),
            ("bmap_len", 6),
            highest_first=numbers is not LITTLE,
        ),
        "bits" / Bits(this.head.bmap_len * 8),
    )


LAYOUTS: Final = (Layout.LP64_LITTLE, Layout.LP64_BIG)
"""The layouts that differ: only the byte order of the guest counts."""

RECORDS: Final = {layout: _record(layout.native) for layout in LAYOUTS}
"""The declaration of a record, by layout."""

FORMATS: Final = {
    layout: Struct(
        "header" / li_response.header(layout.native),
        "records" / RepeatToEnd(record),
        "end" / li_response.END,
    )
    for layout, record in RECORDS.items()
}
"""The declaration of a response, by layout."""


@dataclass(frozen=True, slots=True)
class Record:
    """Pages near `start_pfn`, or one block there.

    Ranges: `start_pfn` (of 4 KiB pages) 0 to 2^52 - 1, `page_shift` 0 to 63; `bits` has a multiple
    of 8 bits, up to 504, and none for a block.
    """

    start_pfn: int
    page_shift: int
    bits: Bitmap = Bitmap(0, b"")  # noqa: RUF009 - immutable

    def ranges(self) -> tuple[tuple[int, int], ...]:
        """Give the (address, length) in bytes of each run of pages, or of the block.

        >>> Record(64, 12, Bitmap(8, bytes([0b00110001]))).ranges()
        ((262144, 4096), (278528, 8192))
        >>> Record(512, 21).ranges()
        ((2097152, 2097152),)
        """
        start, size = self.start_pfn << PAGE_SHIFT, 1 << self.page_shift
        if not self.bits.count:
            return ((start, size),)
        firsts, lengths = self.bits.runs()
        return tuple(
            (start + first * size, length * size)
            for first, length in zip(firsts.tolist(), lengths.tolist(), strict=True)
        )


@dataclass(frozen=True, slots=True)
class Response:
    """Pages of the inflate or deflate queue, or an answer to the host's request.

    Ranges: `cmd` (`Command`) and `flag` (`Flag`) 0 to 255, `id` 0 to 2^16 - 1; none is checked.
    """

    cmd: int
    flag: int
    id: int
    records: tuple[Record, ...]


def _to_face(values: Any) -> Response:
    head = values["header"]
    records = tuple(
        Record(record["head"]["start_pfn"], record["head"]["page_shift"], record["bits"])
        for record in values["records"]
    )
    return Response(head["cmd"], head["flag"], head["id"], records)


def _to_values(face: Response) -> Mapping[str, Any]:
    records = li_response.items(face.records, Record, "records")
    values = [_record_values(record, f"records[{i}]") for i, record in enumerate(records)]
    return {
        "header": {
            "cmd": face.cmd,
            "flag": face.flag,
            "id": face.id,
            "data_len": _size(tuple(records)),
        },
        "records": values,
    }


def _record_values(record: Record, path: str) -> Mapping[str, Any]:
    bits = record.bits
    if not isinstance(bits, Bitmap):
        raise WrongType(f"{path}.bits", 0, "a Bitmap", bits)
    if bits.count % 8:
        raise WrongLength(f"{path}.bits", 0, "a multiple of 8 bits", bits.count)
    if len(bits.octets) > MAX_BITMAP_BYTES:
        raise OutOfRange(f"{path}.bits", 0, f"0..{8 * MAX_BITMAP_BYTES} bits", bits.count)
    head = {
        "start_pfn": record.start_pfn,
        "page_shift": record.page_shift,
        "bmap_len": len(bits.octets),
    }
    return {"head": head, "bits": bits}


def _size(records: tuple[Record, ...]) -> int:
    return sum(li_response.HEADER_SIZE + len(record.bits.octets) for record in records)


CODECS: Final = {
    layout: InterpretedCodec[Response]("li-packed-v5", declaration, Response, _to_face, _to_values)
    for layout, declaration in FORMATS.items()
}


def parse(data: Data, *, layout: Layout = Layout.LP64_LITTLE) -> Response:
    """Parse a response, its two buffers joined. Raises `WireError`."""
    return _codec(layout).parse(data)


def build(face: Response, *, layout: Layout = Layout.LP64_LITTLE) -> bytes:
    """Build a response. Raises `WireError`."""
    return _codec(layout).build(face)


def _codec(layout: Layout) -> InterpretedCodec[Response]:
    return CODECS[known_layout(layout, CODECS, "li-packed-v5")]


PROFILE: Final = Profile(
    name="li-packed-v5",
    date="2016-11-30",
    summary="64-bit heads of bit fields, with bitmaps of one long between them",
    confidence=Confidence.POSTED,
    features=(FeatureBit("VIRTIO_BALLOON_F_PAGE_BITMAP", 3), li_response.HOST_REQUEST_VQ),
    queues=li_response.QUEUES,
    messages=(
        Message("response", "header and records, their buffers joined", FORMATS, parse, build),
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
            "bit-fields",
            "Both heads are C bit fields of 64 bits, which compilers for little-endian and "
            "big-endian machines lay out from opposite ends.",
            "B3",
            Confidence.POSTED,
        ),
        Quirk(
            "length-in-bytes",
            "bmap_len counts bytes: the driver writes the size of a long (8), or 0. It is also "
            "described as a count of 64-bit words.",
            None,
            Confidence.SECONDARY,
        ),
        Quirk(
            "block-form",
            "Without a bitmap, a record is a block of 1 << page_shift bytes, although start_pfn "
            "still counts 4 KiB pages.",
            None,
            Confidence.POSTED,
        ),
        Quirk(
            "half-converted",
            "Of a run's two ends, the driver converts the bitmap of the first to the order of the "
            "device and not that of the last.",
            None,
            Confidence.POSTED,
        ),
        Quirk(
            "ilp32-overlap",
            "The driver advances by longs: on an ILP32 guest a head overwrites the bitmap before "
            "it. No layout is given for that.",
            None,
            Confidence.INFERRED,
        ),
    ),
)
"""What is known of the profile ``li-packed-v5``."""
