"""How long the message at the start of a stream is, for formats that say so themselves.

>>> from vhint.wire.formats.catalogue import FORMATS
>>> message_size(FORMATS["hint-request"], bytes.fromhex("01000000 02000000 0700000000000000"))
48
>>> message_size(FORMATS["hint-request"], bytes([1, 0, 0])) is None  # cannot be told yet
True
>>> message_size(FORMATS["statistics"], bytes(10))  # doctest: +ELLIPSIS
Traceback (most recent call last):
vhint.wire.formats.framing.NotDelimited: statistics: nothing in a message says where it ends...
"""

from __future__ import annotations

import io
from typing import Any

from construct import Container, Struct

from vhint.wire.bitmap import byte_length
from vhint.wire.errors import ShortInput
from vhint.wire.formats.model import Format
from vhint.wire.formats.values import inner
from vhint.wire.schema import (
    Bits,
    Ending,
    LeadingBits,
    LeadingStruct,
    Repeat,
    RepeatToEnd,
    Variant,
    evaluate,
)
from vhint.wire.sized import Sized


class NotDelimited(ValueError):  # noqa: N818 - what the caller asks about
    """A message of this format goes on to the end of its buffer, wherever that is."""


class MessageTooLong(ValueError):  # noqa: N818 - what is wrong
    """A message says that it is longer than whoever reads it is willing to keep."""


def message_size(
    form: Format, start: bytes, *, layout: str | None = None, **parameters: int
) -> int | None:
    """Give the size in bytes of the message that begins like this; None: too little is there.

    Raises `NotDelimited`, or a `WireError` for a beginning that no message has.
    """
    if form.reads is not None:
        return form.reads
    numbers = form.numbers(parameters)
    try:
        return _end(form.declaration(layout), io.BytesIO(start), Container(_params=numbers))
    except _OpenEnd:
        text = f"{form.id}: nothing in a message says where it ends: it is as long as its buffer"
        raise NotDelimited(text) from None
    except ShortInput:
        return None


class _OpenEnd(Exception):  # noqa: N818
    pass


def _end(con: Struct, stream: io.BytesIO, around: Container) -> int:
    """Move past a structure, as far as it may lie behind what is there; return where it ends."""
    if isinstance(con, LeadingStruct):
        raise _OpenEnd
    context = Container(_=around, _params=around["_params"])
    for field in con.subcons:
        part = inner(field)
        if isinstance(part, (RepeatToEnd, LeadingBits)):
            raise _OpenEnd
        if isinstance(part, Variant):
            return _end(inner(part.cases[part.keyfunc(context)]), stream, context)
        if isinstance(part, (Repeat, Bits, Sized)):
            stream.seek(_length(part, context), io.SEEK_CUR)
        elif not isinstance(part, Ending):
            context[field.name] = field._parsereport(stream, context, "")  # noqa: SLF001
    return stream.tell()


def _length(part: Any, context: Container) -> int:
    if isinstance(part, Sized):
        return evaluate(part.size, context)
    count = evaluate(part.count, context)
    return byte_length(count) if isinstance(part, Bits) else count * int(part.subcon.sizeof())
