"""What both kinds of written code share: a face's description, and a writer of Python source.

As dataclasses do with ``__init__``, the accepting path of a format is written as source and
compiled: it says yes quickly and nothing else. Whatever it does not accept it hands to ``reject``,
which runs the construct declaration to find out why. To read it, print ``parse_source`` or
``build_sources`` of a codec.
"""

from __future__ import annotations

import linecache
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any

import numpy as np

from vhint.wire.bitmap import Bitmap
from vhint.wire.derive import Leaf, NotDerivable
from vhint.wire.plan import Open
from vhint.wire.schema import Choice, Masked, Reserved


@dataclass(frozen=True, slots=True)
class Face:
    """How a message is shown to users.

    Attributes:
        cls: a dataclass whose fields have the names of the format's fields (those that are counts,
            reserved or selectors need not appear); or, with `whole`, a column class.
        columns: for each field that is an array, the class that wraps it: it has ``over(array)``
            and an attribute ``records``.
        whole: the name of the one array that `cls` stands for.

    """

    cls: type[Any]
    columns: Mapping[str, type[Any]] = field(default_factory=dict)
    whole: str | None = None

    @property
    def attributes(self) -> list[str]:
        """The names of the format's fields that the face shows."""
        if self.whole is not None:
            return [self.whole]
        if not is_dataclass(self.cls):
            raise NotDerivable(f"{self.cls!r} is not a dataclass")
        return [item.name for item in fields(self.cls)]

    def column(self, name: str) -> type[Any] | None:
        """Give the class that wraps the array called `name`, or None if it is not an array."""
        return self.cls if self.whole == name else self.columns.get(name)


class Source:
    """A function being written: its lines, and the objects that they refer to by name.

    Args:
        name: of the function.
        subject: of its first parameter, ``data`` or ``face``.
        parameters: the names of the others.
        default: their default, as source text, or "" for none.

    """

    def __init__(
        self, name: str, subject: str, parameters: tuple[str, ...] = (), default: str = ""
    ) -> None:
        self.name = name
        self.subject = subject
        self.lines: list[str] = []
        self.indent = 0
        self.names: dict[str, Any] = {
            "Bitmap": Bitmap,
            "error": struct.error,
            "frombuffer": np.frombuffer,
            "join": b"".join,
            "maximum": np.maximum.reduce,
            "minimum": np.minimum.reduce,
            "new": object.__new__,
            "octet": np.dtype(np.uint8),
        }
        self._rejection = f"return reject({', '.join((subject, *parameters))})"
        arguments = "".join(f", {parameter}{default}" for parameter in parameters)
        self.line(f"def {name}({subject}{arguments}):")
        self.indent = 1

    def line(self, text: str) -> None:
        """Add a line."""
        self.lines.append("    " * self.indent + text)

    def bind(self, stem: str, value: Any) -> str:
        """Give an object a name that the source can use."""
        for name, bound in self.names.items():
            if bound is value:
                return name
        name = stem if stem not in self.names else f"{stem}{len(self.names)}"
        self.names[name] = value
        return name

    def reject(self) -> None:
        """Add the line that hands over to the declaration."""
        self.line(self._rejection)

    def reject_if(self, *tests: str) -> None:
        """Add a rejection if any of the tests holds; nothing if there are none."""
        if tests:
            self.line(f"if {' or '.join(tests)}:")
            self.line("    " + self._rejection)

    def text(self) -> str:
        """Give the source written so far."""
        return "\n".join(self.lines) + "\n"

    def compile(self, label: str, **more: Any) -> Callable[..., Any]:
        """Turn the source into the function; tracebacks and debuggers can show its lines."""
        filename = f"<vhint {label}>"
        text = self.text()
        linecache.cache[filename] = (len(text), None, text.splitlines(keepends=True), filename)
        names = self.names | more
        # The text is made of this package's own declarations, nothing from outside enters it.
        exec(compile(text, filename, "exec"), names)  # noqa: S102
        made: Callable[..., Any] = names[self.name]
        return made


def prefix_tests(parts: tuple[Leaf, ...], out: Source, *, parsing: bool) -> list[str]:
    """Write the tests that numbers of the prefix fail if they are bad.

    The numbers are in variables ``v_<name>``; when parsing, choices are turned into members.
    """
    tests: list[str] = []
    for leaf in parts:
        value = f"v_{leaf.name}"
        if isinstance(leaf.rule, Choice):
            members = out.bind(f"{leaf.name}_members", leaf.rule.members)
            if parsing:
                out.line(f"{value} = {members}.get({value})")
                tests.append(f"{value} is None")
            else:
                tests.append(f"{value} not in {members}")
        elif isinstance(leaf.rule, Reserved):
            tests.append(value)
        elif isinstance(leaf.rule, Masked):
            tests.append(f"{value} & {leaf.rule.mask} != {leaf.rule.value}")
        elif leaf.rule:
            if leaf.rule.low > 0:
                tests.append(f"{value} < {leaf.rule.low}")
            if leaf.rule.high < (1 << 8 * leaf.size) - 1:
                tests.append(f"{value} > {leaf.rule.high}")
    return tests


def check_records(out: Source, part: Open, view: str, count: str) -> None:
    """Write the tests of `count` records; `view` is the source that views them as ``LANES``."""
    layout = part.records
    if layout is None or not layout.lanes:
        return
    out.line(f"if {count}:")
    out.indent += 1
    out.line(f"lanes = {view.replace('LANES', out.bind('LANES', layout.lane_dtype))}")
    tests = []
    for i, lane in enumerate(layout.lanes):
        column = lane.counted(f"lanes['lane{i}']")
        tests.append(f"maximum({column}) > {lane.high}")
        if lane.low:
            tests.append(f"minimum({column}) < {lane.low}")
    out.reject_if(*tests)
    out.indent -= 1
