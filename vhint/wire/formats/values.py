"""The values of any declared format as plain JSON, and back, without loss.

What stands in the JSON is what carries information, under the names and paths by which errors and
diagrams call it:

- a number of up to 32 bits is a JSON number, a wider one a string of decimal digits (many JSON
  parsers keep only 53 bits), whatever the value; back, both forms are taken, and ``"0x..."``;
- a number whose every value has a name is that name;
- a bitmap is a string of ``0`` and ``1``, of which character N is bit N; octets are hex digits;
- counts that follow from the length of what they count, reserved fields, and padding of zeros are
  left out; back, they may be given, and then have to be right;
- fields that are missing at the end, or because no other field asks for them, are left out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from construct import Construct, IfThenElse, Path, Renamed, Struct, Switch

from vhint.wire.bitmap import Bitmap
from vhint.wire.errors import UnknownValue, WireError, WrongType
from vhint.wire.schema import (
    BitFields,
    Bits,
    Choice,
    Ending,
    Integer,
    Padding,
    Repeat,
    RepeatToEnd,
    Reserved,
)
from vhint.wire.sized import Sized

Json = Any

_WIDE: Final = 32
"""Numbers of more bits are strings."""
_REFERENCE: Final = re.compile(r"this((?:\['_'\])*)\['(\w+)'\]")
_NUMBER: Final = re.compile(r"-?(?:0[xX][0-9a-fA-F]{1,32}|[0-9]{1,40})")
_ABSENT: Final = object()


def to_json(con: Construct, value: Any) -> Json:
    """Return the JSON of what a declaration parsed."""
    found = _show(inner(con), value, {})
    return {} if found is _ABSENT else found


def from_json(con: Construct, value: Json) -> Any:
    """Return what a declaration builds from; raises `WireError` for what no JSON of it is.

    Whether the numbers are allowed is found out by building.
    """
    return _read(inner(con), value, {}, "")


def counts(con: Struct) -> dict[str, list[Construct]]:
    """Return the fields of a structure that count others, with those that they count.

    >>> from vhint.wire import hint_request
    >>> list(counts(hint_request.FORMAT))
    ['count']
    """
    found: dict[str, list[Construct]] = {}
    for field in con.subcons:
        _find_counts(field, 0, found)
    return found


def is_octets(con: Any) -> bool:
    """Whether these are bytes, one by one."""
    return (
        isinstance(con, Repeat) and type(inner(con.subcon)) is Integer and con.subcon.sizeof() == 1
    )


def _find_counts(field: Any, depth: int, found: dict[str, list[Construct]]) -> None:
    con = inner(field)
    number = getattr(con, "size", None) if isinstance(con, Sized) else getattr(con, "count", None)
    if isinstance(con, (Bits, Repeat, Sized)) and type(number) is Path:
        match = _REFERENCE.fullmatch(str(number))
        if match and match[1].count("_") == depth:
            found.setdefault(match[2], []).append(field)
    elif isinstance(con, Switch):
        for case in con.cases.values():
            for each in getattr(inner(case), "subcons", ()):
                _find_counts(each, depth + 1, found)


# --- out -----------------------------------------------------------------------------------------


def _show(con: Any, value: Any, around: Mapping[str, Any]) -> Any:
    if isinstance(con, Struct):
        return _show_fields(con, value)
    if isinstance(con, Sized):
        return _show(inner(con.subcon), value, around)
    if isinstance(con, Switch):
        return _show(inner(_case(con, around)), value, around)
    if isinstance(con, Repeat):
        return _show_elements(con, value)
    if value is None or isinstance(con, (Ending, Reserved)):
        return _ABSENT
    if isinstance(con, Bits):
        return "".join("01"[bit] for bit in value)
    if isinstance(con, BitFields):
        return {name: _number(value[name], width) for name, width in con.fields}
    if isinstance(con, IfThenElse):
        return _show(inner(con.thensubcon), value, around)
    if isinstance(con, Choice):
        return value.name
    if isinstance(con, Padding) and not value:
        return _ABSENT
    return _number(value, 8 * con.sizeof())


def _show_fields(con: Struct, value: Mapping[str, Any]) -> dict[str, Json]:
    shown: dict[str, Json] = {}
    follows = counts(con)
    for field in con.subcons:
        if field.name in follows:
            continue
        part = inner(field)
        made = _show(part, value.get(field.name), value)
        if isinstance(part, Switch):
            shown |= made
        elif made is not _ABSENT:
            shown[field.name] = made
    return shown


def _show_elements(con: Repeat, value: Any) -> Any:
    if is_octets(con):
        made = bytes(value).hex()
        return made if made or not isinstance(con, RepeatToEnd) else _ABSENT
    element = inner(con.subcon)
    return [_show(element, each, {}) for each in value]


def _number(value: int, bits: int) -> Json:
    return str(int(value)) if bits > _WIDE else int(value)


# --- in ------------------------------------------------------------------------------------------


def _read(con: Any, value: Json, around: Mapping[str, Any], path: str) -> Any:
    if isinstance(con, Struct):
        return _read_fields(con, value, path)
    if isinstance(con, Sized):
        return _read(inner(con.subcon), value, around, path)
    if isinstance(con, Repeat):
        return _read_elements(con, value, path)
    if isinstance(con, Bits):
        return None if value is None else _read_bits(value, path)
    if isinstance(con, BitFields):
        _known(value, [name for name, _ in con.fields], path)
        return {name: _read_number(value.get(name)) for name, _ in con.fields}
    if isinstance(con, IfThenElse):
        return None if value is None else _read(inner(con.thensubcon), value, around, path)
    if isinstance(con, Choice) and isinstance(value, str) and value in con.enum.__members__:
        return con.enum[value]
    return _read_number(value) if isinstance(con, Integer) else value


def _read_fields(con: Struct, value: Json, path: str) -> dict[str, Any]:
    _is_object(value, path)
    read: dict[str, Any] = {}
    names: list[str] = []
    for field in con.subcons:
        part, name = inner(field), field.name
        at = f"{path}.{name}" if path else str(name)
        if isinstance(part, Switch):
            own = _names_in(part, read)
            mine = {key: each for key, each in value.items() if key in own}
            case = inner(_case(part, read))
            read[name] = _read_fields(case, mine, path) if isinstance(case, Struct) else mine
            names += own
        elif isinstance(part, Sized):
            sized = value.get(name, {})
            read[name] = _read(_content(part, sized, read), sized, read, at)
            names.append(name)
        elif not isinstance(part, Ending):
            read[name] = _read(part, value.get(name), read, at)
            names.append(name)
    _known(value, names, path)
    for name, counted in counts(con).items():
        if read.get(name) is None:
            read[name] = _count(counted, read)
    return read


def _count(counted: list[Construct], read: Mapping[str, Any]) -> int:
    """Return how many there are of what a field counts."""
    scopes = [read, *(each for each in read.values() if isinstance(each, dict))]
    for field in counted:
        for scope in scopes:
            if field.name in scope:
                value, con = scope[field.name], inner(field)
                if isinstance(con, Sized):
                    return _size(_content(con, value, read), value)
                return value.count if isinstance(value, Bitmap) else len(value or ())
    return 0


def _size(con: Construct, value: Any) -> int:
    try:
        return len(con.build(value))
    except WireError:
        return 1  # building the whole says what is wrong, with its place in the whole


def _content(con: Sized, value: Any, around: Mapping[str, Any]) -> Any:
    """Return the declaration of a part; its size may not be known yet, but whether it is 0 is."""
    part = inner(con.subcon)
    if isinstance(part, Switch):
        return inner(_case(part, {**around, "size": around.get("size") or int(bool(value))}))
    return part


def _names_in(con: Switch, around: Mapping[str, Any]) -> list[str]:
    """Return the names of the fields of the case, or of all cases if it is none of them."""
    case = _case(con, around)
    cases = [case] if case in con.cases.values() else con.cases.values()
    return [field.name for each in cases for field in inner(each).subcons]


def _read_elements(con: Repeat, value: Json, path: str) -> Any:
    if is_octets(con):
        if value is None and isinstance(con, RepeatToEnd):
            return []
        if not isinstance(value, str):
            raise WrongType(path, 0, "hex digits", value)
        try:
            return list(bytes.fromhex(value))
        except ValueError:
            raise WrongType(path, 0, "hex digits", value) from None
    if not isinstance(value, list):
        raise WrongType(path, 0, "a list", value)
    element = inner(con.subcon)
    return [_read(element, each, {}, f"{path}[{i}]") for i, each in enumerate(value)]


def _read_bits(value: Json, path: str) -> Bitmap:
    if not isinstance(value, str) or value.strip("01"):
        raise WrongType(path, 0, "a string of 0 and 1", value)
    return Bitmap.from_indices(len(value), [i for i, bit in enumerate(value) if bit == "1"])


def _read_number(value: Json) -> Any:
    if isinstance(value, str) and _NUMBER.fullmatch(value):
        return int(value, 0) if value.lower().lstrip("-").startswith("0x") else int(value)
    # JSON's true is no 1; what is no number is refused, with its place, by building.
    return repr(value) if isinstance(value, bool) else value


def _known(value: Json, names: list[str], path: str) -> None:
    _is_object(value, path)
    for name in value:
        if name not in names:
            raise UnknownValue(path, 0, f"only the fields {', '.join(names)}", name)


def _is_object(value: Json, path: str) -> None:
    if not isinstance(value, dict):
        raise WrongType(path, 0, "an object", value)


def _case(con: Switch, around: Mapping[str, Any]) -> Construct:
    try:
        key = con.keyfunc(around)
        return con.cases.get(key, con.default)
    except TypeError:  # a key that is no number or name: building says what is wrong with it
        return con.default


def inner(con: Any) -> Any:
    """Give the construct behind its name."""
    while isinstance(con, Renamed):
        con = con.subcon
    return con
