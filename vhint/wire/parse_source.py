"""Writing ``parse``: one `struct` unpack for the prefix, one numpy view for the open part.

Nothing is copied: arrays are views of the bytes that were given. The order of the tests does not
matter for the answer, since whatever fails is looked at again by the declaration.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from vhint.wire.bitmap import Bitmap
from vhint.wire.derive import Leaf, NotDerivable
from vhint.wire.plan import Message, Open
from vhint.wire.source import Face, Source, check_records, prefix_tests

Faces = Mapping[int | None, Face]
"""The face of each case, by selector; a message without cases has only None."""

_LOCALS: Final = frozenset({"data", "size", "octets", "covered", "records", "lanes", "rest"})


def write_parse(message: Message, faces: Faces, parameters: tuple[str, ...]) -> Source:
    """Write ``parse(data, *parameters)``; the name ``copied`` has to be bound when compiling."""
    if taken := _LOCALS.intersection(parameters):
        raise NotDerivable(f"a parameter cannot have the name {min(taken)!r} of a local variable")
    out = Source("parse", "data", parameters)
    out.line("if type(data) is not bytes:")
    out.line("    data = copied(data)")
    out.line("size = len(data)")
    _write_part(out, message, faces, None, 0, ())
    return out


def _write_part(
    out: Source,
    message: Message,
    faces: Faces,
    key: int | None,
    start: int,
    known: tuple[Leaf, ...],
) -> None:
    known += message.prefix
    end = start + message.layout.size
    is_fixed = message.open is None and not message.cases
    if is_fixed:
        out.reject_if(f"size {'<' if message.is_leading else '!='} {end}")
    elif message.prefix:
        out.reject_if(f"size < {end}")
    if message.prefix:
        targets = "".join(f"v_{leaf.name}, " for leaf in message.prefix)
        unpack = out.bind("unpack", message.layout.unpack_from)
        out.line(f"{targets}= {unpack}(data{f', {start}' if start else ''})")
        # The selector is compared with each case below.
        tested = tuple(leaf for leaf in message.prefix if leaf.name != message.key)
        out.reject_if(*prefix_tests(tested, out, parsing=True))
    for value, case in message.cases.items():
        out.line(f"if v_{message.key} == {value}:")
        out.indent += 1
        _write_part(out, case, faces, value, end, known)
        out.indent -= 1
    if message.cases:
        out.reject()
        return
    if message.open:
        _write_open(out, message.open, faces[key], end)
    _write_face(out, faces[key], message.open, known)


def _write_open(out: Source, part: Open, face: Face, start: int) -> None:
    count = "count"
    if part.count:
        count = part.count.name if part.count.is_parameter else f"v_{part.count.name}"
        if part.count.is_parameter:
            out.reject_if(f"type({count}) is not int", f"{count} < 0")
    if part.records:
        _write_records(out, part, face, count, start)
    elif part.is_leading:
        out.line(f"octets = size - {start}")
        out.reject_if(f"octets > ({count} + 7) >> 3")
        out.line(f"v_{part.name} = None")
        out.line("if octets:")
        out.indent += 1
        out.line("covered = 8 * octets")
        out.line(f"if covered > {count}:")
        out.line(f"    covered = {count}")
        _write_bits(out, part, "covered", f"frombuffer(data, octet, octets, {start})")
        out.indent -= 1
    else:
        out.line(f"octets = ({count} + 7) >> 3")
        out.reject_if(f"size != {start} + octets")
        empty = out.bind("no_octets", _empty(np.dtype(np.uint8)))
        array = f"frombuffer(data, octet, octets, {start}) if octets else {empty}"
        _write_bits(out, part, count, array)


def _write_records(out: Source, part: Open, face: Face, count: str, start: int) -> None:
    layout, column = part.records, face.column(part.name)
    if layout is None or column is None:
        raise NotDerivable(f"{part.name}: no column class is given for it")
    itemsize = layout.dtype.itemsize
    if part.count:
        out.reject_if(f"size != {start} + {count} * {itemsize}")
    else:
        out.line(f"count, rest = divmod(size - {start}, {itemsize})")
        out.reject_if("rest")
    # numpy does not make an empty view at the end of a buffer.
    empty = out.bind("no_records", _empty(layout.dtype))
    dtype = out.bind("dtype", layout.dtype)
    out.line(f"records = frombuffer(data, {dtype}, {count}, {start}) if {count} else {empty}")
    check_records(out, part, f"frombuffer(data, LANES, {count}, {start})", count)
    _wrap(out, part.name, column, records="records")


def _write_bits(out: Source, part: Open, count: str, array: str) -> None:
    out.reject_if(f"{count} & 7 and data[-1] >> ({count} & 7)")
    _wrap(out, part.name, Bitmap, count=count, octets=array)


def _wrap(out: Source, name: str, cls: type[Any], **slots: str) -> None:
    """Write what ``over`` of `Bitmap` and `Column` does, without the call."""
    out.line(f"v_{name} = new({out.bind(cls.__name__, cls)})")
    for slot, value in slots.items():
        out.line(f"v_{name}.{slot} = {value}")


def _write_face(out: Source, face: Face, part: Open | None, known: tuple[Leaf, ...]) -> None:
    if face.whole is not None:
        out.line(f"return v_{face.whole}")
        return
    names = {leaf.name for leaf in known} | ({part.name} if part else set())
    for name in face.attributes:
        if name not in names:
            raise NotDerivable(f"{face.cls.__name__}.{name}: the format has no such field")
    values = ", ".join(f"v_{name}" for name in face.attributes)
    out.line(f"return {out.bind(face.cls.__name__, face.cls)}({values})")


def _empty(dtype: np.dtype[Any]) -> np.ndarray[Any, Any]:
    array = np.empty(0, dtype)
    array.flags.writeable = False
    return array
