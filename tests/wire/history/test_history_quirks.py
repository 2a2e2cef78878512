"""The quirks of the other series, shown; and that none is left out."""

from __future__ import annotations

import pytest

from tests.wire.history import test_history_quirks_lal
from tests.wire.history.quirk_registry import BEHAVIOUR, SHOWN, runs, shows
from vhint.wire import OutOfRange, PaddingNotZero, ShortInput, WireError, WrongLength
from vhint.wire.bitmap import Bitmap
from vhint.wire.history import (
    PROFILES,
    Layout,
    duyck_pa_order,
    li_bitmap_2016,
    li_packed_v5,
    li_range_v6,
    mst_init_2026,
    wang_chunks_v9,
    wang_chunks_v10,
    wang_chunks_v11,
)
from vhint.wire.history.descriptors import Descriptors
from vhint.wire.history.li_range_v6 import PageRange


@shows("duyck-pa-order", "order-in-address")
def duyck_low_bits() -> None:
    (hint,) = duyck_pa_order.parse(bytes.fromhex("090f201200000000"))
    assert hint == duyck_pa_order.PaOrder(0x12200F00, 9)  # bits 8 to 11 stay
    assert hint.length == 2 << 20


@shows("duyck-pa-order", "order-unchecked")
def duyck_shift_is_not_defined_from_52_on() -> None:
    lengths = [duyck_pa_order.PaOrder(0, order).length for order in (0, 51, 52, 255)]
    assert lengths == [4096, 1 << 63, None, None]


@shows("duyck-pa-order", "used-length", "predecessor")
def duyck_used_length() -> None:
    hints = duyck_pa_order.PaOrders.of([(0x200000, 9), (0x400000, 9)])
    assert duyck_pa_order.used_length(hints) == 16 == len(duyck_pa_order.build(hints))
    for bad in ((0x200001, 9), (1 << 64, 9), (-256, 9), (0, 256), (0, -1), ("0", 1)):
        with pytest.raises(WireError):
            duyck_pa_order.PaOrders.of([bad])


@shows("li-bitmap-2016", "length-rounding")
def li_bitmap_takes_any_number_of_bytes() -> None:
    for size in (0, 1, 7, 8, 12):
        report = li_bitmap_2016.BitmapReport(
            0, 12, 0, 0, 0, li_bitmap_2016.Octets.of([0xFF] * size)
        )
        assert li_bitmap_2016.parse(li_bitmap_2016.build(report)).bits().popcount() == 8 * size


@shows("li-bitmap-2016", "native-long-bits")
def li_bits_of_a_big_endian_guest() -> None:
    octets = li_bitmap_2016.Octets.of([0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 0])
    report = li_bitmap_2016.BitmapReport(0, 12, 0, 0, 0, octets)
    assert report.bits().indices().tolist() == [56, 89]
    assert report.bits(Layout.LP64_BIG_MODERN).indices().tolist() == [0, 97]
    assert report.bits(Layout.ILP32_BIG).indices().tolist() == [32, 65]
    odd = li_bitmap_2016.BitmapReport(0, 12, 0, 0, 0, li_bitmap_2016.Octets.of([1] * 9))
    assert odd.bits().count == 72
    with pytest.raises(WrongLength):
        odd.bits(Layout.LP64_BIG)


@shows("li-packed-v5", "bit-fields")
@shows("li-range-v6", "bit-fields")
def li_heads_from_opposite_ends() -> None:
    response = li_packed_v5.Response(1, 2, 0x0304, (li_packed_v5.Record(0x12345, 21),))
    little = li_packed_v5.build(response)
    big = li_packed_v5.build(response, layout=Layout.LP64_BIG)
    assert little[:2] == big[:2]  # the first field is in the first byte either way
    assert little[8:] != big[8:] != little[8:][::-1]
    with pytest.raises(WireError):
        li_packed_v5.parse(big)


