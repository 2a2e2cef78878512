"""The format of Wei Wang's v9 (April 2017): a 32-bit count, then chunks of memory.

A chunk is le64 `base` · le64 `size`, both shifted left by 12, so that they are bytes. The count
before them makes them unaligned. The inflate and deflate queues carry count and chunks (`parse`);
the miscellaneous queue carries u16 `cmd` · u16 `flags` in front of that (`parse_unused_pages`), and
the host writes those 4 bytes alone to ask for it (`parse_request`).

The count, `cmd` and `flags` are declared little-endian but stored as they are: a big-endian guest
writes them in its own order, and the chunks little-endian.

>>> chunks = Chunks.of([(0x200000, 0x1000)])
>>> build(chunks).hex(" ", 4)
'01000000 00002000 00000000 00100000 00000000'
>>> build_unused_pages(UnusedPages(0, 1, chunks))[:8].hex(" ", 2)
'0000 0100 0100 0000'
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from construct import Struct, this

from vhint.wire.history.chunks import CHUNK, Chunk, Chunks
from vhint.wire.history.entries import LayoutCodec
from vhint.wire.history.layout import Layout
from vhint.wire.history.profile import (
    Confidence,
    FeatureBit,
    Message,
    Profile,
    QueueIndex,
    Quirk,
)
from vhint.wire.schema import End, Repeat
from vhint.wire.source import Face

__all__ = [
    "CAPACITY",
    "FORMATS",
    "PROFILE",
    "REQUEST_FORMATS",
    "UNUSED_PAGES_FORMATS",
    "Chunk",
    "Chunks",
    "Command",
    "Flag",
    "Request",
    "UnusedPages",
    "build",
    "build_request",
    "build_unused_pages",
    "parse",
    "parse_request",
    "parse_unused_pages",
]

CAPACITY: Final = 4096
"""The most chunks of a message."""

LAYOUTS: Final = (Layout.LP64_LITTLE, Layout.LP64_BIG)
"""The layouts that differ: of a guest's, only the byte order counts."""


class Command(IntEnum):
    """What the host asks for and a message answers."""

    INQUIRE_UNUSED_PAGES = 0


class Flag(IntEnum):
    """A flag of a message on the miscellaneous queue."""

    COMPLETE = 1


_REQUEST: Final = {
    layout: ("cmd" / layout.native.u16, "flags" / layout.native.u16) for layout in LAYOUTS
}
_LIST: Final = {
    layout: ("chunk_count" / layout.native.u32, "chunks" / Repeat(this.chunk_count, CHUNK))
    for layout in LAYOUTS
}

FORMATS: Final = {layout: Struct(*_LIST[layout], "end" / End) for layout in LAYOUTS}
"""The declaration of a message of the inflate or deflate queue, by layout."""
UNUSED_PAGES_FORMATS: Final = {
    layout: Struct(*_REQUEST[layout], *_LIST[layout], "end" / End) for layout in LAYOUTS
}
"""The declaration of the guest's message on the miscellaneous queue, by layout."""
REQUEST_FORMATS: Final = {layout: Struct(*_REQUEST[layout], "end" / End) for layout in LAYOUTS}
"""The declaration of the host's message on the miscellaneous queue, by layout."""


@dataclass(frozen=True, slots=True)
class Request:
    """What the host asks for: `cmd` (`Command`) and `flags` (`Flag`) are 0 to 2^16 - 1."""

    cmd: int
    flags: int


@dataclass(frozen=True, slots=True)
class UnusedPages:
    """An answer: `cmd` (`Command`) and `flags` (`Flag`) are 0 to 2^16 - 1."""

    cmd: int
    flags: int
    chunks: Chunks


CODEC: Final = LayoutCodec[Chunks]("wang-chunks-v9", FORMATS, Face(Chunks, whole="chunks"))
UNUSED_PAGES_CODEC: Final = LayoutCodec[UnusedPages](
    "wang-chunks-v9 unused pages", UNUSED_PAGES_FORMATS, Face(UnusedPages, {"chunks": Chunks})
)
REQUEST_CODEC: Final = LayoutCodec[Request](
    "wang-chunks-v9 request", REQUEST_FORMATS, Face(Request)
)

parse: Final[Callable[..., Chunks]] = CODEC.parse
"""Parse a message of the inflate or deflate queue. Raises `WireError`."""
build: Final[Callable[..., bytes]] = CODEC.build
"""Build a message of the inflate or deflate queue. Raises `WireError`."""
parse_unused_pages: Final[Callable[..., UnusedPages]] = UNUSED_PAGES_CODEC.parse
"""Parse the guest's message on the miscellaneous queue. Raises `WireError`."""
build_unused_pages: Final[Callable[..., bytes]] = UNUSED_PAGES_CODEC.build
"""Build the guest's message on the miscellaneous queue. Raises `WireError`."""
parse_request: Final[Callable[..., Request]] = REQUEST_CODEC.parse
"""Parse the host's message, 4 bytes. Raises `WireError`."""
build_request: Final[Callable[..., bytes]] = REQUEST_CODEC.build
"""Build the host's message. Raises `WireError`."""

PROFILE: Final = Profile(
    name="wang-chunks-v9",
    date="2017-04-13",
    summary="32-bit count, then (base, size) in bytes",
    confidence=Confidence.POSTED,
    features=(
        FeatureBit("VIRTIO_BALLOON_F_BALLOON_CHUNKS", 3),
        FeatureBit("VIRTIO_BALLOON_F_MISC_VQ", 4),
    ),
    queues=(
        QueueIndex("inflate", 0, "the driver"),
        QueueIndex("deflate", 1, "the driver"),
        QueueIndex("misc", 3, "the driver, with STATS_VQ; 2 without"),
    ),
    messages=(
        Message("chunks", "of the inflate or deflate queue", FORMATS, parse, build),
        Message(
            "unused-pages",
            "the guest's, on the miscellaneous queue",
            UNUSED_PAGES_FORMATS,
            parse_unused_pages,
            build_unused_pages,
        ),
        Message(
            "request",
            "the host's, on the miscellaneous queue",
            REQUEST_FORMATS,
            parse_request,
            build_request,
        ),
    ),
    quirks=(
        Quirk(
            "unaligned",
            "A 32-bit count in front of 64-bit numbers: on the inflate and deflate queues no chunk "
            "is aligned.",
            None,
            Confidence.POSTED,
        ),
        Quirk(
            "headers-native",
            "Count, cmd and flags are declared little-endian and stored as they are; the chunks "
            "are converted.",
            None,
            Confidence.POSTED,
        ),
        Quirk(
            "shifted",
            "Base and size are page numbers shifted left by 12: bytes, and the 12 low bits of both "
            "always 0.",
            None,
            Confidence.POSTED,
        ),
    ),
)
"""What is known of the profile ``wang-chunks-v9``."""
