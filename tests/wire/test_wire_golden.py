"""Bytes written by hand from the design and the standard, field by field."""

from __future__ import annotations

from typing import Any

import pytest

from vhint.wire import (
    OutOfRange,
    PaddingNotZero,
    ReservedNotZero,
    ShortInput,
    TrailingBytes,
    UnknownValue,
    WireError,
    command,
    config,
    features,
    hint_ack,
    hint_request,
    packed_vring,
    pfn_array,
    statistics,
    vring,
)
from vhint.wire.bitmap import Bitmap
from vhint.wire.blocks import Blocks
from vhint.wire.features import Feature, Features
from vhint.wire.hint_ack import Acknowledgement, Status
from vhint.wire.hint_request import BitmapRequest, PfnRequest, RequestHeader

PFN_REQUEST = bytes.fromhex(
    "0100 0000 02000000 8877665544332211"  # type, flags, count, cookie
    "0002000000000000 09000000 00000000"  # pfn 512, order 9, reserved
    "ffffffffffff0f00 28000000 00000000"  # the largest pfn and order
)
BITMAP_REQUEST = bytes.fromhex(
    "0200 0000 0a000000 0000000000000000"  # 10 bits, cookie 0
    "0000100000000000 09000000 00000000"  # start_pfn, order, reserved
    "0102"  # bits 0 and 9
)
ACK = bytes.fromhex("8877665544332211 01000000 01000000 02")

VECTORS: list[tuple[Any, tuple[int, ...], bytes, Any]] = [
    (
        hint_request,
        (),
        PFN_REQUEST,
        PfnRequest(0x1122334455667788, Blocks.of([(512, 9), ((1 << 52) - 1, 40)])),
    ),
    (
        hint_request,
        (),
        bytes.fromhex("0100000000000000 0000000000000000"),
        PfnRequest(0, Blocks.of([])),
    ),
    (
        hint_request,
        (),
        BITMAP_REQUEST,
        BitmapRequest(0, 1 << 20, 9, Bitmap.from_indices(10, [0, 9])),
    ),
    (
        hint_request,
        (),
        bytes.fromhex("0200 0000 00000000 0100000000000000 0000000000000000 00000000 00000000"),
        BitmapRequest(1, 0, 0, Bitmap(0, b"")),
    ),
    (
        hint_ack,
        (2,),
        ACK,
        Acknowledgement(0x1122334455667788, Status.PARTIAL, 1, Bitmap(2, b"\x02")),
    ),
    (
        hint_ack,
        (2,),
        bytes.fromhex("0000000000000000 04000000 00000000"),
        Acknowledgement(0, Status.INHIBITED, 0, None),
    ),
    (pfn_array, (), bytes.fromhex("01000000 ffffffff"), pfn_array.PfnArray.of([1, 2**32 - 1])),
    (pfn_array, (), b"", pfn_array.PfnArray.of([])),
    (
        statistics,
        (),
        bytes.fromhex("0400 0010000000000000 6300 0100000000000000"),
        statistics.Statistics.of([(4, 4096), (99, 1)]),
    ),
    (command, (), bytes.fromhex("00000080"), command.CommandId(0x80000000)),
    (features, (), bytes.fromhex("0000400001000000"), Features.of(22, 32)),
    (
        config,
        (),
        bytes.fromhex("01000000 02000000 03000000 04000000 05000000 06000000 07000000 08000000"),
        config.BalloonConfig(1, 2, 3, 4, 5, 6, 7, 8),
    ),
    (config, (), bytes.fromhex("01000000 02000000"), config.BalloonConfig(1, 2)),
]


@pytest.mark.parametrize(("module", "parameters", "data", "face"), VECTORS)
@pytest.mark.parametrize("kind", ["", "_interpreted"])
def test_vector(
    module: Any, parameters: tuple[int, ...], data: bytes, face: Any, kind: str
) -> None:
    assert getattr(module, f"parse{kind}")(data, *parameters) == face
    assert getattr(module, f"build{kind}")(face, *parameters) == data


def patched(data: bytes, offset: int, value: str) -> bytes:
    new = bytes.fromhex(value)
    return data[:offset] + new + data[offset + len(new) :]


@pytest.mark.parametrize(
    ("data", "error", "path", "offset", "seen"),
    [
        (PFN_REQUEST[:15], ShortInput, "cookie", 8, 7),
        (PFN_REQUEST[:-1], ShortInput, "blocks[1].reserved", 44, 3),
        (PFN_REQUEST[:32], ShortInput, "blocks[1].pfn", 32, 0),
        (PFN_REQUEST + b"\0", TrailingBytes, "", 48, 1),
        (patched(PFN_REQUEST, 0, "0300"), UnknownValue, "type", 0, 3),
        (patched(PFN_REQUEST, 2, "0100"), ReservedNotZero, "flags", 2, 1),
        (patched(PFN_REQUEST, 4, "ffffffff"), ShortInput, "blocks[2].pfn", 48, 0),
        (patched(PFN_REQUEST, 32, "0000000000001000"), OutOfRange, "blocks[1].pfn", 32, 1 << 52),
        (patched(PFN_REQUEST, 40, "29"), OutOfRange, "blocks[1].order", 40, 41),
        (patched(PFN_REQUEST, 28, "80"), ReservedNotZero, "blocks[0].reserved", 28, 128),
        (BITMAP_REQUEST[:31], ShortInput, "reserved", 28, 3),
        (BITMAP_REQUEST[:33], ShortInput, "bits", 32, 1),
        (patched(BITMAP_REQUEST, 33, "06"), PaddingNotZero, "bits", 33, 6),
        (patched(BITMAP_REQUEST, 24, "29"), OutOfRange, "order", 24, 41),
        (BITMAP_REQUEST + b"\0\0", TrailingBytes, "", 34, 2),
    ],
)
def test_the_first_offence_is_named(
    data: bytes, error: type[WireError], path: str, offset: int, seen: int
) -> None:
    for parse in (hint_request.parse, hint_request.parse_interpreted):
        with pytest.raises(WireError) as caught:
            parse(data)
        assert type(caught.value) is error
        assert (caught.value.path, caught.value.offset, caught.value.seen) == (path, offset, seen)
        assert caught.value.format == "hint request"


