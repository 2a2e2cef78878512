"""Vectors of Wei Wang's formats (2017), and of the initialisation bitmap (2026)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from vhint.wire.bitmap import Bitmap
from vhint.wire.history import mst_init_2026, wang_chunks_v9, wang_chunks_v10, wang_chunks_v11
from vhint.wire.history.chunks import Chunks
from vhint.wire.pfn_array import PfnArray
from vhint_conformance.vectors.message import Field, Message
from vhint_conformance.vectors.model import ErrorKind, Fault, FormatFile, Json
from vhint_conformance.vectors.tables.balloon import pfns
from vhint_conformance.vectors.tables.history_common import (
    BY_ORDER,
    GIB_4,
    Case,
    Guest,
    Shape,
    Wrong,
    informative,
    native,
    numbers,
    whole,
)
from vhint_conformance.vectors.tables.history_lal_late import DESCRIPTORS, TOP

MAX_32, MAX_64 = (1 << 32) - 1, (1 << 64) - 1
Rows = Sequence[tuple[int, int]]
Head = Sequence[tuple[str, int]]
CHUNK_TYPES = {"base": "u64", "size": "u64"}


def message(head: Head, count: tuple[str, int] | None) -> Any:
    """Give a function that lays (head values, chunks) out; heads are stored as they are."""

    def lay(guest: Guest, value: tuple[Sequence[int], Rows]) -> Message:
        words, rows = value
        fields = [
            native(guest, name, size, word) for (name, size), word in zip(head, words, strict=True)
        ]
        if count is not None:
            fields.append(native(guest, count[0], count[1], len(rows)))
        for i, row in enumerate(rows):
            fields += (
                Field(f"chunks[{i}].{name}", 8, number)
                for name, number in zip(("base", "size"), row, strict=True)
            )
        return Message(tuple(fields))

    return lay


def spelt(head: Head, *, has_chunks: bool = True) -> Any:
    """Give a function that spells (head values, chunks) out."""

    def decoded(value: tuple[Sequence[int], Rows]) -> Json:
        words, rows = value
        made = {name: word for (name, _), word in zip(head, words, strict=True)}
        wide = ("base", "size")
        return made | ({"chunks": [numbers(wide, row, wide) for row in rows]} if has_chunks else {})

    return decoded


def chunks_of(value: Json) -> Chunks:
    """Make chunks of their JSON value."""
    return Chunks.of([(int(item["base"]), int(item["size"])) for item in value["chunks"]])


ONE = ((0x200000, 0x1000),)
TWO = ((0x200000, 0x1000), (0x112345000, 0x200000))
CHUNK_LISTS = (
    ("empty", "no chunk", (), ()),
    ("one", "one page", ONE, ()),
    ("two", "a page, and 2 MiB above 4 GiB", TWO, ("above-4-gib",)),
    ("page-zero", "the page at address 0", ((0, 4096),), ("address-zero",)),
    ("last-page", "the last page below 2^64", ((TOP, 4096),), ("above-2-53",)),
    ("no-size", "a chunk of no byte", ((0x200000, 0),), ("unchecked",)),
    ("max", "the largest numbers", ((MAX_64, MAX_64),), ("unchecked",)),
    ("256", "256 chunks", tuple((n << 21, 1 << 21) for n in range(1, 257)), ("more-than-256",)),
)


def chunk_file(
    profile: str,
    name: str,
    title: str,
    head: Head,
    count: tuple[str, int],
    face: Any,
    layouts: tuple[str, ...],
) -> FormatFile:
    """Make the file of a message with a count and chunks."""
    types: Json = {each: "u16" if size == 2 else "u32" for each, size in head}
    words = tuple(range(3, 3 + len(head)))
    most = tuple((1 << 8 * size) - 1 for _, size in head)
    start = sum(size for _, size in head)
    limit = (1 << 8 * count[1]) - 1

    def endless(made: Message) -> tuple[bytes, Fault]:
        at = start + count[1] + 16
        return made.put(count[0], limit).data, Fault(ErrorKind.SHORT_INPUT, "chunks[1].base", at)

    shape = Shape(
        types | {"chunks": [CHUNK_TYPES]},
        message(head, count),
        spelt(head),
        (lambda found: found) if head else whole("chunks"),
        face,
        layouts,
    )
    return informative(
        profile,
        name,
        title,
        shape,
        (
            *(Case(key, text, (words, rows), notes) for key, text, rows, notes in CHUNK_LISTS),
            *([Case("head-max", "the largest numbers in the head", (most, ONE))] if head else ()),
        ),
        (
            Wrong(
                "count-max", "the largest count, one chunk", (words, ONE), endless,
                ("unbounded-count",),
            ),
        ),
        cut=Case("cut", "", (words, TWO)),
        has_end=True,
    )  # fmt: skip


def head_file(profile: str, name: str, title: str, head: Head, face: Any,
              layouts: tuple[str, ...]) -> FormatFile:  # fmt: skip
    """Make the file of a message that is a head alone."""
    most = tuple((1 << 8 * size) - 1 for _, size in head)
    return informative(
        profile,
        name,
        title,
        Shape(
            {each: "u16" if size == 2 else "u32" for each, size in head},
            message(head, None),
            spelt(head, has_chunks=False),
            face=lambda value: face(**value),
            layouts=layouts,
        ),
        (
            Case("zeros", "all zero", ((0, 0), ())),
            Case("numbers", "another in every field", ((3, 1), ()), ("byte-order",)),
            Case("max", "the largest numbers", (most, ()), ("unchecked",)),
        ),
        cut=Case("cut", "", ((3, 1), ())),
        has_end=True,
    )


V9_HEAD, V10_HEAD = (("cmd", 2), ("flags", 2)), (("cmd", 4), ("flags", 4))
WANG = (
    chunk_file(
        "wang-chunks-v9",
        "chunks",
        "Chunks of v9 on the inflate or deflate queue",
        (),
        ("chunk_count", 4),
        chunks_of,
        BY_ORDER,
    ),
    chunk_file(
        "wang-chunks-v9",
        "unused-pages",
        "What a guest of v9 writes on the miscellaneous queue",
        V9_HEAD,
        ("chunk_count", 4),
        lambda value: wang_chunks_v9.UnusedPages(value["cmd"], value["flags"], chunks_of(value)),
        BY_ORDER,
    ),
    head_file(
        "wang-chunks-v9",
        "request",
        "What the host of v9 writes on the miscellaneous queue",
        V9_HEAD,
        wang_chunks_v9.Request,
        BY_ORDER,
    ),
    chunk_file(
        "wang-chunks-v10",
        "chunks",
        "Chunks of v10 on the inflate or deflate queue",
        (),
        ("chunk_num", 8),
        chunks_of,
        (),
    ),
    chunk_file(
        "wang-chunks-v10",
        "misc",
        "Messages of v10 on the miscellaneous queue, in either direction",
        V10_HEAD,
        ("chunk_num", 8),
        lambda value: wang_chunks_v10.MiscMessage(value["cmd"], value["flags"], chunks_of(value)),
        (),
    ),
    informative(
        "wang-chunks-v11",
        "table",
        "The indirect table of v11: each length counts pages",
        DESCRIPTORS,
        (
            Case("empty", "no descriptor", ()),
            Case("one", "512 pages", ((0x200000, 512, 0, 0),), ("length-counts-pages",)),
            Case(
                "with-header",
                "a command header of 8 bytes, then 512 pages",
                ((0x5000, 8, 1, 1), (0x200000, 512, 0, 0)),
                ("length-counts-pages",),
            ),
            Case("above-4-gib", "a page above 4 GiB", ((GIB_4, 1, 0, 0),), ("above-4-gib",)),
            Case("last-page", "the last page below 2^64", ((TOP, 1, 0, 0),), ("above-2-53",)),
            Case(
                "max",
                "the largest numbers: flags and links are not judged",
                ((MAX_64, MAX_32, 65535, 65535),),
                ("unchecked",),
            ),
        ),
        cut=Case("cut", "", ((0x5000, 8, 1, 1), (0x200000, 512, 0, 0))),
    ),
    head_file(
        "wang-chunks-v11",
        "command",
        "The header on the command queue of v11",
        V10_HEAD,
        wang_chunks_v11.CommandHeader,
        (),
    ),
)

# Which inflated pages a device has initialised


def lay_bits(guest: Guest, bits: str | None) -> Message:  # noqa: ARG001
    """Lay the written part of a bitmap out."""
    if not bits:
        return Message(())
    return Message.of(("bits", (len(bits) + 7) // 8, int(bits[::-1], 2)))


def init_of(value: Json) -> mst_init_2026.InitBitmap:
    """Make a bitmap of its JSON value."""
    bits = value["bits"]
    if bits is None:
        return mst_init_2026.InitBitmap(None)
    set_bits = [n for n, bit in enumerate(bits) if bit == "1"]
    return mst_init_2026.InitBitmap(Bitmap.from_indices(len(bits), set_bits))


def bits(name: str, comment: str, written: str | None, count: int, *notes: str) -> Case:
    """Make a case of the written part of a bitmap for `count` pages."""
    return Case(name, comment, written, notes, parameters={"count": count})


def padded(made: Message) -> tuple[bytes, Fault]:
    """Set the last bit of the last byte."""
    data = made.data[:-1] + bytes([made.data[-1] | 0x80])
    return data, Fault(ErrorKind.PADDING_NOT_ZERO, "bits", len(data) - 1)


def longer(made: Message) -> tuple[bytes, Fault]:
    """Add a byte after a whole bitmap."""
    return made.extend(b"\0").data, Fault(ErrorKind.TRAILING_BYTES, "", len(made.data))


def spoilt(name: str, comment: str, written: str | None, count: int, how: Any,
           *notes: str) -> Wrong:  # fmt: skip
    """Make a case of a bitmap that is none."""
    return Wrong(name, comment, written, how, notes, parameters={"count": count})


MST = (
    informative(
        "mst-init-2026",
        "bitmap",
        "The bytes that the device wrote of a bitmap for count pages",
        Shape({"bits": "bits?"}, lay_bits, lambda written: {"bits": written}, face=init_of),
        (
            bits("nothing", "the device wrote nothing", None, 12, "leading-results"),
            bits("no-page", "a bitmap for no page", None, 0),
            bits("one-page", "one page, initialised", "1", 1, "padding"),
            bits("none", "12 pages, none initialised", "0" * 12, 12, "padding"),
            bits("first-and-last", "the first page and the last of 12", "100000000001", 12,
                 "bit-order"),
            bits("leading-byte", "the first byte of two: the others were not initialised",
                 "10110001", 12, "leading-results"),
            bits("8-pages", "as many as a byte has", "11111110", 8),
            bits("9-pages", "one more", "111111101", 9, "padding"),
            bits("64-kib", "two guest pages of 64 KiB, of which the second lacks a part",
                 "1" * 16 + "1" * 15 + "0", 32),
            bits("capacity", "as many pages as Linux sends", "10" * 128, 256),
        ),
        (
            spoilt("padding", "a bit behind the last page", "100000000001", 12, padded, "padding"),
            spoilt("trailing-byte", "a byte after the bitmap", "100000000001", 12, longer),
            spoilt("no-page-with-byte", "a byte for no page", None, 0, longer),
        ),
    ),
    informative(
        "mst-init-2026",
        "pfns",
        "The PFNs in front of such a bitmap",
        Shape(
            {"pfns": ["u32"]},
            lambda guest, values: pfns(values),  # noqa: ARG005
            lambda values: {"pfns": list(values)},
            whole("pfns"),
            lambda value: PfnArray.of(value["pfns"]),
        ),
        (
            Case("empty", "no page", ()),
            Case("one", "one page", (0x100,)),
            Case("two", "the first page and the last", (0, MAX_32), ("address-zero",)),
            Case("above-4-gib", "a page above 4 GiB", (0x112345,), ("above-4-gib",)),
            Case("capacity", "as many as Linux sends", tuple(range(0x100, 0x200))),
        ),
        (
            Wrong(
                "half",
                "a PFN of two bytes",
                (0x100, 0x101),
                lambda made: (made.data[:6], Fault(ErrorKind.SHORT_INPUT, "pfns[1]", 4)),
                ("partial-entry",),
            ),
        ),
    ),
)  # fmt: skip

FILES = (*WANG, *MST)
