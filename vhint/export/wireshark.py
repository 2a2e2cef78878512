"""A dissector for Wireshark and tshark in Lua: a protocol for each format, faults as experts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from enum import IntFlag
from typing import Final

from vhint.export.formats import Format, catalogue
from vhint.export.rendering import WIDTH, Export, environment, kind_of, prose, why
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

_KEYWORDS: Final = frozenset(
    {"end", "next", "and", "in", "repeat", "not", "type", "names", "flags"}
)
_ADDRESSES: Final = frozenset(
    {
        "addr",
        "phys_addr",
        "guest_address",
        "user_address",
        "descriptors",
        "used",
        "available",
        "log",
    }
)
"""Names of numbers that people read in hexadecimal."""
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
        self._enums = {
            each.python: f"{'flags' if each.is_flags else 'names'}.{'_'.join(each.name)}"
            for each in export.enumerations
        }
        self._payloads = {each.tree: snake(each.name) for each in reversed(export.formats)}

    def key(self, array: str, *names: str) -> str:
        """Give the name of a field in the table of a protocol's fields."""
        return "_".join(filter(None, (array, *names)))

    def fields(self, form: Format) -> Iterator[str]:
        """Yield the fields of a protocol as entries of its table, wrapped if they are long."""
        made: dict[str, tuple[str, list[str]]] = {}
        for group in form.groups:
            for key, kind, arguments in self._fields(form, group.tree, ""):
                made.setdefault(key, (kind, arguments))
        for key, (kind, arguments) in made.items():
            yield _entry(f"{key} = ProtoField.{kind}", arguments)

    def _fields(
        self,
        form: Format,
        fields: tuple[Field, ...],
        array: str,
    ) -> Iterator[tuple[str, str, list[str]]]:
        for field in fields:
            match field:
                case Number():
                    yield self._number(form, field, array)
                case Parts():
                    for part in field.parts:
                        path = self._path(form, array, field.name, part.name)
                        bits = next(size for size in (8, 16, 32, 64) if part.width <= size)
                        arguments = [f'"{path}"', f'"{part.name}"']
                        yield self.key(array, field.name, part.name), f"uint{bits}", arguments
                case Array() if self.is_octets(field):
                    path = self._path(form, array, field.name)
                    yield field.name, "bytes", [f'"{path}"', f'"{field.name}"']
                case Array():
                    if not field.is_plain:
                        path = self._path(form, array, field.name)
                        yield field.name, "none", [f'"{path}"', f'"{field.name}"']
                    yield from self._fields(form, field.element, field.name)
                case Bits():
                    path = self._path(form, array, field.name)
                    key = self.key(array, field.name)
                    yield key, "bytes", [f'"{path}"', f'"{field.name}"']
                    yield f"{key}_count", "uint32", [f'"{path}.count"', f'"bits of {field.name}"']
                case Maybe(number):
                    yield self._number(form, number, array)
                case Leading(numbers):
                    yield from self._fields(form, numbers, array)
                case Variant():
                    for case in field.cases:
                        yield from self._fields(form, case.fields, array)
                case _:
                    pass

    def _number(self, form: Format, number: Number, array: str) -> tuple[str, str, list[str]]:
        path = self._path(form, array, number.name)
        base = "base.HEX" if number.name in _ADDRESSES else "base.DEC"
        arguments = [f'"{path}"', f'"{number.name or array}"', base]
        if number.enum and not issubclass(number.enum, IntFlag):
            arguments.append(self._enums[number.enum])
        elif number.docs:
            arguments.append("nil")
        if number.docs:
            arguments += ["nil", f'"{number.docs}"']
        kind = f"uint{8 * form.widest(number.name)}"
        return self.key(array, number.name or "value"), kind, arguments

    def _path(self, form: Format, *names: str) -> str:
        return ".".join(["vhint", snake(form.name), *filter(None, names)])

    def is_octets(self, array: Array) -> bool:
        """Whether the elements are mere bytes."""
        return array.is_plain and array.stride == 1

    def is_bit(self, value: int) -> bool:
        """Whether a member of flags is a single bit."""
        return value > 0 and value & (value - 1) == 0

    def labels(self, number: Number) -> str:
        """Give the arguments that name a number's values, or its bits."""
        return self._enums[number.enum]

    def is_needed(self, number: Number, form: Format) -> bool:
        """Whether the value is looked at after it was read."""
        if not number.is_full:
            return True
        needed = {"cookie", "count"} if self._has_cookie(form) else set()
        for tree in form.trees.values():
            for field in everything(tree):
                if isinstance(field, (Array, Bits)) and field.count:
                    needed.add(field.count.names[0])
                elif isinstance(field, Variant):
                    needed.add(field.key)
                elif isinstance(field, Payload):
                    needed |= {"request", "flags", "size"}
        return number.name in needed

    def completes(self, number: Number, form: Format) -> bool:
        """Whether now both the cookie and the count of a request are known."""
        return number.name == "cookie" and self._has_cookie(form) and not form.parameters

    def _has_cookie(self, form: Format) -> bool:
        names = {each.name for each in form.tree if isinstance(each, Number)}
        return "cookie" in names and bool({"count"} & (names | set(form.parameters)))

    def count(self, part: Array | Bits, fields: tuple[Field, ...], form: Format) -> str:
        """Give the expression of a count; nil stands for as many as there are."""
        reference = part.count
        if reference is None:
            return "nil"
        if reference.scope != "parameter":
            name = ".".join([ident(reference.names[0]), *reference.names[1:]])
            if len(reference.names) == 1 and form.width(reference) == 8 * _FULL:
                name = f"{name}:tonumber()"
            return name if reference.scale == 1 else f"{reference.scale} * {name}"
        (name,) = reference.names
        if self._has_cookie(form):
            return "input:count_of(cookie)"
        if isinstance(part, Bits):
            return f'given("{name}")'
        tail = sum(
            each.size for each in fields[fields.index(part) + 1 :] if isinstance(each, Number)
        )
        return f'given("{name}") or input:fitting({part.stride}, {tail})'

    def when(self, reference: Reference) -> str:
        """Give the expression of a number that decides whether another one follows."""
        return ".".join([ident(reference.names[0]), *reference.names[1:]])

    def check(self, number: Number, name: str) -> str:
        """Give the statement that refuses what a number may not be."""
        match number.rule:
            case Rule.RESERVED:
                return f"input:zero({name})"
            case Rule.CHOICE:
                return f"input:known({name}, {self._enums[number.enum]})"
            case Rule.MASKED:
                return f"input:masked({name}, {number.mask:#x}, {number.low:#x})"
            case _:
                low, high = (_literal(each, number.size) for each in (number.low, number.high))
                return f"input:within({name}, {low}, {high})"

    def kind(self, number: Number) -> str:
        """Give the kind of fault of a value that is refused."""
        return kind_of(number)

    def explained(self, statement: str, form: Format, path: str, kind: str) -> str:
        """Give a statement with the requirements behind it, beside it or above."""
        slugs = why(form, path, kind)
        line = f"{statement} -- {slugs}" if slugs else statement
        # Sixteen columns are for the deepest indentation that there is.
        return line if len(line) + 16 <= WIDTH else f"{prose(slugs, '-- ', '-- ', 16)}\n{statement}"

    def payloads(self, form: Format) -> list[Payload]:
        """Give the payloads of a format: one, or none."""
        return [each for each in form.tree if isinstance(each, Payload)]

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
    found = [each for each in chosen if not each.payload]
    messages = [each for each in chosen if each.payload]
    known = {each.tree: each for each in reversed(tuple(catalogue().values()))}
    there = {each.tree for each in found}
    for message in messages:
        for tree in message.payload.all if message.payload else ():
            if tree not in there:
                there.add(tree)
                found.append(known.get(tree) or _unnamed(tree, message))
    return (*found, *messages)


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


def _entry(head: str, arguments: list[str]) -> str:
    """Give an entry of a table: on one line, or with the arguments below, eight columns in."""
    line = f"{head}({', '.join(arguments)}),"
    if len(line) + 8 <= WIDTH:
        return line
    lines = [f"{head}("]
    for number, argument in enumerate(arguments, 1):
        text = argument + ("," if number < len(arguments) else "),")
        if len(lines) == 1 or len(lines[-1]) + len(text) + 1 > WIDTH:
            lines.append(12 * " " + text)
        else:
            lines[-1] += f" {text}"
    return "\n".join(lines)


def _literal(value: int, size: int) -> str:
    if size < _FULL:
        return str(value)
    return f"UInt64({value & 0xFFFFFFFF:#x}, {value >> 32:#x})"