@shows("li-packed-v5", "length-in-bytes")
def li_v5_length_counts_bytes() -> None:
    record = li_packed_v5.Record(0x40, 12, Bitmap(64, bytes(8)))
    data = li_packed_v5.build(li_packed_v5.Response(0, 0, 0, (record,)))
    assert len(data) == 24
    assert data[15] >> 2 == 8  # the 6 bits from 58 on
    assert data[4:8] == (16).to_bytes(4, "little")  # data_len
    too_long = li_packed_v5.Record(0, 12, Bitmap(512, bytes(64)))
    not_whole = li_packed_v5.Record(0, 12, Bitmap(4, bytes(1)))
    for bad in (too_long, not_whole):
        with pytest.raises(WireError):
            li_packed_v5.build(li_packed_v5.Response(0, 0, 0, (bad,)))


@shows("li-packed-v5", "block-form")
def li_v5_blocks_and_pages() -> None:
    assert li_packed_v5.Record(512, 22).ranges() == ((2 << 20, 4 << 20),)
    bits = Bitmap.from_indices(64, [0, 1, 63])
    assert li_packed_v5.Record(64, 12, bits).ranges() == (
        (0x40000, 0x2000),
        (0x7F000, 0x1000),
    )


@shows("li-range-v6", "4096-pages")
def li_v6_exactly_4096_pages() -> None:
    response = li_range_v6.Response(0, 1, 7, (PageRange(0x1000, 4096), PageRange(3, 2)))
    assert li_range_v6.parse(li_range_v6.build(response)) == response
    # Taken for one range whose number of pages is the next word.
    posted = li_range_v6.build_as_posted(response)
    assert li_range_v6.parse(posted).ranges == (PageRange(0x1001, 3 << 12 | 2),)
    # With nothing behind it there is no next word; an odd PFN hides the overflow.
    for pfn, word in ((0x1000, 0x1001), (0x1001, 0x1001)):
        last = li_range_v6.build_as_posted(li_range_v6.Response(0, 1, 7, (PageRange(pfn, 4096),)))
        assert last[8:] == (word << 12).to_bytes(8, "little")
        with pytest.raises(ShortInput):
            li_range_v6.parse(last)
    for pages in (1, 4095, 4097):
        same = li_range_v6.Response(0, 1, 7, (PageRange(0x1000, pages),))
        assert li_range_v6.build_as_posted(same) == li_range_v6.build(same)


@shows("li-range-v6", "half-converted")
def li_v6_words_of_a_big_endian_guest() -> None:
    response = li_range_v6.Response(0, 1, 7, (PageRange(1, 2), PageRange(1, 5000)))
    posted = li_range_v6.build_as_posted(response, layout=Layout.LP64_BIG)
    assert posted[8:16] == (1 << 12 | 2).to_bytes(8, "big")
    assert posted[16:] == (1 << 12).to_bytes(8, "little") + (5000).to_bytes(8, "little")
    with pytest.raises(WireError):
        li_range_v6.build_as_posted(response, layout=Layout.ILP32_LITTLE)


@shows("wang-chunks-v9", "unaligned")
def wang_v9_chunks_begin_at_4_and_at_8() -> None:
    chunks = wang_chunks_v9.Chunks.of([(0x200000, 0x1000)])
    assert wang_chunks_v9.build(chunks).index(b"\x20") == 4 + 2
    message = wang_chunks_v9.UnusedPages(0, 0, chunks)
    assert wang_chunks_v9.build_unused_pages(message).index(b"\x20") == 8 + 2


@shows("wang-chunks-v9", "headers-native")
def wang_v9_header_of_a_big_endian_guest() -> None:
    message = wang_chunks_v9.UnusedPages(0, 1, wang_chunks_v9.Chunks.of([(0x200000, 0x1000)]))
    little = wang_chunks_v9.build_unused_pages(message)
    big = wang_chunks_v9.build_unused_pages(message, layout=Layout.LP64_BIG)
    assert little[8:] == big[8:]
    with pytest.raises(ShortInput):
        wang_chunks_v9.parse_unused_pages(big)


