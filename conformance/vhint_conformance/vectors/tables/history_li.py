"""Vectors of Liang Li's formats (2016): a bitmap, packed heads, ranges."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from vhint.wire.bitmap import Bitmap
from vhint.wire.errors import WrongLength
from vhint.wire.history import li_bitmap_2016, li_packed_v5, li_range_v6, li_response
from vhint.wire.history.layout import Layout
from vhint_conformance.vectors.message import Field, Message
from vhint_conformance.vectors.model import Codec, ErrorKind, Fault, Json
from vhint_conformance.vectors.tables.history_common import (
    ALL,
    BY_ORDER,
    LIMIT,
    Case,
    Guest,
    Shape,
    Wrong,
    converted,
    informative,
    native,
)

MAX_64 = (1 << 64) - 1
LITTLE = ("lp64-little", "ilp32-little")
LP64_BIG = ("lp64-big", "lp64-big-modern")
ILP32_BIG = ("ilp32-big", "ilp32-big-modern")

# The bitmap

HEADER = (("cmd", 2), ("page_shift", 2), ("flag", 2), ("reserved", 2), ("req_id", 8),
          ("start_pfn", 8))  # fmt: skip
REPORT_TYPES = {
    "bitmap": ["u8"],
    "bits": "bits?",
    "cmd": "u16",
    "flag": "u16",
    "page_shift": "u16",
    "req_id": "u64",
    "reserved": "u16",
    "start_pfn": "u64",
}


def report(
    octets: bytes, bits: str | None, *, start: int = 0x12345, shift: int = 12, **head: int
) -> Json:
    """Spell a report out."""
    words = {"cmd": 0, "flag": 0, "reserved": 0} | {k: v for k, v in head.items() if k != "req_id"}
    return words | {
        "bitmap": list(octets),
        "bits": bits,
        "page_shift": shift,
        "req_id": str(head.get("req_id", 0)),
        "start_pfn": str(start),
    }


def lay_report(guest: Guest, value: Json) -> Message:
    """Lay a report out: the header is converted, the bitmap is as it was in memory."""
    fields = [converted(guest, name, size, int(value[name])) for name, size in HEADER]
    fields.append(converted(guest, "bmap_len", 8, len(value["bitmap"])))
    fields += (Field(f"bitmap[{i}]", 1, octet) for i, octet in enumerate(value["bitmap"]))
    return Message(tuple(fields))


def report_of(value: Json) -> li_bitmap_2016.BitmapReport:
    """Make a report of its JSON value."""
    return li_bitmap_2016.BitmapReport(
        value["cmd"],
        value["page_shift"],
        value["flag"],
        int(value["req_id"]),
        int(value["start_pfn"]),
        li_bitmap_2016.Octets.of(value["bitmap"]),
        value["reserved"],
    )


def _report_json(face: li_bitmap_2016.BitmapReport, layout: str) -> Json:
    """Add the bits in the order of pages; None where the guest sent the wrong part of a long."""
    names = ("cmd", "flag", "page_shift", "req_id", "reserved", "start_pfn", "bitmap")
    try:
        bits = face.bits(Layout(layout))
    except WrongLength:
        bits = None
    return {name: getattr(face, name) for name in names} | {"bits": bits}


FIRST_AND_LAST = bytes([1, 0, 0, 0, 0, 0, 0, 0x80])
REPORT = informative(
    "li-bitmap-2016",
    "report",
    "Header and bitmap, their buffers joined; bits are those of the bitmap in the order of pages",
    Shape(REPORT_TYPES, lay_report, lambda value: value, layouts=ALL),
    (
        Case("no-bit", "a header alone", report(b"", "")),
        Case(
            "header",
            "a different number in every field",
            report(b"", "", start=4, shift=21, cmd=1, flag=2, reserved=3, req_id=MAX_64),
        ),
        Case(
            "first-and-last-little",
            "the first page and the last, of a little-endian guest",
            report(FIRST_AND_LAST, "1" + "0" * 62 + "1"),
            ("bit-order",),
            LITTLE,
        ),
        Case(
            "first-and-last-big-64",
            "the same bytes of a big-endian guest: pages 7 and 56",
            report(FIRST_AND_LAST, "0" * 7 + "1" + "0" * 48 + "1" + "0" * 7),
            ("bit-order", "guest-order"),
            LP64_BIG,
        ),
        Case(
            "first-and-last-big-32",
            "the same bytes of a big-endian guest with longs of 32 bits: pages 24 and 39",
            report(FIRST_AND_LAST, "0" * 24 + "1" + "0" * 14 + "1" + "0" * 24),
            ("bit-order", "guest-order"),
            ILP32_BIG,
        ),
        Case(
            "rounded-down",
            "a bitmap of 3 bytes, as the last answer to a request had",
            report(b"\x05\x00\x80", "101" + "0" * 20 + "1"),
            ("length-rounding",),
            LITTLE,
        ),
        Case(
            "rounded-down-big",
            "3 bytes of a big-endian guest: the wrong part of a long was sent",
            report(b"\x05\x00\x80", None),
            ("length-rounding", "guest-order"),
            LP64_BIG + ILP32_BIG,
        ),
        Case(
            "past-the-end",
            "whole longs, so that bits stand for pages behind the last one",
            report(b"\xff" * 8, "1" * 64, start=LIMIT - 1),
            ("length-rounding", "above-2-53"),
            LITTLE,
        ),
        Case("start-max", "the largest start", report(b"", "", start=MAX_64), ("unchecked",)),
    ),
    (
        Wrong(
            "length-max",
            "the largest length, one byte of bitmap",
            report(b"\x01", ""),
            lambda made: (
                made.put("bmap_len", MAX_64).data,
                Fault(ErrorKind.SHORT_INPUT, "bitmap[1]", 33),
            ),
            ("unbounded-count",),
        ),
    ),
    cut=Case("cut", "", report(b"\x01\x02", "")),
    has_end=True,
    codec=Codec(
        lambda data, given: _report_json(
            li_bitmap_2016.parse(data, layout=given["layout"]), given["layout"]
        ),
        lambda decoded, given: li_bitmap_2016.build(report_of(decoded), layout=given["layout"]),
    ),
)

# What the host asks for

REQUEST_FIELDS = (("cmd", 2), ("reserved0", 2), ("reserved1", 2), ("reserved2", 2), ("param", 8))
REQUEST_TYPES = {name: "u16" if size == 2 else "u64" for name, size in REQUEST_FIELDS}


def lay_request(guest: Guest, value: Json) -> Message:
    """Lay a request of the host out."""
    return Message(
        tuple(converted(guest, name, size, int(value[name])) for name, size in REQUEST_FIELDS)
    )


def host_request(cmd: int, param: int, *reserved: int) -> Json:
    """Spell a request out."""
    kept = dict(zip(("reserved0", "reserved1", "reserved2"), reserved or (0, 0, 0), strict=True))
    return {"cmd": cmd, "param": str(param)} | kept


def request_shape(face: type[Any], layouts: tuple[str, ...]) -> Shape:
    """Describe the host's request."""

    def made(value: Json) -> Any:
        return face(**(value | {"param": int(value["param"])}))

    return Shape(REQUEST_TYPES, lay_request, lambda value: value, face=made, layouts=layouts)


