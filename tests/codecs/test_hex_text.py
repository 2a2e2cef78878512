"""Hex as people write it, and as dump programs do."""

import subprocess
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.peers import program
from vhint_conformance.codecs.hex_text import HexError, messages


def joined(text: str) -> bytes:
    return b"".join(data for _, data in messages(text.splitlines()))


@pytest.mark.parametrize(
    ("text", "data"),
    [
        ("0100", b"\1\0"),
        (" 0x01, 0x00 # a comment, with cafe in it", b"\1\0"),
        ("01:00;02", b"\1\0\2"),
        ("00000000", bytes(4)),
        ("00000000 00000001", bytes(7) + b"\1"),
        ("", b""),
        ("deadbeef\n\ncafe", bytes.fromhex("deadbeefcafe")),
    ],
)
def test_plain(text: str, data: bytes) -> None:
    assert joined(text) == data


@pytest.mark.parametrize("dump", ["xxd {}", "xxd -g1 {}", "xxd -g4 -c8 {}", "hexdump -v -C {}"])
@pytest.mark.parametrize("size", [1, 3, 8, 16, 33, 70])
def test_dumps_of_programs(tmp_path, dump: str, size: int) -> None:
    words = dump.split()
    program(words[0], {"xxd": "xxd", "hexdump": "bsdextrautils"}[words[0]])
    file, data = tmp_path / "dumped", bytes(range(0x40, 0x40 + size))
    file.write_bytes(data)
    words[-1] = str(file)
    text = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    assert list(messages(text.splitlines())) == [(1, data)]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("01 0g", "line 1, column 5: 'g' is no hex digit"),
        ("0100\n010", "line 2: half a byte: 3 hex digits"),
        ("00000000: 0100\n00000010: 02", "line 2: the offset says 0x10, but 0x2 bytes"),
        ("00000010: 0100", "line 1: the offset says 0x10, but 0x0 bytes"),
        ("00000000  01 02  |..|\n*\n00000020", "line 2: '*' stands for lines left out"),
    ],
)
def test_where_and_why(text: str, reason: str) -> None:
    with pytest.raises(HexError) as caught:
        joined(text)
    assert reason in str(caught.value)


@given(st.text(alphabet="0123456789abcdef xX:|*#,.\n", max_size=60))
def test_anything_is_bytes_or_an_error(text: str) -> None:
    with suppress(HexError):
        joined(text)
