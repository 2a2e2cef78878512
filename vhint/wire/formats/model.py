"""What is known of a format, and its values as JSON."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from operator import index
from typing import Any

from construct import Construct

from vhint.wire.codec import Data
from vhint.wire.errors import OutOfRange, UnknownValue, WireError, WrongType
from vhint.wire.formats import sizes, values
from vhint.wire.history.layout import Layout


class Status(StrEnum):
    """What a format is good for."""

    NORMATIVE = "normative"
    """In the standard, or in vhint's specification: what implementations speak."""
    INFORMATIVE = "informative"
    """Posted once, and no standard: for reading old traces."""


@dataclass(frozen=True, slots=True)
class Format:
    """One format.

    Attributes:
        id: its permanent name, such as ``"hint-request"``.
        title: what its bytes are, in a line.
        module: the module that defines it.
        status: whether anybody should still speak it.
        since: where it appeared first: a version of a specification, or the date of a posting.
        source: the section that defines it.
        declarations: its construct declaration by the layout of a guest; by None if all agree.
        parse: bytes to the face that `module` describes; `decode` calls it.
        parameters: the names of numbers (0 or more) that are needed besides the bytes.
        reads: how many leading bytes count, if what follows them is not looked at.

    """

    id: str
    title: str
    module: str
    status: Status
    since: str
    source: str
    declarations: Mapping[Layout | None, Construct]
    parse: Callable[..., Any]
    parameters: tuple[str, ...] = ()
    reads: int | None = None

    @property
    def layouts(self) -> tuple[Layout, ...]:
        """The layouts there are to choose from; none if no layout makes a difference."""
        return tuple(layout for layout in self.declarations if layout is not None)

    def declaration(self, layout: str | None = None) -> Construct:
        """Give the construct declaration for a guest's layout; None: little-endian LP64.

        Raises `UnknownValue` for a layout that the format does not have.
        """
        known = self.declarations
        if layout is None:
            return known[None] if None in known else next(iter(known.values()))
        for candidate, declaration in known.items():
            if candidate == layout:
                return declaration
        names = " or ".join(self.layouts) or "none: it is the same for all guests"
        raise UnknownValue("layout", 0, names, layout, format=self.id)

    def sizes(self) -> tuple[int, int | None]:
        """Give the smallest and the largest size in bytes; None for the largest: no limit.

        Where guests differ, over all of them.
        """
        found = [sizes.sizes(declaration) for declaration in self.declarations.values()]
        largest = [most for _, most in found]
        return min(least for least, _ in found), (
            None if None in largest else max(most for most in largest if most is not None)
        )

    def decode(self, data: Data, *, layout: str | None = None, **parameters: int) -> Any:
        """Give the face of the bytes, which is described in `module`; raises `WireError`."""
        self.declaration(layout)
        numbers = self.numbers(parameters)
        options = {} if layout is None else {"layout": Layout(layout)}
        return self.parse(data, *numbers.values(), **options)

    def to_json(self, data: Data, *, layout: str | None = None, **parameters: int) -> Any:
        """Give the bytes as plain JSON: see `vhint.wire.formats.values`; raises `WireError`."""
        self.decode(data, layout=layout, **parameters)
        declaration = self.declaration(layout)
        found = declaration.parse(self.looked_at(data), **self.numbers(parameters))
        return values.to_json(declaration, found)

    def from_json(self, value: Any, *, layout: str | None = None, **parameters: int) -> bytes:
        """Give the bytes that JSON stands for: the exact inverse of `to_json`.

        Raises `WireError`, with the offset that the field at fault would have.
        """
        declaration, numbers = self.declaration(layout), self.numbers(parameters)
        try:
            data = bytes(declaration.build(values.from_json(declaration, value), **numbers))
        except WireError as error:
            error.format = error.format or self.id
            raise
        self.decode(data, layout=layout, **parameters)
        return data

    def looked_at(self, data: Data) -> bytes:
        """Give the bytes that count."""
        return bytes(memoryview(data).cast("B")[: self.reads])

    def numbers(self, given: Mapping[str, Any]) -> dict[str, int]:
        """Give the parameters in order; raises `WireError` if one is missing or wrong."""
        for name in given:
            if name not in self.parameters:
                known = " and ".join(self.parameters) or "none"
                raise UnknownValue(name, 0, f"only the parameters: {known}", name, format=self.id)
        found: dict[str, int] = {}
        for name in self.parameters:
            if name not in given:
                raise WrongType(name, 0, "a number besides the bytes", None, format=self.id)
            try:
                found[name] = index(given[name])
            except TypeError:
                raise WrongType(name, 0, "an integer", given[name], format=self.id) from None
            if found[name] < 0:
                raise OutOfRange(name, 0, "0 or more", found[name], format=self.id)
        return found
