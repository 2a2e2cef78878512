"""What the tables of historic formats share: guests, layouts, and the vectors of one message.

A case is written once; it becomes one vector for each different sequence of bytes that the guests
make of it, and says whose they are.  The layouts are written down here a second time, on purpose:
the codecs have their own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from vhint.wire.history import PROFILES
from vhint_conformance.vectors.message import ByteOrder, Field, Message
from vhint_conformance.vectors.model import Codec, Fault, FormatFile, Json, Vector
from vhint_conformance.vectors.tables.common import short, trailing


@dataclass(frozen=True, slots=True)
class Guest:
    """A guest's `long` in bytes, its own byte order, and that of what it converts."""

    long: int
    native: ByteOrder
    converted: ByteOrder


GUESTS: dict[str, Guest] = {
    "lp64-little": Guest(8, "little", "little"),
    "lp64-big": Guest(8, "big", "big"),
    "lp64-big-modern": Guest(8, "big", "little"),
    "ilp32-little": Guest(4, "little", "little"),
    "ilp32-big": Guest(4, "big", "big"),
    "ilp32-big-modern": Guest(4, "big", "little"),
}
ANY = GUESTS["lp64-little"]
"""Stands for all guests where they do not differ."""
ALL = tuple(GUESTS)
BY_ORDER = ("lp64-little", "lp64-big")

LIMIT = 1 << 52
GIB_4 = 1 << 32

Lay = Callable[[Guest, Any], Message]
"""Lays a case's value out as a guest does."""


def native(guest: Guest, path: str, size: int, value: int) -> Field:
    """Make a field that a guest stores as it is."""
    return Field(path, size, value, guest.native)


def converted(guest: Guest, path: str, size: int, value: int) -> Field:
    """Make a field that a guest converts to the order of the device."""
    return Field(path, size, value, guest.converted)


@dataclass(frozen=True, slots=True)
class Case:
    """A value that a message can have; `layouts` are those whose fields have room for it.

    `change` makes other bytes that mean the same.
    """

    name: str
    comment: str
    value: Any
    notes: tuple[str, ...] = ()
    layouts: tuple[str, ...] | None = None
    parameters: Mapping[str, int] = field(default_factory=dict)
    change: Callable[[Message], bytes] | None = None


@dataclass(frozen=True, slots=True)
class Wrong:
    """Bytes that are no message: a good value laid out, then spoilt."""

    name: str
    comment: str
    value: Any
    spoil: Callable[[Message], tuple[bytes, Fault]]
    notes: tuple[str, ...] = ()
    layouts: tuple[str, ...] | None = None
    parameters: Mapping[str, int] = field(default_factory=dict)


def _no_face(value: Json) -> Any:
    raise NotImplementedError(f"a codec of its own builds {value}")


@dataclass(frozen=True, slots=True)
class Shape:
    """How a message is laid out and read.

    `layouts` are the guests that are told apart, none if all are the same.  `ends` are last parts
    of the paths before which a message may end: those of the first field of an element.
    """

    types: Json
    lay: Lay
    decoded: Callable[[Any], Json]
    parse: Callable[[Any], Any] = lambda face: face
    face: Callable[[Json], Any] = _no_face
    layouts: tuple[str, ...] = ()
    ends: tuple[str, ...] = ()


def whole(key: str) -> Callable[[Any], Any]:
    """Give a function that names a whole sequence."""
    return lambda face: {key: face}


def informative(
    profile: str,
    message: str,
    title: str,
    shape: Shape,
    cases: Sequence[Case],
    wrong: Sequence[Wrong] = (),
    *,
    cut: Case | None = None,
    has_end: bool = False,
    codec: Codec | None = None,
) -> FormatFile:
    """Make the file of one message of a profile.

    `cut` is the case that is cut at every field; with `has_end` bytes after it are an offence.
    """
    vectors: list[Vector] = []
    for case in cases:
        vectors += _valid(shape, case)
    for each in wrong:
        vectors += _wrong(shape, each)
    if cut is not None:
        vectors += _cuts(shape, cut)
        if has_end:
            after = Wrong(
                "trailing-byte",
                "a byte after the end",
                cut.value,
                lambda made: (made.extend(b"\0").data, trailing(made)),
                parameters=cut.parameters,
                layouts=cut.layouts,
            )
            vectors += _wrong(shape, after)
    posted = PROFILES[profile]
    return FormatFile(
        f"{profile}-{message}",
        title,
        f"{posted.summary}; posted {posted.date}",
        shape.types,
        codec or _codec(profile, message, shape),
        vectors,
        status="informative",
    )


