"""Decoded values as plain JSON that no parser can damage.

A type is one of ``"bool"``, ``"u8"``, ``"u16"``, ``"u32"`` (a JSON number), ``"u64"`` (a string of
decimal digits, whatever the value: many JSON parsers keep only 53 bits of a number), ``"bits"`` (a
string of ``0`` and ``1``; character N is bit N), ``"set"`` (the ascending positions of the set bits
of a 64-bit mask), ``"enum:NAME"`` (a name of the file's enumeration NAME), any of these with ``?``
(or null), a list of one type, or an object of types by field name.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from vhint.spans import Span
from vhint_conformance.vectors.model import Json

WIDTH = {"u8": 8, "u16": 16, "u32": 32, "u64": 64}


def to_json(value: Any, types: Json) -> Json:
    """Return the plain form of a face, a construct container or a number.

    >>> to_json(1 << 60, "u64"), to_json([1, 0, 1], "bits"), to_json(None, "u32?")
    ('1152921504606846976', '101', None)
    """
    if isinstance(types, dict):
        return {name: to_json(_member(value, name), kind) for name, kind in types.items()}
    if isinstance(types, list):
        return [to_json(element, types[0]) for element in value]
    if types.endswith("?"):
        return None if value is None else to_json(value, types[:-1])
    if types == "bits":
        return "".join("01"[bool(bit)] for bit in value)
    if types == "set":
        return [number for number in range(64) if int(value) >> number & 1]
    if types.startswith("enum:"):
        return value.name
    if types == "bool":
        return bool(value)
    return str(int(value)) if types == "u64" else int(value)


def problem(value: Json, types: Json, enums: Mapping[str, Mapping[str, int]]) -> str | None:
    """Say what in a plain value is not of its type, or return None.

    >>> problem({"pfn": 1}, {"pfn": "u64"}, {})
    "pfn: 1 is no 'u64'"
    """
    if isinstance(types, dict):
        if not isinstance(value, dict) or value.keys() != types.keys():
            return f"{value!r} has not exactly the members {', '.join(types)}"
        return _first((name, problem(value[name], kind, enums)) for name, kind in types.items())
    if isinstance(types, list):
        if not isinstance(value, list):
            return f"{value!r} is no list"
        return _first((f"[{n}]", problem(item, types[0], enums)) for n, item in enumerate(value))
    return None if _is(value, types, enums) else f"{value!r} is no {types!r}"


def _is(value: Json, kind: str, enums: Mapping[str, Mapping[str, int]]) -> bool:
    if kind.endswith("?"):
        return value is None or _is(value, kind[:-1], enums)
    if kind == "bool":
        return isinstance(value, bool)
    if kind == "bits":
        return isinstance(value, str) and set(value) <= {"0", "1"}
    if kind == "set":
        return isinstance(value, list) and value == sorted(
            {n for n in value if type(n) is int and 0 <= n < 64}
        )
    if kind.startswith("enum:"):
        return value in enums[kind.removeprefix("enum:")]
    if kind == "u64":
        return isinstance(value, str) and value == str(_digits(value)) and int(value) < 1 << 64
    return type(value) is int and 0 <= value < 1 << WIDTH[kind]


def _digits(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() else None


def _first(found: Iterable[tuple[str, str | None]]) -> str | None:
    return next((f"{where}: {what}" for where, what in found if what), None)


def _member(value: Any, name: str) -> Any:
    return value[name] if isinstance(value, dict) else getattr(value, name)


def spans_to_json(spans: Iterable[Span]) -> Json:
    """Return spans as objects of decimal strings.

    >>> spans_to_json([Span(4096, 8192)])
    [{'length': '8192', 'start': '4096'}]
    """
    return [{"length": str(span.length), "start": str(span.start)} for span in spans]


def spans_of(value: Json) -> tuple[Span, ...]:
    """Return the spans of their plain form."""
    return tuple(Span(int(item["start"]), int(item["length"])) for item in value)
