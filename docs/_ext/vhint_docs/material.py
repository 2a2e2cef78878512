"""Everything the pages are made of, gathered once: registers, cases, mutants, vectors.

The registers are read through `vhint_spec`, the cases through the suite's own collection; nothing
is said a second time here. What this adds is the way back: from a requirement to whatever names
it.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import vhint_conformance
import vhint_spec
from vhint_conformance import runner
from vhint_conformance.case import Role
from vhint_conformance.kill_matrix import SUBJECTS
from vhint_conformance.selection import Level
from vhint_spec import Requirement, bugs, clauses, errata
from vhint_spec.bugs import Bug
from vhint_spec.clauses import Clause, Label
from vhint_spec.errata import Erratum

SPEC = Path(vhint_spec.__file__).parent
CASES = Path(vhint_conformance.__file__).parent / "cases"


class MaterialError(Exception):
    """Something that the pages are made of is missing or unsound."""


@dataclass(frozen=True, slots=True)
class CaseFamily:
    """A case with all its parameters: ``reporting.order[0]``, ``[1]`` and so on are one."""

    id: str
    title: str
    role: Role
    requirements: tuple[str, ...]
    parameters: tuple[str, ...]

    @property
    def size(self) -> int:
        """How many cases it stands for."""
        return max(1, len(self.parameters))


@dataclass(frozen=True, slots=True)
class Fault:
    """A mutant: a broken implementation that the suite must find.

    `heading` is its role and subject, `bugs` the real faults that it re-enacts.
    """

    name: str
    summary: str
    heading: str
    violates: tuple[str, ...]
    bugs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Vector:
    """One test vector, as its file names it."""

    id: str
    file: str
    summary: str
    kind: str
    requirements: tuple[str, ...]


@dataclass(frozen=True)
class Material:
    """All of it; the mappings are in the order in which the pages show them."""

    requirements: Mapping[str, Requirement]
    cases: Mapping[str, CaseFamily]
    mutants: Mapping[str, Fault]
    vectors: Mapping[str, Vector]
    labels: Mapping[str, Label]
    clauses: Mapping[str, Clause]
    errata: Mapping[str, Erratum]
    bugs: Mapping[str, Bug]

    def names(self, kind: str) -> list[str]:
        """Return what a role can name: ``req``, ``clause`` and so on."""
        named: dict[str, Mapping[str, Any]] = {
            "req": self.requirements,
            "clause": self.clauses,
            "erratum": self.errata,
            "bug": self.bugs,
            "case": self.cases,
            "mutant": self.mutants,
            "vec": self.vectors,
        }
        return list(named[kind])

    def cases_of(self, slug: str) -> list[CaseFamily]:
        """Return the cases that check a requirement."""
        return self._cases_by_slug.get(slug, [])

    def mutants_of(self, slug: str) -> list[Fault]:
        """Return the mutants that break a requirement."""
        return self._mutants_by_slug.get(slug, [])

    def vectors_of(self, slug: str) -> list[Vector]:
        """Return the vectors that name a requirement."""
        return self._vectors_by_slug.get(slug, [])

    def clauses_of(self, slug: str) -> list[Clause]:
        """Return the clauses of the standard that a requirement carries."""
        return self._clauses_by_slug.get(slug, [])

    def errata_of(self, slug: str) -> list[Erratum]:
        """Return the choices that a requirement rests on."""
        return self._errata_by_slug.get(slug, [])

    def bugs_of(self, slug: str) -> list[Bug]:
        """Return the faults that a requirement forbids."""
        return self._bugs_by_slug.get(slug, [])

    def errata_of_clause(self, clause: str) -> list[Erratum]:
        """Return the choices that concern a clause of the standard."""
        return [erratum for erratum in self.errata.values() if clause in erratum.sources]

    @functools.cached_property
    def _mutants_by_slug(self) -> dict[str, list[Fault]]:
        return _by(self.mutants.values(), "violates")

    @functools.cached_property
    def _cases_by_slug(self) -> dict[str, list[CaseFamily]]:
        return _by(self.cases.values(), "requirements")

    @functools.cached_property
    def _vectors_by_slug(self) -> dict[str, list[Vector]]:
        return _by(self.vectors.values(), "requirements")

    @functools.cached_property
    def _clauses_by_slug(self) -> dict[str, list[Clause]]:
        return _by(self.clauses.values(), "slugs")

    @functools.cached_property
    def _errata_by_slug(self) -> dict[str, list[Erratum]]:
        return _by(self.errata.values(), "slugs")

    @functools.cached_property
    def _bugs_by_slug(self) -> dict[str, list[Bug]]:
        return _by(self.bugs.values(), "slugs")


@functools.cache
def material() -> Material:
    """Return everything, gathered when it is first asked for."""
    return Material(
        requirements=vhint_spec.load(),
        cases=families(),
        mutants={
            subject.name: Fault(
                subject.name,
                subject.summary,
                f"{subject.role}: {subject.group}",
                subject.violates,
                subject.bugs,
            )
            for subject in SUBJECTS.values()
            if not subject.sound
        },
        vectors=read_vectors(SPEC / "vectors"),
        labels=clauses.labels(),
        clauses=clauses.load(),
        errata=errata.load(),
        bugs=bugs.load(),
    )


def families() -> dict[str, CaseFamily]:
    """Return the suite's cases, of every role and level, by id without parameters and variant."""
    collection = runner.listing(runner.RunOptions(target="reference", level=Level.SHOULD))
    if collection.broken:
        raise MaterialError(f"cases that cannot be read: {collection.broken}")
    found: dict[str, CaseFamily] = {}
    for case in collection.cases.values():
        name, _, parameter = case.id.partition("@")[0].partition("[")
        known = found.get(name)
        parameters = [*(known.parameters if known else ()), parameter.removesuffix("]")]
        checked = [*(known.requirements if known else ()), *case.requirements]
        found[name] = CaseFamily(
            name,
            case.title,
            case.role,
            tuple(dict.fromkeys(checked)),
            tuple(dict.fromkeys(filter(None, parameters))),
        )
    return found


def read_vectors(directory: Path) -> dict[str, Vector]:
    """Return the vectors of all files below a directory; none if there is no directory."""
    found: dict[str, Vector] = {}
    for path in sorted(directory.rglob("*.json")):
        data = json.loads(path.read_text(encoding="utf-8"))
        entries = data.get("vectors", []) if isinstance(data, dict) else []
        for entry in entries:
            found[entry["id"]] = Vector(
                entry["id"],
                data["id"],
                entry["comment"],
                entry.get("result") or data["kind"],
                tuple(entry["requirements"]),
            )
    return found


def sources() -> list[Path]:
    """Return the files from which the material is read, so that a change renews the pages."""
    data = [path for path in SPEC.rglob("*") if path.suffix in {".toml", ".json"}]
    return sorted([*data, *CASES.rglob("*.py"), *CASES.parent.rglob("mutants/*.py")])


def _by(items: Iterable[Any], attribute: str) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for item in items:
        for slug in getattr(item, attribute):
            found.setdefault(slug, []).append(item)
    return found
