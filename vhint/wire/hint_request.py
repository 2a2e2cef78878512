"""The request of the hinting virtqueue: a header, then PFN entries or a bitmap.

Source: vhint, The hinting virtqueue. A PFN is a guest physical address divided by 4096, whatever
the guest's page size is; a block of order n is 2^n pages, aligned to its size.

What is checked here is what each field may hold: type, flags and reserved fields, order up to 40,
PFN below 2^52, the length, the padding. That a PFN is a multiple of 2^order, that a block ends
within the address space and in RAM, and that blocks do not overlap are relations that the device
checks (rules 3 and 6); `Blocks` has vectorised helpers for the first two.

>>> request = PfnRequest(7, Blocks.of([(512, 9), (1024, 10)]))
>>> build(request)[:HEADER_SIZE].hex(" ", 4), build(request)[HEADER_SIZE:].hex(" ", 8)[:50]
('01000000 02000000 07000000 00000000', '0002000000000000 0900000000000000 0004000000000000')
>>> parse(build(request)) == request
True
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from construct import Struct, this

from vhint.wire.bitmap import Bitmap
from vhint.wire.blocks import MAX_ORDER, PFN_LIMIT, RECORD, Block, Blocks
from vhint.wire.codec import Codec, Data
from vhint.wire.derive import to_struct
from vhint.wire.errors import ShortInput, WrongType
from vhint.wire.schema import (
    Bits,
    Bounded,
    Choice,
    End,
    Repeat,
    Reserved,
    Variant,
    le16,
    le32,
    le64,
)
from vhint.wire.source import Face

__all__ = [
    "FORMAT",
    "HEADER_SIZE",
    "MAX_ORDER",
    "PFN_LIMIT",
    "BitmapRequest",
    "Block",
    "Blocks",
    "PfnRequest",
    "RequestHeader",
    "RequestType",
    "build",
    "build_interpreted",
    "parse",
    "parse_interpreted",
    "peek_header",
]


class RequestType(IntEnum):
    """How a request names its blocks."""

    PFN = 1
    """An array of (PFN, order)."""
    BITMAP = 2
    """A start and a bit for each block after it; needs the feature HINTING_BITMAP."""


HEADER: Final = (
    "type" / Choice(le16, RequestType),
    "flags" / Reserved(le16),
    "count" / le32.doc("entries or bits"),
    "cookie" / le64,
)

FORMAT: Final = Struct(
    *HEADER,
    "body"
    / Variant(
        this.type,
        {
            RequestType.PFN: Struct("blocks" / Repeat(this._.count, RECORD), "end" / End),
            RequestType.BITMAP: Struct(
                "start_pfn" / Bounded(le64, 0, PFN_LIMIT - 1).doc("pages of 4 KiB"),
                "order" / Bounded(le32, 0, MAX_ORDER).doc("order of 4 KiB pages"),
                "reserved" / Reserved(le32),
                "bits" / Bits(this._.count).doc("bit N is the block at start_pfn + N * 2^order"),
                "end" / End,
            ),
        },
    ),
)
"""The declaration of a request."""

_HEADER_STRUCT: Final[struct.Struct] = to_struct(Struct(*HEADER))
HEADER_SIZE: Final = _HEADER_STRUCT.size
"""The size of the request header in bytes: 16."""


@dataclass(frozen=True, slots=True)
class PfnRequest:
    """A request that names each block.

    `cookie` is 0 to 2^64 - 1 (a driver uses neither 0 nor one that is outstanding: rule 4).
    """

    cookie: int
    blocks: Blocks


@dataclass(frozen=True, slots=True)
class BitmapRequest:
    """A request whose bit N, if set, names the block at ``start_pfn + N * 2**order``.

    Ranges: `cookie` 0 to 2^64 - 1, `start_pfn` below 2^52, `order` 0 to 40.
    """

    cookie: int
    start_pfn: int
    order: int
    bits: Bitmap


@dataclass(frozen=True, slots=True)
class RequestHeader:
    """The numbers of a request's first 16 bytes, none of them checked."""

    type: int
    flags: int
    count: int
    cookie: int


CODEC: Final = Codec[PfnRequest | BitmapRequest](
    "hint request",
    FORMAT,
    {
        RequestType.PFN: Face(PfnRequest, {"blocks": Blocks}),
        RequestType.BITMAP: Face(BitmapRequest),
    },
)

parse: Final[Callable[[Data], PfnRequest | BitmapRequest]] = CODEC.parse
"""Parse a whole request; the blocks are views of `data` if that is `bytes`. Raises `WireError`."""
build: Final[Callable[[PfnRequest | BitmapRequest], bytes]] = CODEC.build
"""Build a request; the inverse of `parse`. Raises `WireError` for what `parse` would refuse."""
parse_interpreted: Final = CODEC.parse_interpreted
"""Parse by running `FORMAT`: slow, and the oracle for `parse`."""
build_interpreted: Final = CODEC.build_interpreted
"""Build by running `FORMAT`: slow, and the oracle for `build`."""


def peek_header(data: Data) -> RequestHeader:
    """Read the first 16 bytes without judging them; raises `ShortInput` if there are fewer.

    A device answers with the cookie even if everything else is wrong (rule 4).

    >>> peek_header(bytes([9, 0, 1, 0, 2, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0]))
    RequestHeader(type=9, flags=1, count=2, cookie=3)
    """
    try:
        head = bytes(memoryview(data).cast("B")[:HEADER_SIZE])
    except TypeError:
        raise WrongType("", 0, "bytes", data, format=CODEC.name) from None
    if len(head) < HEADER_SIZE:
        size = f"{HEADER_SIZE} bytes"
        raise ShortInput("header", 0, size, len(head), format=CODEC.name)
    return RequestHeader(*_HEADER_STRUCT.unpack(head))
