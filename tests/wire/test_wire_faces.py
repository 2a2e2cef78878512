"""Faces: immutable, comparable, and views of the bytes they came from."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from itertools import groupby
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vhint.wire import OutOfRange, PaddingNotZero, WireError, WrongLength, WrongType, hint_request
from vhint.wire.bitmap import Bitmap
from vhint.wire.blocks import Block, Blocks
from vhint.wire.hint_request import PfnRequest
from vhint.wire.pfn_array import PfnArray
from vhint.wire.reporting import Buffer, check
from vhint.wire.statistics import Statistics

MESSAGE = hint_request.build(PfnRequest(1, Blocks.of([(512, 9), (513, 9), (7, 0), (8, 3)])))


def test_parsing_bytes_copies_nothing() -> None:
    parsed = hint_request.parse(MESSAGE)
    assert isinstance(parsed, PfnRequest)
    whole = np.frombuffer(MESSAGE, np.uint8)
    assert np.shares_memory(parsed.blocks.records, whole)


@pytest.mark.parametrize("kind", [bytearray, lambda data: memoryview(bytearray(data))])
def test_parsing_anything_else_copies_first(kind: Any) -> None:
    shared = kind(MESSAGE)
    parsed = hint_request.parse(shared)
    shared[16:24] = bytes(8)
    assert isinstance(parsed, PfnRequest)
    assert parsed.blocks[0] == Block(512, 9)


def test_blocks_are_an_immutable_sequence() -> None:
    blocks = Blocks.of([(512, 9), Block(513, 9), (7, 0), (8, 3)])
    assert list(blocks) == [Block(512, 9), Block(513, 9), Block(7, 0), Block(8, 3)]
    assert blocks[-1] == Block(8, 3)
    assert blocks[1:3] == Blocks.of([(513, 9), (7, 0)])
    assert blocks[::2] == Blocks.of([(512, 9), (7, 0)])
    assert Block(7, 0) in blocks
    assert repr(blocks).endswith("... 4 in all])")
    assert len(repr(Blocks.from_columns(range(1000), [0] * 1000))) < 200
    with pytest.raises(IndexError):
        blocks[4]
    with pytest.raises(ValueError, match="read-only"):
        blocks.pfn[0] = 1
    with pytest.raises(dataclasses.FrozenInstanceError):
        PfnRequest(1, blocks).cookie = 2  # type: ignore[misc]
    assert blocks != Blocks.of([(512, 9)])
    assert blocks != list(blocks)


@given(st.lists(st.tuples(st.integers(0, 2**52 - 1), st.integers(0, 40)), max_size=5))
def test_vectorised_relations(pairs: list[tuple[int, int]]) -> None:
    blocks = Blocks.of(pairs)
    misaligned = [i for i, (pfn, order) in enumerate(pairs) if pfn % (1 << order)]
    beyond = [i for i, (pfn, order) in enumerate(pairs) if pfn + (1 << order) > 1 << 52]
    assert blocks.first_misaligned() == (misaligned[0] if misaligned else None)
    assert blocks.first_beyond_limit() == (beyond[0] if beyond else None)


def test_the_last_block_of_the_address_space() -> None:
    assert Blocks.of([((1 << 52) - 512, 9)]).first_beyond_limit() is None
    assert Blocks.of([((1 << 52) - 511, 9)]).first_beyond_limit() == 0


@pytest.mark.parametrize(
    ("make", "error"),
    [
        (lambda: Blocks.of([(-1, 0)]), OutOfRange),
        (lambda: Blocks.of([(0, 2**32)]), OutOfRange),
        (lambda: Blocks.of([(2**64, 0)]), OutOfRange),
        (lambda: Blocks.of([(1.0, 0)]), WrongType),  # type: ignore[list-item]
        (lambda: Blocks.of([5]), WrongType),  # type: ignore[list-item]
        (lambda: Blocks.of(5), WrongType),  # type: ignore[arg-type]
        (lambda: Blocks.from_columns([1, 2], [0]), WrongLength),
        (lambda: Blocks.from_columns(np.array([1.5]), [0]), WrongType),
        (lambda: Blocks.from_columns(np.array([-1]), [0]), OutOfRange),
        (lambda: Blocks.from_columns(np.array([[1]]), [0]), WrongType),
        (lambda: PfnArray.of([2**32]), OutOfRange),
        (lambda: PfnArray.of(["1"]), WrongType),  # type: ignore[list-item]
        (lambda: Statistics.of([(2**16, 0)]), OutOfRange),
        (lambda: Statistics.of(["ab"]), WrongType),  # type: ignore[list-item]
        (lambda: Bitmap(9, b"\0"), WrongLength),
        (lambda: Bitmap(4, b"\x10"), PaddingNotZero),
        (lambda: Bitmap(-1, b""), OutOfRange),
        (lambda: Bitmap(8, "x"), WrongType),  # type: ignore[arg-type]
        (lambda: Bitmap.from_indices(8, [8]), OutOfRange),
        (lambda: Bitmap.from_indices(-1, []), OutOfRange),
        (lambda: Bitmap.from_indices("8", []), WrongType),  # type: ignore[arg-type]
        (lambda: Bitmap.from_indices(8, [0.5]), WrongType),  # type: ignore[list-item]
    ],
)
def test_what_no_record_can_hold(make: Any, error: type[WireError]) -> None:
    with pytest.raises(error):
        make()


def test_addresses_do_not_wrap() -> None:
    assert PfnArray.of([2**32 - 1]).addresses().tolist() == [(2**32 - 1) << 12]


@given(count=st.integers(0, 300), data=st.data(), dense=st.booleans())
def test_bitmaps_against_plain_python(count: int, data: st.DataObject, dense: bool) -> None:
    members = data.draw(st.sets(st.integers(0, count - 1))) if count else set()
    if dense:
        members = set(range(count)) - members
    bitmap = Bitmap.from_indices(count, members)
    bits = [i in members for i in range(count)]
    assert list(bitmap) == bits
    assert bitmap.data == sum(1 << i for i in members).to_bytes((count + 7) // 8, "little")
    assert bitmap.indices().tolist() == sorted(members)
    assert bitmap.popcount() == len(members)
    starts, lengths = bitmap.runs()
    expected, position = [], 0
    for value, group in groupby(bits):
        length = len(list(group))
        if value:
            expected.append((position, length))
        position += length
    assert list(zip(starts.tolist(), lengths.tolist(), strict=True)) == expected
    assert bitmap == Bitmap(count, bytearray(bitmap.data))


def test_bitmap_positions() -> None:
    bitmap = Bitmap(9, b"\x80\x01")
    assert [bitmap[7], bitmap[-1], bitmap[0]] == [True, True, False]
    with pytest.raises(IndexError):
        bitmap[9]
    assert repr(bitmap) == "<Bitmap: 2 of 9 bits set>"


def test_reports() -> None:
    assert check([Buffer(0, 4096), Buffer(4096, 8192)], 4096) == ()
    assert check([], 4096) == ("no buffer",)
    assert check([Buffer(0, 8192), Buffer(4096, 4096)], 4096) == ("buffers 0 and 1 overlap",)
    assert len(check([Buffer(4096 * i, 4096) for i in range(33)], 4096)) == 1
    assert "address" in check([Buffer(1, 4096)], 4096)[0]
    assert check([Buffer(0, 0)], 4096) == ("buffer 0: empty",)
    assert check([Buffer((1 << 64) - 4096, 8192)], 4096) == ("buffer 0: outside the address space",)
    with pytest.raises(ValueError, match="power of two"):
        check([], 3)


def test_importing_the_codecs_imports_construct_and_numpy_only() -> None:
    program = """
import importlib, pkgutil, sys
import construct, numpy
before = set(sys.modules)
import vhint.wire
for module in pkgutil.iter_modules(vhint.wire.__path__, "vhint.wire."):
    importlib.import_module(module.name)
new = {name.partition(".")[0] for name in set(sys.modules) - before}
print(sorted(new - set(sys.stdlib_module_names) - {"vhint", "construct", "numpy"}))
print(sorted({"pytest", "hypothesis", "click", "rich"} & set(sys.modules)))
"""
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert run.stdout.splitlines() == ["[]", "[]"]
