"""A Kaitai Struct specification: each format is a type, and refuses by `valid`.

A specification of a single format has it at the top, so that the Web IDE shows it at once; one of
several has only types. Layouts are types of their own.
"""

from __future__ import annotations

import json
from enum import IntFlag
from typing import Final

from vhint.export.constants import Constant
from vhint.export.formats import Format, Group
from vhint.export.rendering import LICENSE, Export, environment, prose
from vhint.export.shape import (
    Array,
    Bits,
    Field,
    Number,
    Part,
    Parts,
    Reference,
    Rule,
    Variant,
    number,
)
from vhint.export.words import snake

_KEYWORDS: Final = frozenset({"class"})
"""Names that Kaitai passes on to languages in which they are words."""


def render(export: Export) -> str:
    """Give the text of the specification."""
    single = export.formats[0] if len(export.formats) == 1 else None
    made = environment(ident=ident).get_template("kaitai.ksy.j2")
    return made.render(
        k=View(export),
        banner=export.banner,
        license=LICENSE,
        single=single if single and len(single.groups) == 1 else None,
        formats=export.formats,
        enumerations=[
            each
            for each in export.enumerations
            if not each.is_flags and each.python in export.enums
        ],
    )


def ident(name: str) -> str:
    """Give the name of a field, changed if it is a word of many languages."""
    return f"{name}_" if name in _KEYWORDS else name


class View:
    """Expressions of Kaitai for what the template asks about."""

    def __init__(self, export: Export) -> None:
        self._enums = {
            each.python: snake(*each.name) for each in export.enumerations if not each.is_flags
        }
        self._members = {
            (each.python, member.value): f"{snake(*each.name)}::{member.name.lower()}"
            for each in export.enumerations
            for member in each.members
        }

    def number(self, number: Number) -> str:
        """Give the type of a number."""
        return f"u{number.size}" + ("be" if number.is_big else "")

    def enum(self, number: Number) -> str:
        """Give the enumeration that names a number's values, "" if there is none."""
        if number.enum is None or issubclass(number.enum, IntFlag):
            return ""
        return self._enums[number.enum]

    def member(self, fields: tuple[Field, ...], key: str, value: int) -> str:
        """Give a value of a selecting field."""
        return self._members[number(fields, key).enum, value]

    def element(self, array: Array) -> str:
        """Give the type of an element."""
        return self.number(array.plain) if array.plain else f"{array.name}_entry"

    def in_order(self, parts: Parts) -> list[Part]:
        """Give parts in the order in which a stream of bits has them."""
        return sorted(parts.parts, key=lambda part: part.shift, reverse=parts.is_big)

    def has_types(self, fields: tuple[Field, ...]) -> bool:
        """Whether some field needs a type of its own."""
        return any(
            isinstance(each, (Parts, Variant)) or (isinstance(each, Array) and not each.is_plain)
            for each in fields
        )

    def count(self, reference: Reference, form: Format) -> str:
        """Give the expression of a count, as the part of the message that has it sees it."""
        name = ".".join(reference.names)
        if reference.scope == "message" and any(isinstance(each, Variant) for each in form.tree):
            name = f"_parent.{name}"
        return name if reference.scale == 1 else f"{name} * {reference.scale}"

    def size(self, bits: Bits, form: Format) -> str:
        """Give the number of bytes of a bitmap."""
        if bits.count.scale % 8 == 0:
            return self.count(Reference(bits.count.names, bits.count.scope), form)
        return f"({self.count(bits.count, form)} + 7) / 8"

    def leading_size(self, bits: Bits, form: Format) -> str:
        """Give the same of a bitmap of which only the leading bytes may be there."""
        whole, there = self.size(bits, form), "_io.size - _io.pos"
        return f"'{there} < {whole} ? {there} : {whole}'"

    def padding(self, bits: Bits, form: Format) -> str:
        """Give the test that the bits after the last one pass."""
        count = self.count(bits.count, form)
        return f"_.length * 8 <= {count} or (_.last >> ({count} % 8)) == 0"

    def docs(self, field: Number | Array | Bits) -> str:
        """Give the line with what a field is about, "" if nothing is said."""
        said = field.docs
        if isinstance(field, Number) and field.rule is Rule.PADDING:
            said = said or "Padding."
        return f"  doc: {_text(said)}\n" if said else ""

    def about(self, form: Format, group: Group) -> str:
        """Give the documentation of a type."""
        text = form.docs
        layouts = [str(each) for each in group.layouts if each]
        if layouts:
            text += f" Of guests of the layout {' or '.join(layouts)}."
        if form.is_open:
            text += " Bytes that follow are not looked at."
        return f"doc: {_text(text)}\ndoc-ref: {_text(form.source)}\n"

    def enumerator(self, member: Constant) -> str:
        """Give the lines of a member of an enumeration."""
        if not member.docs:
            return f"{member.value}: {_text(member.name.lower())}"
        name = _text(member.name.lower())
        return f"{member.value}:\n  id: {name}\n  doc: {_text(member.docs)}"

    def comment(self, text: str) -> str:
        """Give a comment."""
        return prose(text, "# ", "# ")


def _text(text: str) -> str:
    """Give a text as YAML reads it: plain if it can be."""
    risky = not text[0].isalpha() or any(each in text for each in (": ", " #", '"', "'"))
    return json.dumps(text) if risky or text in ("null", "true", "false", "yes", "no") else text
