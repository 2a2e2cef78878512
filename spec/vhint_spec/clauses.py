"""The clause register: every normative statement of VIRTIO 1.4 that concerns a balloon.

The standard puts its obligations into sections that carry labels. ``clauses/standard.json``
lists these sections with the number of RFC 2119 words that each has, counted by machine from
the standard's source (`vhint_spec.recount`). The TOML files beside it list, for each label, one
`Clause` for each such word, so that the two numbers can be compared. A clause is carried by
entries of the requirement registry, or it says why it was left out.

>>> load()["PR-R3"].slugs
('reporting.driver.no-touch-until-use',)
>>> [clause.id for clause in of_slug()["reporting.driver.no-touch-until-use"]]
['PR-R3']
"""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib.resources import files
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

from vhint_spec.records import FieldError, RegistryError, build, records
from vhint_spec.registry import Level

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

Bound = Literal["driver", "device", "both"]

STANDARD = "VIRTIO 1.4"
"""The version whose clauses these are."""
REVISION = "15f488c162107f7b52fb2e4d0f36a2349fe9d3a9"
"""The commit of the standard's source that was read, in the repository oasis-tcs/virtio-spec."""
SOURCES = (
    "content.tex",
    "split-ring.tex",
    "packed-ring.tex",
    "transport-mmio.tex",
    "transport-pci.tex",
    "device-types/balloon/description.tex",
)
"""The files of that repository whose sections are listed."""
ELSEWHERE: Mapping[str, str] = MappingProxyType(
    {
        "transport-ccw.tex": "Channel I/O: neither the reference nor a target of ours speaks it.",
        "shared-mem.tex": "A balloon has no shared memory regions.",
        "admin.tex": "A balloon has no administration queues; so for the files admin-*.tex.",
        "device-parts.tex": "Device parts are reached through administration queues.",
        "introduction.tex": "Conventions of the text, and of legacy and transitional parts.",
        "conformance.tex": "What a claim consists of: the labels listed here.",
        "device-types/": "Other types of device.",
    }
)
"""Other files with normative statements, and why none of theirs is listed."""


@dataclass(frozen=True, slots=True)
class Section:
    """One section of the standard that makes normative statements, as counted."""

    label: str
    """The label exactly as the standard's source has it, white space made single."""
    title: str
    """The section's heading as a reader sees it."""
    file: str
    """The source file, relative to the standard's repository."""
    line: int
    """The line of the heading in that file at `REVISION`."""
    counted: int
    """How many RFC 2119 words the section has."""


@dataclass(frozen=True, slots=True)
class Clause:
    """One normative statement of the standard, in our words."""

    id: str
    """Permanent name, ours; the standard does not number its statements."""
    level: Level
    text: str
    """What the standard asks for, in our words."""
    slugs: tuple[str, ...] = ()
    """The registry entries that carry it; empty if it was left out."""
    left_out: str | None = None
    """Why no entry carries it."""
    note: str | None = None
    """Why the entries differ from it, in level or in content, if they do."""
    role: Bound = "both"
    """Whom it binds; the label says so, or, if its section binds both sides, the clause."""
    label: str = ""
    """The label of its section, filled in from there."""
    legacy: bool = False
    """Whether it holds for the legacy interface only, filled in from the section."""


@dataclass(frozen=True, slots=True)
class Label:
    """One labelled section of the standard, with its statements."""

    label: str
    """The label exactly as the standard's source has it, white space made single."""
    clauses: tuple[Clause, ...] = ()
    """Its statements, in the order of the text."""
    left_out: str | None = None
    """Why the whole section was left out."""
    title: str = ""
    """The section's heading, filled in from what was counted, as are the following."""
    file: str = ""
    """The source file, relative to the standard's repository."""
    line: int = 0
    """The line of the heading in that file at `REVISION`."""
    counted: int = 0
    """How many RFC 2119 words the section has in the source; 0 if it is not known there."""

    @property
    def role(self) -> Bound:
        """Whom its statements bind."""
        kind = self.label.partition(":")[0]
        return "driver" if kind == "drivernormative" else "device" if kind != "sec" else "both"

    @property
    def legacy(self) -> bool:
        """Whether it is about the legacy interface."""
        return self.title.startswith("Legacy Interface")


SNAPSHOT = files("vhint_spec") / "clauses" / "standard.json"
"""The file of the sections that were counted."""


def sections(directory: Traversable | None = None) -> Mapping[str, Section]:
    """Return what was counted in the standard's source, by label."""
    path = SNAPSHOT if directory is None else directory / "standard.json"
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))
        found = [build(Section, entry) for entry in entries]
    except (OSError, ValueError, FieldError) as error:
        raise RegistryError(f"cannot be read: {error}", file=path.name) from error
    return MappingProxyType({section.label: section for section in found})


def labels(directory: Traversable | None = None) -> Mapping[str, Label]:
    """Return the sections with their clauses by label, in the order of files and of the text."""
    return _packaged() if directory is None else _read(directory)


def load(directory: Traversable | None = None) -> Mapping[str, Clause]:
    """Return all clauses by id, in the order of files and of the text.

    Without `directory` this is vhint's own register, which is read once. Raises
    `RegistryError` if the data are wrong.
    """
    found: dict[str, Clause] = {}
    for label in labels(directory).values():
        for clause in label.clauses:
            if clause.id in found:
                where = found[clause.id].label
                raise RegistryError(f"is already under {where}", file="clauses", slug=clause.id)
            found[clause.id] = clause
    return MappingProxyType(found)


def of_slug(directory: Traversable | None = None) -> Mapping[str, tuple[Clause, ...]]:
    """Return, for each slug that carries a clause, its clauses."""
    found: dict[str, tuple[Clause, ...]] = {}
    for clause in load(directory).values():
        for slug in clause.slugs:
            found[slug] = (*found.get(slug, ()), clause)
    return MappingProxyType(found)


@functools.cache
def _packaged() -> Mapping[str, Label]:
    return _read(files("vhint_spec") / "clauses")


def _read(directory: Traversable) -> Mapping[str, Label]:
    counted = sections(directory)
    found = records(directory, "label", Label, "label")
    return MappingProxyType(
        {name: settled(label, counted.get(name)) for name, label in found.items()}
    )


def settled(label: Label, section: Section | None) -> Label:
    """Return a label with what was counted, whose clauses know where they stand."""
    if section:
        label = replace(
            label,
            title=section.title,
            file=section.file,
            line=section.line,
            counted=section.counted,
        )
    return replace(
        label,
        clauses=tuple(
            replace(
                clause,
                label=label.label,
                legacy=label.legacy,
                role=label.role if label.role != "both" else clause.role,
            )
            for clause in label.clauses
        ),
    )
