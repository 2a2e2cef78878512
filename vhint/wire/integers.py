"""The numbers of the wire formats: unsigned, with the values they may have as data.

They are little-endian (VIRTIO 1.4, 1.4 Structure Specifications). The big-endian ones are for the
historical formats, which a big-endian guest wrote in its own order.
"""

# ruff: noqa: SLF001 - construct's interface

from __future__ import annotations

from copy import copy
from enum import IntEnum, IntFlag
from itertools import accumulate
from operator import index
from typing import Any, Final, Self

from construct import (
    FormatField,
    Int8ul,
    Int16ub,
    Int16ul,
    Int32ub,
    Int32ul,
    Int64ub,
    Int64ul,
    StreamError,
    Subconstruct,
)

from vhint.wire.errors import OutOfRange, ReservedNotZero, ShortInput, UnknownValue, WrongType


class Integer(Subconstruct):  # type: ignore[misc]
    """An unsigned number of fixed size: construct's field with errors of our own.

    Subclasses narrow what is accepted through `low`, `high` and `check`. A stream may have a method
    ``note(field, path, offset, size, value)``, which is told of every field that was read, good or
    bad.
    """

    low: int
    high: int

    def __init__(self, subcon: FormatField | Integer) -> None:
        super().__init__(subcon)
        self.low = 0
        self.high = (1 << 8 * subcon.sizeof()) - 1

    def doc(self, text: str) -> Self:
        """Give the same field with a text that says what its number counts, or names.

        (construct's own way, ``field * text``, is one more layer to run, and one more in the path.)
        """
        made = copy(self)
        made.docs = text
        return made

    def check(self, value: int, path: str, offset: int) -> Any:
        """Return what the number stands for, or raise the `WireError` that says why it is bad."""
        if not self.low <= value <= self.high:
            raise OutOfRange(path, offset, f"{self.low}..{self.high}", value)
        return value

    def _parse(self, stream: Any, context: Any, path: str) -> Any:
        offset = stream.tell()
        try:
            value = self.subcon._parsereport(stream, context, path)
        except StreamError:
            seen = stream.tell() - offset
            raise ShortInput(path, offset, f"{self.sizeof()} bytes", seen) from None
        if hasattr(stream, "note"):
            stream.note(self, path, offset, stream.tell() - offset, value)
        return self.check(value, path, offset)

    def _build(self, obj: Any, stream: Any, context: Any, path: str) -> Any:
        offset = stream.tell()
        try:
            value = index(obj)
        except TypeError:
            raise WrongType(path, offset, "an integer", obj) from None
        checked = self.check(value, path, offset)
        self.subcon._build(value, stream, context, path)
        return checked


class Bounded(Integer):
    """A number from `low` to `high`, both included."""

    def __init__(self, subcon: Integer, low: int, high: int) -> None:
        super().__init__(subcon)
        self.low = low
        self.high = high


class Reserved(Integer):
    """A number that is zero, and need not be given when building."""

    def __init__(self, subcon: Integer) -> None:
        super().__init__(subcon)
        self.high = 0
        self.flagbuildnone = True

    def check(self, value: int, path: str, offset: int) -> int:
        """Return 0, or raise `ReservedNotZero`."""
        if value:
            raise ReservedNotZero(path, offset, "0", value)
        return 0

    def _build(self, obj: Any, stream: Any, context: Any, path: str) -> Any:
        return super()._build(0 if obj is None else obj, stream, context, path)


class Padding(Integer):
    """A number that means nothing: what a compiler put between fields, or after the last one.

    It may have any value, and need not be given when building: then it is 0.
    """

    def __init__(self, subcon: Integer) -> None:
        super().__init__(subcon)
        self.flagbuildnone = True

    def _build(self, obj: Any, stream: Any, context: Any, path: str) -> Any:
        return super()._build(0 if obj is None else obj, stream, context, path)


class Masked(Integer):
    """A number in which the bits of `mask` are those of `value`; the others may be anything.

    `expected` says in words what that means.
    """

    def __init__(self, subcon: Integer, mask: int, value: int, expected: str) -> None:
        super().__init__(subcon)
        self.mask = mask
        self.value = value
        self.expected = expected

    def check(self, value: int, path: str, offset: int) -> int:
        """Return the number, or raise `UnknownValue`."""
        if value & self.mask != self.value:
            raise UnknownValue(path, offset, self.expected, value)
        return value