REQUEST_CASES = (
    Case("unused-pages", "the only command", host_request(0, 7)),
    Case("numbers", "another in every field", host_request(1, 0x1122334455667788, 2, 3, 4),
         ("byte-order",)),
    Case("max", "the largest numbers", host_request(65535, MAX_64, 65535, 65535, 65535),
         ("above-2-53", "unchecked")),
)  # fmt: skip
REQUESTS = tuple(
    informative(
        profile,
        "request",
        "What the host writes on its queue",
        request_shape(face, layouts),
        REQUEST_CASES,
        cut=Case("cut", "", host_request(1, 2, 3, 4, 5)),
        has_end=True,
    )
    for profile, face, layouts in (
        ("li-bitmap-2016", li_bitmap_2016.Request, ALL),
        ("li-packed-v5", li_response.Request, ()),
        ("li-range-v6", li_response.Request, ()),
    )
)

# Heads of bit fields


def bit_fields(guest: Guest, *parts: tuple[int, int]) -> int:
    """Put (bits, value) parts into 64 bits, the first lowest, or highest on big-endian."""
    word, at = 0, 0
    for bits, value in parts:
        word |= value << (at if guest.native == "little" else 64 - at - bits)
        at += bits
    return word


def head(guest: Guest, value: Json, length: int) -> Field:
    """Lay the header of a response out, whose last part is the number of bytes that follow."""
    parts = ((8, value["cmd"]), (8, value["flag"]), (16, value["id"]), (32, length))
    return native(guest, "header", 8, bit_fields(guest, *parts))


