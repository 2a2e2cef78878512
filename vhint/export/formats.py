"""The formats as generators see them: those of `vhint.wire.formats`, with trees of fields."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from types import MappingProxyType

from vhint.export import refusals
from vhint.export.read import read
from vhint.export.shape import (
    End,
    Field,
    Number,
    Parts,
    Payload,
    Reference,
    Variant,
    everything,
    walk,
)
from vhint.export.words import snake
from vhint.wire import formats
from vhint.wire.history import Layout


@dataclass(frozen=True, slots=True)
class Group:
    """Layouts in which the same fields are the same bytes."""

    layouts: tuple[Layout | None, ...]
    tree: tuple[Field, ...]

    @property
    def suffix(self) -> str:
        """What tells functions for these layouts from others, in snake case; "" if there are none.

        It is the name of the first layout.
        """
        first = self.layouts[0]
        return f"_{snake(first.value)}" if first else ""


@dataclass(frozen=True)
class Format:
    """One format: what is known of it, and its fields for each layout."""

    about: formats.Format
    trees: Mapping[Layout | None, tuple[Field, ...]]

    @property
    def name(self) -> str:
        """The permanent name, such as ``"hint-request"``."""
        return self.about.id

    @property
    def docs(self) -> str:
        """What its bytes are, as a sentence."""
        return f"{self.about.title[0].upper()}{self.about.title[1:]}."

    @property
    def source(self) -> str:
        """The section that defines it."""
        return self.about.source

    @property
    def parameters(self) -> tuple[str, ...]:
        """The names of numbers that are needed besides the bytes."""
        return self.about.parameters

    @property
    def is_history(self) -> bool:
        """Whether it was posted only, and is for reading old traces."""
        return self.about.status is formats.Status.INFORMATIVE

    @property
    def layouts(self) -> tuple[Layout, ...]:
        """The layouts to choose from; none if no layout makes a difference."""
        return self.about.layouts

    @property
    def tree(self) -> tuple[Field, ...]:
        """The fields of the first layout."""
        return next(iter(self.trees.values()))

    def width(self, reference: Reference) -> int:
        """Give the bits of the number that a reference is to, in the layout with the widest."""
        for field in everything(self.tree):
            if isinstance(field, Parts) and field.name == reference.names[0]:
                return next(part.width for part in field.parts if part.name == reference.names[-1])
        return 8 * self.widest(reference.names[0])

    @cached_property
    def groups(self) -> tuple[Group, ...]:
        """The layouts that share a tree, together."""
        found: dict[tuple[Field, ...], tuple[Layout | None, ...]] = {}
        for layout, tree in self.trees.items():
            found[tree] = (*found.get(tree, ()), layout)
        return tuple(Group(layouts, tree) for tree, layouts in found.items())

    @property
    def is_open(self) -> bool:
        """Whether bytes may follow that nobody looks at."""
        return not any(isinstance(each, (End, Variant)) for each in walk(self.tree))

    @property
    def payload(self) -> Payload | None:
        """The payload, if it is a message whose payload depends on it."""
        return next((each for each in self.tree if isinstance(each, Payload)), None)

    @cached_property
    def refusals(self) -> refusals.Refusals:
        """The requirements behind refusals, by path and kind."""
        return refusals.requirements(self.name)

    def widest(self, name: str) -> int:
        """Give the largest size in bytes that a number has in any layout."""
        return max(
            each.size
            for tree in self.trees.values()
            for each in everything(tree)
            if isinstance(each, Number) and each.name == name
        )


def select(globs: Iterable[str]) -> tuple[Format, ...]:
    """Give the formats that globs name, in the order of the catalogue; all but history for none.

    Raises `LookupError` with the first glob that names nothing.
    """
    chosen = set()
    for glob in globs:
        found = fnmatch.filter(catalogue(), glob)
        if not found:
            raise LookupError(glob)
        chosen.update(found)
    return tuple(
        each
        for each in catalogue().values()
        if each.name in chosen or (not chosen and not each.is_history)
    )


@cache
def catalogue() -> Mapping[str, Format]:
    """Give all formats by name."""
    return MappingProxyType(
        {
            name: Format(about, {layout: read(con) for layout, con in about.declarations.items()})
            for name, about in formats.FORMATS.items()
        }
    )
