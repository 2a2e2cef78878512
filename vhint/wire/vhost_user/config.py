"""The payload of GET_CONFIG and SET_CONFIG: a part of the device's config space.

Source: the vhost-user protocol, Message Specification, Virtio device config space.

>>> message = ConfigMessage(offset=4, flags=0, region=Octets.of(bytes([1, 2, 3, 4])))
>>> build(message).hex(" ", 4)
'04000000 04000000 00000000 01020304'
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Final

import numpy as np
from construct import Struct, this

from vhint.wire.codec import Codec, Data
from vhint.wire.columns import Column
from vhint.wire.schema import End, Named, Repeat, le32, u8
from vhint.wire.source import Face


class ConfigPurpose(IntEnum):
    """The value of `flags` in SET_CONFIG: which fields may be written."""

    WRITABLE = 0
    """Those that the driver may write."""
    MIGRATION = 1
    """All of them: the machine has come from another host."""


FORMAT: Final = Struct(
    "offset" / le32.doc("bytes into config space"),
    "size" / le32.doc("bytes"),
    "flags" / Named(le32, ConfigPurpose),
    "region" / Repeat(this.size, u8),
    "end" / End,
)
"""The declaration of the payload."""

HEAD_SIZE: Final = 12
"""Bytes before the part of config space itself."""

MAX_SIZE: Final = 256
"""The most bytes of config space that a device may have."""


class Octets(Column[int]):
    """An immutable sequence of bytes; ``bytes(octets)`` gives them."""

    __slots__ = ()

    @classmethod
    def of(cls, data: bytes) -> Octets:
        """Make one of bytes."""
        return cls.over(np.frombuffer(bytes(data), np.uint8))

    def __bytes__(self) -> bytes:
        return self.records.tobytes()

    def _element(self, record: Any) -> int:
        return int(record)


@dataclass(frozen=True, slots=True)
class ConfigMessage:
    """`region`: the bytes of config space from `offset` on.

    In the request of GET_CONFIG they mean nothing but their number.  `flags` see `ConfigPurpose`.
    """

    offset: int
    flags: int
    region: Octets


CODEC: Final = Codec[ConfigMessage](
    "vhost-user config", FORMAT, Face(ConfigMessage, {"region": Octets})
)

parse: Final[Callable[[Data], ConfigMessage]] = CODEC.parse
"""Parse a whole payload. Raises `WireError`."""
build: Final[Callable[[ConfigMessage], bytes]] = CODEC.build
"""Build the payload. Raises `WireError`."""
parse_interpreted: Final = CODEC.parse_interpreted
"""Parse by running `FORMAT`: slow, and the oracle for `parse`."""
build_interpreted: Final = CODEC.build_interpreted
"""Build by running `FORMAT`: slow, and the oracle for `build`."""
