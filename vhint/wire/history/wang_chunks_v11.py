"""The format of Wei Wang's v11 (June 2017): the chunks are descriptors of an indirect table.

There is no payload on the inflate and deflate queues: the message is the indirect table itself,
whose descriptors name the memory. Their `addr` is an address in bytes, but their **`len` is a
number of 4 KiB pages**, so a device that takes the table for what it is covers a 4096th of it.

On the command queue the first descriptor names a command header, le32 `cmd` · le32 `flags`, and the
rest are chunks. The host writes such a header as well, into a buffer of 16 bytes.

>>> table = Descriptors.of([(0x5000, 8, 1, 1), (0x200000, 512, 0, 0)])
>>> chunks(parse(build(table)), has_header=True)
(Chunk(base=2097152, size=2097152),)
>>> parse_command(bytes.fromhex("01000000 01000000"))
CommandHeader(cmd=1, flags=1)
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from construct import Struct

from vhint.wire.codec import Codec, Data
from vhint.wire.errors import ShortInput
from vhint.wire.history.chunks import Chunk
from vhint.wire.history.descriptors import FORMAT, Descriptors
from vhint.wire.history.profile import (
    Confidence,
    FeatureBit,
    Message,
    Profile,
    QueueIndex,
    Quirk,
)
from vhint.wire.schema import End, le32
from vhint.wire.source import Face
from vhint.wire.vring import DESCRIPTOR_STRUCT

__all__ = [
    "COMMAND_FORMAT",
    "FORMAT",
    "PROFILE",
    "Chunk",
    "Command",
    "CommandHeader",
    "Descriptors",
    "Flag",
    "build",
    "build_command",
    "chunks",
    "parse",
    "parse_command",
]

PAGE_SHIFT: Final = 12


class Command(IntEnum):
    """What the host asks for and a message answers."""

    REPORT_STATS = 0
    REPORT_UNUSED_PAGES = 1


class Flag(IntEnum):
    """A flag of a command header."""

    COMPLETION = 1


COMMAND_FORMAT: Final = Struct("cmd" / le32, "flags" / le32, "end" / End)
"""The declaration of a command header."""


@dataclass(frozen=True, slots=True)
class CommandHeader:
    """The header of the command queue: `cmd` (`Command`) and `flags` (`Flag`), 0 to 2^32 - 1."""

    cmd: int
    flags: int


CODEC: Final = Codec[Descriptors]("wang-chunks-v11", FORMAT, Face(Descriptors, whole="descriptors"))
COMMAND_CODEC: Final = Codec[CommandHeader](
    "wang-chunks-v11 command", COMMAND_FORMAT, Face(CommandHeader)
)

parse: Final[Callable[[Data], Descriptors]] = CODEC.parse
"""Parse an indirect table; flags and links are not judged. Raises `ShortInput`."""
build: Final[Callable[[Descriptors], bytes]] = CODEC.build
"""Build an indirect table. Raises `WrongType`."""
parse_command: Final[Callable[[Data], CommandHeader]] = COMMAND_CODEC.parse
"""Parse the 8 bytes of a command header. Raises `WireError`."""
build_command: Final[Callable[[CommandHeader], bytes]] = COMMAND_CODEC.build
"""Build a command header. Raises `WireError`."""


def chunks(table: Descriptors, *, has_header: bool = False) -> tuple[Chunk, ...]:
    """Give the memory that a table names, in bytes; the first descriptor may name a header.

    Raises `ShortInput` if a header is expected of an empty table.
    """
    if has_header and not len(table):
        size = f"{DESCRIPTOR_STRUCT.size} bytes"
        raise ShortInput("descriptors[0]", 0, size, 0, format=CODEC.name)
    named = list(table)[1 if has_header else 0 :]
    return tuple(Chunk(item.addr, item.len << PAGE_SHIFT) for item in named)


PROFILE: Final = Profile(
    name="wang-chunks-v11",
    date="2017-06-09",
    summary="descriptors of an indirect table, their length counting pages",
    confidence=Confidence.POSTED,
    features=(
        FeatureBit("VIRTIO_BALLOON_F_PAGE_CHUNKS", 3),
        FeatureBit("VIRTIO_BALLOON_F_CMD_VQ", 4),
    ),
    queues=(
        QueueIndex("inflate", 0, "the driver"),
        QueueIndex("deflate", 1, "the driver"),
        QueueIndex("command", 2, "the driver, in place of the statistics queue"),
    ),
    messages=(
        Message("table", "the indirect table", FORMAT, parse, build),
        Message(
            "command",
            "the header on the command queue",
            COMMAND_FORMAT,
            parse_command,
            build_command,
        ),
    ),
    quirks=(
        Quirk(
            "length-counts-pages",
            "The driver stores a number of 4 KiB pages as the length of a descriptor. No device "
            "that follows the standard for descriptors can know.",
            None,
            Confidence.POSTED,
        ),
        Quirk(
            "direction",
            "Which direction the descriptors of free memory have is not recorded; they are not "
            "judged here.",
            None,
            Confidence.SECONDARY,
        ),
        Quirk(
            "header-native",
            "The driver stores cmd as it is and converts flags: they differ on a big-endian guest, "
            "for which no layout is given.",
            None,
            Confidence.POSTED,
        ),
        Quirk(
            "header-room",
            "The buffer for the host's header has 16 bytes, the size of a descriptor, of which 8 "
            "are the header.",
            None,
            Confidence.POSTED,
        ),
    ),
)
"""What is known of the profile ``wang-chunks-v11``."""