Record = tuple[int, int, str]


def packed(records: Sequence[Record], cmd: int = 0, flag: int = 1, identity: int = 7) -> Json:
    """Spell a response of v5 out."""
    return {
        "cmd": cmd,
        "flag": flag,
        "id": identity,
        "records": [
            {"bits": bits, "page_shift": shift, "start_pfn": str(pfn)}
            for pfn, shift, bits in records
        ],
    }


def lay_packed(guest: Guest, value: Json) -> Message:
    """Lay a response of v5 out."""
    fields: list[Field] = []
    for i, record in enumerate(value["records"]):
        bits = record["bits"]
        size = len(bits) // 8
        parts = ((52, int(record["start_pfn"])), (6, record["page_shift"]), (6, size))
        fields.append(native(guest, f"records[{i}].head", 8, bit_fields(guest, *parts)))
        if size:
            fields.append(Field(f"records[{i}].bits", size, int(bits[::-1], 2)))
    length = sum(each.size for each in fields)
    return Message((head(guest, value, length), *fields))


def packed_of(value: Json) -> li_packed_v5.Response:
    """Make a response of its JSON value."""
    records = tuple(
        li_packed_v5.Record(
            int(item["start_pfn"]),
            item["page_shift"],
            Bitmap.from_indices(
                len(item["bits"]), [n for n, bit in enumerate(item["bits"]) if bit == "1"]
            ),
        )
        for item in value["records"]
    )
    return li_packed_v5.Response(value["cmd"], value["flag"], value["id"], records)


def miscounted(message: Message) -> tuple[bytes, Fault]:
    """Let a header count one byte more than there are."""
    order = message.fields[0].order
    header = message.fields[0].value + (1 << 32 if order == "little" else 1)
    return message.put("header", header).data, Fault(ErrorKind.WRONG_LENGTH, "header.data_len", 0)


WRONG_COUNT = ("bit-fields",)
TWO_RECORDS = ((0x12345, 21, ""), (0x40, 12, "101" + "0" * 60 + "1"))
PACKED = informative(
    "li-packed-v5",
    "response",
    "Heads of bit fields with short bitmaps, their buffers joined",
    Shape(
        {
            "cmd": "u8",
            "flag": "u8",
            "id": "u16",
            "records": [{"bits": "bits", "page_shift": "u8", "start_pfn": "u64"}],
        },
        lay_packed,
        lambda value: value,
        face=packed_of,
        layouts=BY_ORDER,
        ends=("head",),
    ),
    (
        Case("empty", "no record", packed(())),
        Case("header", "the largest numbers", packed((), 255, 255, 65535), ("bit-fields",)),
        Case("block", "2 MiB", packed(((0x200, 21, ""),)), ("bit-fields",)),
        Case("bitmap", "64 pages", packed(((0x40, 12, "10" * 32),)), ("bit-fields", "bit-order")),
        Case("both", "a block, then pages", packed(TWO_RECORDS), ("bit-fields",)),
        Case("longest", "63 bytes of bitmap", packed(((0x40, 12, "1" * 504),))),
        Case("above-4-gib", "a block above 4 GiB", packed(((0x112345, 12, ""),)), ("above-4-gib",)),
        Case("last-page", "the last page below 2^64", packed(((LIMIT - 1, 12, ""),)),
             ("above-2-53",)),
        Case("shift-63", "the largest block", packed(((0, 63, ""),)), ("shift-width", "unchecked")),
    ),
    (Wrong("data-len", "a header that counts a byte too many", packed(TWO_RECORDS), miscounted,
           WRONG_COUNT),),
    cut=Case("cut", "", packed(TWO_RECORDS)),
)  # fmt: skip

