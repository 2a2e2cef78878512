"""A part of a message that has as many bytes as a field before it says.

>>> from construct import Struct, this
>>> from vhint.wire.schema import End, RepeatToEnd, le16, u8
>>> words = Struct("words" / RepeatToEnd(le16), "end" / End)
>>> FORMAT = Struct("size" / u8, "part" / Sized(this.size, words), "sum" / u8)
>>> FORMAT.parse(bytes([2, 1, 0, 9])).part.words
[1]
>>> FORMAT.parse(bytes([3, 1, 0, 9, 9]))
Traceback (most recent call last):
vhint.wire.errors.ShortInput: part.words[1] at byte 3: input too short: expected 2 bytes, seen 1
"""

# ruff: noqa: SLF001 - construct's interface

from __future__ import annotations

import io
from typing import Any

from construct import Construct, Subconstruct

from vhint.wire.errors import ShortInput, WireError, WrongLength
from vhint.wire.schema import Count, evaluate


class Sized(Subconstruct):  # type: ignore[misc]
    """What `subcon` makes of exactly `size` bytes: to it they are a whole message."""

    def __init__(self, size: Count, subcon: Construct) -> None:
        super().__init__(subcon)
        self.size = size

    def _parse(self, stream: Any, context: Any, path: str) -> Any:
        size = evaluate(self.size, context)
        offset = stream.tell()
        data = stream.read(size)
        if len(data) < size:
            raise ShortInput(path, offset, f"{size} bytes", len(data))
        inner = _Part(data, offset, stream)
        try:
            return self.subcon._parsereport(inner, context, path)
        except WireError as error:
            error.offset += offset
            raise

    def _build(self, obj: Any, stream: Any, context: Any, path: str) -> Any:
        size = evaluate(self.size, context)
        offset = stream.tell()
        inner = io.BytesIO()
        try:
            self.subcon._build(obj, inner, context, path)
        except WireError as error:
            error.offset += offset
            raise
        data = inner.getvalue()
        if len(data) != size:
            raise WrongLength(path, offset, f"{size} bytes", len(data))
        stream.write(data)
        return obj

    def _sizeof(self, context: Any, path: str) -> int:  # noqa: ARG002
        return evaluate(self.size, context)


class _Part(io.BytesIO):
    """The bytes of a part; notes of fields are handed on with the offset in the whole."""

    def __init__(self, data: bytes, offset: int, whole: Any) -> None:
        super().__init__(data)
        if hasattr(whole, "note"):
            self.note = lambda field, path, at, size, value: whole.note(
                field, path, offset + at, size, value
            )
