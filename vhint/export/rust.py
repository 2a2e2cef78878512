"""A module in Rust that needs `core` only: types, constants, functions that parse and refuse."""

from __future__ import annotations

from typing import Final

from vhint.export.constants import Constant, Enumeration
from vhint.export.constants import Group as Constants
from vhint.export.formats import Format, Group
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
    Counted,
    End,
    Field,
    Leading,
    Number,
    Part,
    Parts,
    Reference,
    Rule,
    Variant,
    everything,
    number,
    walk,
)
from vhint.export.words import camel

_SHORT: Final = 18
"""The longest fields of a struct that rustfmt leaves on one line."""
_CALL: Final = 60
"""The longest arguments of a call that it leaves on one line."""
_NARROW: Final = 32
"""The most bits of a number that has to be converted to be a count."""
_KEYWORDS: Final = frozenset({"type", "match", "move", "ref", "use", "loop", "impl", "in", "where"})


def render(export: Export) -> str:
    """Give the text of the module."""
    made = environment(ident=ident).get_template("rust.rs.j2")
    return made.render(
        r=View(export),
        banner=export.banner,
        kinds=export.kinds,
        layouts=export.layouts,
        enumerations=export.enumerations,
        constants=export.constants,
        formats=export.formats,
        has_big=export.uses(Number, Parts, is_big=True),
    )


def ident(name: str) -> str:
    """Give the name of a field, escaped if it is a word of Rust."""
    return f"r#{name}" if name in _KEYWORDS else name


