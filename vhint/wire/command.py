"""The 4-byte command id of free page hinting, in the buffers that begin and end a round.

Source: VIRTIO 1.4, 5.5.6.4 Free Page Hinting; also the unit of the config field
`free_page_hint_cmd_id`.

>>> parse(bytes([1, 0, 0, 0])) == DONE, CommandId(0x80000000).is_round
(True, True)
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from construct import Struct

from vhint.wire.codec import Codec, Data
from vhint.wire.derive import to_struct
from vhint.wire.schema import End, Named, le32
from vhint.wire.source import Face


class Meaning(IntEnum):
    """The command ids that name no round."""

    STOP = 0
    DONE = 1


COMMAND: Final = Struct("value" / Named(le32, Meaning).doc("command id"))
FORMAT: Final = Struct(*COMMAND.subcons, "end" / End)
"""The declaration of a buffer that holds a command id."""

SIZE: Final = to_struct(COMMAND).size
"""The size of such a buffer: 4 bytes."""


@dataclass(frozen=True, slots=True)
class CommandId:
    """A command id: 0 is STOP, 1 is DONE, from 2 to 2^32 - 1 it names a round of hinting."""

    value: int

    @property
    def is_stop(self) -> bool:
        """Whether it says that no more hints follow."""
        return self.value == 0

    @property
    def is_done(self) -> bool:
        """Whether it says that the host no longer needs the hinted pages."""
        return self.value == 1

    @property
    def is_round(self) -> bool:
        """Whether it names a round of hinting."""
        return self.value >= 2


STOP: Final = CommandId(0)
DONE: Final = CommandId(1)

CODEC: Final = Codec[CommandId]("command id", FORMAT, Face(CommandId))

parse: Final[Callable[[Data], CommandId]] = CODEC.parse
"""Parse exactly 4 bytes. Raises `ShortInput` or `TrailingBytes`."""
build: Final[Callable[[CommandId], bytes]] = CODEC.build
"""Build the 4 bytes. Raises `OutOfRange` or `WrongType`."""
parse_interpreted: Final = CODEC.parse_interpreted
"""Parse by running `FORMAT`: slow, and the oracle for `parse`."""
build_interpreted: Final = CODEC.build_interpreted
"""Build by running `FORMAT`: slow, and the oracle for `build`."""
