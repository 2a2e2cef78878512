"""The requirement registry: every obligation, each under a permanent slug.

The data are TOML files, one a subject, in ``requirements/``. A file has a ``title``, the
``profiles`` that its entries belong to, optionally a ``topic`` that begins the last part of
each slug, and an array of ``requirement`` tables with the fields of `Requirement`.

>>> requirement = load()["hint.device.use-once"]
>>> requirement.role, requirement.level
('device', 'MUST NOT')
"""

from __future__ import annotations

import enum
import functools
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.resources import files
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, get_args

from vhint_spec.records import RegistryError, keyed, toml_files, toml_tables

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

Profile = Literal[
    "balloon",
    "reporting",
    "free-page-hint",
    "hint",
    "hint-pfn",
    "hint-bitmap",
    "shared-bitmap",
    "ring",
    "virtio",
]
Role = Literal["driver", "device"]
Level = Literal["MUST", "MUST NOT", "SHOULD", "SHOULD NOT", "MAY"]
Status = Literal["stable", "provisional", "experimental"]
# fmt: off
Invariant = Literal[
    "I1", "I2", "I3", "I4", "I5", "I6", "I7", "I8", "I9", "I10", "I11",
    "I12", "I13", "I14", "I15", "I16", "I17", "I18", "I19", "I20", "I21",
]
# fmt: on

PROFILES: tuple[str, ...] = get_args(Profile)
ROLES: tuple[str, ...] = get_args(Role)
LEVELS: tuple[str, ...] = get_args(Level)
STATUSES: tuple[str, ...] = get_args(Status)
INVARIANTS: tuple[str, ...] = get_args(Invariant)

HEAD = frozenset({"title", "profiles", "topic"})
"""What a file of requirements has beside its entries."""
_SLUG = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*(?:\.[a-z0-9]+(?:-[a-z0-9]+)*){2,}")
_SINCE = re.compile(r"[0-9]+\.[0-9]+")
_SOURCE = re.compile(r"(?:VIRTIO [0-9]+\.[0-9]+|vhint), \S.*")
_OBLIGATION = re.compile(r"\b(?:(?:MUST|SHALL|SHOULD)(?: NOT)?|MAY)\b")
_STRAY = re.compile(r"\b(?:must|shall|should|may)\b", re.IGNORECASE)


class Observation(enum.StrEnum):
    """From which side, and with what, it can be seen whether a requirement is kept.

    A case needs one of those that its requirement lists, not all of them. ``driver`` is a
    judging driver, before a device under test; ``device`` a judging device, before a driver
    under test.
    """

    DRIVER_RINGS = "driver: rings"
    """What the device under test does to rings and buffers, seen in shared memory."""
    DRIVER_CONFIG = "driver: config space"
    """The device's configuration fields, read and written."""
    DRIVER_FEATURES = "driver: features and status"
    """What the device offers, which set it accepts, and its status bits."""
    DRIVER_TRANSPORT = "driver: transport registers"
    """Queue sizes, generation, interrupt status and the like, over MMIO or PCI."""
    DRIVER_INTERRUPTS = "driver: interrupts"
    """Whether and when the device notifies."""
    MEMORY_HOLES = "memory: holes"
    """Which pages of the guest's memory file are gone; tells a discard of a page."""
    MEMORY_CONTENT = "memory: content"
    """What bytes of guest memory read; tells a discard or a write."""
    MEMORY_FAULTS = "memory: page faults"
    """Which page was touched, and when, seen by a fault handler or by a page come back."""
    HOST_CONTROL = "host: control"
    """The host's management interface: statistics, targets, migration, snapshots."""
    DEVICE_RINGS = "device: rings"
    """What the driver under test puts into rings and buffers."""
    DEVICE_CONFIG = "device: config accesses"
    """Which configuration fields the driver reads and writes, and when."""
    DEVICE_FEATURES = "device: features and status"
    """Which features the driver accepts, and its writes to the status."""
    DEVICE_TRANSPORT = "device: transport registers"
    """The driver's accesses to the registers of MMIO or PCI, in their order."""
    DEVICE_KICKS = "device: kicks"
    """Whether and when the driver notifies."""
    UPPER_TESTER = "guest: upper tester"
    """A program in the guest that allocates, frees, touches, and asks the allocator."""
    REVIEW = "review"
    """Reading the code: no observation from outside can settle it."""


OBSERVATIONS: tuple[str, ...] = tuple(Observation)


