"""How a state is packed: named fields of a few bits each in one whole number.

The number may be wider than a machine word; `Layout.words` says how many words of 64 bits it
takes.  No field crosses a word, and the top bit of the first word is kept clear, so that no state
is equal to the mark for an empty place in `vhint_conformance.model.explore.visited`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import reduce
from operator import or_

WORD = 64


@dataclass(frozen=True, slots=True)
class Pattern:
    """States whose bits under `mask` are `bits`."""

    mask: int = 0
    bits: int = 0

    def __and__(self, other: Pattern) -> Pattern:
        """Return the states that are in both; raises `ValueError` if there can be none."""
        both = self.mask & other.mask
        if self.bits & both != other.bits & both:
            raise ValueError("contradictory patterns")
        return Pattern(self.mask | other.mask, self.bits | other.bits)

    def matches(self, state: int) -> bool:
        """Return whether a state is one of them."""
        return state & self.mask == self.bits


def all_of(patterns: Iterable[Pattern]) -> Pattern:
    """Return the states that are in every pattern."""
    return reduce(Pattern.__and__, patterns, Pattern())


@dataclass(frozen=True, slots=True)
class Field:
    """A number below `values` at bit `shift` of the state."""

    name: str
    shift: int
    width: int
    values: int

    @property
    def mask(self) -> int:
        """The bits of the field in a state."""
        return ((1 << self.width) - 1) << self.shift

    def of(self, state: int) -> int:
        """Return the field's value in a state."""
        return (state & self.mask) >> self.shift

    def put(self, value: int) -> int:
        """Return the bits of a state in which the field has a value."""
        if not 0 <= value < self.values:
            raise ValueError(f"{self.name} has values below {self.values}, not {value}")
        return value << self.shift

    def is_(self, value: int) -> Pattern:
        """Return the states in which the field has a value."""
        return Pattern(self.mask, self.put(value))


class Layout:
    """Fields in the order in which they were added."""

    def __init__(self) -> None:
        self.fields: dict[str, Field] = {}
        self._next = 0

    def add(self, name: str, values: int) -> Field:
        """Add a field that has `values` different values; its name must be new."""
        if name in self.fields:
            raise ValueError(f"there is a field {name} already")
        width = max(1, (values - 1).bit_length())
        start = self._next
        if start // WORD != (start + width - 1) // WORD or start < WORD <= start + width:
            start = (start // WORD + 1) * WORD
        self._next = start + width
        field = Field(name, start, width, values)
        self.fields[name] = field
        return field

    @property
    def words(self) -> int:
        """The number of 64-bit words that a state takes."""
        return max(1, -(-self._next // WORD))

    @property
    def bits(self) -> int:
        """The number of bits that the fields take, gaps not counted."""
        return sum(field.width for field in self.fields.values())

    def pack(self, values: Mapping[str, int]) -> int:
        """Return the state with these values; fields that are not named are 0."""
        return reduce(or_, (self.fields[name].put(value) for name, value in values.items()), 0)

    def unpack(self, state: int) -> dict[str, int]:
        """Return the value of every field."""
        return {name: field.of(state) for name, field in self.fields.items()}
