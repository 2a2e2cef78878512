"""A dissector for Wireshark and tshark in Lua: a protocol for each format, and faults as experts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from enum import IntFlag
from typing import Final

from vhint.export.formats import Format, catalogue
from vhint.export.rendering import Export, environment, kind_of, prose, why
from vhint.export.shape import (
    Array,
    Bits,
    Field,
    Leading,
    Maybe,
    Number,
    Parts,
    Payload,
    Reference,
    Rule,
    Variant,
    everything,
)
from vhint.export.words import snake

_KEYWORDS: Final = frozenset({"end", "next", "and", "in", "repeat", "not", "type", "names", "flags"})
_FULL: Final = 8
"""The size of numbers that Lua's own cannot hold."""


def render(export: Export) -> str:
    """Give the text of the script."""
    made = environment(ident=ident).get_template("wireshark.lua.j2")
    export = Export(_with_payloads(export.formats))
    text = made.render(
        w=View(export),
        banner=export.banner,
        kinds=export.kinds,
        enumerations=export.enumerations,
        formats=export.formats,
        payload=next((each for each in export.fields() if isinstance(each, Payload)), None),
    )
    return re.sub(r"\n{3,}", "\n\n", text).rstrip("\n") + "\n"


def ident(name: str) -> str:
    """Give the name of a variable for a field."""
    return f"{name}_" if name in _KEYWORDS else name


