"""What is derived from declarations, and what is refused."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import numpy as np
import pytest
from construct import (
    Aligned,
    Array,
    BitStruct,
    BytesInteger,
    Const,
    ExprAdapter,
    Float32l,
    GreedyRange,
    Int8ul,
    Int16ul,
    Int32sb,
    Int32ub,
    Int32ul,
    Int64ul,
    Nibble,
    Optional,
    PrefixedArray,
    Struct,
    Terminated,
    VarInt,
    obj_,
    this,
)

from vhint.wire.bitmap import Bitmap
from vhint.wire.codec import Codec
from vhint.wire.columns import Column
from vhint.wire.derive import NotDerivable, leaves, to_dtype, to_struct
from vhint.wire.errors import OutOfRange, ShortInput, WrongType
from vhint.wire.plan import read_message
from vhint.wire.records import RecordLayout
from vhint.wire.schema import (
    BitFields,
    Bits,
    Bounded,
    Choice,
    End,
    Integer,
    LeadingBits,
    Padding,
    Repeat,
    RepeatToEnd,
    Reserved,
    be16,
    be32,
    be64,
    le16,
    le32,
    le64,
    parameter,
    u8,
)
from vhint.wire.source import Face
from vhint.wire.vring import DESCRIPTOR, Descriptor


class Odd(Integer):
    """A subclass whose meaning is not known to the derivation."""


class PlainColumn(Column[int]):
    __slots__ = ()


class Colour(IntEnum):
    RED = 1


REFUSED = [
    BitStruct("a" / Nibble, "b" / Nibble),
    VarInt,
    Aligned(4, Int8ul),
    ExprAdapter(Int8ul, obj_ + 1, obj_ - 1),
    Const(1, Int8ul),
    BytesInteger(3),
    Optional(Int8ul),
    GreedyRange(Int8ul),
    PrefixedArray(Int8ul, Int8ul),
    Array(2, Int8ul),
    Odd(Int8ul),
    BitFields(u8, ("low", 4), ("high", 4)),
    Bits(8),
    Repeat(2, le16),
    End,
    Terminated,
]


@pytest.mark.parametrize("con", REFUSED, ids=lambda con: type(con).__name__)
def test_unknown_meanings_are_refused(con: Any) -> None:
    for derive in (to_struct, to_dtype, leaves, RecordLayout):
        with pytest.raises(NotDerivable):
            derive(con)
        with pytest.raises(NotDerivable):
            derive(Struct("before" / le16, "field" / con))


@pytest.mark.parametrize(
    "message",
    [
        le32,
        Struct("value" / le32),
        Struct("count" / le32, "items" / Array(this.count, le16), "end" / End),
        Struct("count" / le32, "items" / Repeat(lambda context: context.count, le16), "end" / End),
        Struct("count" / le32, "items" / Repeat(this.count + 1, le16), "end" / End),
        Struct("items" / RepeatToEnd(le16), "after" / le16, "end" / End),
        Struct("items" / RepeatToEnd(Struct("c" / Choice(le16, Colour))), "end" / End),
        Struct("items" / RepeatToEnd(Struct("x" / VarInt)), "end" / End),
        Struct("value" / VarInt, "end" / End),
        Struct("value" / le32, Int8ul, "end" / End),
    ],
)
def test_unknown_messages_are_refused(message: Any) -> None:
    with pytest.raises(NotDerivable):
        read_message(message)


def test_a_face_must_match_its_format() -> None:
    with pytest.raises(NotDerivable, match="no such field"):
        Codec("short", Struct("addr" / le64, "end" / End), Face(Descriptor))


def test_layouts_are_packed_and_sized_by_length_not_letter() -> None:
    con = Struct("a" / u8, "b" / le64, "c" / le32, "d" / Int16ul, "e" / Float32l)
    assert to_struct(con).format == "<BQLHf"
    assert to_struct(con).size == to_dtype(con).itemsize == con.sizeof() == 19
    assert [to_dtype(con)[name].itemsize for name in "abcde"] == [1, 8, 4, 2, 4]


def test_nested_structures() -> None:
    con = Struct("head" / Struct("x" / le16, "y" / Int32ul), "tail" / u8)
    assert [(leaf.name, leaf.offset) for leaf in leaves(con)] == [
        ("head.x", 0),
        ("head.y", 2),
        ("tail", 6),
    ]
    assert to_dtype(con)["head"].names == ("x", "y")


def test_big_endian_alone_or_in_a_dtype() -> None:
    assert to_struct(Struct("a" / Int32ub)).pack(1) == b"\0\0\0\1"
    mixed = Struct("a" / Int32sb, "b" / Int64ul)
    assert np.frombuffer(b"\0\0\0\1" + bytes([2]) + bytes(7), to_dtype(mixed)).tolist() == [(1, 2)]
    with pytest.raises(NotDerivable):
        to_struct(mixed)


def test_derived_and_interpreted_descriptors_agree() -> None:
    values = (0x1122334455667788, 0x99AABBCC, 0xDDEE, 0xFF00)
    data = struct.pack("<QLHH", *values)
    container = DESCRIPTOR.parse(data)
    assert tuple(container[name] for name in ("addr", "len", "flags", "next")) == values
    assert to_struct(DESCRIPTOR).unpack(data) == values


@pytest.mark.parametrize(
    ("record", "lanes"),
    [
        # order and reserved make one aligned 8-byte lane
        (Struct("p" / le64, "o" / Bounded(le32, 0, 40), "r" / Reserved(le32)), [(8, 8, 0, 40)]),
        # not aligned to 8: two lanes of 4
        (
            Struct("p" / le32, "o" / Bounded(le32, 0, 40), "r" / Reserved(le32)),
            [(4, 4, 0, 40), (8, 4, 0, 0)],
        ),
        (Struct("o" / Bounded(u8, 3, 40), "r" / Reserved(u8)), [(0, 2, 3, 40)]),
        (Struct("a" / le16, "b" / Bounded(le16, 2, 2**16 - 1)), [(2, 2, 2, 2**16 - 1)]),
        (Struct("a" / le16), []),
    ],
)
def test_lanes(record: Any, lanes: list[tuple[int, int, int, int]]) -> None:
    found = [(lane.offset, lane.size, lane.low, lane.high) for lane in RecordLayout(record).lanes]
    assert found == lanes


def test_low_bounds_are_kept_by_derived_code() -> None:
    con = Struct("items" / RepeatToEnd(Struct("o" / Bounded(u8, 3, 40))), "end" / End)
    codec: Codec[PlainColumn] = Codec("low", con, Face(PlainColumn, whole="items"))
    assert len(codec.parse(bytes([3, 40]))) == 2
    for bad in (bytes([3, 2]), bytes([3, 41])):
        with pytest.raises(ValueError, match=r"items\[1\]\.o at byte 1"):
            codec.parse(bad)


@dataclass(frozen=True)
class Numbers:
    a: int
    b: int


@dataclass(frozen=True)
class Covered:
    bits: Bitmap | None


PADDED: Codec[Numbers] = Codec(
    "padded", Struct("a" / be16, "gap" / Padding(be16), "b" / be32, "end" / End), Face(Numbers)
)


def test_padding_may_hold_anything_and_is_built_as_zero() -> None:
    for parse in (PADDED.parse, PADDED.parse_interpreted):
        assert parse(bytes.fromhex("0102 beef 03040506")) == Numbers(0x0102, 0x03040506)
    for build in (PADDED.build, PADDED.build_interpreted):
        assert build(Numbers(0x0102, 0x03040506)) == bytes.fromhex("0102 0000 03040506")
    with pytest.raises(ShortInput, match="gap"):
        PADDED.parse(bytes(3))


def test_big_endian_records_are_derived() -> None:
    record = Struct("a" / be64, "gap" / Padding(be32))
    assert to_dtype(record)["a"].byteorder == ">"
    assert RecordLayout(record).lanes == ()


def test_bit_fields_from_either_end() -> None:
    fields = (("a", 4), ("b", 12))
    low, high = BitFields(le16, *fields), BitFields(be16, *fields, highest_first=True)
    value = {"a": 1, "b": 0x234}
    assert (low.build(value).hex(), high.build(value).hex()) == ("4123", "1234")
    assert low.parse(bytes.fromhex("4123")) == high.parse(bytes.fromhex("1234")) == value
    assert low.sizeof() == 2
    with pytest.raises(OutOfRange, match=r"a at byte 0.*0\.\.15, seen 16"):
        low.build({"a": 16, "b": 0})
    with pytest.raises(WrongType, match="b at byte 0"):
        low.build({"a": 0, "b": "1"})
    with pytest.raises(ShortInput):
        low.parse(b"1")
    with pytest.raises(ValueError, match="16 bits"):
        BitFields(le16, ("a", 15))


def test_a_leading_bitmap_may_be_all_there_is() -> None:
    con = Struct("bits" / LeadingBits(parameter("count")), "end" / End)
    codec: Codec[Covered] = Codec("covered", con, Face(Covered), ("count",))
    for face, data in ((Covered(None), b""), (Covered(Bitmap(8, b"\x05")), b"\x05")):
        assert codec.build(face) == codec.build_interpreted(face) == data
        assert codec.parse(data, 20) == codec.parse_interpreted(data, 20) == face


def test_a_parameter_may_not_take_the_name_of_a_local_variable() -> None:
    con = Struct("items" / Repeat(parameter("size"), le16), "end" / End)
    with pytest.raises(NotDerivable, match="'size'"):
        Codec("sized", con, Face(PlainColumn, whole="items"), ("size",))