def test_earlier_offence_wins_over_a_wrong_length() -> None:
    broken = patched(PFN_REQUEST, 24, "29")[:-5]
    with pytest.raises(
        OutOfRange, match=r"blocks\[0\]\.order at byte 24.*expected 0\.\.40, seen 41"
    ):
        hint_request.parse(broken)


@pytest.mark.parametrize(
    ("data", "count", "error"),
    [
        (ACK[:15], 2, ShortInput),
        (ACK, 0, TrailingBytes),
        (ACK + b"\0", 8, TrailingBytes),
        (ACK, 1, PaddingNotZero),
        (patched(ACK, 8, "05"), 2, UnknownValue),
    ],
)
def test_bad_acknowledgements(data: bytes, count: int, error: type[WireError]) -> None:
    with pytest.raises(error):
        hint_ack.parse(data, count)


def test_an_acknowledgement_may_cover_the_leading_blocks_only() -> None:
    parsed = hint_ack.parse(ACK, 20)
    assert parsed.results == Bitmap(8, b"\x02")
    assert hint_ack.build(parsed, 20) == ACK


def test_the_header_can_be_read_when_nothing_else_can() -> None:
    data = bytes.fromhex("ffff ffff 00000000 0900000000000000 00")
    assert hint_request.peek_header(data) == RequestHeader(0xFFFF, 0xFFFF, 0, 9)
    with pytest.raises(ShortInput):
        hint_request.peek_header(data[:15])
    with pytest.raises(WireError):
        hint_request.peek_header("text")  # type: ignore[arg-type]


def test_a_packed_descriptor_and_an_event_area() -> None:
    data = bytes.fromhex("0010000000000000 00020000 0700 8280")
    descriptor = packed_vring.PackedDescriptor(0x1000, 512, 7, 0x8082)
    assert packed_vring.parse_descriptor(data) == descriptor
    assert packed_vring.build_descriptor(descriptor) == data
    event = packed_vring.EventSuppression(packed_vring.WRAP | 5, packed_vring.EventFlag.DESC)
    assert packed_vring.parse_event(bytes.fromhex("0580 0200")) == event
    assert packed_vring.build_event(event) == bytes.fromhex("0580 0200")


def test_sizes_and_offsets() -> None:
    assert hint_request.HEADER_SIZE == hint_ack.HEADER_SIZE == 16
    assert command.SIZE == 4
    assert statistics.ENTRY_SIZE == 10
    assert vring.DESCRIPTOR_STRUCT.size == 16
    assert vring.USED_ELEMENT_STRUCT.size == 8
    assert packed_vring.DESCRIPTOR_STRUCT.size == 16
    assert packed_vring.EVENT_STRUCT.size == 4
    assert packed_vring.descriptor_ring_size(3) == 48
    for n in (1, 2, 128, 256, 32768):
        assert vring.descriptor_table_size(n) == 16 * n
        assert vring.avail_ring_size(n) == 6 + 2 * n
        assert vring.used_ring_size(n) == 6 + 8 * n
    places = {name: config.field_offset(name) for name in ("poison_val", "hint_max_count")}
    assert places == {"poison_val": 12, "hint_max_count": 24}
    assert config.field_offset("hint_min_order") == 28
    assert config.field_size("num_pages") == 4


@pytest.mark.parametrize("size", range(37))
def test_config_lengths(size: int) -> None:
    if size in (8, 12, 16, 20, 24, 28, 32):
        assert config.build(config.parse(bytes(size))) == bytes(size)
        assert config.parse(bytes(size)).has_hinting == (size == 32)
    else:
        with pytest.raises(ShortInput if size < 32 else TrailingBytes):
            config.parse(bytes(size))


def test_bitmap_limit_follows_from_the_count_limit() -> None:
    assert config.BalloonConfig(0, 0, hint_max_count=2).max_bitmap_bits == 256


def test_statistics_keep_unknown_tags_and_say_which_are_standard() -> None:
    parsed = statistics.parse(bytes.fromhex("0a00 0100000000000000 ff00 0200000000000000"))
    assert [entry.tag for entry in parsed] == [statistics.StatisticTag.OOM_KILL, 255]
    assert parsed.get(255) == 2
    assert parsed.get(0) is None
    assert not statistics.StatisticTag.OOM_KILL.is_standard
    assert statistics.StatisticTag(9).is_standard


def test_command_ids() -> None:
    assert command.STOP.is_stop
    assert command.DONE.is_done
    assert not command.DONE.is_round
    assert command.CommandId(2).is_round
    assert Feature.RING_RESET in features.parse((1 << 40).to_bytes(8, "little"))
