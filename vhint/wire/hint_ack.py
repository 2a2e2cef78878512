r"""The acknowledgement of the hinting virtqueue: a header, then the result bits there is room for.

Source: vhint, The hinting virtqueue, rules 2 and 5. Its length is the used length, 16 + k with k up
to ceil(count / 8), where count is the request's. The k bytes are the leading part of the result
bitmap; result bits that are not covered count as set, which is the driver's business, not the
format's. So is that `processed` is the number of set bits.

>>> ack = Acknowledgement(7, Status.PARTIAL, 1, Bitmap(2, b"\x02"))
>>> build(ack).hex(" ", -4)
'07000000 00000000 01000000 01000000 02'
>>> parse(build(ack), 2) == ack, parse(build(ack)[:16], 2).results
(True, None)
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Final, Protocol

from construct import Struct

from vhint.wire.bitmap import Bitmap
from vhint.wire.codec import Codec, Data
from vhint.wire.derive import to_struct
from vhint.wire.schema import Choice, End, LeadingBits, le32, le64, parameter
from vhint.wire.source import Face


class Status(IntEnum):
    """What became of a request (vhint, The hinting virtqueue, rules 2 and 3)."""

    OK = 0
    """Every named block was accepted."""
    PARTIAL = 1
    """Not every named block was accepted: see the result bits."""
    MALFORMED = 2
    """The request broke the format; nothing was touched."""
    UNSUPPORTED = 3
    """The request asks for what the device does not do; nothing was touched."""
    INHIBITED = 4
    """The device cannot discard at the moment; nothing was touched."""


HEADER: Final = (
    "cookie" / le64.doc("of the request"),
    "status" / Choice(le32, Status),
    "processed" / le32.doc("blocks accepted"),
)

FORMAT: Final = Struct(
    *HEADER,
    "results" / LeadingBits(parameter("count")).doc("bit N: block N was accepted"),
    "end" / End,
)
"""The declaration of an acknowledgement; its parameter is the request's count."""

HEADER_SIZE: Final = to_struct(Struct(*HEADER)).size
"""The size of an acknowledgement without result bits: 16 bytes."""


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """What a device says of a request that it has used.

    Ranges: `cookie` 0 to 2^64 - 1, `processed` (accepted blocks) 0 to 2^32 - 1. `results` is a
    bitmap of the leading ``min(8 * k, count)`` blocks, or None if no byte of it was written.
    """

    cookie: int
    status: Status
    processed: int
    results: Bitmap | None = None


class ParseAck(Protocol):
    """The type of `parse`."""

    def __call__(self, data: Data, count: int, /) -> Acknowledgement: ...  # noqa: D102


class BuildAck(Protocol):
    """The type of `build`."""

    def __call__(self, ack: Acknowledgement, count: int | None = None, /) -> bytes: ...  # noqa: D102


CODEC: Final = Codec[Acknowledgement](
    "hint acknowledgement", FORMAT, Face(Acknowledgement), ("count",)
)

parse: Final[ParseAck] = CODEC.parse
"""Parse the bytes that a device wrote, given the request's count. Raises `WireError`."""
build: Final[BuildAck] = CODEC.build
"""Build an acknowledgement; with a count, the results are held to it too. Raises `WireError`."""
parse_interpreted: Final[ParseAck] = CODEC.parse_interpreted
"""Parse by running `FORMAT`: slow, and the oracle for `parse`."""
build_interpreted: Final[BuildAck] = CODEC.build_interpreted
"""Build by running `FORMAT`: slow, and the oracle for `build`."""
