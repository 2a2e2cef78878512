"""Bytes written by hand from the postings' structures, field by field, in every layout."""

from __future__ import annotations

from typing import Any

import pytest

from tests.wire.history.history_cases import CASES
from vhint.wire import OutOfRange, ReservedNotZero, ShortInput, TrailingBytes, WrongLength
from vhint.wire.bitmap import Bitmap
from vhint.wire.errors import WireError
from vhint.wire.history import (
    PROFILES,
    Layout,
    duyck_pa_order,
    lal_hypercall,
    lal_v8,
    lal_v9,
    lal_v10,
    lal_v11,
    li_bitmap_2016,
    li_packed_v5,
    li_range_v6,
    li_response,
    mst_init_2026,
    wang_chunks_v9,
    wang_chunks_v10,
    wang_chunks_v11,
)
from vhint.wire.history.descriptors import Descriptors
from vhint.wire.pfn_array import PfnArray

LP64_LITTLE = (Layout.LP64_LITTLE,)
LP64_BIG = (Layout.LP64_BIG, Layout.LP64_BIG_MODERN)
ILP32_LITTLE = (Layout.ILP32_LITTLE,)
ILP32_BIG = (Layout.ILP32_BIG, Layout.ILP32_BIG_MODERN)
CONVERTED_LITTLE = (
    Layout.LP64_LITTLE,
    Layout.LP64_BIG_MODERN,
    Layout.ILP32_LITTLE,
    Layout.ILP32_BIG_MODERN,
)
CONVERTED_BIG = (Layout.LP64_BIG, Layout.ILP32_BIG)
SAME = (None,)

BLOCKS = lal_v8.IsolatedBlocks.of([(0x12345, 9), (0xFFFFFFFF, 10)])
BLOCK_BYTES = {
    LP64_LITTLE: "4523010000000000 09000000 00000000 ffffffff00000000 0a000000 00000000",
    LP64_BIG: "0000000000012345 00000009 00000000 00000000ffffffff 0000000a 00000000",
    ILP32_LITTLE: "45230100 09000000 ffffffff 0a000000",
    ILP32_BIG: "00012345 00000009 ffffffff 0000000a",
}
RUNS = lal_hypercall.PageRuns.of([(0x12345, 3)])
FREED = lal_hypercall.FreedBlocks.of([(0x12345, 3)])
RUN_BYTES = {
    LP64_LITTLE: "4523010000000000 03000000 00000000",
    LP64_BIG: "0000000000012345 00000003 00000000",
    ILP32_LITTLE: "45230100 03000000",
    ILP32_BIG: "00012345 00000003",
}
RANGES = lal_v10.HintedRanges.of([(0x100200000, 0x400000), (0x3000, 0x1000)])
MEMORY = lal_v11.IsolatedMemory.of([(0x200000, 0x400000), (0, 0)])
CHUNKS = wang_chunks_v9.Chunks.of([(0x200000, 0x1000), (0x112345000, 0x200000)])
CHUNK_BYTES = "0000200000000000 0010000000000000 0050341201000000 0000200000000000"
HOST_REQUEST = "0100 0200 0300 0400 8877665544332211"
HOST_REQUEST_FACE = li_response.Request(1, 0x1122334455667788, 2, 3, 4)
REPORT = li_bitmap_2016.BitmapReport(
    cmd=1,
    page_shift=12,
    flag=2,
    req_id=4,
    start_pfn=0x12345,
    bitmap=li_bitmap_2016.Octets.of([1, 0, 0, 0, 0, 0, 0, 0x80]),
    reserved=3,
)
PACKED = li_packed_v5.Response(
    1,
    2,
    0x0304,
    (
        li_packed_v5.Record(0x12345, 21),
        li_packed_v5.Record(0x40, 12, Bitmap(64, bytes([5, 0, 0, 0, 0, 0, 0, 0x80]))),
    ),
)
RANGED = li_range_v6.Response(
    1,
    2,
    0x0304,
    (
        li_range_v6.PageRange(0x12345, 4095),
        li_range_v6.PageRange(0x12346, 4096),
        li_range_v6.PageRange(0xFFFFFFFFFFFFF, 1),
    ),
)