class Choice(Integer):
    """A number that has a name in `enum`."""

    def __init__(self, subcon: Integer, enum: type[IntEnum]) -> None:
        super().__init__(subcon)
        self.enum = enum
        self.members: dict[int, IntEnum] = {int(member): member for member in enum}

    def check(self, value: int, path: str, offset: int) -> IntEnum:
        """Return the member of the enumeration, or raise `UnknownValue`."""
        member = self.members.get(value)
        if member is None:
            expected = " or ".join(str(number) for number in self.members)
            raise UnknownValue(path, offset, expected, value)
        return member

    def _build(self, obj: Any, stream: Any, context: Any, path: str) -> Any:
        if isinstance(obj, str):
            names = " or ".join(member.name for member in self.members.values())
            raise UnknownValue(path, stream.tell(), names, obj)
        return super()._build(obj, stream, context, path)


class Named(Integer):
    """A number that may have any value, of which `enum` names some, or some bits.

    >>> class Color(IntFlag):
    ...     RED = 1
    ...     BLUE = 4
    >>> color = Named(le16, Color)
    >>> color.name_of(5), color.name_of(8), color.name_of(9), color.parse(bytes([9, 0]))
    ('RED | BLUE', '', 'RED | 0x8', 9)
    """

    def __init__(self, subcon: Integer, enum: type[IntEnum | IntFlag]) -> None:
        super().__init__(subcon)
        self.enum = enum
        self.names = {int(member): str(member.name) for member in enum}

    def name_of(self, value: int) -> str:
        """Give the names of a value, or of its bits; "" if it has none."""
        if not issubclass(self.enum, IntFlag):
            return self.names.get(value, "")
        found = [name for bit, name in self.names.items() if value & bit]
        rest = value & ~sum(self.names)
        return " | ".join([*found, f"{rest:#x}"] if found and rest else found)


class BitFields(Subconstruct):  # type: ignore[misc]
    """A number of `subcon` that is cut into fields, the value being a mapping of their names.

    `fields` are (name, width in bits), together as wide as the number. The first takes its lowest
    bits, as compilers for little-endian machines lay out C bit fields; with `highest_first` the
    highest ones, as those for big-endian machines do.

    >>> FORMAT = BitFields(le16, ("low", 4), ("rest", 12))
    >>> FORMAT.parse(bytes([0x21, 0x43]))
    {'low': 1, 'rest': 1074}
    """

    def __init__(
        self, subcon: Integer, *fields: tuple[str, int], highest_first: bool = False
    ) -> None:
        super().__init__(subcon)
        self.fields = fields
        self.highest_first = highest_first
        bits = 8 * subcon.sizeof()
        if sum(width for _, width in fields) != bits:
            raise ValueError(f"the fields are not {bits} bits together")
        ends = list(accumulate(width for _, width in fields))
        self.shifts = {
            name: bits - end if highest_first else end - width
            for (name, width), end in zip(fields, ends, strict=True)
        }

    def _parse(self, stream: Any, context: Any, path: str) -> dict[str, int]:
        offset = stream.tell()
        value = self.subcon._parsereport(stream, context, path)
        if hasattr(stream, "note"):
            stream.note(self, path, offset, stream.tell() - offset, value)
        return {name: value >> self.shifts[name] & (1 << width) - 1 for name, width in self.fields}

    def _build(self, obj: Any, stream: Any, context: Any, path: str) -> Any:
        offset = stream.tell()
        value = 0
        for name, width in self.fields:
            at = f"{path} -> {name}"
            try:
                part = index(obj[name])
            except TypeError:
                raise WrongType(at, offset, "an integer", obj[name]) from None
            high = (1 << width) - 1
            if not 0 <= part <= high:
                raise OutOfRange(at, offset, f"0..{high}", part)
            value |= part << self.shifts[name]
        self.subcon._build(value, stream, context, path)
        return obj


u8: Final = Integer(Int8ul)
le16: Final = Integer(Int16ul)
le32: Final = Integer(Int32ul)
le64: Final = Integer(Int64ul)
be16: Final = Integer(Int16ub)
be32: Final = Integer(Int32ub)
be64: Final = Integer(Int64ub)