class View:
    """Expressions of Rust for what templates ask about."""

    def __init__(self, export: Export) -> None:
        self._enums = {each.python: self.enum_name(each) for each in export.enumerations}
        self._members = {
            (each.python, member.value): f"{self.enum_name(each)}::{camel(member.name)}"
            for each in export.enumerations
            for member in each.members
        }

    # Types

    def type_of(self, bits: int) -> str:
        """Give the smallest type for so many bits."""
        return f"u{next(size for size in (8, 16, 32, 64) if bits <= size)}"

    def number_type(self, form: Format, number: Number) -> str:
        """Give the type of a field that is wide enough in every layout."""
        if number.rule is Rule.CHOICE:
            return self.enum(number)
        return self.type_of(8 * form.widest(number.name))

    def cast(self, form: Format, number: Number) -> str:
        """Give the conversion from the widest number, "" if there is none."""
        kind = self.type_of(8 * form.widest(number.name))
        return "" if kind == "u64" else f" as {kind}"

    def entry_type(self, array: Array) -> str:
        """Give the type of an element."""
        if array.plain:
            return self.type_of(8 * array.plain.size)
        return f"{camel(array.name)}Entry{self.lifetime(array.element)}"

    def array_type(self, array: Array) -> str:
        """Give the type of an array."""
        return f"Array<'a, {self.entry_type(array)}>"

    def lifetime(self, fields: tuple[Field, ...]) -> str:
        """Give the parameter of a type made of these fields, "" if it needs none."""
        return "<'a>" if self.borrows(fields) else ""

    def borrows(self, fields: tuple[Field, ...]) -> bool:
        """Whether something among the fields points into the bytes."""
        return any(isinstance(each, (Array, Bits)) for each in walk(fields))

    # Enumerations and constants

    def enum_name(self, enumeration: Enumeration) -> str:
        """Give the name of an enumeration."""
        return camel("_".join(enumeration.name))

    def enum(self, number: Number) -> str:
        """Give the enumeration that a number is of."""
        return self._enums[number.enum]

    def variant(self, name: str) -> str:
        """Give the name of a member."""
        return camel(name)

    def member(self, fields: tuple[Field, ...], key: str, value: int) -> str:
        """Give a value of a selecting field."""
        return self._members[number(fields, key).enum, value]

    def constant(self, group: Constants, constant: Constant) -> str:
        """Give the name of a constant."""
        return group.full_name(constant)

    def number(self, value: int) -> str:
        """Give a number."""
        return f"{value:#x}" if value > 0xFFFF else str(value)

    # Fields

    def arrays(self, form: Format) -> list[Array]:
        """Give the arrays of a format, as in the first layout."""
        return arrays(form.tree)

    def arrays_of(self, tree: tuple[Field, ...]) -> list[Array]:
        """Give the arrays of a layout."""
        return arrays(tree)

    def variants(self, form: Format) -> list[Variant]:
        """Give the variants of a format."""
        return [each for each in form.tree if isinstance(each, Variant)]

    def all_parts(self, form: Format) -> list[Parts]:
        """Give the numbers that are cut into parts, those of elements too."""
        return [each for each in everything(form.tree) if isinstance(each, Parts)]

    def places(self, form: Format) -> list[tuple[str, int]]:
        """Give the offsets and sizes that are the same in all layouts."""
        return places(form)

    def literal(self, name: str, fields: tuple[Field, ...], before: str = "") -> str:
        """Give the expression of a value that is made of variables, wrapped as rustfmt does."""
        names = self._names(fields)
        after = ")" if before else ""
        if len(", ".join(names)) <= _SHORT:
            return f"{before}{name} {{ {', '.join(names)} }}{after}"
        lines = "".join(f"    {each},\n" for each in names)
        return f"{before}{name} {{\n{lines}}}{after}"

    def _names(self, fields: tuple[Field, ...]) -> list[str]:
        found: list[str] = []
        for each in fields:
            if isinstance(each, Leading):
                found += [ident(number.name) for number in each.numbers]
            elif isinstance(each, (End, Counted)) or (
                isinstance(each, Number) and not each.is_shown
            ):
                continue
            else:
                found.append(ident(each.name))
        return found

    def count(self, reference: Reference, form: Format) -> str:
        """Give the expression of a count."""
        name = ".".join([ident(reference.names[0]), *reference.names[1:]])
        if reference.scope != "parameter" and form.width(reference) <= _NARROW:
            name = f"u64::from({name})"
        return name if reference.scale == 1 else f"{reference.scale} * {name}"

    def counted(self, check: Counted, form: Format) -> str:
        """Give the expression of the number that counts what follows."""
        return self.count(Reference(check.field, "message"), form)

    def elements(self, array: Array, group: Group, form: Format) -> str:
        """Give the statement that reads an array, wrapped as rustfmt does."""
        count = f"Some({self.count(array.count, form)})" if array.count else "None"
        arguments = [f'"{array.name}"', count, f"take_{array.name}{group.suffix}"]
        line = f"let {array.name} = input.array({', '.join(arguments)})?;"
        if len(", ".join(arguments)) <= _CALL:
            return line
        inner = "".join(f"    {each},\n" for each in arguments)
        return f"let {array.name} = input.array(\n{inner})?;"

    def part(self, part: Part) -> str:
        """Give the expression of a part of a number."""
        value = f"value >> {part.shift}" if part.shift else "value"
        masked = f"{value} & {(1 << part.width) - 1:#x}"
        kind = self.type_of(part.width)
        return masked if kind == "u64" else f"({masked}) as {kind}"

    def refused(self, number: Number, name: str) -> str:
        """Give the test that a value fails."""
        if number.rule is Rule.RESERVED:
            return f"{name} != 0"
        if number.rule is Rule.MASKED:
            return f"{name} & {number.mask:#x} != {number.low:#x}"
        tests = [f"{name} < {self.number(number.low)}"] if number.low else []
        if number.high < (1 << 8 * number.size) - 1:
            tests.append(f"{name} > {self.number(number.high)}")
        return " || ".join(tests)

    def error(self, number: Number) -> str:
        """Give the kind of the error of a value that is refused."""
        return camel(error_of(number))

    def kind(self, number: Number) -> str:
        """Give the same as vectors name it."""
        return kind_of(number)

    def why(self, form: Format, path: str, kind: str) -> str:
        """Give the comment with the requirements behind a refusal."""
        slugs = why(form, path, kind)
        return prose(slugs, "// ", "// ") if slugs else ""

    def about(self, field: Number) -> str:
        """Give the comment of a field."""
        said = [field.docs] if field.docs else []
        if field.rule is Rule.BOUNDED:
            said.append(f"{field.low} to {power(field.high)}")
        return f"/// {'; '.join(said)}" if said else ""

    # Functions

    def given(self, form: Format) -> str:
        """Give the parameters that a format needs besides its bytes."""
        return "".join(f", {name}: u64" for name in form.parameters)

    def passed(self, form: Format) -> str:
        """Give the arguments for them."""
        return "".join(f", {name}" for name in form.parameters)

    def arm(self, group: Group, form: Format) -> str:
        """Give the arm of a match on the layout, wrapped as rustfmt does."""
        patterns = [f"Layout::{camel(each.value)}" for each in group.layouts if each]
        call = f"take{group.suffix}(&mut input{self.passed(form)})"
        line = f"{' | '.join(patterns)} => {call},"
        if len(line) + 12 <= WIDTH:
            return line
        line = f"{' | '.join(patterns)} => {{"
        if len(line) + 12 <= WIDTH:
            return f"{line}\n    {call}\n}}"
        return "\n| ".join(patterns) + f" => {call},"

    # Text

    def comment(self, text: str, source: str = "", mark: str = "/// ") -> str:
        """Give a comment for documentation."""
        if source:
            text = f"{text}\n\nSource: {source}."
        return prose(text, mark, mark)

    def docs(self, text: str) -> str:
        """Give the comment of a member, "" if it has none."""
        return prose(text, "    /// ", "    /// ") if text else ""
