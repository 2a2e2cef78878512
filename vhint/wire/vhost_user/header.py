"""The header of every vhost-user message, in both directions.

Source: the vhost-user protocol, Message Specification, Header.  Numbers are in the byte order of
the machine that both ends run on; little-endian here, as everywhere in vhint.

>>> build(Header.of(Request.GET_FEATURES)).hex(" ", 4)
'01000000 01000000 00000000'
>>> parse(bytes.fromhex("01000000 05000000 08000000")).is_reply
True
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from construct import Struct

from vhint.wire.codec import Codec, Data
from vhint.wire.schema import End, Named, le32
from vhint.wire.source import Face
from vhint.wire.vhost_user.names import BackendRequest, HeaderFlag, Request

FLAGS: Final = Named(le32, HeaderFlag).doc("bits 0 and 1 are the version")

FORMAT: Final = Struct(
    "request" / Named(le32, Request).doc("of a back end: `BackendRequest`"),
    "flags" / FLAGS,
    "size" / le32.doc("bytes of payload"),
    "end" / End,
)
"""The declaration of the header."""

SIZE: Final = 12
"""Bytes of the header."""

VERSION: Final = 1
"""The version of the protocol: the two lowest bits of the flags."""

_VERSION_MASK: Final = 3


@dataclass(frozen=True, slots=True)
class Header:
    """What a message is, and how many bytes of payload follow; 0 to 2^32 - 1 each, unchecked.

    `request` is a `Request` or, on the back end's channel, a `BackendRequest`.
    """

    request: int
    flags: int
    size: int

    @classmethod
    def of(
        cls,
        request: Request | BackendRequest,
        size: int = 0,
        *,
        reply: bool = False,
        need_reply: bool = False,
    ) -> Header:
        """Make the header of a message of this version with `size` bytes of payload."""
        flags = VERSION
        flags |= HeaderFlag.REPLY if reply else 0
        flags |= HeaderFlag.NEED_REPLY if need_reply else 0
        return cls(request, flags, size)

    @property
    def version(self) -> int:
        """The version that the message says it has; only `VERSION` exists."""
        return self.flags & _VERSION_MASK

    @property
    def is_reply(self) -> bool:
        """Whether the message answers one."""
        return bool(self.flags & HeaderFlag.REPLY)

    @property
    def needs_reply(self) -> bool:
        """Whether the sender wants an acknowledgement (with REPLY_ACK)."""
        return bool(self.flags & HeaderFlag.NEED_REPLY)


CODEC: Final = Codec[Header]("vhost-user header", FORMAT, Face(Header))

parse: Final[Callable[[Data], Header]] = CODEC.parse
"""Parse exactly 12 bytes. Raises `WireError`."""
build: Final[Callable[[Header], bytes]] = CODEC.build
"""Build the 12 bytes. Raises `WireError`."""
parse_interpreted: Final = CODEC.parse_interpreted
"""Parse by running `FORMAT`: slow, and the oracle for `parse`."""
build_interpreted: Final = CODEC.build_interpreted
"""Build by running `FORMAT`: slow, and the oracle for `build`."""