VECTORS: list[tuple[str, str, dict[Any, str], tuple[int, ...], Any]] = [
    ("lal-hypercall", "pages", RUN_BYTES, (), RUNS),
    ("lal-hypercall", "order", RUN_BYTES, (), FREED),
    (
        "lal-hypercall",
        "pages-order",
        {
            LP64_LITTLE: "4523010000000000 08000000 03000000",
            LP64_BIG: "0000000000012345 00000008 00000003",
            ILP32_LITTLE: "45230100 08000000 03000000",
            ILP32_BIG: "00012345 00000008 00000003",
        },
        (),
        lal_hypercall.PageRunOrders.of([(0x12345, 8, 3)]),
    ),
    ("lal-v8", "array", BLOCK_BYTES, (2,), BLOCKS),
    (
        "lal-v9",
        "request",
        {
            # count: all 64 bits little; all 64 bits big; high half, then the swapped 32 bits
            (Layout.LP64_LITTLE, Layout.ILP32_LITTLE): "0050341201000000 e803000000000000",
            CONVERTED_BIG: "0000000112345000 00000000000003e8",
            (Layout.LP64_BIG_MODERN, Layout.ILP32_BIG_MODERN): "0050341201000000 00000000 e8030000",
        },
        (),
        lal_v9.Request(0x112345000, 1000),
    ),
    (
        "lal-v9",
        "request-as-read",
        {
            LP64_LITTLE: "0050341201000000 e8030000",
            (Layout.LP64_BIG,): "0000000112345000 000003e8",
        },
        (),
        lal_v9.Request(0x112345000, 1000),
    ),
    ("lal-v9", "array", BLOCK_BYTES, (2,), BLOCKS),
    (
        "lal-v10",
        "request",
        {
            (Layout.LP64_LITTLE, Layout.LP64_BIG_MODERN): "0050341201000000 10000000 00000000",
            (Layout.LP64_BIG,): "0000000112345000 00000010 00000000",
            ILP32_LITTLE: "0050341201000000 10000000",
        },
        (),
        lal_v10.Request(0x112345000, 16),
    ),
    (
        "lal-v10",
        "request-as-read",
        {
            LP64_LITTLE: "0050341201000000 10000000",
            (Layout.LP64_BIG,): "0000000112345000 00000010",
        },
        (),
        lal_v10.Request(0x112345000, 16),
    ),
    (
        "lal-v10",
        "array",
        {
            LP64_LITTLE: "0000200001000000 00004000 00000000 0030000000000000 00100000 00000000",
            LP64_BIG: "0000000100200000 00400000 00000000 0000000000003000 00001000 00000000",
            ILP32_LITTLE: "0000200001000000 00004000 0030000000000000 00100000",
        },
        (2,),
        RANGES,
    ),
    (
        "lal-v11",
        "buffer",
        {
            LP64_LITTLE: "0000200000000000 0000400000000000" + "00" * 16,
            (Layout.LP64_BIG,): "0000000000200000 0000000000400000" + "00" * 16,
        },
        (),
        MEMORY,
    ),
    (
        "lal-v12",
        "report",
        {SAME: "0000200000000000 00002000 0300 0100 0000800000000000 00004000 0200 0000"},
        (),
        Descriptors.of([(0x200000, 0x200000, 3, 1), (0x800000, 0x400000, 2, 0)]),
    ),
    (
        "duyck-pa-order",
        "hints",
        {
            LP64_LITTLE: "0900201201000000 00ffffffffffffff ffffffffffffffff",
            (Layout.LP64_BIG,): "0000000112200009 ffffffffffffff00 ffffffffffffffff",
        },
        (),
        duyck_pa_order.PaOrders.of([(0x112200000, 9), (2**64 - 256, 0), (2**64 - 256, 255)]),
    ),
    (
        "li-bitmap-2016",
        "report",
        {
            CONVERTED_LITTLE: "0100 0c00 0200 0300 0400000000000000 4523010000000000"
            "0800000000000000 0100000000000080",
            CONVERTED_BIG: "0001 000c 0002 0003 0000000000000004 0000000000012345"
            "0000000000000008 0100000000000080",
        },
        (),
        REPORT,
    ),
    (
        "li-bitmap-2016",
        "request",
        {
            CONVERTED_LITTLE: HOST_REQUEST,
            CONVERTED_BIG: "0001 0002 0003 0004 1122334455667788",
        },
        (),
        li_bitmap_2016.Request(1, 0x1122334455667788, 2, 3, 4),
    ),
    (
        "li-packed-v5",
        "response",
        {
            # cmd, flag, id, data_len; then pfn | shift << 52 | len << 58, twice, with one bitmap
            LP64_LITTLE: "01 02 0403 18000000 4523010000005001 400000000000c020 0500000000000080",
            # cmd first as well; then pfn << 12 | shift << 6 | len
            (Layout.LP64_BIG,): "01 02 0304 00000018 0000000012345540 0000000000040308"
            "0500000000000080",
        },
        (),
        PACKED,
    ),
    ("li-packed-v5", "request", {SAME: HOST_REQUEST}, (), HOST_REQUEST_FACE),
    (
        "li-range-v6",
        "response",
        {
            SAME: "01 02 0403 20000000 ff5f341200000000 0060341200000000 0010000000000000"
            "01f0ffffffffffff"
        },
        (),
        RANGED,
    ),
    ("li-range-v6", "request", {SAME: HOST_REQUEST}, (), HOST_REQUEST_FACE),
    (
        "wang-chunks-v9",
        "chunks",
        {LP64_LITTLE: "02000000" + CHUNK_BYTES, (Layout.LP64_BIG,): "00000002" + CHUNK_BYTES},
        (),
        CHUNKS,
    ),
    (
        "wang-chunks-v9",
        "unused-pages",
        {
            LP64_LITTLE: "0300 0100 02000000" + CHUNK_BYTES,
            (Layout.LP64_BIG,): "0003 0001 00000002" + CHUNK_BYTES,
        },
        (),
        wang_chunks_v9.UnusedPages(3, 1, CHUNKS),
    ),
    (
        "wang-chunks-v9",
        "request",
        {LP64_LITTLE: "0300 0100", (Layout.LP64_BIG,): "0003 0001"},
        (),
        wang_chunks_v9.Request(3, 1),
    ),
    ("wang-chunks-v10", "chunks", {SAME: "0200000000000000" + CHUNK_BYTES}, (), CHUNKS),
    (
        "wang-chunks-v10",
        "misc",
        {SAME: "03000000 01000000 0200000000000000" + CHUNK_BYTES},
        (),
        wang_chunks_v10.MiscMessage(3, 1, CHUNKS),
    ),
    (
        "wang-chunks-v11",
        "table",
        {SAME: "0050000000000000 08000000 0100 0100 0000200000000000 00020000 0000 0000"},
        (),
        Descriptors.of([(0x5000, 8, 1, 1), (0x200000, 512, 0, 0)]),
    ),
    (
        "wang-chunks-v11",
        "command",
        {SAME: "01000000 02000000"},
        (),
        wang_chunks_v11.CommandHeader(1, 2),
    ),
    (
        "mst-init-2026",
        "bitmap",
        {SAME: "0102"},
        (10,),
        mst_init_2026.InitBitmap(Bitmap.from_indices(10, [0, 9])),
    ),
    ("mst-init-2026", "pfns", {SAME: "01000000 ffffffff"}, (), PfnArray.of([1, 2**32 - 1])),
]
GOLDEN = [
    (profile, message, layout, bytes.fromhex(text), parameters, face)
    for profile, message, layouts, parameters, face in VECTORS
    for several, text in layouts.items()
    for layout in several
]


