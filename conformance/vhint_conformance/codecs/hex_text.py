r"""Hex as people and dump programs write it.

A line is plain hex, with blanks, commas, colons and ``0x`` wherever somebody put them and ``#``
before a comment; or a line of a dump as xxd or ``hexdump -C`` make it, with an offset in front and
characters behind. Offsets are held against the bytes so far, so that a line that got lost is seen.

>>> list(messages(["01 00, 0x02  # type", "", "0300"]))
[(1, b'\x01\x00\x02'), (3, b'\x03\x00')]
>>> list(messages(["00000000: 0100 0200  ....", "00000004: 03", "00000000  ff fe |..|"]))
[(1, b'\x01\x00\x02\x00\x03'), (3, b'\xff\xfe')]
>>> list(messages(["01 0g"]))
Traceback (most recent call last):
vhint_conformance.codecs.hex_text.HexError: line 1, column 5: 'g' is no hex digit
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

_DUMP = re.compile(
    r"\s*(?P<offset>[0-9a-fA-F]{4,16})"
    r"(?::\s?(?P<xxd>[0-9a-fA-F]+(?: [0-9a-fA-F]+)*)(?:\s*$|\s{2}.*$)"
    r"|\s{2}(?P<hexdump>[0-9a-fA-F]{2}(?:\s\s?[0-9a-fA-F]{2})*)\s+\|.*$)"
)
_END = re.compile(r"\s*[0-9a-fA-F]{6,16}\s*$")
_FILLER = re.compile(r"0[xX]|[\s,:;]")
_DIGITS = frozenset("0123456789abcdefABCDEF")


class HexError(ValueError):
    """Text that is no hex: the message says in which line and column, and why."""


def messages(lines: Iterable[str]) -> Iterator[tuple[int, bytes]]:
    """Yield (number of its first line, bytes) for every message.

    Each plain line is one; lines of a dump belong together until an offset starts again at 0.
    Raises `HexError`.
    """
    first, held = 0, b""
    in_dump = False
    for number, line in enumerate(lines, 1):
        offset, data = _read(number, line, len(held) if in_dump else None)
        if offset is None:
            if in_dump:
                yield first, held
            in_dump = False
            if data:
                yield number, data
            continue
        if in_dump and offset == len(held):
            held += data
            continue
        if in_dump:
            yield first, held
        if offset:
            raise HexError(
                f"line {number}: the offset says {offset:#x}, but {len(held) if in_dump else 0:#x} "
                "bytes came before it"
            )
        first, held, in_dump = number, data, True
    if in_dump:
        yield first, held


def _read(number: int, line: str, so_far: int | None) -> tuple[int | None, bytes]:
    """Return the offset that a line states, None if it states none, and its bytes."""
    if so_far is not None and line.strip() == "*":
        raise HexError(
            f"line {number}: '*' stands for lines left out; make the dump with `hexdump -v -C`"
        )
    if so_far is not None and _END.match(line) and int(line, 16) == so_far:
        return so_far, b""
    match = _DUMP.match(line)
    if match:
        kind = "xxd" if match["xxd"] else "hexdump"
        return int(match["offset"], 16), _plain(number, match[kind], match.start(kind))
    return None, _plain(number, line.partition("#")[0], 0)


def _plain(number: int, text: str, before: int) -> bytes:
    digits = _FILLER.sub("", text)
    if not _DIGITS.issuperset(digits):
        at = _first_bad(text)
        raise HexError(f"line {number}, column {before + at + 1}: {text[at]!r} is no hex digit")
    if len(digits) % 2:
        raise HexError(f"line {number}: half a byte: {len(digits)} hex digits")
    return bytes.fromhex(digits)


def _first_bad(text: str) -> int:
    blank = _FILLER.sub(lambda found: " " * len(found[0]), text)
    return next(i for i, char in enumerate(blank) if char != " " and char not in _DIGITS)
