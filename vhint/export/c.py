"""A header in C99 (and C++): types, constants, and functions that parse and refuse.

A parsed message points into the bytes that it was parsed from; nothing is allocated. Arrays and
bitmaps are read element by element, since nothing on the wire is aligned for sure.
"""

from __future__ import annotations

from enum import IntEnum, IntFlag
from typing import Final

from vhint.export.constants import Constant, Group
from vhint.export.formats import Format
from vhint.export.places import places
from vhint.export.rendering import (
    WIDTH,
    Export,
    arrays,
    environment,
    error_of,
    kind_of,
    power,
    prose,
    why,
)
from vhint.export.shape import (
    Array,
    Bits,
    Field,
    Number,
    Part,
    Parts,
    Reference,
    Rule,
    number,
    walk,
)
from vhint.export.words import snake

_KEYWORDS: Final = frozenset({"class", "new", "this", "private", "public", "default", "register"})
_INDENT: Final = "    "


def render(export: Export) -> str:
    """Give the text of the header."""
    view = View(export)
    made = environment(ident=ident).get_template("c.h.j2")
    return made.render(
        c=view,
        banner=export.banner,
        kinds=export.kinds,
        layouts=export.layouts,
        enumerations=export.enumerations,
        constants=export.constants,
        formats=export.formats,
        choices=export.choices,
        has_big=export.uses(Number, Parts, is_big=True),
    )


def ident(name: str) -> str:
    """Give the name of a field, changed if it is a word of C or C++."""
    return f"{name}_" if name in _KEYWORDS else name


