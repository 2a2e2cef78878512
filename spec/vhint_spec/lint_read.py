"""Reading the registers for the linter: all that can be read, and what is wrong with the rest."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from vhint_spec import registry
from vhint_spec.bugs import Bug
from vhint_spec.clauses import Clause, Label, Section, sections, settled
from vhint_spec.errata import Erratum
from vhint_spec.records import FieldError, RegistryError, judged, toml_files, toml_tables
from vhint_spec.registry import Requirement

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong, and where."""

    file: str
    """The file, relative to the directory of the registers."""
    entry: str
    """The slug, label or id of the entry; empty if it is about the file."""
    text: str

    def __str__(self) -> str:
        return ": ".join(part for part in (self.file, self.entry, self.text) if part)


@dataclass(slots=True)
class Registers:
    """What could be read of the registers, with what was wrong in reading it."""

    requirements: dict[str, Requirement] = field(default_factory=dict)
    labels: dict[str, Label] = field(default_factory=dict)
    clauses: dict[str, Clause] = field(default_factory=dict)
    sections: dict[str, Section] = field(default_factory=dict)
    bugs: dict[str, Bug] = field(default_factory=dict)
    errata: dict[str, Erratum] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    homes: dict[str, str] = field(default_factory=dict)
    """The file of each slug, label and id; no two registers use the same name."""

    def at(self, entry: str, text: str) -> Problem:
        """Return a problem of the entry so named, which was read."""
        return Problem(self.homes[entry], entry, text)


def read(directory: Traversable | None = None) -> Registers:
    """Read all registers below a directory, vhint's own by default, and note what is wrong."""
    root = files("vhint_spec") if directory is None else directory
    found = Registers()
    _collect(found, root, "requirements", "requirement", Requirement, "slug", found.requirements)
    _collect(found, root, "clauses", "label", Label, "label", found.labels)
    _collect(found, root, "bugs", "bug", Bug, "id", found.bugs)
    _collect(found, root, "errata", "erratum", Erratum, "id", found.errata)
    try:
        found.sections.update(sections(root / "clauses"))
    except RegistryError as error:
        found.problems.append(Problem("clauses/standard.json", "", error.problem))
    for name, label in found.labels.items():
        found.labels[name] = settled(label, found.sections.get(name))
        for clause in found.labels[name].clauses:
            _keep(found, found.homes[name], clause.id, clause, found.clauses)
    return found


def _collect(
    found: Registers,
    root: Traversable,
    folder: str,
    array: str,
    kind: type[Any],
    key: str,
    register: dict[str, Any],
) -> None:
    head = registry.HEAD if kind is Requirement else frozenset({"title"})
    try:
        paths = toml_files(root / folder)
    except RegistryError as error:
        found.problems.append(Problem(folder, "", error.problem))
        return
    for path in paths:
        file = f"{folder}/{path.name}"
        try:
            data, entries = toml_tables(path, array, head)
        except RegistryError as error:
            found.problems.append(Problem(file, "", error.problem))
            continue
        if kind is Requirement and (problem := registry.head_problem(data)):
            found.problems.append(Problem(file, "", problem))
            continue
        for name, record in judged(entries, kind, key):
            found.problems.extend(Problem(file, name, text) for text in _wrong(record, data))
            if not isinstance(record, FieldError):
                _keep(found, file, name, record, register)


def _wrong(record: object, head: dict[str, Any]) -> Iterator[str]:
    if isinstance(record, FieldError):
        yield str(record)
    elif isinstance(record, Requirement) and (problem := registry.entry_problem(record, head)):
        yield problem


def _keep(found: Registers, file: str, name: str, record: object, register: dict[str, Any]) -> None:
    if name in found.homes:
        where = found.homes[name]
        found.problems.append(Problem(file, name, f"is already in {where}"))
    else:
        register[name], found.homes[name] = record, file
