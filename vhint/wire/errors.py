"""The errors of the wire formats: one family, each saying where, what was expected, what was seen.

Whatever is wrong with bytes that are parsed or a value that is built, the exception is a
`WireError`. The first offence in byte order is reported, so the same input always gives the same
error.
"""

# ruff: noqa: N818 - the names say what is wrong; all of them are WireError

from __future__ import annotations

from typing import Final

PATH_ROOTS: Final = ("(parsing)", "(building)", "(sizeof)")


class WireError(ValueError):
    """Bytes or a value that the wire format does not allow.

    Attributes:
        format: name of the format, such as ``"hint request"``; empty while unknown.
        path: the field, such as ``"blocks[3].order"``; empty for the message as a whole.
        offset: where the field starts, in bytes from the start of the message.
        expected: what would have been accepted, in words.
        seen: what was there: the value, or a number of bytes.

    >>> print(OutOfRange("blocks[3].order", 88, "0..40", 41, format="hint request"))
    hint request: blocks[3].order at byte 88: value out of range: expected 0..40, seen 41

    """

    summary = "not valid"

    def __init__(
        self,
        path: str,
        offset: int,
        expected: str,
        seen: object,
        *,
        format: str = "",  # noqa: A002
    ) -> None:
        super().__init__(path, offset, expected, seen)
        self.format = format
        self.path = plain_path(path)
        self.offset = offset
        self.expected = expected
        self.seen = seen

    @property
    def details(self) -> tuple[type[WireError], str, str, int, str, object]:
        """Everything that makes two errors the same error, for comparing them."""
        return type(self), self.format, self.path, self.offset, self.expected, self.seen

    def __str__(self) -> str:
        prefix = f"{self.format}: " if self.format else ""
        where = f"{self.path or 'message'} at byte {self.offset}"
        return f"{prefix}{where}: {self.summary}: expected {self.expected}, seen {self.seen!r}"


class ShortInput(WireError):
    """The input ends inside a field; ``seen`` is how many bytes of it were there."""

    summary = "input too short"


class TrailingBytes(WireError):
    """Bytes follow the end of the message; ``seen`` is how many."""

    summary = "bytes after the end"


class OutOfRange(WireError):
    """A number is below or above what its field allows."""

    summary = "value out of range"


class ReservedNotZero(WireError):
    """A reserved field is not zero."""

    summary = "reserved field not zero"


class UnknownValue(WireError):
    """A number is none of the values its field has names for."""

    summary = "unknown value"


class PaddingNotZero(WireError):
    """The bits after the last one of a bitmap are not zero; ``seen`` is the last byte."""

    summary = "padding not zero"


class WrongLength(WireError):
    """A sequence given to build has not as many elements as the message says."""

    summary = "wrong length"


class WrongType(WireError):
    """A value is of a type that cannot be parsed or built, such as text for a number."""

    summary = "wrong type"


def plain_path(path: str) -> str:
    """Turn construct's ``"(parsing) -> blocks[3] -> order"`` into ``"blocks[3].order"``."""
    return ".".join(part for part in path.split(" -> ") if part and part not in PATH_ROOTS)
