"""Errata and choices: where the sources contradict themselves or are silent, and our reading.

>>> load()["statistics-entry-size"].sources
('ST-R5',)
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

from vhint_spec.bugs import Confidence
from vhint_spec.records import records

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

Kind = Literal["contradiction", "hole", "defect", "collision"]


@dataclass(frozen=True, slots=True)
class Reading:
    """One way to understand what the sources leave open."""

    text: str
    who: str
    """Who implements it, or reads it so."""
    confidence: Confidence | None = None
    """How far it is established that they do; None for a text's own reading, or nobody's."""
    taken: bool = False
    """Whether it is the reading this specification takes, or part of it."""


@dataclass(frozen=True, slots=True)
class Erratum:
    """One contradiction, hole, defect or collision, and how it is settled here."""

    id: str
    """Permanent name."""
    title: str
    kind: Kind
    sources: tuple[str, ...]
    """Ids of the clauses concerned; empty if it is about what no clause says."""
    problem: str
    readings: tuple[Reading, ...]
    taken: str
    """The reading this specification takes, as a rule."""
    why: str
    slugs: tuple[str, ...] = ()
    """The requirements that state or rest on the reading."""
    links: tuple[str, ...] = ()
    """Where it is discussed in public."""


def load(directory: Traversable | None = None) -> Mapping[str, Erratum]:
    """Return all errata by id, in the order of files and of entries.

    Without `directory` this is vhint's own register, which is read once. Raises
    `RegistryError` if the data are wrong.
    """
    return _packaged() if directory is None else _read(directory)


def of_slug(directory: Traversable | None = None) -> Mapping[str, tuple[Erratum, ...]]:
    """Return, for each slug that rests on a choice, the errata."""
    found: dict[str, tuple[Erratum, ...]] = {}
    for erratum in load(directory).values():
        for slug in erratum.slugs:
            found[slug] = (*found.get(slug, ()), erratum)
    return MappingProxyType(found)


@functools.cache
def _packaged() -> Mapping[str, Erratum]:
    return _read(files("vhint_spec") / "errata")


def _read(directory: Traversable) -> Mapping[str, Erratum]:
    return MappingProxyType(records(directory, "erratum", Erratum, "id"))
