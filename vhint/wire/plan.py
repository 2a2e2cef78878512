"""Reading a whole message's declaration into a plan: a fixed prefix, then at most one open part.

The shapes that are understood are

- fields of fixed size, then the `End`, or the `OpenEnd`;
- the same with a `Repeat`, `RepeatToEnd`, `Bits` or `LeadingBits` before the end;
- the same with a `Variant` in that place, whose cases are of these shapes themselves;
- a `LeadingStruct`.

Anything else is refused with `NotDerivable`. A plan says nothing that the declaration does not; it
only has the questions answered that `vhint.wire.source` asks when it writes the code.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass, field
from typing import Any

from construct import Path, Renamed, Struct

from vhint.wire.derive import Leaf, NotDerivable, leaves, to_struct
from vhint.wire.records import RecordLayout
from vhint.wire.schema import Bits, End, LeadingBits, OpenEnd, Repeat, RepeatToEnd, Variant

_REFERENCE = re.compile(r"this(?P<up>\['_'\])*(?P<params>\['_params'\])?\['(?P<name>\w+)'\]")


@dataclass(frozen=True, slots=True)
class CountFrom:
    """Where a count comes from: a field of the prefix, or a parameter given with the bytes."""

    name: str
    is_parameter: bool


@dataclass(frozen=True, slots=True)
class Open:
    """The part of a message that has no fixed size."""

    name: str
    con: Any
    count: CountFrom | None
    """None: it goes on to the end of the input."""
    records: RecordLayout | None
    """The layout of its records, or None for a bitmap."""

    @property
    def is_leading(self) -> bool:
        """Whether it is the leading part of a bitmap, which may be missing."""
        return type(self.con) is LeadingBits


@dataclass(frozen=True, slots=True)
class Message:
    """The plan of a message, or of one case of a `Variant`; offsets are from its own start."""

    prefix: tuple[Leaf, ...]
    layout: struct.Struct
    open: Open | None = None
    key: str | None = None
    body: str | None = None
    cases: dict[int, Message] = field(default_factory=dict)
    is_leading: bool = False
    """Whether only the leading bytes of a buffer are read, and any may follow."""

    @property
    def opens(self) -> list[Open]:
        """The open parts of the message and of its cases."""
        own = [self.open] if self.open else []
        return own + [part for case in self.cases.values() for part in case.opens]


def read_message(con: Any) -> Message:
    """Read the declaration of a whole message; raises `NotDerivable`."""
    if type(con) is not Struct:
        raise NotDerivable(f"a message is a Struct, not {con!r}")
    fields = list(con.subcons)
    if fields and _inner(fields[-1]) is OpenEnd:
        return _message(fields[:-1], is_leading=True)
    if not fields or _inner(fields[-1]) is not End:
        # A case may leave the end to the message around it, but a closed one is easier to read.
        if fields and type(_inner(fields[-1])) is Variant:
            return _read_variant(fields)
        raise NotDerivable("nothing says where the message ends: its last field is not End")
    fields.pop()
    if fields and isinstance(_inner(fields[-1]), (Repeat, Bits)):
        part = _read_open(fields.pop())
        return _message(fields, open=part)
    return _message(fields)


def _read_variant(fields: list[Any]) -> Message:
    name = fields[-1].name
    variant = _inner(fields.pop())
    key = _read_count(variant.keyfunc)
    if key.is_parameter:
        raise NotDerivable(f"{name}: selected by a parameter")
    cases = {int(value): read_message(case) for value, case in variant.cases.items()}
    return _message(fields, key=key.name, body=name, cases=cases)


def _message(fields: list[Any], **rest: Any) -> Message:
    fixed = Struct(*fields)
    return Message(leaves(fixed), to_struct(fixed), **rest)


def _read_open(renamed: Any) -> Open:
    con, name = _inner(renamed), renamed.name
    if not name:
        raise NotDerivable(f"an open part without a name: {con!r}")
    if type(con) in (Bits, LeadingBits):
        return Open(name, con, _read_count(con.count), None)
    if type(con) is Repeat:
        return Open(name, con, _read_count(con.count), RecordLayout(con.subcon))
    if type(con) is RepeatToEnd:
        return Open(name, con, None, RecordLayout(con.subcon))
    raise NotDerivable(f"{name}: no plan is known for {con!r}")


def _read_count(expression: Any) -> CountFrom:
    match = _REFERENCE.fullmatch(str(expression)) if type(expression) is Path else None
    if match is None:
        raise NotDerivable(f"not a plain reference to a field: {expression!r}")
    return CountFrom(match["name"], match["params"] is not None)


def _inner(con: Any) -> Any:
    while type(con) is Renamed:
        con = con.subcon
    return con