class View:
    """Expressions of C for what templates ask about."""

    def __init__(self, export: Export) -> None:
        self._members = {
            (each.python, member.value): f"VHINT_{'_'.join(each.name).upper()}_{member.name}"
            for each in export.enumerations
            for member in each.members
        }
        self._constants = {
            group.full_name(constant) for group in export.constants for constant in group.constants
        }
        self._enums = {
            each.python: f"enum vhint_{'_'.join(each.name)}" for each in export.enumerations
        }

    # Types

    def type_of(self, bits: int) -> str:
        """Give the smallest type for so many bits."""
        return f"uint{next(size for size in (8, 16, 32, 64) if bits <= size)}_t"

    def cast(self, bits: int) -> str:
        """Give the cast from the widest number, "" if there is none."""
        return "" if bits > 32 else f"({self.type_of(bits)})"

    def number_type(self, form: Format, number: Number) -> str:
        """Give the type of a field that is wide enough in every layout."""
        return self.type_of(8 * form.widest(number.name))

    def array(self, form: Format, array: Array) -> str:
        """Give the name of an array's type, without ``struct``."""
        return f"vhint_{snake(form.name)}_{array.name}"

    def entry_type(self, form: Format, array: Array) -> str:
        """Give the type of an element."""
        if array.plain:
            return self.type_of(8 * array.plain.size)
        return f"struct {self.array(form, array)}_entry"

    # Fields

    def arrays(self, form: Format) -> list[Array]:
        """Give the arrays of a format, as in the first layout."""
        return arrays(form.tree)

    def arrays_of(self, tree: tuple[Field, ...]) -> list[Array]:
        """Give the arrays of a layout."""
        return arrays(tree)

    def same(self, tree: tuple[Field, ...], array: Array) -> Array:
        """Give an array in another layout."""
        return next(each for each in arrays(tree) if each.name == array.name)

    def offsets(self, form: Format) -> list[tuple[str, int]]:
        """Give what is known of a format's layout, by name: offsets, sizes of elements, its own.

        There is nothing if it depends on the guest's layout.
        """
        name = snake(form.name).upper()
        return [each for each in places(form) if f"{name}_{each[0]}" not in self._constants]

    def locals(self, form: Format, tree: tuple[Field, ...]) -> str:
        """Declare what a function that reads these fields needs."""
        lines = []
        if any(isinstance(each, (Number, Parts)) for each in walk(tree)):
            lines.append("uint64_t value;")
        lines += [f"{self.entry_type(form, each)} {self.entry(each)};" for each in arrays(tree)]
        return "".join(f"{line}\n" for line in lines)

    def entry(self, array: Array) -> str:
        """Give the name of the variable that an element is read into."""
        return f"{array.name}_entry"

    def count(self, reference: Reference, to: str) -> str:
        """Give the expression of a count."""
        name = ".".join(reference.names)
        if reference.scope == "message":
            name = f"message->{name}"
        elif reference.scope == "record":
            name = f"{to}{name}"
        return name if reference.scale == 1 else f"{reference.scale} * (uint64_t){name}"

    def known(self, enum: type[IntEnum | IntFlag]) -> str:
        """Give the name of the function that says whether a number has a name."""
        return f"{self._enums[enum].removeprefix('enum ')}_is_known"

    def part(self, part: Part) -> str:
        """Give the expression of a part of a number."""
        value = f"value >> {part.shift}" if part.shift else "value"
        masked = f"{value} & {_number((1 << part.width) - 1, is_hex=True)}"
        cast = self.cast(part.width)
        return f"{cast}({masked})" if cast else masked

    def refused(self, number: Number) -> str:
        """Give the test that a value fails."""
        if number.rule is Rule.RESERVED:
            return "value != 0"
        if number.rule is Rule.MASKED:
            return f"(value & {number.mask:#x}) != {number.low:#x}"
        if number.rule is Rule.CHOICE and number.enum is not None:
            return f"!{self.known(number.enum)}(value)"
        tests = [f"value < {_number(number.low)}"] if number.low else []
        if number.high < (1 << 8 * number.size) - 1:
            tests.append(f"value > {_number(number.high)}")
        return " || ".join(tests)

    def error(self, number: Number) -> str:
        """Give the name of the error of a value that is refused."""
        return error_of(number)

    def kind(self, number: Number) -> str:
        """Give the same as vectors name it."""
        return kind_of(number)

    def check(self, test: str, form: Format, path: str, kind: str) -> str:
        """Give a test with the requirements behind it as a comment, beside it or above."""
        slugs = why(form, path, kind)
        if not slugs:
            return test
        line = f"{test} /* {slugs} */"
        # Twelve columns are for the deepest indentation that there is.
        return line if len(line) + 12 <= WIDTH else f"{self.comment(slugs)}\n{test}"

    def member(self, fields: tuple[Field, ...], key: str, value: int) -> str:
        """Give the name of a value of a selecting field."""
        return self._members[number(fields, key).enum, value]

    def about(self, field: Number | Array | Bits) -> str:
        """Give the comment of a field: which values it has, and what its declaration says."""
        said = [field.docs] if field.docs else []
        if isinstance(field, Number) and field.enum is not None:
            said.append(self._enums[field.enum])
        elif isinstance(field, Number) and field.rule is Rule.BOUNDED:
            said.append(f"{field.low} to {power(field.high)}")
        return f" /* {'; '.join(said)} */" if said else ""

    # Text

    def comment(self, text: str, source: str = "") -> str:
        """Give a comment."""
        if source:
            text = f"{text}\n\nSource: {source}."
        line = f"/* {text} */"
        if "\n" not in text and len(line) <= WIDTH:
            return line
        return "/*\n" + prose(text, " * ", " * ") + "\n */"

    def value(self, value: int, is_flags: bool) -> str:
        """Give a member's value."""
        return f"{value:#x}" if is_flags else str(value)

    def member_line(self, name: str, value: str, docs: str) -> str:
        """Give the line of a member, with the comment above if it does not fit."""
        line = f"{_INDENT}{name} = {value},"
        if not docs:
            return line
        if len(line) + len(docs) + 7 <= WIDTH:
            return f"{line} /* {docs} */"
        return prose(docs, f"{_INDENT}/* ", f"{_INDENT} * ", last=" */") + "\n" + line

    def define(self, group: Group, constant: Constant) -> str:
        """Give the definition of a constant, with its comment above."""
        name = group.full_name(constant)
        comment = prose(constant.docs, "/* ", " * ", last=" */")
        return f"{comment}\n#define VHINT_{name} {_number(constant.value)}"

    def function(self, result: str, name: str, arguments: list[str]) -> str:
        """Give the head of a function: on a line if it fits, else the parameters one below another.

        If they do not fit below the bracket either, they are indented.
        """
        before = f"static inline {result}"
        line = f"{before} {name}({', '.join(arguments)})"
        if len(line) <= WIDTH:
            return line
        column = " " * (len(name) + 1)
        if max(map(len, arguments)) + len(column) + 1 > WIDTH:
            inner = f",\n{2 * _INDENT}".join(arguments)
            return f"{before}\n{name}(\n{2 * _INDENT}{inner})"
        lines = [f"{name}("]
        for i, argument in enumerate(arguments):
            text = argument + ("," if i < len(arguments) - 1 else ")")
            space = " " if i and lines[-1].strip() else ""
            if i and len(lines[-1]) + len(space + text) > WIDTH:
                lines.append(column)
                space = ""
            lines[-1] += space + text
        return "\n".join([before, *lines])

    def given(self, form: Format, layout: object = True) -> list[str]:
        """Give the parameters that a format needs besides its bytes."""
        found = [f"uint64_t {name}" for name in form.parameters]
        return found + (["enum vhint_layout layout"] if form.layouts and layout else [])

    def passed(self, form: Format, layout: object = True) -> str:
        """Give the arguments that ``parse`` hands on."""
        names = ["&in", *form.parameters]
        names += ["layout"] if form.layouts and layout else []
        return ", ".join([*names, "message"])

    def parse_comment(self, form: Format) -> str:
        """Say what the function does."""
        name = form.name
        end = "Bytes that follow it are not looked at." if form.is_open else ""
        given = ""
        if form.parameters:
            given = f" `{'`, `'.join(form.parameters)}` is given along with the bytes."
        text = (
            f"Parse a whole message {name}. VHINT_OK, or why not, as `fault` (which may be NULL) "
            f"says in full; `message` then means nothing.{given} {end}"
        )
        return self.comment(text.strip())


def _number(value: int, *, is_hex: bool = False) -> str:
    text = f"{value:#x}" if is_hex or value > 0xFFFF else str(value)
    return f"UINT64_C({text})" if value >> 32 else text + ("u" if value >> 31 else "")
