"""What Liang Li's v5 and v6 share: the header of a response, and the host's request.

The header is one 64-bit number cut into C bit fields: `cmd` 8 bits, `flag` 8, `id` 16, `data_len`
32. Compilers for little-endian machines put `cmd` into the lowest bits, those for big-endian ones
into the highest. `data_len` is the number of bytes that follow; it is not part of any face.

A request is what the host writes on its queue: le16 `cmd` · le16 reserved[3] · le64 `param`.

>>> parse_request(build_request(Request(0, 7)))
Request(cmd=0, param=7, reserved0=0, reserved1=0, reserved2=0)
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Final

from construct import Struct

from vhint.wire.codec import Codec, Data
from vhint.wire.errors import WrongType
from vhint.wire.history.layout import LITTLE, Numbers
from vhint.wire.history.profile import FeatureBit, QueueIndex
from vhint.wire.schema import BitFields, CountedEnd, End, le16, le64
from vhint.wire.source import Face


class Command(IntEnum):
    """What a response answers."""

    GET_UNUSED_PAGES = 0


class Flag(IntEnum):
    """Whether more responses follow for the request."""

    CONT = 0
    DONE = 1


def header(numbers: Numbers) -> Any:
    """Declare the header as a compiler for machines of this byte order lays it out."""
    return BitFields(
        numbers.u64,
        ("cmd", 8),
        ("flag", 8),
        ("id", 16),
        ("data_len", 32),
        highest_first=numbers is not LITTLE,
    )


HEADER_SIZE: Final = int(header(LITTLE).sizeof())
"""The size of the header in bytes: 8."""

END: Final = CountedEnd("header", "data_len", HEADER_SIZE)
"""The declaration of the end of a response."""

REQUEST_FORMAT: Final = Struct(
    "cmd" / le16, *(f"reserved{i}" / le16 for i in range(3)), "param" / le64, "end" / End
)
"""The declaration of a request of the host."""


@dataclass(frozen=True, slots=True)
class Request:
    """What the host asks for.

    `cmd` is a `Command`; `param` (0 to 2^64 - 1) comes back, cut to 16 bits, as the `id` of the
    responses. The three reserved numbers are kept as they are.
    """

    cmd: int
    param: int
    reserved0: int = 0
    reserved1: int = 0
    reserved2: int = 0


_REQUEST: Final = Codec[Request]("Li's host request", REQUEST_FORMAT, Face(Request))

parse_request: Final[Callable[[Data], Request]] = _REQUEST.parse
"""Parse the 16 bytes of a request. Raises `WireError`."""
build_request: Final[Callable[[Request], bytes]] = _REQUEST.build
"""Build the 16 bytes of a request. Raises `WireError`."""

HOST_REQUEST_VQ: Final = FeatureBit("VIRTIO_BALLOON_F_HOST_REQ_VQ", 4)
QUEUES: Final = (
    QueueIndex("inflate", 0, "the driver"),
    QueueIndex("deflate", 1, "the driver"),
    QueueIndex("host request", 3, "the driver, which gives both features up without STATS_VQ"),
)


def items(value: Any, cls: type[Any], path: str) -> list[Any]:
    """Give the elements of a face's tuple; raises `WrongType` for what is none of `cls`."""
    if not isinstance(value, (tuple, list)):
        raise WrongType(path, 0, f"a tuple of {cls.__name__}", value)
    for i, item in enumerate(value):
        if not isinstance(item, cls):
            raise WrongType(f"{path}[{i}]", 0, cls.__name__, item)
    return list(value)
