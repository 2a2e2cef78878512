"""What a generator sees of a declaration: a tree of fields, in no language's terms.

It says nothing that the construct declaration does not; `vhint.export.read` makes it of one. Sizes
are in bytes, and every field is read in order, each being judged before the next is looked at.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum, IntEnum, IntFlag
from typing import Literal


@dataclass(frozen=True, slots=True)
class Reference:
    """Where a number comes from that says how many there are of something.

    `names` are the field, and the part of it if it is cut into bits; or the parameter. `scope` says
    whether the field is in the message, or beside the counted part in the same record; or that the
    number is given along with the bytes. It is multiplied with `scale`.
    """

    names: tuple[str, ...]
    scope: Literal["message", "record", "parameter"]
    scale: int = 1


class Rule(Enum):
    """Which values a number may have."""

    ANY = "any"
    BOUNDED = "bounded"
    RESERVED = "reserved"
    PADDING = "padding"
    CHOICE = "choice"
    NAMED = "named"
    MASKED = "masked"


@dataclass(frozen=True, slots=True)
class Number:
    """An unsigned number of `size` bytes.

    `low` and `high` are what it may be at all; a masked one is ``value & mask == low``. `enum` has
    the names of its values, or of its bits: all that there are for a choice, else some.
    """

    name: str
    size: int
    is_big: bool
    rule: Rule
    low: int
    high: int
    mask: int = 0
    enum: type[IntEnum | IntFlag] | None = None
    docs: str = ""

    @property
    def is_shown(self) -> bool:
        """Whether it means something: reserved numbers and padding do not."""
        return self.rule not in (Rule.RESERVED, Rule.PADDING)

    @property
    def is_full(self) -> bool:
        """Whether it may have every value that its bytes can hold."""
        if self.rule in (Rule.CHOICE, Rule.MASKED):
            return False
        return self.low == 0 and self.high == (1 << 8 * self.size) - 1


@dataclass(frozen=True, slots=True)
class Part:
    """Some bits of a number, from bit `shift` on."""

    name: str
    shift: int
    width: int


@dataclass(frozen=True, slots=True)
class Parts:
    """A number of `size` bytes that is cut into bit fields, given as a compiler orders them."""

    name: str
    size: int
    is_big: bool
    parts: tuple[Part, ...]
    docs: str = ""


@dataclass(frozen=True, slots=True)
class Array:
    """Elements, as many as `count` says, or up to the end of the input if that is None."""

    name: str
    count: Reference | None
    element: tuple[Field, ...]
    docs: str = ""

    @property
    def plain(self) -> Number | None:
        """The number that an element is, or None if it has fields."""
        match self.element:
            case (Number(name="") as number,):
                return number
            case _:
                return None

    @property
    def is_plain(self) -> bool:
        """Whether an element is a mere number."""
        return self.plain is not None

    @property
    def stride(self) -> int | None:
        """The size of an element, or None if elements differ in size."""
        sizes = [each.size for each in self.element if isinstance(each, (Number, Parts))]
        return sum(sizes) if len(sizes) == len(self.element) else None


@dataclass(frozen=True, slots=True)
class Bits:
    """A bitmap of `count` bits, least significant first; if it is leading, maybe a part of it."""

    name: str
    count: Reference
    is_leading: bool = False
    docs: str = ""


@dataclass(frozen=True, slots=True)
class Maybe:
    """A number that is there only if the number `when` is 0."""

    number: Number
    when: Reference

    @property
    def name(self) -> str:
        """The name of the number."""
        return self.number.name


@dataclass(frozen=True, slots=True)
class Leading:
    """Numbers that may be missing at the end of the input, each only with all after it."""

    numbers: tuple[Number, ...]
    name: str = ""


@dataclass(frozen=True, slots=True)
class Case:
    """The fields that follow if the selecting field has the value `value`, called `name`."""

    value: int
    name: str
    fields: tuple[Field, ...]


@dataclass(frozen=True, slots=True)
class Variant:
    """One of several continuations; `key` is the field that selects, and is one of the values."""

    name: str
    key: str
    cases: tuple[Case, ...]


@dataclass(frozen=True, slots=True)
class Payload:
    """The payload of a vhost-user message, of as many bytes as the field ``size`` says.

    It has the fields that belong to the number in the field ``request``, for requests and for
    replies (those with the bit `flag` in ``flags``); `other` if there are none for it, and of a
    reply without payload.
    """

    name: str
    flag: int
    requests: tuple[tuple[int, tuple[Field, ...]], ...]
    replies: tuple[tuple[int, tuple[Field, ...]], ...]
    other: tuple[Field, ...]

    @property
    def all(self) -> tuple[tuple[Field, ...], ...]:
        """All kinds of payloads, each once, in the order in which they appear."""
        trees = [tree for _, tree in (*self.requests, *self.replies)]
        return tuple(dict.fromkeys([*trees, self.other]))


@dataclass(frozen=True, slots=True)
class Counted:
    """A check at the very end: a part of a header has to be the number of bytes after `size`."""

    field: tuple[str, str]
    size: int
    name: str = ""


@dataclass(frozen=True, slots=True)
class End:
    """The end: nothing may follow."""

    name: str = ""


Field = Number | Parts | Array | Bits | Maybe | Leading | Variant | Payload | Counted | End


def number(fields: tuple[Field, ...], name: str) -> Number:
    """Give the number of this name among fields; raises `LookupError`."""
    for field in fields:
        if isinstance(field, Number) and field.name == name:
            return field
    raise LookupError(name)


def walk(fields: tuple[Field, ...]) -> Iterator[Field]:
    """Yield all fields, those of variants after the variant, but not those of elements."""
    for field in fields:
        yield field
        if isinstance(field, Variant):
            for case in field.cases:
                yield from walk(case.fields)
        elif isinstance(field, Leading):
            yield from field.numbers
        elif isinstance(field, Maybe):
            yield field.number


def everything(fields: Iterable[Field]) -> Iterator[Field]:
    """Yield all fields, also those of elements."""
    for field in walk(tuple(fields)):
        yield field
        if isinstance(field, Array):
            yield from everything(field.element)
