"""Reading a construct declaration into what a wire diagram shows.

The declaration is walked as it is; nothing about a format is said here. A construct that is not
known is shown by its size, if it has one, and refused otherwise.

>>> from vhint.wire import statistics
>>> (layout,) = layouts(statistics.FORMAT)
>>> [(part.name, part.count) for part in layout.parts]
[('entries', 'to the end')]
>>> [(field.name, field.offset, field.size) for field in layout.parts[0].fields]
[('tag', 0, 2), ('value', 2, 8)]
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import IntEnum, IntFlag
from typing import Any, Final

import construct
from construct import Construct, FormatField, Renamed, SizeofError, Struct, Switch

from vhint.wire.integers import Bounded, Choice, Integer, Masked, Named, Reserved
from vhint.wire.schema import (
    BitFields,
    Bits,
    Ending,
    LeadingBits,
    LeadingStruct,
    Padding,
    Repeat,
    RepeatToEnd,
)
from vhint.wire.sized import Sized

TO_THE_END: Final = "to the end"
_REFERENCE = re.compile(r"this((?:\['\w+'\])+)")
_NAME = re.compile(r"\['(\w+)'\]")
_EIGHTFOLD = re.compile(r"\((.+) \* 8\)")
_SUPERSCRIPT = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


class NotDrawable(TypeError):  # noqa: N818 - what the author of a page asks about
    """A declaration has a part of which neither the meaning nor the size is known."""


@dataclass(frozen=True, slots=True)
class Field:
    """A field of fixed size; `offset` and `size` in bytes, from the start of what it is part of."""

    name: str
    offset: int
    size: int
    type: str
    allowed: str = ""
    is_reserved: bool = False
    is_optional: bool = False
    docs: str = ""
    bits: tuple[tuple[str, int, int], ...] = ()
    """The name, the lowest bit and the width of each part, if it is cut into bits."""


@dataclass(frozen=True, slots=True)
class Open:
    """A part without fixed size: a bitmap (no fields), or records of `fields`, `count` times.

    A record may end with a part that is not always there, or not always as long: its `tail`.
    """

    name: str
    count: str
    type: str
    length: str
    fields: tuple[Field, ...] = ()
    tail: Field | Open | None = None
    docs: str = ""

    @property
    def stride(self) -> int:
        """The size in bytes of a record's fields."""
        return sum(field.size for field in self.fields)


Part = Field | Open


@dataclass(frozen=True, slots=True)
class Layout:
    """One whole layout; `case` says for which value of which field it holds, if not for all."""

    parts: tuple[Part, ...]
    case: str = ""
    size: str = ""

    @property
    def has_optional(self) -> bool:
        """Whether fields may be missing at the end."""
        return any(isinstance(part, Field) and part.is_optional for part in self.parts)


def layouts(con: Construct) -> list[Layout]:
    """Return the layouts of a declaration: one, or one for each case of its variants.

    Raises `NotDrawable`.
    """
    return [replace(layout, size=_size(layout.parts)) for layout in _walk(con, "", Layout(()))]


def _walk(con: Any, name: str, so_far: Layout, docs: str = "") -> Iterator[Layout]:
    if isinstance(con, Renamed):
        yield from _walk(con.subcon, str(con.name or name), so_far, str(con.docs or docs))
    elif isinstance(con, Ending):
        yield so_far
    elif isinstance(con, Struct):
        yield from _walk_fields(con, name, so_far)
    elif isinstance(con, Switch):
        for value, case in con.cases.items():
            said = f"{count_text(con.keyfunc)} = {_value(value)}"
            under = replace(so_far, case=", ".join(filter(None, (so_far.case, said))))
            yield from _walk(case, "", under)
    else:
        part = _part(con, name, _end(so_far.parts), docs)
        yield replace(so_far, parts=(*so_far.parts, part))


def _walk_fields(con: Struct, name: str, so_far: Layout) -> Iterator[Layout]:
    found = [so_far]
    for number, field in enumerate(con.subcons):
        inner = f"{name}.{field.name}" if name and field.name else str(field.name or name)
        plain = field.subcon if isinstance(field, Renamed) else field
        more = [
            after
            for before in found
            for after in _walk(plain, inner, before, str(field.docs or ""))
        ]
        if isinstance(con, LeadingStruct) and number >= con.minimum:
            more = [_last_optional(layout) for layout in more]
        found = more
    yield from found


def _last_optional(layout: Layout) -> Layout:
    last = layout.parts[-1]
    if isinstance(last, Field):
        last = replace(last, is_optional=True)
    return replace(layout, parts=(*layout.parts[:-1], last))


def _part(con: Any, name: str, offset: int, docs: str) -> Part:
    if isinstance(con, LeadingBits):
        length = f"0 to {bytes_text(con.count)}"
        return Open(name, count_text(con.count), "bits, the leading part", length, docs=docs)
    if isinstance(con, Bits):
        return Open(name, count_text(con.count), "bits", bytes_text(con.count), docs=docs)
    if isinstance(con, (RepeatToEnd, construct.GreedyRange)):
        return _repeated(con, name, TO_THE_END, docs)
    if isinstance(con, (Repeat, construct.Array)):
        return _repeated(con, name, count_text(con.count), docs)
    if isinstance(con, Sized):
        return Open(name, count_text(con.size), "a message", count_text(con.size), docs=docs)
    if con is construct.GreedyBytes:
        return Open(name, TO_THE_END, "bytes", "any", docs=docs)
    if isinstance(con, construct.IfThenElse) and con.elsesubcon is construct.Pass:
        there = f"only if {count_text(con.condfunc).strip('()').replace('==', '=')}"
        found = replace(_field(con.thensubcon, name, offset, docs), is_optional=True)
        return replace(found, allowed=f"{found.allowed}; {there}")
    return _field(con, name, offset, docs)