def test_every_message_in_every_layout_has_golden_bytes() -> None:
    assert {(profile, message, layout) for profile, message, layout, *_ in GOLDEN} == {
        (case.profile, case.message.name, case.layout) for case in CASES
    }


@pytest.mark.parametrize(
    ("profile", "name", "layout", "data", "parameters", "face"),
    GOLDEN,
    ids=[f"{profile} {name} {layout or ''}" for profile, name, layout, *_ in GOLDEN],
)
def test_golden(
    profile: str,
    name: str,
    layout: Layout | None,
    data: bytes,
    parameters: tuple[int, ...],
    face: Any,
) -> None:
    (message,) = (item for item in PROFILES[profile].messages if item.name == name)
    options = {"layout": layout} if layout else {}
    assert message.parse(data, *parameters, **options) == face
    assert message.build(face, **options) == data


@pytest.mark.parametrize(
    ("parse", "data", "options", "error", "path", "offset"),
    [
        (lal_v8.parse, "45230100 090000", {"layout": "ilp32-little"}, ShortInput, "", 0),
        (lal_v9.parse, "00" * 8 + "01000000 01000000", {}, OutOfRange, "count", 8),
        (
            lal_v9.parse,
            "00" * 8 + "00000001 01000000",
            {"layout": "lp64-big-modern"},
            ReservedNotZero,
            "high",
            8,
        ),
        (lal_v9.parse, "00" * 12, {}, ShortInput, "count", 8),
        (lal_v9.parse, "00" * 17, {}, TrailingBytes, "", 16),
        (lal_v10.parse, "00" * 12, {}, ShortInput, "padding", 12),
        (lal_v10.parse, "00" * 16, {"layout": "ilp32-little"}, TrailingBytes, "", 12),
        (lal_v11.parse, "00" * 24, {}, ShortInput, "entries[1].size", 24),
        (duyck_pa_order.parse, "00" * 9, {}, ShortInput, "hints[1].pa_order", 8),
        (li_packed_v5.parse, "01020304 01000000 00", {}, ShortInput, "records[0].head", 8),
        (
            li_packed_v5.parse,
            "01020304 08000000 0000000000000020",
            {},
            ShortInput,
            "records[0].bits",
            16,
        ),
        (li_packed_v5.parse, "01020304 01000000", {}, WrongLength, "header.data_len", 0),
        (
            li_range_v6.parse,
            "01020304 08000000 0050341200000000",
            {},
            ShortInput,
            "ranges[0].pages",
            16,
        ),
        (wang_chunks_v10.parse, "ff" * 8, {}, ShortInput, "chunks[0].base", 8),
    ],
)
def test_the_first_offence_is_named(
    parse: Any,
    data: str,
    options: dict[str, Any],
    error: type[WireError],
    path: str,
    offset: int,
) -> None:
    parameters = (1,) if parse is lal_v8.parse else ()
    with pytest.raises(error) as caught:
        parse(bytes.fromhex(data), *parameters, **options)
    if path:
        assert (caught.value.path, caught.value.offset) == (path, offset)
    assert caught.value.format


def test_padding_is_kept_but_says_nothing() -> None:
    data = bytes.fromhex("0100000000000000 02000000 deadbeef")
    clean = bytes.fromhex("0100000000000000 02000000 00000000")
    assert lal_v8.parse(data, 1) == lal_v8.parse(clean, 1)
    assert lal_v8.build(lal_v8.parse(data, 1)) == data
    assert lal_v10.parse(data) == lal_v10.Request(1, 2)
    assert lal_v10.build(lal_v10.parse(data)) == clean


def test_entries_that_differ_in_any_field_are_not_equal() -> None:
    blocks = lal_v8.IsolatedBlocks.of([(1, 2)])
    for other in ([(1, 3)], [(2, 2)], [(1, 2), (1, 2)], []):
        assert blocks != lal_v8.IsolatedBlocks.of(other)
        assert hash(blocks) != hash(lal_v8.IsolatedBlocks.of(other))
    assert blocks != lal_hypercall.FreedBlocks.of([(1, 2)])
