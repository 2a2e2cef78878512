"""Strategies for the messages of every format, read out of its declaration."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from construct import Container, IfThenElse, Struct, Switch
from hypothesis import strategies as st

from tests.wire.history import history_cases
from vhint.wire.bitmap import Bitmap
from vhint.wire.formats import FORMATS, Format
from vhint.wire.formats.values import counts, inner, is_octets
from vhint.wire.history.layout import Layout
from vhint.wire.integers import BitFields, Choice, Integer, Reserved
from vhint.wire.schema import (
    Bits,
    Ending,
    LeadingBits,
    LeadingStruct,
    Repeat,
    RepeatToEnd,
    evaluate,
)
from vhint.wire.sized import Sized


@dataclass(frozen=True)
class Subject:
    """A format as one kind of guest writes it."""

    form: Format
    layout: Layout | None

    @property
    def name(self) -> str:
        return f"{self.form.id} {self.layout or ''}".strip()

    @property
    def options(self) -> dict[str, Any]:
        return {} if self.layout is None else {"layout": self.layout}


SUBJECTS = [
    Subject(form, layout) for form in FORMATS.values() for layout in form.layouts or (None,)
]
_HISTORY = {
    (f"{case.profile}-{case.message.name}", case.layout): case for case in history_cases.CASES
}


@st.composite
def messages(draw: st.DrawFn, subject: Subject) -> tuple[bytes, dict[str, int]]:
    """Sound bytes of a format, and the parameters that they go with."""
    case = _HISTORY.get((subject.form.id, subject.layout))
    if case is not None:  # some of them have rules that no declaration tells
        face = draw(case.faces)
        numbers = draw(case.parameters(face))
        return case.build(face), dict(zip(case.message.parameters, numbers, strict=True))
    numbers = {name: draw(st.integers(0, 20)) for name in subject.form.parameters}
    declaration = subject.form.declaration(subject.layout)
    value = _values(draw, declaration, {}, numbers)
    return declaration.build(value, **numbers), numbers


def _values(draw: st.DrawFn, con: Any, around: dict[str, Any], numbers: dict[str, int]) -> Any:
    con = inner(con)
    if isinstance(con, LeadingStruct):
        kept = draw(st.integers(con.minimum, len(con.subcons)))
        return {
            field.name: _values(draw, field, {}, numbers) if i < kept else None
            for i, field in enumerate(con.subcons)
        }
    if isinstance(con, Struct):
        return _fields(draw, con, numbers)
    if isinstance(con, Switch):
        case = con.cases.get(con.keyfunc({"size": 1, **around}), con.default)
        return _values(draw, case, around, numbers)
    if isinstance(con, Sized):
        return _values(draw, con.subcon, around, numbers)
    if isinstance(con, Repeat):
        size = draw(st.integers(0, 4)) if _is_own(con) else _evaluated(con.count, numbers)
        if is_octets(con):
            return list(draw(st.binary(min_size=size, max_size=size)))
        return [_values(draw, con.subcon, {}, numbers) for _ in range(size)]
    if isinstance(con, LeadingBits):
        count = _evaluated(con.count, numbers)
        covered = min(8 * draw(st.integers(0, (count + 7) // 8)), count)
        return _bits(draw, covered) if covered else None
    if isinstance(con, Bits):
        return _bits(draw, draw(st.integers(0, 20)))
    if isinstance(con, BitFields):
        return {name: draw(st.integers(0, (1 << width) - 1)) for name, width in con.fields}
    assert isinstance(con, (Integer, Ending, IfThenElse)), con
    if isinstance(con, (Reserved, Ending)):
        return None
    if isinstance(con, Choice):
        return draw(st.sampled_from(list(con.enum)))
    return draw(st.integers(con.low, con.high) | st.sampled_from([con.low, con.high]))


def _fields(draw: st.DrawFn, con: Struct, numbers: dict[str, int]) -> dict[str, Any]:
    made: dict[str, Any] = {}
    follows = counts(con)
    for field in con.subcons:
        if field.name == "request":  # mostly one that has a payload
            made[field.name] = draw(st.integers(0, 45) | st.integers(0, 2**32 - 1))
        elif field.name not in follows:
            made[field.name] = _values(draw, field, made, numbers)
    for name, counted in follows.items():
        made[name] = _count(counted, made)
    return made


def _count(counted: list[Any], made: dict[str, Any]) -> int:
    scopes = [made, *(each for each in made.values() if isinstance(each, dict))]
    for field in counted:
        for scope in scopes:
            if field.name in scope:
                value, con = scope[field.name], inner(field)
                if isinstance(con, Sized):
                    case = inner(con.subcon)
                    chosen = case.cases.get(case.keyfunc({"size": 1, **made}), case.default)
                    return len(chosen.build(value))
                return value.count if isinstance(value, Bitmap) else len(value)
    raise AssertionError(counted)


def _is_own(con: Any) -> bool:
    return isinstance(con, RepeatToEnd) or "_params" not in str(con.count)


def _evaluated(count: Any, numbers: dict[str, int]) -> int:
    return evaluate(count, Container(_params=numbers))


def _bits(draw: st.DrawFn, count: int) -> Bitmap:
    chosen = draw(st.sets(st.integers(0, max(0, count - 1)))) if count else set()
    return Bitmap.from_indices(count, sorted(chosen))
