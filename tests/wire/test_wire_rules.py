"""Rules that few formats need: masks, a count of what follows, bytes that nobody looks at."""

from dataclasses import dataclass
from typing import Any

import pytest
from construct import Struct

from vhint.wire.codec import Codec
from vhint.wire.errors import ShortInput, TrailingBytes, UnknownValue, WrongLength
from vhint.wire.schema import BitFields, CountedEnd, End, Masked, OpenEnd, RepeatToEnd, le16, u8
from vhint.wire.source import Face
from vhint.wire.vring import Descriptor


@dataclass(frozen=True, slots=True)
class Word:
    flags: int


EVEN = "flags" / Masked(le16, 0x8001, 0x8000, "even and high")
CLOSED = Codec[Word]("closed", Struct(EVEN, "end" / End), Face(Word))
LEADING = Codec[Word]("leading", Struct(EVEN, "end" / OpenEnd), Face(Word))


@pytest.mark.parametrize("flags", [0x8000, 0xFFFE])
def test_a_mask_leaves_the_other_bits_alone(flags: int) -> None:
    data = flags.to_bytes(2, "little")
    assert CLOSED.parse(data) == CLOSED.parse_interpreted(data) == Word(flags)
    assert CLOSED.build(Word(flags)) == data


@pytest.mark.parametrize("flags", [0, 0x8001, 0x7FFE])
def test_what_a_mask_does_not_allow(flags: int) -> None:
    for function, value in (
        (CLOSED.parse, flags.to_bytes(2, "little")),
        (CLOSED.build, Word(flags)),
    ):
        with pytest.raises(UnknownValue, match=f"even and high, seen {flags}"):
            function(value)


def test_only_an_open_end_ignores_what_follows() -> None:
    data = b"\x00\x80more"
    assert LEADING.parse(data) == LEADING.parse_interpreted(data) == Word(0x8000)
    with pytest.raises(ShortInput):
        LEADING.parse(data[:1])
    with pytest.raises(TrailingBytes):
        CLOSED.parse(data)


def test_a_count_of_what_follows_is_looked_at_last() -> None:
    head = "head" / BitFields(u8, ("kind", 4), ("size", 4))
    counted: Any = Struct(head, "words" / RepeatToEnd(le16), "end" / CountedEnd("head", "size", 1))
    assert counted.parse(b"\x20ab").words == [0x6261]
    with pytest.raises(WrongLength, match=r"head\.size at byte 0: .* expected 2, .* seen 3"):
        counted.parse(b"\x30ab")
    with pytest.raises(ShortInput):
        counted.parse(b"\x30abc")


def test_masks_of_records_are_checked_for_all_at_once() -> None:
    from vhint.wire.history import lal_v12

    report = lal_v12.Descriptors.of([Descriptor(i << 12, 4096, 2) for i in range(1000)])
    data = bytearray(lal_v12.build(report))
    assert lal_v12.parse(data) == report
    data[16 * 700 + 12] = 4
    with pytest.raises(UnknownValue, match=r"descriptors\[700\]\.flags at byte 11212"):
        lal_v12.parse(data)
    with pytest.raises(UnknownValue, match=r"descriptors\[1\]\.flags"):
        lal_v12.build(lal_v12.Descriptors.of([(0, 0, 2, 0), (0, 0, 6, 0)]))