@shows("wang-chunks-v9", "shifted")
def wang_v9_numbers_are_bytes() -> None:
    assert wang_chunks_v9.parse(bytes.fromhex("01000000 0000200000000000 0010000000000000"))[
        0
    ] == wang_chunks_v9.Chunk(0x200 << 12, 1 << 12)


@shows("wang-chunks-v10", "capacity")
def wang_v10_capacity() -> None:
    full = wang_chunks_v10.Chunks.of([(0, 0)] * wang_chunks_v10.CAPACITY)
    for size in (
        len(wang_chunks_v10.build(full)),
        len(wang_chunks_v10.build_message(wang_chunks_v10.MiscMessage(0, 0, full))),
    ):
        assert 8 * 4096 - 16 < size <= 8 * 4096


@shows("wang-chunks-v11", "length-counts-pages")
def wang_v11_length_counts_pages() -> None:
    table = Descriptors.of([(0x200000, 512, 0, 0)])
    assert wang_chunks_v11.chunks(table) == (wang_chunks_v11.Chunk(0x200000, 2 << 20),)
    with pytest.raises(ShortInput):
        wang_chunks_v11.chunks(Descriptors.of([]), has_header=True)


@shows("wang-chunks-v11", "direction")
def wang_v11_takes_either_direction() -> None:
    for flags in (0, 1, 2, 3):
        table = Descriptors.of([(0x200000, 512, flags, 0)])
        assert wang_chunks_v11.parse(wang_chunks_v11.build(table)) == table


@shows("mst-init-2026", "used-length-limits")
def mst_bits_beyond_the_used_length() -> None:
    buffer = bytes([0xFF, 0xFF, 0x0F])
    whole = mst_init_2026.parse_buffer(buffer, 20, 3)
    assert all(whole.is_initialised(page) for page in range(20))
    short = mst_init_2026.parse_buffer(buffer, 20, 1)
    assert [short.is_initialised(page) for page in (0, 7, 8, 19)] == [True, True, False, False]
    assert not mst_init_2026.parse_buffer(buffer, 20, 0).is_initialised(0)
    for bad in (-1, 4, 2**32):
        with pytest.raises(OutOfRange):
            mst_init_2026.parse_buffer(buffer, 20, bad)
    with pytest.raises(ShortInput):
        mst_init_2026.parse_buffer(buffer[:1], 20, 2)
    assert mst_init_2026.is_reported_initialised(4096, 4096)
    assert not any(mst_init_2026.is_reported_initialised(4096, n) for n in (0, 1, 4095, 4097))
    assert not mst_init_2026.is_reported_initialised(0, 0)


@shows("mst-init-2026", "all-parts")
def mst_large_pages_need_all_their_bits() -> None:
    for missing in range(16):
        bits = Bitmap.from_indices(32, [i for i in range(32) if i != missing])
        bitmap = mst_init_2026.InitBitmap(bits)
        assert not bitmap.is_initialised(0, parts=16)
        assert bitmap.is_initialised(1, parts=16)
        assert not bitmap.is_initialised(2, parts=16)
    # A used length that ends inside a page does not initialise it.
    assert not mst_init_2026.parse(b"\xff", 16).is_initialised(0, parts=16)
    with pytest.raises(ValueError, match="no page"):
        mst_init_2026.InitBitmap(None).is_initialised(-1)


@shows("mst-init-2026", "padding-unspecified")
def mst_padding_is_refused_and_bits_are_lowest_first() -> None:
    assert mst_init_2026.parse(bytes([0b10]), 3).is_initialised(1)
    with pytest.raises(PaddingNotZero):
        mst_init_2026.parse(bytes([0b1000]), 3)


test_quirk = runs(__name__)


def test_every_quirk_is_shown_or_said_to_be_behaviour() -> None:
    assert test_history_quirks_lal.test_quirk  # it has marked its own
    every = {(name, quirk.id) for name, item in PROFILES.items() for quirk in item.quirks}
    assert not SHOWN.keys() & BEHAVIOUR
    assert every == SHOWN.keys() | BEHAVIOUR
