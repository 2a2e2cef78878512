"""Bytes with named fields: what vectors are made of, without the codecs that they test.

A message is a list of unsigned fields, little-endian unless they say otherwise.  Because it knows
where each field lies, it can say which field a cut falls into and where a changed field starts: the
place of the first offence in a vector comes from here, never from a parser.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple

ByteOrder = Literal["little", "big"]


class Field(NamedTuple):
    """`size` bytes that hold `value`, under the path that errors name it by."""

    path: str
    size: int
    value: int
    order: ByteOrder = "little"


@dataclass(frozen=True, slots=True)
class Message:
    """Fields in order, and bytes after the last of them.

    >>> message = Message.of(("type", 2, 1), ("count", 4, 3))
    >>> message.data.hex(), message.offset("count"), message.put("type", 7).data.hex()
    ('010003000000', 2, '070003000000')
    >>> message.at(1), message.at(2)
    (('type', 0), ('count', 2))
    """

    fields: tuple[Field, ...]
    tail: bytes = b""

    @classmethod
    def of(cls, *fields: Field | tuple[str, int, int]) -> Message:
        """Make a message of fields, or (path, size, value) triples."""
        return cls(tuple(Field(*field) for field in fields))

    @property
    def data(self) -> bytes:
        """All bytes."""
        parts = (field.value.to_bytes(field.size, field.order) for field in self.fields)
        return b"".join(parts) + self.tail

    def __add__(self, other: Message) -> Message:
        return Message(self.fields + other.fields, other.tail)

    def offset(self, path: str) -> int:
        """Give the offset of a field."""
        for start, field in self._placed():
            if field.path == path:
                return start
        raise KeyError(path)

    def put(self, path: str, value: int) -> Message:
        """Give the same message with another value in one field."""
        self.offset(path)
        changed = (
            field._replace(value=value) if field.path == path else field for field in self.fields
        )
        return Message(tuple(changed), self.tail)

    def extend(self, tail: bytes) -> Message:
        """Give the same message with bytes after it."""
        return Message(self.fields, self.tail + tail)

    def at(self, length: int) -> tuple[str, int]:
        """Give (path, offset) of the field that is not whole if only `length` bytes are there."""
        for start, field in self._placed():
            if start + field.size > length:
                return field.path, start
        raise ValueError(f"nothing is missing in {length} bytes")

    def starts(self) -> list[int]:
        """Give the offset of every field."""
        return [start for start, _ in self._placed()]

    def _placed(self) -> Iterator[tuple[int, Field]]:
        start = 0
        for field in self.fields:
            yield start, field
            start += field.size
