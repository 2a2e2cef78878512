"""The pieces that the wire formats are declared with: construct classes that carry data.

A construct built of lambdas can only be run. These keep their bounds, enumerations and counts as
attributes, so that `vhint.wire.derive` and `vhint.wire.plan` can read a declaration and make
something faster of it; run as they are, by construct, they are the definition and the oracle.

Numbers are little-endian (VIRTIO 1.4, 1.4 Structure Specifications) but for those of the historical
formats that were not. Every failure is a `WireError` with the path and offset of the field at
fault.

>>> from construct import Struct
>>> FORMAT = Struct("order" / Bounded(le32, 0, 40), "reserved" / Reserved(le32), "end" / End)
>>> FORMAT.parse(bytes([9, 0, 0, 0, 0, 0, 0, 0])).order
9
>>> FORMAT.parse(bytes([41, 0, 0, 0, 0, 0, 0, 0]))
Traceback (most recent call last):
vhint.wire.errors.OutOfRange: order at byte 0: value out of range: expected 0..40, seen 41
"""

# ruff: noqa: ARG002, SLF001 - construct's interface

from __future__ import annotations

import os
from collections.abc import Iterable
from copy import copy
from typing import Any, Final, Self

from construct import Construct, Renamed, Struct, Subconstruct, Switch, this

from vhint.wire.bitmap import Bitmap, byte_length, padding_mask
from vhint.wire.errors import PaddingNotZero, ShortInput, TrailingBytes, WrongLength, WrongType
from vhint.wire.integers import (
    BitFields,
    Bounded,
    Choice,
    Integer,
    Masked,
    Named,
    Padding,
    Reserved,
    be16,
    be32,
    be64,
    le16,
    le32,
    le64,
    u8,
)

__all__ = [
    "BitFields",
    "Bits",
    "Bounded",
    "Choice",
    "Count",
    "CountedEnd",
    "End",
    "Ending",
    "Integer",
    "LeadingBits",
    "LeadingStruct",
    "Masked",
    "Named",
    "OpenEnd",
    "OpenEnding",
    "Padding",
    "Repeat",
    "RepeatToEnd",
    "Reserved",
    "Variant",
    "be16",
    "be32",
    "be64",
    "evaluate",
    "le16",
    "le32",
    "le64",
    "parameter",
    "plain",
    "remaining",
    "u8",
]

Count = Any
"""How many: an int, or a construct expression such as ``this.count`` or `parameter`."""


class Repeat(Subconstruct):  # type: ignore[misc]
    """As many elements as `count` says; the path of each has its index.

    A stream may have a method ``skip(repeat, elements)`` that moves past leading elements known to
    be good and says how many; only the rest is then looked at one by one.
    """

    def __init__(self, count: Count, subcon: Construct) -> None:
        super().__init__(subcon)
        self.count = count

    def _parse(self, stream: Any, context: Any, path: str) -> list[Any]:
        count = evaluate(self.count, context)
        start = stream.skip(self, count) if hasattr(stream, "skip") else 0
        return [
            self.subcon._parsereport(stream, context, f"{path}[{i}]") for i in range(start, count)
        ]

    def _build(self, obj: Any, stream: Any, context: Any, path: str) -> Any:
        _elements(obj, stream, path)
        count = evaluate(self.count, context)
        if len(obj) != count:
            raise WrongLength(path, stream.tell(), f"{count} elements", len(obj))
        return self._build_all(obj, stream, context, path)

    def _build_all(self, obj: Any, stream: Any, context: Any, path: str) -> Any:
        start = stream.skip(self, obj) if hasattr(stream, "skip") else 0
        for i in range(start, len(obj)):
            self.subcon._build(plain(obj[i]), stream, context, f"{path}[{i}]")
        return obj

    def _sizeof(self, context: Any, path: str) -> int:
        size: int = evaluate(self.count, context) * self.subcon._sizeof(context, path)
        return size


