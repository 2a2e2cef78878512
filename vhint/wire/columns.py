"""Immutable sequences over numpy arrays: what faces show of an array that is on the wire."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Generic, Self, TypeVar, overload

import numpy as np

from vhint.wire.errors import OutOfRange, WrongType
from vhint.wire.records import Records

T = TypeVar("T")


class Column(Sequence[T], Generic[T]):
    """An immutable sequence of records, kept as the array that is on the wire.

    Subclasses say what an element is. Two are equal if their records are.
    """

    __slots__ = ("records",)

    records: Records
    """The records, as a read-only one-dimensional array in the wire's own layout."""

    @classmethod
    def over(cls, records: Records) -> Self:
        """Wrap an array that is known to be read-only and of the right dtype, without a copy."""
        made = cls.__new__(cls)
        made.records = records
        return made

    def _element(self, record: Any) -> T:
        """Give the element that a record stands for."""
        raise NotImplementedError

    def __len__(self) -> int:
        return len(self.records)

    @overload
    def __getitem__(self, index: int) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> Self: ...
    def __getitem__(self, index: int | slice) -> T | Self:
        if isinstance(index, slice):
            return type(self).over(_frozen(self.records[index]))
        return self._element(self.records[index].item())

    def __iter__(self) -> Iterator[T]:
        return map(self._element, self.records.tolist())

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        mine, theirs = self.records, other.records
        return mine.shape == theirs.shape and mine.tobytes() == theirs.tobytes()

    def __hash__(self) -> int:
        return hash((type(self).__name__, self.records.tobytes()))

    def __repr__(self) -> str:
        shown = [repr(self._element(record)) for record in self.records[:3].tolist()]
        if len(self) > len(shown):
            shown.append(f"... {len(self)} in all")
        return f"{type(self).__name__}([{', '.join(shown)}])"


def column_of(values: Any, dtype: np.dtype[Any], path: str) -> Records:
    """Make an array of unsigned numbers without ever wrapping one around.

    Raises `WrongType` for what is not a one-dimensional sequence of integers, `OutOfRange` for the
    first number that `dtype` cannot hold.
    """
    try:
        given = values if isinstance(values, np.ndarray) else np.array(list(values), object)
    except TypeError:
        raise WrongType(path, 0, "integers", values) from None
    if given.ndim != 1:
        raise WrongType(path, 0, "a flat sequence of integers", values)
    if given.dtype.kind == "O":
        for i, value in enumerate(given):
            if not hasattr(value, "__index__"):
                raise WrongType(f"{path}[{i}]", 0, "an integer", value)
    elif given.dtype.kind not in "iu" and given.size:
        raise WrongType(path, 0, "integers", given.dtype.name)
    if given.dtype == dtype:
        return _frozen(given.copy())
    high = (1 << 8 * dtype.itemsize) - 1
    bad = (given < 0) | (given > high)
    if bad.any():
        i = int(bad.argmax())
        raise OutOfRange(f"{path}[{i}]", i * dtype.itemsize, f"0..{high}", int(given[i]))
    return _frozen(given.astype(dtype))


def field_columns(
    items: Any, cls: type[Any], names: tuple[str, ...], path: str
) -> tuple[list[Any], ...]:
    """Take apart elements of class `cls`, or tuples, into columns; raises `WrongType`."""
    columns: tuple[list[Any], ...] = tuple([] for _ in names)
    try:
        listed = list(items)
    except TypeError:
        raise WrongType(path, 0, f"elements that are {cls.__name__}", items) from None
    for i, item in enumerate(listed):
        if isinstance(item, cls):
            values = tuple(getattr(item, name) for name in names)
        elif isinstance(item, tuple) and len(item) == len(names):
            values = item
        else:
            expected = f"a {cls.__name__} or ({', '.join(names)})"
            raise WrongType(f"{path}[{i}]", 0, expected, item)
        for column, value in zip(columns, values, strict=True):
            column.append(value)
    return columns


def _frozen(array: Records) -> Records:
    made = np.ascontiguousarray(array)
    made.flags.writeable = False
    return made
