"""The payload that is one number: features, protocol features, counts, acknowledgements.

Source: the vhost-user protocol, Message Specification, A single 64-bit integer.

>>> build(U64(1 << 32)).hex(), parse(bytes(8)).is_success
('0000000001000000', True)
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from construct import Struct

from vhint.wire.codec import Codec, Data
from vhint.wire.schema import End, le64
from vhint.wire.source import Face

FORMAT: Final = Struct("value" / le64, "end" / End)
"""The declaration of the payload."""


@dataclass(frozen=True, slots=True)
class U64:
    """A number from 0 to 2^64 - 1."""

    value: int

    @property
    def is_success(self) -> bool:
        """Whether it says, as the acknowledgement of a message (REPLY_ACK), that it worked."""
        return self.value == 0


CODEC: Final = Codec[U64]("vhost-user u64", FORMAT, Face(U64))

parse: Final[Callable[[Data], U64]] = CODEC.parse
"""Parse exactly 8 bytes. Raises `WireError`."""
build: Final[Callable[[U64], bytes]] = CODEC.build
"""Build the 8 bytes. Raises `WireError`."""
parse_interpreted: Final = CODEC.parse_interpreted
"""Parse by running `FORMAT`: slow, and the oracle for `parse`."""
build_interpreted: Final = CODEC.build_interpreted
"""Build by running `FORMAT`: slow, and the oracle for `build`."""