def _codec(profile: str, name: str, shape: Shape) -> Codec:
    (message,) = (each for each in PROFILES[profile].messages if each.name == name)

    def options(given: Mapping[str, Json]) -> dict[str, Json]:
        return {"layout": given["layout"]} if "layout" in given else {}

    def parse(data: bytes, given: Mapping[str, Json]) -> Any:
        numbers = [given[name] for name in message.parameters]
        return shape.parse(message.parse(data, *numbers, **options(given)))

    def build(decoded: Json, given: Mapping[str, Json]) -> bytes:
        return message.build(shape.face(decoded), **options(given))

    return Codec(parse, build)


def _groups(
    shape: Shape, layouts: tuple[str, ...] | None, make: Callable[[Guest], Any]
) -> Iterator[tuple[str, tuple[str, ...], Any]]:
    """Yield a suffix for names, the layouts, and what they have in common."""
    if not shape.layouts:
        yield "", (), make(ANY)
        return
    made: dict[Any, list[str]] = {}
    for layout in layouts or shape.layouts:
        made.setdefault(make(GUESTS[layout]), []).append(layout)
    for common, names in made.items():
        yield f"-{names[0]}", tuple(names), common


def _valid(shape: Shape, case: Case) -> Iterator[Vector]:
    def make(guest: Guest) -> bytes:
        message = shape.lay(guest, case.value)
        return case.change(message) if case.change else message.data

    for suffix, layouts, data in _groups(shape, case.layouts, make):
        yield Vector(
            case.name + suffix,
            case.comment,
            data,
            shape.decoded(case.value),
            parameters=case.parameters,
            notes=case.notes,
            layouts=layouts,
            one_way=case.change is not None,
        )


def _wrong(shape: Shape, wrong: Wrong) -> Iterator[Vector]:
    def make(guest: Guest) -> tuple[bytes, Fault]:
        return wrong.spoil(shape.lay(guest, wrong.value))

    for suffix, layouts, (data, fault) in _groups(shape, wrong.layouts, make):
        yield Vector(
            wrong.name + suffix,
            wrong.comment,
            data,
            fault=fault,
            parameters=wrong.parameters,
            notes=wrong.notes,
            layouts=layouts,
        )


def _cuts(shape: Shape, case: Case) -> Iterator[Vector]:
    """Cut a message before and one byte into every field, unless it may end there."""
    lengths: set[int] = set()
    for layout in case.layouts or shape.layouts or ("lp64-little",):
        message = shape.lay(GUESTS[layout], case.value)
        lengths |= {at for start in message.starts() for at in (start, start + 1)}
    for length in sorted(lengths):

        def make(guest: Guest, length: int = length) -> tuple[bytes, Fault] | None:
            message = shape.lay(guest, case.value)
            if length >= len(message.data) or _may_end(shape, message, length):
                return None
            return message.data[:length], short(message, length)

        for suffix, layouts, made in _groups(shape, case.layouts, make):
            if made is not None:
                yield Vector(
                    f"short-at-{length}{suffix}",
                    f"the first {length} bytes",
                    made[0],
                    fault=made[1],
                    parameters=case.parameters,
                    layouts=layouts,
                )


def _may_end(shape: Shape, message: Message, length: int) -> bool:
    path, start = message.at(length)
    return start == length and path.rpartition(".")[2] in shape.ends


def numbers(names: Iterable[str], value: Sequence[int], wide: Iterable[str] = ()) -> Json:
    """Spell an element out, with 64-bit numbers as strings."""
    wide = set(wide)
    return {
        name: str(number) if name in wide else number
        for name, number in zip(names, value, strict=True)
    }
