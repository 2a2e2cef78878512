"""QEMU's migration stream, as far as it carries RAM.

A stream is a header and sections.  The sections of RAM hold words of 64 bits, whose low 12 bits
say what follows and whose other bits are the address of a page in a block of RAM; the name of the
block comes with the first page of each.  After RAM comes the state of the devices, which cannot
be taken apart without knowing each of them: reading ends there.

Source: QEMU 7.2, migration/savevm.c and migration/ram.c; all numbers are big-endian.  What is
switched on by capabilities that the suite leaves off (compression, XBZRLE, multifd) is refused.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from enum import IntEnum, IntFlag
from typing import Any, Final

from construct import (
    ConstructError,
    GreedyBytes,
    Int8ub,
    Int16ub,
    Int32ub,
    Int64ub,
    PascalString,
    Prefixed,
    Struct,
    Tell,
)

from vhint.spans import PAGE
from vhint_conformance.targets.migration.arrived import Received

MAGIC: Final = 0x5145564D  # "QEVM"
VERSION: Final = 3

HEADER: Final = Struct("magic" / Int32ub, "version" / Int32ub)
CONFIGURATION: Final = Struct("machine" / Prefixed(Int32ub, GreedyBytes))
SECTION_START: Final = Struct(
    "id" / Int32ub,
    "name" / PascalString(Int8ub, "ascii"),
    "instance" / Int32ub,
    "version" / Int32ub,
)
SECTION: Final = Struct("id" / Int32ub)
COMMAND: Final = Struct("command" / Int16ub, "data" / Prefixed(Int16ub, GreedyBytes))
BLOCK: Final = Struct("name" / PascalString(Int8ub, "ascii"), "length" / Int64ub)
NAME: Final = Struct("name" / PascalString(Int8ub, "ascii"))
LONGEST: Final = (1 << 16) + 8
"""Bytes that the longest of these can have, a command with all of its data."""

LARGEST: Final = 1 << 30
"""Bytes of the largest block of RAM that is put together here."""

_WORD: Final = struct.Struct(Int64ub.fmtstr)
_FLAGS: Final = PAGE - 1


class Kind(IntEnum):
    """What a section is."""

    EOF = 0
    START = 1
    PART = 2
    END = 3
    FULL = 4
    CONFIGURATION = 7
    COMMAND = 8
    FOOTER = 0x7E


class Flag(IntFlag):
    """What follows a word in a section of RAM."""

    ZERO = 0x02
    """A page of one byte, repeated."""
    MEM_SIZE = 0x04
    """A list of blocks; the word's other bits are the sum of their lengths."""
    PAGE = 0x08
    EOS = 0x10
    """The end of the section."""
    CONTINUE = 0x20
    """The page is of the same block as the last."""


# There is a word for each page, and the operators of IntFlag are slow.
_ZERO, _PAGE, _CONTINUE = int(Flag.ZERO), int(Flag.PAGE), int(Flag.CONTINUE)


class StreamError(ValueError):
    """A stream that is not what QEMU writes; says where, what was expected and what was seen."""

    def __init__(self, offset: int, expected: str, seen: object) -> None:
        self.offset = offset
        super().__init__(f"migration stream, byte {offset}: expected {expected}, seen {seen}")


def read_stream(data: bytes | bytearray, block: str = "ram") -> Received:
    """Return what of the RAM block `block` arrived by a stream that has ended.

    Raises `StreamError` for anything else than a whole, plain stream that has the block.
    """
    with memoryview(data) as view:
        return _Reader(view, block).read()


