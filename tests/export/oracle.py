"""What the declarations themselves make of bytes: the answer that every export has to give."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from construct import Renamed

from vhint.export.formats import Format
from vhint.export.words import snake
from vhint.wire.bitmap import Bitmap
from vhint.wire.errors import WireError
from vhint.wire.history import Layout
from vhint.wire.schema import Padding, Reserved

Values = dict[str, str]


@dataclass(frozen=True)
class Refusal:
    """The kind of the fault, such as ``short_input``, and where it is."""

    kind: str
    path: str
    offset: int
    seen: int


@dataclass(frozen=True)
class Case:
    """Bytes to be parsed, and what is given along with them."""

    format: Format
    layout: Layout | None
    parameters: tuple[int, ...]
    data: bytes
    id: str

    @property
    def line(self) -> str:
        """The case as the programs read it."""
        given = ",".join(map(str, self.parameters)) or "-"
        return f"{self.format.name} {self.layout or '-'} {given} {self.data.hex() or '-'}"


_JUDGED: dict[str, Values | Refusal] = {}


def judge(case: Case) -> Values | Refusal:
    """The values by path, all as text, or why there are none; each case is judged once."""
    if case.line not in _JUDGED:
        _JUDGED[case.line] = _judge(case)
    return _JUDGED[case.line]


def _judge(case: Case) -> Values | Refusal:
    declaration = case.format.about.declarations[case.layout]
    given = dict(zip(case.format.parameters, case.parameters, strict=True))
    try:
        values = declaration.parse(case.data, **given)
    except WireError as error:
        seen = error.seen
        assert isinstance(seen, int)
        return Refusal(snake(type(error).__name__), error.path, error.offset, seen)
    return dict(_flat(values, "", declaration))


def _flat(value: Any, path: str, con: Any) -> Iterator[tuple[str, str]]:
    con = _inner(con)
    if value is None:
        return
    if isinstance(value, Bitmap):
        yield path, "".join("01"[bit] for bit in value)
    elif isinstance(value, dict):
        fields = {field.name: field for field in getattr(con, "subcons", ())}
        for name, each in value.items():
            if name.startswith("_") or name == "end":
                continue
            below = fields.get(name)
            if below is not None and isinstance(_inner(below), (Reserved, Padding)):
                continue
            if name == "body":
                yield from _flat(each, path, _inner(below).cases[value["type"]])
            else:
                yield from _flat(each, f"{path}.{name}" if path else name, below)
    elif isinstance(value, list):
        yield f"{path}.count", str(len(value))
        for i, each in enumerate(value):
            yield from _flat(each, f"{path}[{i}]", getattr(con, "subcon", None))
    else:
        yield path, str(int(value))


def _inner(con: Any) -> Any:
    while type(con) is Renamed:
        con = con.subcon
    return con


_ANSWER = re.compile(r"(?P<kind>\w+) (?P<path>\S*) (?P<offset>\d+) (?P<seen>\d+)")


def read_answer(line: str) -> Values | Refusal:
    """Read the answer of a program: ``ok a=1 b[0].c=2``, or ``refused KIND PATH OFFSET SEEN``."""
    verdict, _, rest = line.partition(" ")
    if verdict == "ok":
        return dict(each.split("=", 1) for each in rest.split())  # type: ignore[misc]
    match = _ANSWER.fullmatch(rest)
    assert verdict == "refused", line
    assert match, line
    return Refusal(match["kind"], match["path"], int(match["offset"]), int(match["seen"]))