@dataclass(frozen=True, slots=True)
class Requirement:
    """One obligation of a driver or a device."""

    slug: str
    """Permanent name, ``<profile>.<role>.<what>``."""
    profile: Profile
    role: Role
    level: Level
    text: str
    """The obligation; the RFC 2119 word in it is `level`, in capitals."""
    rationale: str
    """Why it exists, with a real fault that it prevents where one is known."""
    source: str
    """A clause of the VIRTIO standard, or of vhint's own specification."""
    since: str
    """The version of vhint that introduced it."""
    status: Status
    invariants: tuple[Invariant, ...]
    """The invariants ``I1`` to ``I21`` that it serves."""
    observed: tuple[Observation, ...] = ()
    """From which sides it can be checked, the most telling first; at least one."""
    review: str | None = None
    """Why no executable case checks it, or who will; None if a case does."""


def load(directory: Traversable | None = None) -> Mapping[str, Requirement]:
    """Return all requirements by slug, in the order of file names and of entries in a file.

    Without `directory` this is vhint's own registry, which is read once. Any directory of
    TOML files of the same form will do instead. Raises `RegistryError` if the data are wrong.
    """
    return _packaged() if directory is None else _read(directory)


@functools.cache
def _packaged() -> Mapping[str, Requirement]:
    return _read(files("vhint_spec") / "requirements")


@functools.cache
def _schema_text(name: str) -> str:
    path = files("vhint_spec") / "schemas" / f"{name}.schema.json"
    return path.read_text(encoding="utf-8")


def schema(name: str = "requirement") -> dict[str, Any]:
    """Return a fresh copy of the JSON Schema of one entry of a register.

    `name` is ``requirement``, ``clause`` (for a label with its clauses), ``bug`` or
    ``erratum``.
    """
    loaded: dict[str, Any] = json.loads(_schema_text(name))
    return loaded


def _read(directory: Traversable) -> Mapping[str, Requirement]:
    registry: dict[str, Requirement] = {}
    homes: dict[str, str] = {}
    for path in toml_files(directory):
        for requirement in _read_file(path):
            slug = requirement.slug
            if slug in registry:
                raise RegistryError(f"is already in {homes[slug]}", file=path.name, slug=slug)
            registry[slug] = requirement
            homes[slug] = path.name
    return MappingProxyType(registry)


def _read_file(path: Traversable) -> Iterator[Requirement]:
    data, entries = toml_tables(path, "requirement", HEAD)
    if problem := head_problem(data):
        raise RegistryError(problem, file=path.name)
    for slug, requirement in keyed(path.name, entries, Requirement, "slug"):
        if problem := entry_problem(requirement, data):
            raise RegistryError(problem, file=path.name, slug=slug)
        yield requirement


def head_problem(head: Mapping[str, Any]) -> str | None:
    """Return the first thing wrong with the head of a file of requirements."""
    topic, profiles = head.get("topic", ""), head.get("profiles")
    if not isinstance(topic, str):
        return "topic is not a string"
    if not isinstance(profiles, list) or not profiles:
        return "profiles is missing or not a list"
    if strange := [str(profile) for profile in profiles if profile not in PROFILES]:
        return f"unknown profiles: {', '.join(strange)}"
    return None


def entry_problem(entry: Requirement, head: Mapping[str, Any]) -> str | None:
    """Return the first thing wrong with an entry whose fields have the right types."""
    for check in (_slug_problem, _text_problem, _review_problem):
        if problem := check(entry):
            return problem
    if entry.profile not in head["profiles"]:
        return f"profile {entry.profile} does not belong in this file"
    topic = head.get("topic")
    if topic and not entry.slug.split(".", 2)[2].startswith(f"{topic}-"):
        return f"the last part of the slug does not begin with {topic}-"
    return None


def _slug_problem(entry: Requirement) -> str | None:
    if not _SLUG.fullmatch(entry.slug):
        return "is not a slug: lower-case words, hyphens inside parts, at least three parts"
    if not entry.slug.startswith(f"{entry.profile}.{entry.role}."):
        return f"does not begin with its profile and role, {entry.profile}.{entry.role}"
    return None


def _text_problem(entry: Requirement) -> str | None:
    text, level = entry.text, entry.level
    if (words := _OBLIGATION.findall(text)) != [level]:
        return f"text has {' and '.join(words) or 'no obligation'} where level is {level}"
    if stray := _STRAY.findall(_OBLIGATION.sub("", text)):
        return f"text has a stray {stray[0]!r}"
    if not _SINCE.fullmatch(entry.since):
        return f"since is {entry.since!r}, not a version like 0.1"
    if not _SOURCE.fullmatch(entry.source):
        return "source cites neither a version of VIRTIO nor vhint"
    if not entry.observed:
        return "observed is empty: at least review applies"
    return None


def _review_problem(entry: Requirement) -> str | None:
    if entry.review:
        return None
    if entry.role == "driver":
        return "a driver's requirement needs review, which says who judges it"
    if entry.level == "MAY":
        return "a permission needs review, since no case can fail it"
    if entry.observed == (Observation.REVIEW,):
        return "what only review can observe needs review, which says why"
    return None
