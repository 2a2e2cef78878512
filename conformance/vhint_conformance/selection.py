"""Which cases a run takes: by role, by level and by globs on case ids and requirement slugs."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Protocol

from vhint_conformance.case import Case, Role
from vhint_conformance.variants import ANY_RINGS, MARK, Rings, variant_in


class Level(StrEnum):
    """How binding a case is: the strongest level among the requirements that it checks."""

    MUST = "must"
    SHOULD = "should"
    MAY = "may"


class HasLevel(Protocol):
    """The part of a registry entry that decides on a level."""

    @property
    def level(self) -> object:
        """One of MUST, MUST NOT, SHOULD, SHOULD NOT, MAY."""


def level_of(requirements: Iterable[str], registry: Mapping[str, HasLevel]) -> Level:
    """Return the level of a case that checks these requirements.

    A slug that the registry does not know counts as MUST: better one case too many.
    """
    words = {
        str(registry[slug].level).split()[0].upper() if slug in registry else "MUST"
        for slug in requirements
    }
    if "MUST" in words:
        return Level.MUST
    return Level.SHOULD if "SHOULD" in words else Level.MAY


def matches(glob: str, name: str, case: str = "") -> bool:
    """Whether a glob names this id, or this slug, seen in the case with that id.

    A literal always matches itself, and the id of a parametrised case matches all its parameters:

    >>> name = "inflate.sizes[2]"
    >>> matches(name, name), matches("inflate.sizes", name), matches("inflate.*", name)
    (True, True, True)
    >>> matches("inflate", name)
    False

    All variants are meant unless the glob says which, after an @; nothing there is the plain one:

    >>> packed = "inflate.sizes[2]@packed"
    >>> [matches(glob, packed) for glob in ("inflate.*", "inflate.sizes@packed", "inflate.*@")]
    [True, True, False]
    """
    wanted, mark, variant = glob.partition(MARK)
    plain = name.partition(MARK)[0]
    named = wanted in (plain, plain.partition("[")[0]) or fnmatchcase(plain, wanted)
    return named and (not mark or fnmatchcase(variant_in(case or name), variant))


def close_names(glob: str, names: Iterable[str], most: int = 3) -> list[str]:
    """Return the names that somebody who typed `glob` may have meant, closest first."""
    known = sorted(set(names))
    bare = glob.strip("*?")
    inside = [name for name in known if bare and bare in name]
    near = difflib.get_close_matches(bare, known, n=most, cutoff=0.6)
    return list(dict.fromkeys([*inside, *near]))[:most]


@dataclass(frozen=True, slots=True)
class Selection:
    """What a user asked to run; the default is every MUST case of both roles, with any rings.

    `level` is the weakest level that counts.  MAY cases only record observations: they always run.
    """

    role: Role | None = None
    globs: tuple[str, ...] = ()
    level: Level = Level.MUST
    rings: tuple[Rings, ...] = ANY_RINGS

    def names(self, case: Case) -> bool:
        """Whether the globs take the case, by its id or by a requirement that it checks."""
        if not self.globs or case.id.partition(MARK)[0] in self.globs:  # which is quick to see
            return True
        candidates = (case.id, *case.requirements)
        return any(matches(glob, name, case.id) for glob in self.globs for name in candidates)

    def admits(self, case: Case, level: Level) -> bool:
        """Whether the case is to run."""
        right_role = self.role is None or case.role == self.role
        strict_enough = level is not Level.SHOULD or self.level is Level.SHOULD
        right_rings = not case.rings or case.variant.rings in self.rings
        return right_role and right_rings and strict_enough and self.names(case)
