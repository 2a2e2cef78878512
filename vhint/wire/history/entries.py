"""Arrays of C structures in the layouts of several guests, and codecs that take a layout."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields, replace
from typing import Any, ClassVar, Generic, Self, TypeVar

import numpy as np

from vhint.wire.codec import Codec, Data, F
from vhint.wire.columns import Column, column_of, field_columns
from vhint.wire.derive import to_dtype
from vhint.wire.history.layout import Layout, known_layout
from vhint.wire.source import Face

T = TypeVar("T")


class Entries(Column[T]):
    """An immutable sequence of entries, kept as the bytes that were in a guest's memory.

    Two are equal if their entries are, whatever the layouts, and whatever is in the padding.
    """

    __slots__ = ()

    ELEMENT: ClassVar[type[Any]]
    """The dataclass of an entry, with the fields of the record that are not padding."""
    RECORDS: ClassVar[Mapping[Layout, Any]]
    """The declaration of an entry in each layout."""

    @classmethod
    def of(
        cls, entries: Iterable[T | tuple[int, ...]], layout: Layout = Layout.LP64_LITTLE
    ) -> Self:
        """Make a sequence of entries, or tuples of their fields; raises `WireError`."""
        names = cls._names()
        dtype = to_dtype(cls.RECORDS[known_layout(layout, cls.RECORDS, cls.__name__)])
        columns = field_columns(entries, cls.ELEMENT, names, "entries")
        records = np.zeros(len(columns[0]), dtype)
        for name, column in zip(names, columns, strict=True):
            records[name] = column_of(column, dtype[name], name)
        records.flags.writeable = False
        return cls.over(records)

    def to_layout(self, layout: Layout) -> Self:
        """Give the same entries in another layout; raises `OutOfRange` if one does not fit."""
        if self.records.dtype == to_dtype(self.RECORDS[layout]):
            return self
        return self.of(self, layout)

    @classmethod
    def _names(cls) -> tuple[str, ...]:
        return tuple(field.name for field in fields(cls.ELEMENT))

    def _element(self, record: Any) -> T:
        made: T = self.ELEMENT(*record[: len(self._names())])
        return made

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, type(self)):
            return NotImplemented
        return all(
            np.array_equal(self.records[name], other.records[name]) for name in self._names()
        )

    def __hash__(self) -> int:
        return hash(tuple(self.records[name].astype("<u8").tobytes() for name in self._names()))


class LayoutCodec(Generic[F]):
    """The functions of a format that has a declaration for each layout.

    Args:
        name: of the format, for errors.
        formats: the declaration for each layout.
        face: of the message.
        parameters: names of numbers that parsing needs besides the bytes.

    """

    def __init__(
        self, name: str, formats: Mapping[Layout, Any], face: Face, parameters: tuple[str, ...] = ()
    ) -> None:
        self.name = name
        self.formats = formats
        self._face = face
        self.codecs: Mapping[Layout, Codec[F]] = {
            layout: Codec(name, declaration, face, parameters)
            for layout, declaration in formats.items()
        }

    def parse(self, data: Data, *parameters: int, layout: Layout = Layout.LP64_LITTLE) -> F:
        """Parse a message that a guest of this layout wrote; raises `WireError`."""
        return self.codecs[self._known(layout)].parse(data, *parameters)

    def build(self, face: F, *, layout: Layout = Layout.LP64_LITTLE) -> bytes:
        """Build the bytes that a guest of this layout writes; raises `WireError`."""
        known = self._known(layout)
        return self.codecs[known].build(self._in_layout(face, known))

    def _known(self, layout: Layout) -> Layout:
        return known_layout(layout, self.codecs, self.name)

    def _in_layout(self, face: Any, layout: Layout) -> Any:
        if isinstance(face, Entries):
            return face.to_layout(layout)
        if type(face) is not self._face.cls:
            return face
        changed = {}
        for name in self._face.columns:
            value = getattr(face, name)
            if isinstance(value, Entries):
                changed[name] = value.to_layout(layout)
        return replace(face, **changed) if changed else face