# Ranges


def ranged(ranges: Sequence[tuple[int, int]], cmd: int = 0, flag: int = 1, ident: int = 7) -> Json:
    """Spell a response of v6 out."""
    return {
        "cmd": cmd,
        "flag": flag,
        "id": ident,
        "ranges": [{"pages": str(pages), "pfn": str(pfn)} for pfn, pages in ranges],
    }


def lay_ranged(guest: Guest, value: Json) -> Message:
    """Lay a response of v6 out."""
    fields: list[Field] = []
    for i, item in enumerate(value["ranges"]):
        pfn, pages = int(item["pfn"]), int(item["pages"])
        at = f"ranges[{i}]."
        if 0 < pages < 4096:
            fields.append(Field(f"{at}head", 8, pfn << 12 | pages))
        else:
            fields += (Field(f"{at}head", 8, pfn << 12), Field(f"{at}pages", 8, pages))
    return Message((head(guest, value, 8 * len(fields)), *fields))


def ranged_of(value: Json) -> li_range_v6.Response:
    """Make a response of its JSON value."""
    ranges = tuple(
        li_range_v6.PageRange(int(item["pfn"]), int(item["pages"])) for item in value["ranges"]
    )
    return li_range_v6.Response(value["cmd"], value["flag"], value["id"], ranges)


THREE_RANGES = ((0x12345, 4095), (0x12346, 4096), (LIMIT - 1, 1))
RANGED = informative(
    "li-range-v6",
    "response",
    "Words of a PFN and a number of pages, their buffers joined",
    Shape(
        {"cmd": "u8", "flag": "u8", "id": "u16", "ranges": [{"pages": "u64", "pfn": "u64"}]},
        lay_ranged,
        lambda value: value,
        face=ranged_of,
        ends=("head",),
    ),
    (
        Case("empty", "no range", ranged(())),
        Case("header", "the largest numbers", ranged((), 255, 255, 65535), ("bit-fields",)),
        Case("one-page", "one page", ranged(((0x1000, 1),))),
        Case("4095-pages", "the most that the first word holds", ranged(((0x1000, 4095),))),
        Case("4096-pages", "the fewest that take a second word", ranged(((0x1000, 4096),)),
             ("exactly-4096",)),
        Case(
            "4096-pages-as-posted",
            "what the driver wrote of 4096 pages at 0x1000 and 2 pages at 3; the reader takes the "
            "second range for a number of pages",
            ranged(((0x1001, 12290),)),
            ("exactly-4096",),
        ),
        Case("no-pages", "a range of no page", ranged(((0x1000, 0),)), ("unchecked",)),
        Case("pages-max", "the largest number of pages", ranged(((0, MAX_64),)),
             ("unchecked", "above-2-53")),
        Case("three", "short, long, short", ranged(THREE_RANGES)),
        Case("above-4-gib", "a page above 4 GiB", ranged(((0x112345, 1),)), ("above-4-gib",)),
    ),
    (Wrong("data-len", "a header that counts a byte too many", ranged(THREE_RANGES), miscounted,
           WRONG_COUNT),),
    cut=Case("cut", "", ranged(THREE_RANGES)),
)  # fmt: skip

FILES = (REPORT, *REQUESTS, PACKED, RANGED)