class View:
    """Expressions of Lua for what the template asks about."""

    def __init__(self, export: Export) -> None:
        self._enums = {each.python: "_".join(each.name) for each in export.enumerations}
        self._payloads = {each.tree: snake(each.name) for each in export.formats}

    def key(self, array: str, *names: str) -> str:
        """Give the name of a field in the table of a protocol's fields."""
        return "_".join(filter(None, (array, *names)))

    def fields(self, format: Format) -> Iterator[tuple[str, str]]:  # noqa: A002
        """Yield the fields of a protocol: the name in its table, and how it is made."""
        for key, made in dict(self._fields(format, format.tree, "")).items():
            yield key, made
        shown = {key for key, _ in self._fields(format, format.tree, "")}
        for group in format.groups[1:]:
            for key, made in self._fields(format, group.tree, ""):
                if key not in shown:
                    shown.add(key)
                    yield key, made

    def _fields(
        self, format: Format, fields: tuple[Field, ...], array: str  # noqa: A002
    ) -> Iterator[tuple[str, str]]:
        for field in fields:
            match field:
                case Number():
                    yield self._number(format, field, array)
                case Parts():
                    for part in field.parts:
                        path = self._path(format, array, field.name, part.name)
                        bits = next(size for size in (8, 16, 32, 64) if part.width <= size)
                        made = f'ProtoField.uint{bits}("{path}", "{part.name}")'
                        yield self.key(array, field.name, part.name), made
                case Array() if self.is_octets(field):
                    path = self._path(format, array, field.name)
                    yield field.name, f'ProtoField.bytes("{path}", "{field.name}")'
                case Array():
                    if not field.is_plain:
                        path = self._path(format, array, field.name)
                        yield field.name, f'ProtoField.none("{path}", "{field.name}")'
                    yield from self._fields(format, field.element, field.name)
                case Bits():
                    path = self._path(format, array, field.name)
                    yield self.key(array, field.name), f'ProtoField.bytes("{path}", "{field.name}")'
                    made = f'ProtoField.uint32("{path}.count", "bits of {field.name}")'
                    yield self.key(array, field.name, "count"), made
                case Maybe(number):
                    yield self._number(format, number, array)
                case Leading(numbers):
                    yield from self._fields(format, numbers, array)
                case Variant():
                    for case in field.cases:
                        yield from self._fields(format, case.fields, array)
                case _:
                    pass

    def _number(self, format: Format, number: Number, array: str) -> tuple[str, str]:  # noqa: A002
        path = self._path(format, array, number.name)
        size = format.widest(number.name)
        base = "base.HEX" if number.name in ("addr", "address") else "base.DEC"
        arguments = [f'"{path}"', f'"{number.name or array}"', base]
        if number.enum and not issubclass(number.enum, IntFlag):
            arguments.append(f"names.{self._enums[number.enum]}")
        elif number.docs:
            arguments.append("nil")
        if number.docs:
            arguments += ["nil", f'"{number.docs}"']
        return (
            self.key(array, number.name or "value"),
            f"ProtoField.uint{8 * size}({', '.join(arguments)})",
        )

    def _path(self, format: Format, *names: str) -> str:  # noqa: A002
        return ".".join(["vhint", snake(format.name), *filter(None, names)])

    def is_octets(self, array: Array) -> bool:
        """Whether the elements are mere bytes."""
        return array.is_plain and array.stride == 1

    def is_bit(self, value: int) -> bool:
        """Whether a member of flags is a single bit."""
        return value > 0 and value & (value - 1) == 0

    def labels(self, number: Number) -> str:
        """Give the arguments that name a number's values, or its bits."""
        assert number.enum is not None
        name = self._enums[number.enum]
        return f"flags.{name}" if issubclass(number.enum, IntFlag) else f"names.{name}"

    def is_needed(self, number: Number, format: Format) -> bool:  # noqa: A002
        """Whether the value is looked at after it was read."""
        if not number.is_full:
            return True
        needed = {"cookie", "count"} if self._has_cookie(format) else set()
        for tree in format.trees.values():
            for field in everything(tree):
                if isinstance(field, (Array, Bits)) and field.count:
                    needed.add(field.count.names[0])
                elif isinstance(field, Variant):
                    needed.add(field.key)
                elif isinstance(field, Payload):
                    needed |= {"request", "flags", "size"}
        return number.name in needed

    def completes(self, number: Number, format: Format) -> bool:  # noqa: A002
        """Whether now both the cookie and the count of a request are known."""
        return number.name == "cookie" and self._has_cookie(format) and not format.parameters

    def _has_cookie(self, format: Format) -> bool:  # noqa: A002
        names = {each.name for each in format.tree if isinstance(each, Number)}
        return "cookie" in names and bool({"count"} & (names | set(format.parameters)))

    def count(self, part: Array | Bits, fields: tuple[Field, ...], format: Format) -> str:  # noqa: A002
        """Give the expression of a count; nil stands for as many as there are."""
        reference = part.count
        if reference is None:
            return "nil"
        if reference.scope != "parameter":
            name = ".".join([ident(reference.names[0]), *reference.names[1:]])
            if self._size_of(reference, format) == _FULL:
                name = f"{name}:tonumber()"
            return name if reference.scale == 1 else f"{reference.scale} * {name}"
        (name,) = reference.names
        if self._has_cookie(format):
            return "input:count_of(cookie)"
        if isinstance(part, Bits):
            return f'given("{name}")'
        tail = sum(each.size for each in fields[fields.index(part) + 1 :] if isinstance(each, Number))
        return f'given("{name}") or input:fitting({part.stride}, {tail})'

    def _size_of(self, reference: Reference, format: Format) -> int:  # noqa: A002
        fields = [each for tree in format.trees.values() for each in everything(tree)]
        sizes = [
            each.size
            for each in fields
            if isinstance(each, Number) and each.name == reference.names[0]
        ]
        return max(sizes, default=0) if len(reference.names) == 1 else 0

    def when(self, reference: Reference) -> str:
        """Give the expression of a number that decides whether another one follows."""
        return ".".join([ident(reference.names[0]), *reference.names[1:]])

    def check(self, number: Number, name: str) -> str:
        """Give the statement that refuses what a number may not be."""
        match number.rule:
            case Rule.RESERVED:
                return f"input:zero({name})"
            case Rule.CHOICE:
                assert number.enum is not None
                return f"input:known({name}, names.{self._enums[number.enum]})"
            case Rule.MASKED:
                return f"input:masked({name}, {number.mask:#x}, {number.low:#x})"
            case _:
                low, high = (_literal(each, number.size) for each in (number.low, number.high))
                return f"input:within({name}, {low}, {high})"

    def kind(self, number: Number) -> str:
        """Give the kind of fault of a value that is refused."""
        return kind_of(number)

    def why(self, format: Format, path: str, kind: str) -> str:  # noqa: A002
        """Give the comment with the requirements behind a refusal."""
        slugs = why(format, path, kind)
        return f" -- {slugs}" if slugs else ""

    def payloads(self, format: Format) -> list[Payload]:  # noqa: A002
        """Give the payloads of a format: one, or none."""
        return [each for each in format.tree if isinstance(each, Payload)]

    def payload(self, tree: tuple[Field, ...]) -> str:
        """Give the name under which the function for a kind of payload is kept."""
        return self._payloads[tree]

    def comment(self, text: str, source: str = "") -> str:
        """Give a comment."""
        if source:
            text = f"{text}\n\nSource: {source}."
        return prose(text, "-- ", "-- ")


def _with_payloads(chosen: tuple[Format, ...]) -> tuple[Format, ...]:
    """Add the formats of the payloads of whole messages, and put these last: they refer to them."""
    messages = [each for each in chosen if each.payload]
    found = {each.tree: each for each in chosen if not each.payload}
    known = {each.tree: each for each in catalogue().values()}
    for message in messages:
        for tree in message.payload.all if message.payload else ():
            if tree not in found:
                found[tree] = known.get(tree) or _unnamed(tree, message)
    return (*found.values(), *messages)


def _unnamed(tree: tuple[Field, ...], message: Format) -> Format:
    """Make a format of a payload that is none, called after its open parts."""
    parts = [each.name for each in tree if isinstance(each, (Array, Bits))]
    about = replace(
        message.about,
        id=f"vhost-user-{'-'.join(parts)}",
        title=f"payload of {' and '.join(parts)}",
        declarations={},
    )
    return Format(about, {None: tree})


def _literal(value: int, size: int) -> str:
    if size < _FULL:
        return str(value)
    return f"UInt64({value & 0xFFFFFFFF:#x}, {value >> 32:#x})"

