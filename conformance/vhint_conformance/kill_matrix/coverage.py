"""Which requirements a mutant violates, and why there is none for the others that can be seen."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path

from vhint_conformance import runner
from vhint_conformance.kill_matrix.subjects import SUBJECTS
from vhint_conformance.runner import RunOptions
from vhint_conformance.selection import Level
from vhint_spec import registry

FILE = Path(__file__).with_name("without_mutant.toml")


@dataclass(frozen=True, slots=True)
class Group:
    """Requirements that no mutant violates, for one reason; `globs` is how the file names them."""

    reason: str
    globs: tuple[str, ...]
    slugs: tuple[str, ...]


def violated() -> set[str]:
    """Return every requirement that some mutant declares to violate."""
    return {slug for subject in SUBJECTS.values() for slug in subject.violates}


@cache
def owed() -> tuple[str, ...]:
    """Return the MUST and MUST NOT requirements that a case checks: those a mutant can violate."""
    collection = runner.listing(RunOptions("reference", level=Level.SHOULD))
    checked = {slug for slugs in collection.requirements.values() for slug in slugs}
    known = registry.load()
    return tuple(slug for slug, entry in known.items() if slug in checked and "MUST" in entry.level)


@cache
def groups() -> tuple[Group, ...]:
    """Return the requirements without a mutant as the list groups them; each is in one group."""
    entries = tomllib.loads(FILE.read_text(encoding="utf-8")).get("group", [])
    left = [slug for slug in owed() if slug not in violated()]
    found = []
    for entry in entries:
        globs = tuple(entry["slugs"])
        slugs = tuple(slug for slug in left if any(fnmatchcase(slug, glob) for glob in globs))
        left = [slug for slug in left if slug not in slugs]
        found.append(Group(entry["reason"], globs, slugs))
    return tuple(found)


def without_reason() -> list[str]:
    """Return the requirements that have neither a mutant nor a place in the list."""
    listed = {slug for group in groups() for slug in group.slugs}
    return [slug for slug in owed() if slug not in violated() and slug not in listed]


def reasons() -> Mapping[str, str]:
    """Return why each requirement of the list has no mutant."""
    return {slug: group.reason for group in groups() for slug in group.slugs}
