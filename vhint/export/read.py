"""Reading a construct declaration into the tree that generators work on.

>>> from vhint.wire import statistics
>>> (entries, end) = read(statistics.FORMAT)
>>> entries.name, entries.count, entries.stride, [field.name for field in entries.element]
('entries', None, 10, ['tag', 'value'])
"""

from __future__ import annotations

import re
from typing import Any

from construct import FormatField, IfThenElse, Pass, Renamed, Struct

from vhint.export import shape
from vhint.export.docstrings import plain
from vhint.export.shape import Field, Reference, Rule
from vhint.wire.schema import (
    BitFields,
    Bits,
    Bounded,
    Choice,
    CountedEnd,
    Ending,
    Integer,
    LeadingBits,
    LeadingStruct,
    Masked,
    Named,
    OpenEnding,
    Padding,
    Repeat,
    RepeatToEnd,
    Reserved,
    Variant,
)
from vhint.wire.sized import Sized
from vhint.wire.vhost_user.message import Payload
from vhint.wire.vhost_user.names import HeaderFlag

_REFERENCE = re.compile(r"this(?P<path>(?:\['\w+'\])+)")
_SCALED = re.compile(r"\((?P<of>.+) \* (?P<scale>\d+)\)")
_ZERO = re.compile(r"\((?P<of>.+) == 0\)")
_RULES: dict[type[Any], Rule] = {
    Integer: Rule.ANY,
    Bounded: Rule.BOUNDED,
    Reserved: Rule.RESERVED,
    Padding: Rule.PADDING,
    Choice: Rule.CHOICE,
    Named: Rule.NAMED,
    Masked: Rule.MASKED,
}


class NotExportable(TypeError):  # noqa: N818 - about a declaration, not a mishap
    """A declaration has a part for which no generator has an expression."""


def read(con: Any) -> tuple[Field, ...]:
    """Give the fields of a whole message; raises `NotExportable`."""
    inner = _unwrap(con)
    if type(inner) is LeadingStruct:
        numbers = tuple(_number(_unwrap(each), each) for each in inner.subcons)
        head, rest = numbers[: inner.minimum], numbers[inner.minimum :]
        return (*head, shape.Leading(rest), shape.End())
    return _fields(inner, in_record=False)


def _fields(con: Any, *, in_record: bool) -> tuple[Field, ...]:
    if type(con) is not Struct:
        return (_field(con, con, in_record=in_record),)
    found: list[Field] = []
    for each in con.subcons:
        inner = _unwrap(each)
        if isinstance(inner, CountedEnd):
            found += [shape.End(), shape.Counted((inner.header, inner.part), inner.size)]
        elif isinstance(inner, OpenEnding):
            pass
        elif isinstance(inner, Ending):
            found.append(shape.End())
        else:
            found.append(_field(inner, each, in_record=in_record))
    return tuple(found)


def _field(con: Any, renamed: Any, *, in_record: bool) -> Field:
    name, docs = str(renamed.name or ""), _docs(con, renamed)
    kind = type(con)
    if kind in _RULES:
        return _number(con, renamed)
    if kind is BitFields:
        size, is_big = _form(con)
        parts = tuple(shape.Part(part, con.shifts[part], width) for part, width in con.fields)
        return shape.Parts(name, size, is_big, parts, docs)
    if kind in (Bits, LeadingBits):
        bits = _reference(con.count, in_record=in_record)
        return shape.Bits(name, bits, kind is LeadingBits, docs)
    if kind in (Repeat, RepeatToEnd):
        count = None if kind is RepeatToEnd else _reference(con.count, in_record=in_record)
        element = _fields(_unwrap(con.subcon), in_record=True)
        return shape.Array(name, count, element, docs)
    if kind is IfThenElse and con.elsesubcon is Pass:
        match = _ZERO.fullmatch(repr(con.condfunc))
        if match is None:
            raise NotExportable(f"{name}: no expression is known for {con.condfunc!r}")
        when = _reference(match["of"], in_record=in_record)
        return shape.Maybe(_number(_unwrap(con.thensubcon), renamed), when)
    if kind is Variant:
        key = _reference(con.keyfunc, in_record=in_record)
        cases = tuple(
            shape.Case(int(value), value.name.lower(), _fields(case, in_record=in_record))
            for value, case in con.cases.items()
        )
        return shape.Variant(name, key.names[-1], cases)
    if kind is Sized and type(con.subcon) is Payload:
        return _payload(name, con.subcon)
    raise NotExportable(f"{name or 'the format'}: no expression is known for {con!r}")


def _payload(name: str, payload: Payload) -> shape.Payload:
    trees = {key: read(con) for key, con in payload.cases.items()}
    return shape.Payload(
        name,
        int(HeaderFlag.REPLY),
        tuple((request, tree) for (request, is_reply), tree in trees.items() if not is_reply),
        tuple((request, tree) for (request, is_reply), tree in trees.items() if is_reply),
        read(payload.default),
    )


def _number(con: Any, renamed: Any) -> shape.Number:
    rule = _RULES.get(type(con))
    if rule is None:
        raise NotExportable(f"{renamed.name}: not a number: {con!r}")
    size, is_big = _form(con)
    low, high, mask = con.low, con.high, 0
    if isinstance(con, Masked):
        low, mask = con.value, con.mask
    return shape.Number(
        str(renamed.name or ""),
        size,
        is_big,
        rule,
        low,
        high,
        mask,
        con.enum if isinstance(con, (Choice, Named)) else None,
        _docs(con, renamed),
    )


def _docs(con: Any, renamed: Any) -> str:
    return plain(str(con.docs or renamed.docs or ""))


def _form(con: Any) -> tuple[int, bool]:
    """Give the size of a number and whether it is big-endian."""
    inner = con
    while isinstance(inner, (Integer, BitFields)):
        inner = inner.subcon
    if type(inner) is not FormatField or inner.fmtstr[1:] not in ("B", "H", "L", "Q"):
        raise NotExportable(f"not an unsigned number: {con!r}")
    return inner.length, inner.fmtstr[0] == ">" and inner.length > 1


def _reference(expression: Any, *, in_record: bool) -> Reference:
    text, scale = str(expression), 1
    if scaled := _SCALED.fullmatch(text):
        text, scale = scaled["of"], int(scaled["scale"])
    match = _REFERENCE.fullmatch(text)
    if match is None:
        raise NotExportable(f"not a reference to a field: {expression!r}")
    names = re.findall(r"\w+", match["path"])
    plain = tuple(name for name in names if name not in ("_", "_params"))
    if "_params" in names:
        return Reference(plain, "parameter", scale)
    return Reference(plain, "record" if in_record else "message", scale)


def _unwrap(con: Any) -> Any:
    while type(con) is Renamed:
        con = con.subcon
    return con
