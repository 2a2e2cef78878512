"""The format of Wei Wang's v10 (May 2017): a 64-bit count, then chunks of memory.

As v9, but little-endian throughout, with a count of 64 bits, and with le32 `cmd` · le32 `flags` in
front of it on the miscellaneous queue. The host writes such a message too, 16 bytes without chunks,
to ask for the guest's.

>>> parse(bytes.fromhex("0100000000000000 0000200000000000 0010000000000000"))
Chunks([Chunk(base=2097152, size=4096)])
>>> build_message(MiscMessage(0, 1, Chunks.of([]))).hex(" ", 4)
'00000000 01000000 00000000 00000000'
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from construct import Struct, this

from vhint.wire.codec import Codec, Data
from vhint.wire.history.chunks import CHUNK, Chunk, Chunks
from vhint.wire.history.profile import (
    Confidence,
    FeatureBit,
    Message,
    Profile,
    QueueIndex,
    Quirk,
)
from vhint.wire.schema import End, Repeat, le32, le64
from vhint.wire.source import Face

__all__ = [
    "CAPACITY",
    "FORMAT",
    "MESSAGE_FORMAT",
    "PROFILE",
    "Chunk",
    "Chunks",
    "Command",
    "Flag",
    "MiscMessage",
    "build",
    "build_message",
    "parse",
    "parse_message",
]

CAPACITY: Final = 2047
"""The most chunks of a message, with pages of 4 KiB: what fits into 32 KiB with either header."""


class Command(IntEnum):
    """What the host asks for and a message answers."""

    REPORT_UNUSED_PAGES = 0


class Flag(IntEnum):
    """A flag of a message on the miscellaneous queue."""

    COMPLETION = 1


_LIST: Final = ("chunk_num" / le64, "chunks" / Repeat(this.chunk_num, CHUNK))

FORMAT: Final = Struct(*_LIST, "end" / End)
"""The declaration of a message of the inflate or deflate queue."""
MESSAGE_FORMAT: Final = Struct("cmd" / le32, "flags" / le32, *_LIST, "end" / End)
"""The declaration of a message of the miscellaneous queue, in either direction."""


@dataclass(frozen=True, slots=True)
class MiscMessage:
    """A message of the miscellaneous queue: `cmd` (`Command`) and `flags` (`Flag`) are 32 bits."""

    cmd: int
    flags: int
    chunks: Chunks


CODEC: Final = Codec[Chunks]("wang-chunks-v10", FORMAT, Face(Chunks, whole="chunks"))
MESSAGE_CODEC: Final = Codec[MiscMessage](
    "wang-chunks-v10 message", MESSAGE_FORMAT, Face(MiscMessage, {"chunks": Chunks})
)

parse: Final[Callable[[Data], Chunks]] = CODEC.parse
"""Parse a message of the inflate or deflate queue. Raises `WireError`."""
build: Final[Callable[[Chunks], bytes]] = CODEC.build
"""Build a message of the inflate or deflate queue. Raises `WireError`."""
parse_message: Final[Callable[[Data], MiscMessage]] = MESSAGE_CODEC.parse
"""Parse a message of the miscellaneous queue. Raises `WireError`."""
build_message: Final[Callable[[MiscMessage], bytes]] = MESSAGE_CODEC.build
"""Build a message of the miscellaneous queue. Raises `WireError`."""

PROFILE: Final = Profile(
    name="wang-chunks-v10",
    date="2017-05",
    summary="64-bit count, then (base, size) in bytes",
    confidence=Confidence.POSTED,
    features=(
        FeatureBit("VIRTIO_BALLOON_F_PAGE_CHUNKS", 3),
        FeatureBit("VIRTIO_BALLOON_F_MISC_VQ", 4),
    ),
    queues=(
        QueueIndex("inflate", 0, "the driver"),
        QueueIndex("deflate", 1, "the driver"),
        QueueIndex("misc", 3, "the driver, with STATS_VQ; 2 without"),
    ),
    messages=(
        Message("chunks", "of the inflate or deflate queue", FORMAT, parse, build),
        Message(
            "misc",
            "of the miscellaneous queue, in either direction",
            MESSAGE_FORMAT,
            parse_message,
            build_message,
        ),
    ),
    quirks=(
        Quirk(
            "capacity",
            "A message has up to 2047 chunks with pages of 4 KiB, more with larger ones: the limit "
            "is eight guest pages, and is said nowhere on the wire.",
            None,
            Confidence.POSTED,
        ),
        Quirk(
            "shared-buffer",
            "The buffer that the host writes its request to is the one that the answer is made in.",
            None,
            Confidence.POSTED,
        ),
    ),
)
"""What is known of the profile ``wang-chunks-v10``."""
