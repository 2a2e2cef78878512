"""A whole message of vhost-user, header and payload, on either of the two channels.

Which payload a message has follows from its request, from the flag that makes it a reply, and from
`messages.SHAPES`; of one that is not known there the payload is octets. The reply to a message that
has none of its own is the number that a sender asks for with NEED_REPLY. An empty payload of a
reply means that the request failed.

Descriptors that come with a message are not in its bytes.

>>> message = parse(bytes.fromhex("02000000 01000000 08000000 0000c00001000000"))
>>> message.request, message.payload.value == 1 << 32 | 0xC00000
(2, True)
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from construct import Construct, Container, Struct, Switch, this

from vhint.wire.declared import DeclaredCodec
from vhint.wire.schema import End, Named, RepeatToEnd, le32, u8
from vhint.wire.sized import Sized
from vhint.wire.vhost_user import memory, u64
from vhint.wire.vhost_user.header import FLAGS
from vhint.wire.vhost_user.messages import BACKEND_SHAPES, SHAPES, Shape
from vhint.wire.vhost_user.names import BackendRequest, HeaderFlag, Request

OCTETS: Final = Struct("octets" / RepeatToEnd(u8), "end" / End)
"""The payload of a message that is not known."""

TABLE_WITH_ROOM: Final = Struct(*memory.FORMAT.subcons[:-1], "room" / RepeatToEnd(u8), "end" / End)
"""A table of memory, and what front ends written in C may send after its last region."""


class Payload(Switch):  # type: ignore[misc]
    """The payload that belongs to a message's request, given what each request looks like."""

    def __init__(self, shapes: Mapping[Any, Shape]) -> None:
        cases: dict[tuple[int, bool], Construct] = {}
        for request, shape in shapes.items():
            cases[int(request), False] = shape.payload.declaration if shape.payload else OCTETS
            cases[int(request), True] = (shape.reply or u64.CODEC).declaration
        table = (int(Request.SET_MEM_TABLE), False)
        if shapes is SHAPES:
            cases[table] = TABLE_WITH_ROOM
        super().__init__(_key, cases, OCTETS)


def _key(context: Any) -> tuple[int, bool] | None:
    is_reply = bool(context["flags"] & HeaderFlag.REPLY)
    if is_reply and not context["size"]:
        return None
    return int(context["request"]), is_reply


def _declare(requests: Any, shapes: Mapping[Any, Shape]) -> Struct:
    return Struct(
        "request" / Named(le32, requests),
        "flags" / FLAGS,
        "size" / le32.doc("bytes of payload"),
        "payload" / Sized(this.size, Payload(shapes)),
        "end" / End,
    )


FORMAT: Final = _declare(Request, SHAPES)
"""The declaration of a message between front end and back end, either way."""
BACKEND_FORMAT: Final = _declare(BackendRequest, BACKEND_SHAPES)
"""The declaration of a message on the channel of SET_BACKEND_REQ_FD, either way."""

CODEC: Final = DeclaredCodec("vhost-user message", FORMAT)
BACKEND_CODEC: Final = DeclaredCodec("vhost-user backend message", BACKEND_FORMAT)


def parse(data: bytes) -> Container:
    """Parse one whole message: its header's fields, and `payload`. Raises `WireError`."""
    return CODEC.parse(data)


def build(message: Mapping[str, Any]) -> bytes:
    """Build one message of the values that `parse` gives. Raises `WireError`."""
    return CODEC.build(message)