class RepeatToEnd(Repeat):
    """Elements up to the end of the input; a last one that is cut off is a `ShortInput`.

    (construct's GreedyRange drops it without a word.)
    """

    def __init__(self, subcon: Construct) -> None:
        super().__init__(None, subcon)

    def _parse(self, stream: Any, context: Any, path: str) -> list[Any]:
        values: list[Any] = []
        i = 0
        if hasattr(stream, "skip"):
            i = stream.skip(self, remaining(stream) // self.subcon.sizeof())
        while remaining(stream):
            values.append(self.subcon._parsereport(stream, context, f"{path}[{i}]"))
            i += 1
        return values

    def _build(self, obj: Any, stream: Any, context: Any, path: str) -> Any:
        _elements(obj, stream, path)
        return self._build_all(obj, stream, context, path)


class Bits(Construct):  # type: ignore[misc]
    """A `Bitmap` of `count` bits in ``ceil(count / 8)`` bytes, least significant bit first."""

    def __init__(self, count: Count) -> None:
        super().__init__()
        self.count = count

    def doc(self, text: str) -> Self:
        """Give the same bitmap with a text that says what its bits stand for."""
        made = copy(self)
        made.docs = text
        return made

    def _parse(self, stream: Any, context: Any, path: str) -> Bitmap | None:
        count = evaluate(self.count, context)
        offset = stream.tell()
        data = stream.read(byte_length(count))
        if len(data) < byte_length(count):
            raise ShortInput(path, offset, f"{byte_length(count)} bytes", len(data))
        return self._noted(count, data, stream, path, offset)

    def _noted(self, count: int, data: bytes, stream: Any, path: str, offset: int) -> Bitmap:
        if hasattr(stream, "note"):
            stream.note(self, path, offset, len(data), count)
        return _bitmap(count, data, path, offset)

    def _build(self, obj: Any, stream: Any, context: Any, path: str) -> Any:
        count = evaluate(self.count, context)
        if not isinstance(obj, Bitmap):
            raise WrongType(path, stream.tell(), "a Bitmap", obj)
        if obj.count != count:
            raise WrongLength(path, stream.tell(), f"{count} bits", obj.count)
        stream.write(obj.data)
        return obj

    def _sizeof(self, context: Any, path: str) -> int:
        return byte_length(evaluate(self.count, context))


class LeadingBits(Bits):
    """The leading part of a bitmap of `count` bits: as many whole bytes of it as there are.

    The value is a `Bitmap` of ``min(8 * bytes, count)`` bits, or None if there are no bytes.
    """

    def _parse(self, stream: Any, context: Any, path: str) -> Bitmap | None:
        count = evaluate(self.count, context)
        offset = stream.tell()
        data = stream.read(byte_length(count))
        if not data:
            return None
        return self._noted(min(8 * len(data), count), data, stream, path, offset)

    def _build(self, obj: Any, stream: Any, context: Any, path: str) -> Any:
        if obj is None:
            return None
        count = evaluate(self.count, context)
        if not isinstance(obj, Bitmap):
            raise WrongType(path, stream.tell(), "a Bitmap or None", obj)
        if not obj.count or obj.count != min(8 * len(obj.octets), count):
            expected = f"{count} bits, or a multiple of 8 below that, or None"
            raise WrongLength(path, stream.tell(), expected, obj.count)
        stream.write(obj.data)
        return obj

    def _sizeof(self, context: Any, path: str) -> int:
        raise NotImplementedError  # as with any field that takes what there is


class Variant(Switch):  # type: ignore[misc]
    """The one of several layouts that a field before it selects.

    It has no name in a path (``blocks[3]``, not ``body.blocks[3]``): to a reader of the message its
    fields are the message's own. A key without a case cannot be: the selecting field is a `Choice`
    of exactly the keys.
    """

    def _parse(self, stream: Any, context: Any, path: str) -> Any:
        return super()._parse(stream, context, path.rpartition(" -> ")[0])

    def _build(self, obj: Any, stream: Any, context: Any, path: str) -> Any:
        return super()._build(obj, stream, context, path.rpartition(" -> ")[0])


class LeadingStruct(Struct):  # type: ignore[misc]
    """A structure of which the first `minimum` fields exist and the rest may be missing at the end.

    A missing field is None. It is a whole message: the input ends between two fields, or after the
    last.
    """

    def __init__(self, minimum: int, *fields: Renamed) -> None:
        super().__init__(*fields)
        self.minimum = minimum

    def _parse(self, stream: Any, context: Any, path: str) -> dict[str, Any]:
        values = {
            field.name: field._parsereport(stream, context, path)
            if i < self.minimum or remaining(stream)
            else None
            for i, field in enumerate(self.subcons)
        }
        End._parsereport(stream, context, path)
        return values

    def _build(self, obj: Any, stream: Any, context: Any, path: str) -> Any:
        missing = None
        for i, field in enumerate(self.subcons):
            value = obj[field.name]
            if value is None and i >= self.minimum:
                missing = missing or field.name
            elif missing:
                at = f"{path} -> {field.name}"
                raise WrongLength(at, stream.tell(), f"None, as {missing} is None", value)
            else:
                field._build(value, stream, context, path)
        return obj


class Ending(Construct):  # type: ignore[misc]
    """The end of the message: anything that follows is `TrailingBytes`."""

    def __init__(self) -> None:
        super().__init__()
        self.flagbuildnone = True

    def _parse(self, stream: Any, context: Any, path: str) -> None:
        extra = remaining(stream)
        if extra:
            raise TrailingBytes("", stream.tell(), "the end", extra)

    def _build(self, obj: Any, stream: Any, context: Any, path: str) -> None:
        return None

    def _sizeof(self, context: Any, path: str) -> int:
        return 0


End: Final = Ending()


class OpenEnding(Ending):
    """The end of what is read of a buffer: nobody looks at what follows."""

    def _parse(self, stream: Any, context: Any, path: str) -> None:
        stream.seek(0, os.SEEK_END)


OpenEnd: Final = OpenEnding()


class CountedEnd(Ending):
    """The end of a message that begins with a header, one part of which counts what follows.

    The part is `part` of the field `header`, which has `size` bytes and is a `BitFields`.  It is
    looked at last: bytes that are short for their own content are `ShortInput` whatever it says.
    """

    def __init__(self, header: str, part: str, size: int) -> None:
        super().__init__()
        self.header = header
        self.part = part
        self.size = size

    def _parse(self, stream: Any, context: Any, path: str) -> None:
        super()._parse(stream, context, path)
        following = stream.tell() - self.size
        said = context[self.header][self.part]
        if said != following:
            at = f"{self.header}.{self.part}"
            raise WrongLength(at, 0, f"{following}, as many follow", said)


def parameter(name: str) -> Any:
    """Refer to a number that is not in the message but is given along with it."""
    return this._params[name]


def remaining(stream: Any) -> int:
    """Give the number of bytes between the position of a stream and its end."""
    position: int = stream.tell()
    end: int = stream.seek(0, os.SEEK_END)
    stream.seek(position)
    return end - position


def plain(element: Any) -> Any:
    """Turn an element of a numpy array into the dictionary or number that construct builds from."""
    names: Iterable[str] | None = getattr(getattr(element, "dtype", None), "names", None)
    if names is not None:
        return {name: element[name].item() for name in names}
    return element


def evaluate(count: Count, context: Any) -> int:
    """Give the number that a count stands for, within a construct context."""
    value: int = count(context) if callable(count) else count
    return value


def _elements(obj: Any, stream: Any, path: str) -> None:
    if not hasattr(obj, "__len__") or not hasattr(obj, "__getitem__"):
        raise WrongType(path, stream.tell(), "a sequence", obj)


def _bitmap(count: int, data: bytes, path: str, offset: int) -> Bitmap:
    mask = padding_mask(count)
    if mask and data[-1] & mask:
        last = offset + len(data) - 1
        raise PaddingNotZero(path, last, f"no bit of {mask:#04x}", data[-1])
    return Bitmap(count, data)
