"""QEMU's migration stream: what arrived by it, and streams that are none."""

import contextlib
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vhint.ring import GuestMemory
from vhint.spans import PAGE, Span
from vhint_conformance.targets.migration import AllBut, StreamError, read_stream
from vhint_conformance.targets.migration.stream import LARGEST, Flag

HEADER = b"QEVM" + struct.pack(">I", 3)
MACHINE = b"\x07" + struct.pack(">I", 7) + b"microvm"
FOOTER = b"\x7e" + struct.pack(">I", 2)
END_OF_SECTION = struct.pack(">Q", Flag.EOS) + FOOTER
PART = b"\x02" + struct.pack(">I", 2)
END = b"\x03" + struct.pack(">I", 2)
DEVICES = b"\x04whatever follows"


def name(text: str) -> bytes:
    return bytes([len(text)]) + text.encode()


def word(address: int, flags: int) -> bytes:
    return struct.pack(">Q", address | flags)


def setup(**blocks: int) -> bytes:
    start = b"\x01" + struct.pack(">I", 2) + name("ram") + struct.pack(">II", 0, 4)
    listed = b"".join(name(each) + struct.pack(">Q", size) for each, size in blocks.items())
    return start + word(sum(blocks.values()), Flag.MEM_SIZE) + listed + END_OF_SECTION


def page(number: int, content: bytes, block: str = "ram") -> bytes:
    return word(number * PAGE, Flag.PAGE) + name(block) + content


def more(number: int, content: bytes) -> bytes:
    return word(number * PAGE, Flag.PAGE | Flag.CONTINUE) + content


def full_of(number: int, value: int, block: str = "ram") -> bytes:
    return word(number * PAGE, Flag.ZERO) + name(block) + bytes([value])


A, B, C = (letter * PAGE for letter in (b"a", b"b", b"c"))


def stream(*pages: bytes, last: bytes = b"", **blocks: int) -> bytes:
    blocks = blocks or {"ram": 4 * PAGE, "rom": 2 * PAGE}
    parts = PART + b"".join(pages) + END_OF_SECTION + END + last + END_OF_SECTION
    return HEADER + MACHINE + setup(**blocks) + parts + DEVICES


HERE = len(HEADER + MACHINE + setup(ram=4 * PAGE, rom=2 * PAGE) + PART)
"""Where the pages of such a stream begin."""


def test_the_last_copy_of_a_page_counts() -> None:
    command = b"\x08" + struct.pack(">HH", 3, 2) + b"xy"
    data = stream(page(0, A), more(1, B), page(1, C, "rom"), last=page(0, C) + full_of(3, 7))
    data = data.replace(MACHINE, MACHINE + command)
    found = read_stream(data)
    assert found.times.tolist() == [2, 1, 0, 1]
    assert found.missing() == (Span(2 * PAGE, PAGE),)
    assert bytes(found.content) == C + B + bytes(PAGE) + b"\x07" * PAGE


def test_what_differs_from_the_source() -> None:
    found = read_stream(stream(page(0, A), more(1, B), more(2, C)))
    with GuestMemory.create(4 * PAGE) as memory:
        memory.write(0, A + B + C)
        assert found.differing(memory) == ()  # page 3 is zeros at both ends
        memory.write(PAGE + 5, b"x")
        memory.write(3 * PAGE, b"y")
        assert found.differing(memory) == (Span(PAGE, PAGE), Span(3 * PAGE, PAGE))
        assert found.differing(memory, [Span(PAGE, 9)]) == (Span(3 * PAGE, PAGE),)
        left_out = AllBut([Span(PAGE, 3 * PAGE)])
        assert left_out.differing(memory) == (Span(PAGE, 3 * PAGE),)
        assert AllBut([Span(3 * PAGE, PAGE)]).differing(memory, [Span(3 * PAGE, 1)]) == ()


@pytest.mark.parametrize(
    ("data", "offset", "said"),
    [
        (b"", 0, "a header"),
        (b"QEVM\0\0\0\2", 0, "version 3"),
        (b"NOPE\0\0\0\3", 0, "magic"),
        (HEADER, 8, "the kind of a section"),
        (HEADER + DEVICES, 8, "a section of kind 4"),
        (HEADER + b"\0", 8, "a section of kind 0"),
        (HEADER + PART, 8, "a part of section None"),
        (HEADER + b"\x01" + struct.pack(">I", 1) + name("slirp") + bytes(8), 8, "slirp"),
        (HEADER + b"\x01" + struct.pack(">I", 1) + b"\x02\xff\xfe" + bytes(8), 9, "the start of"),
        (HEADER + setup(ram=1000, rom=3096), 33, "at most 4096 bytes, in whole pages"),
        (HEADER + setup(ram=1 << 40), 45, "at most 1073741824 bytes"),
        (HEADER + setup(rom=PAGE) + END + END_OF_SECTION, 76, "called ram, seen rom"),
        (stream(page(4, A)), HERE, "has 16384 bytes"),
        (stream(page(0, A, "disk")), HERE, "'disk'"),
        (stream(more(0, A)), HERE, "a page of block ''"),
        (stream(word(0, 0x100)), HERE, "seen 0x100"),
        (stream(word(PAGE, Flag.EOS)), HERE, "seen 0x1010"),
        (stream(word(0, Flag.PAGE | Flag.ZERO)), HERE, "seen 0xa"),
        (stream(word(PAGE, Flag.MEM_SIZE)), HERE + 8, "one list of blocks"),
        (
            stream(word(0, Flag.EOS) + b"\x7e" + struct.pack(">I", 9)),
            HERE + 8,
            "footer of section 2",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_stream_that_is_none(data: bytes, offset: int, said: str) -> None:
    with pytest.raises(StreamError) as caught:
        read_stream(data)
    assert said in str(caught.value)
    assert caught.value.offset == offset


WHOLE = stream(page(0, A), full_of(1, 0), more(2, B), last=page(0, C))
LENGTH = len(WHOLE) - len(DEVICES)


@given(st.integers(0, LENGTH - 1))
def test_a_stream_that_is_cut_short_is_refused(length: int) -> None:
    with pytest.raises(StreamError) as caught:
        read_stream(WHOLE[:length])
    assert caught.value.offset <= length


@given(st.integers(0, LENGTH - 1), st.integers(0, 255))
def test_damage_is_refused_or_read_within_bounds(at: int, value: int) -> None:
    data = bytearray(WHOLE)
    data[at] = value
    with contextlib.suppress(StreamError):
        assert len(read_stream(data).content) <= LARGEST