def _repeated(con: Any, name: str, count: str, docs: str) -> Open:
    inner = list(_walk(con.subcon, "", Layout(())))
    parts = inner[0].parts if len(inner) == 1 else ()
    tail = None
    if parts and (isinstance(parts[-1], Open) or parts[-1].is_optional):
        parts, tail = parts[:-1], parts[-1]
    fields = tuple(part for part in parts if isinstance(part, Field) and not part.is_optional)
    if not fields or len(fields) != len(parts):
        raise NotDrawable(f"{name}: its elements have more than one part that varies")
    if len(fields) == 1 and not fields[0].name:
        fields = (replace(fields[0], name=f"{name}[i]"),)
    each = _each(fields, tail)
    length = f"{each} each" if count == TO_THE_END else f"{each} · {count}"
    return Open(name, count, f"array of {each} bytes", length, fields, tail, docs)


def _each(fields: tuple[Field, ...], tail: Part | None) -> str:
    stride = sum(field.size for field in fields)
    if tail is None:
        return str(stride)
    if isinstance(tail, Field):
        return f"({stride} or {stride + tail.size})"
    return f"({stride} + {tail.length})"


def _field(con: Any, name: str, offset: int, docs: str) -> Field:
    try:
        size = int(con.sizeof())
    except (SizeofError, KeyError, NotImplementedError):
        raise NotDrawable(f"{name or 'the declaration'}: {con!r} has no fixed size") from None
    bits: tuple[tuple[str, int, int], ...] = ()
    if isinstance(con, BitFields):
        bits = tuple((part, con.shifts[part], width) for part, width in con.fields)
    return Field(
        name,
        offset,
        size,
        _type(con, size),
        _allowed(con),
        is_reserved=isinstance(con, (Reserved, Padding)),
        docs=docs,
        bits=bits,
    )


def _type(con: Any, size: int) -> str:
    inner = con
    while isinstance(inner, (Integer, Renamed, BitFields)):
        inner = inner.subcon
    if not isinstance(inner, FormatField):
        return f"{size} bytes"
    order = "be" if inner.fmtstr[0] == ">" else "le"
    signed = "s" if inner.fmtstr[1].islower() else ""
    return f"{'i' if signed else 'u'}8" if size == 1 else f"{order}{signed}{8 * size}"


def _allowed(con: Any) -> str:
    if isinstance(con, Choice):
        return ", ".join(_value(member) for member in con.enum)
    if isinstance(con, Masked):
        return con.expected
    if isinstance(con, Named):
        return "any; " + ", ".join(_value(member) for member in con.enum)
    if isinstance(con, Reserved):
        return "0"
    if isinstance(con, Padding):
        return "any (padding)"
    if isinstance(con, Bounded):
        return f"{con.low} to {number_text(con.high)}"
    return "any"


def _value(value: object) -> str:
    if isinstance(value, (IntEnum, IntFlag)):
        return f"{value.value} ({value.name})"
    return str(value)


def number_text(value: int) -> str:
    """Return a number as people write it.

    >>> number_text(40), number_text(2**52 - 1)
    ('40', '2⁵² - 1')
    """
    if value > 1 << 15 and not value & (value + 1):
        return f"2{str(value.bit_length()).translate(_SUPERSCRIPT)} - 1"
    return str(value)


def count_text(count: Any) -> str:
    """Return a count, or the reference to it, as people write it.

    >>> from construct import this
    >>> count_text(this._.count), count_text(4)
    ('count', '4')
    """
    if callable(count) and not hasattr(count, "_build") and "this" not in repr(count):
        raise NotDrawable(f"a count that is a function, {count!r}, says nothing to a reader")
    return _REFERENCE.sub(lambda match: _dotted(match[1]), repr(count))


def _dotted(path: str) -> str:
    return ".".join(name for name in _NAME.findall(path) if not name.startswith("_"))


def bytes_text(count: Any) -> str:
    """Return the number of bytes of that many bits.

    >>> from construct import this
    >>> bytes_text(this.count), bytes_text(this.head.bytes * 8)
    ('⌈count / 8⌉', 'head.bytes')
    """
    bits = count_text(count)
    eightfold = _EIGHTFOLD.fullmatch(bits)
    return eightfold[1] if eightfold else f"⌈{bits} / 8⌉"


def _end(parts: tuple[Part, ...]) -> int:
    """Return the offset after the parts, from the last one that has no fixed size."""
    end = 0
    for part in parts:
        end = part.offset + part.size if isinstance(part, Field) else 0
    return end


def _size(parts: tuple[Part, ...]) -> str:
    fixed = sum(part.size for part in parts if isinstance(part, Field))
    terms = [str(fixed)] if fixed else []
    for part in parts:
        if isinstance(part, Open):
            each = part.length
            if part.count == TO_THE_END:
                each = f"{_each(part.fields, part.tail)} · n"
            terms.append(f"({each})" if " to " in each else each)
    return " + ".join(terms) or "0"
