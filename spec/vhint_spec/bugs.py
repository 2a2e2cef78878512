"""The register of real faults: what implementations got wrong, and what forbids it.

>>> load()["Q1"].implementation, load()["Q1"].confirmed
('QEMU', True)
>>> "Q1" in [bug.id for bug in of_slug()["balloon.device.inflate-containment"]]
True
"""

from __future__ import annotations

import enum
import functools
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from types import MappingProxyType
from typing import TYPE_CHECKING

from vhint_spec.records import records
from vhint_spec.registry import Invariant

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable


class Confidence(enum.StrEnum):
    """How far a fault is established."""

    HISTORY = "history"
    """Seen in the project's own history: the commit that mended it."""
    POSTING = "posting"
    """Read in a posting to a mailing list, or in a source file kept from one."""
    THREAD = "thread"
    """Reported or discussed in an issue, a pull request or an advisory."""
    SECONDARY = "secondary"
    """Mentioned elsewhere with a reference that was not opened: to be checked before use."""
    INFERRED = "inferred"
    """Concluded from reading source and never run: a hypothesis, not a finding."""


@dataclass(frozen=True, slots=True)
class Bug:
    """One fault of one implementation."""

    id: str
    """Permanent name: a letter or two for the implementation, and a number."""
    implementation: str
    references: tuple[str, ...]
    """Commits, advisories or threads by which it can be found; empty if there are none."""
    text: str
    """What broke, in our words."""
    invariants: tuple[Invariant, ...]
    """The invariants ``I1`` to ``I21`` that it broke."""
    confidence: Confidence
    slugs: tuple[str, ...] = ()
    """The requirements that forbid it."""
    left_out: str | None = None
    """Why no requirement forbids it."""

    @property
    def confirmed(self) -> bool:
        """Whether it was seen in a history, a posting or a thread."""
        return self.confidence not in (Confidence.SECONDARY, Confidence.INFERRED)


def load(directory: Traversable | None = None) -> Mapping[str, Bug]:
    """Return all faults by id, in the order of files and of entries.

    Without `directory` this is vhint's own register, which is read once. Raises
    `RegistryError` if the data are wrong.
    """
    return _packaged() if directory is None else _read(directory)


def of_slug(directory: Traversable | None = None) -> Mapping[str, tuple[Bug, ...]]:
    """Return, for each slug that forbids a fault, the faults."""
    found: dict[str, tuple[Bug, ...]] = {}
    for bug in load(directory).values():
        for slug in bug.slugs:
            found[slug] = (*found.get(slug, ()), bug)
    return MappingProxyType(found)


@functools.cache
def _packaged() -> Mapping[str, Bug]:
    return _read(files("vhint_spec") / "bugs")


def _read(directory: Traversable) -> Mapping[str, Bug]:
    return MappingProxyType(records(directory, "bug", Bug, "id"))