@dataclass(slots=True)
class _Reader:
    data: memoryview
    wanted: str
    at: int = 0
    blocks: dict[str, int] = field(default_factory=dict)
    arrived: Received | None = None
    current: str = ""

    def read(self) -> Received:
        header = self.take(HEADER, "a header")
        if (header.magic, header.version) != (MAGIC, VERSION):
            seen = f"{header.magic:#x}, {header.version}"
            raise StreamError(0, f"magic {MAGIC:#x} and version {VERSION}", seen)
        ram: int | None = None
        while True:
            start = self.at
            kind = self.byte("the kind of a section")
            if kind == Kind.CONFIGURATION:
                self.take(CONFIGURATION, "a configuration")
            elif kind == Kind.COMMAND:
                self.take(COMMAND, "a command")
            elif kind == Kind.START:
                section = self.take(SECTION_START, "the start of a section")
                if section.name != "ram":
                    raise StreamError(start, "RAM as the only live section", section.name)
                ram = section.id
                self.section(ram)
            elif kind in (Kind.PART, Kind.END):
                number = self.take(SECTION, "a section").id
                if ram is None or number != ram:
                    raise StreamError(start, f"a part of section {ram}", number)
                self.section(number)
                if kind == Kind.END:
                    break
            else:
                expected = "a section with RAM before the state of the devices"
                raise StreamError(start, expected, f"a section of kind {kind}")
        if self.arrived is None:
            known = ", ".join(self.blocks) or "none"
            raise StreamError(self.at, f"a block of RAM called {self.wanted}", known)
        return self.arrived

    def section(self, number: int) -> None:
        """Read what is in a section of RAM, and its footer."""
        while True:
            start = self.at
            (word,) = _WORD.unpack(self.bytes(_WORD.size, "a word"))
            flags, address = word & _FLAGS, word & ~_FLAGS
            if flags & ~_CONTINUE in (_PAGE, _ZERO):
                self.page(start, address, flags)
            elif flags == Flag.MEM_SIZE:
                self.list_blocks(address)
            elif flags == Flag.EOS and not address:
                break
            else:
                raise StreamError(start, "a page, blocks or the end of a section", f"{word:#x}")
        start = self.at
        kind = self.byte("a footer")
        if kind != Kind.FOOTER or self.take(SECTION, "a footer").id != number:
            raise StreamError(start, f"the footer of section {number}", f"kind {kind}")

    def list_blocks(self, total: int) -> None:
        """Read the blocks; `total` is the sum of their lengths, which bounds their number."""
        if self.blocks:
            raise StreamError(self.at, "one list of blocks", "another")
        while total > 0:
            start = self.at
            block = self.take(BLOCK, "a block of RAM")
            bad = block.length % PAGE or not 0 < block.length <= total
            if bad or block.name in self.blocks:
                expected = f"another block of at most {total} bytes, in whole pages"
                raise StreamError(start, expected, f"{block.name}, {block.length} bytes")
            self.blocks[block.name] = block.length
            total -= block.length
        size = self.blocks.get(self.wanted, 0)
        if size > LARGEST:
            raise StreamError(self.at, f"a block of at most {LARGEST} bytes", size)
        if size:
            self.arrived = Received(size)

    def page(self, start: int, address: int, flags: int) -> None:
        """Read the rest of a page; the last copy of it counts."""
        if not flags & _CONTINUE:
            self.current = self.take(NAME, "the name of a block").name
        length = self.blocks.get(self.current, 0)
        if address >= length:
            expected = f"a page of block {self.current!r}, which has {length} bytes"
            raise StreamError(start, expected, f"{address:#x}")
        target = self.arrived if self.current == self.wanted else None
        if flags & _ZERO:
            value = self.byte("the content of a page")
            if target is not None:
                target.filled(address // PAGE, value)
        else:
            data = self.bytes(PAGE, "the content of a page")
            if target is not None:
                target.page(address // PAGE, data)

    # Bytes: words and pages are read directly, as there are many; the rest by construct.

    def byte(self, what: str) -> int:
        """Read one byte."""
        return int(self.bytes(1, what)[0])

    def bytes(self, count: int, what: str) -> memoryview:
        """Read so many bytes."""
        start, end = self.at, self.at + count
        if end > len(self.data):
            left = len(self.data) - start
            raise StreamError(start, f"{count} bytes of {what}", f"the end after {left}")
        self.at = end
        return self.data[start:end]

    def take(self, declaration: Any, what: str) -> Any:
        """Read what is declared."""
        window = bytes(self.data[self.at : self.at + LONGEST])
        try:
            found = Struct("value" / declaration, "size" / Tell).parse(window)
        except (ConstructError, UnicodeError) as error:
            raise StreamError(self.at, what, str(error).splitlines()[-1]) from error
        self.at += found.size
        return found.value
