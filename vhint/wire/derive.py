"""Fast layouts derived from a declaration: a `struct.Struct`, a numpy dtype, field offsets.

The declaration is the only place where a field's size and position are said. A construct whose
meaning is not known here (a bit structure, an adapter, an alignment, a function) is refused with
`NotDerivable` rather than guessed at.

>>> from construct import Struct
>>> from vhint.wire.schema import le16, le64
>>> ENTRY = Struct("tag" / le16, "value" / le64)
>>> to_struct(ENTRY).format, to_struct(ENTRY).size
('<HQ', 10)
>>> to_dtype(ENTRY)
dtype([('tag', '<u2'), ('value', '<u8')])
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from construct import FormatField, Renamed, Struct

from vhint.wire.schema import (
    Bounded,
    Choice,
    Integer,
    LeadingStruct,
    Masked,
    Named,
    Padding,
    Reserved,
)

_KINDS: Final = (
    dict.fromkeys("BHILQ", "u") | dict.fromkeys("bhilq", "i") | dict.fromkeys("efd", "f")
)
_INTEGERS: Final = (Integer, Bounded, Named, Padding, Reserved, Masked, Choice)


class NotDerivable(TypeError):  # noqa: N818 - it is what the caller asks about, not a mishap
    """A construct from which no layout can be derived, because its meaning is not known here."""


@dataclass(frozen=True, slots=True)
class Leaf:
    """A field of a fixed layout that has no fields of its own.

    `offset` and `size` are in bytes; `code` is its `struct` letter; `rule` is the schema piece that
    says which values it may have, or None if it may have any.
    """

    name: str
    offset: int
    code: str
    order: str
    size: int
    rule: Integer | None

    @property
    def dtype(self) -> np.dtype[Any]:
        """The numpy type, chosen by size: numpy's ``L`` has 8 bytes where struct's has 4."""
        return np.dtype(f"{self.order}{_KINDS[self.code]}{self.size}")


def leaves(con: Any) -> tuple[Leaf, ...]:
    """Give the leaves of a fixed-size construct in order, without gaps.

    The names of nested fields are joined by dots; a construct that is itself a leaf has the name
    ``""``. Raises `NotDerivable`.
    """
    found: list[Leaf] = []
    _collect(con, "", found)
    return tuple(found)


def to_struct(con: Any) -> struct.Struct:
    """Derive the `struct.Struct` that packs and unpacks the leaves of a construct.

    It says where the values are, not which are allowed. Raises `NotDerivable`, also for a mixture
    of byte orders, which a `struct.Struct` cannot express.
    """
    parts = leaves(con)
    orders = {leaf.order for leaf in parts if leaf.size > 1} or {"<"}
    if len(orders) > 1:
        raise NotDerivable("fields of both byte orders")
    return struct.Struct(orders.pop() + "".join(leaf.code for leaf in parts))


def to_dtype(con: Any) -> np.dtype[Any]:
    """Derive the packed numpy dtype of a construct: of a number for a leaf, else structured.

    Its itemsize is the construct's size. Raises `NotDerivable`.
    """
    inner = _unwrap(con)
    if type(inner) is Struct:
        fields = [(_name_of(field), to_dtype(field)) for field in inner.subcons]
        return np.dtype(fields)
    (leaf,) = leaves(inner)
    return leaf.dtype


def offsets(con: Any) -> dict[str, tuple[int, int]]:
    """Derive the offset and size in bytes of every leaf, by name.

    >>> from construct import Struct
    >>> from vhint.wire.schema import le32, le64
    >>> offsets(Struct("addr" / le64, "len" / le32))
    {'addr': (0, 8), 'len': (8, 4)}
    """
    return {leaf.name: (leaf.offset, leaf.size) for leaf in leaves(con)}


def _collect(con: Any, name: str, found: list[Leaf]) -> None:
    inner = _unwrap(con)
    # Exact types: a subclass may mean something else.
    if type(inner) is Struct or type(inner) is LeadingStruct:
        for field in inner.subcons:
            _collect(field, f"{name}.{_name_of(field)}" if name else _name_of(field), found)
    elif type(inner) in _INTEGERS:
        field = inner
        while type(field) in _INTEGERS:
            field = field.subcon
        _add(field, name, inner, found)
    else:
        _add(inner, name, None, found)


def _add(con: Any, name: str, rule: Integer | None, found: list[Leaf]) -> None:
    if type(con) is not FormatField:
        raise NotDerivable(f"{name or 'the format'}: no fixed layout is known for {con!r}")
    order, code = con.fmtstr[0], con.fmtstr[1:]
    if order not in "<>" or code not in _KINDS:
        raise NotDerivable(f"{name or 'the format'}: unknown number format {con.fmtstr!r}")
    offset = found[-1].offset + found[-1].size if found else 0
    found.append(Leaf(name, offset, code, order, con.length, rule))


def _unwrap(con: Any) -> Any:
    while type(con) is Renamed:
        con = con.subcon
    return con


def _name_of(field: Any) -> str:
    if not field.name:
        raise NotDerivable(f"a field without a name: {field!r}")
    return str(field.name)
