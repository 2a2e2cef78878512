"""What is said of a historical profile: data from which documentation and tools are made."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Literal

from vhint.wire.history.layout import Layout


class Confidence(StrEnum):
    """How a fact is known, strongest first."""

    GIT = "G"
    """Checked in the project's history."""
    POSTED = "M"
    """Read in a posting to a mailing list, or in a stored source file."""
    THREAD = "X"
    """Read in an issue or a pull request."""
    INFERRED = "S"
    """Inferred from source that was never executed: a hypothesis."""
    SECONDARY = "R"
    """Mentioned by others, or unresolved: check again before citing it."""


@dataclass(frozen=True, slots=True)
class Quirk:
    """Something in which a format differs from what one would expect of it.

    `id` is unique within its profile and permanent; `bug` is the number of the fault in the
    catalogue of real faults, such as ``"N4"``, or None if it is a property and no fault.
    """

    id: str
    text: str
    bug: str | None
    confidence: Confidence


@dataclass(frozen=True, slots=True)
class FeatureBit:
    """A feature as the posting called it, and the number of its bit."""

    name: str
    bit: int


@dataclass(frozen=True, slots=True)
class QueueIndex:
    """The index of a virtqueue as coded; None if it is not known. `by` says who coded it so."""

    queue: str
    index: int | None
    by: str


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a profile.

    `formats` is its declaration, or a mapping that has one for each layout. `parse` takes the
    bytes, the numbers in `parameters` and, if there are layouts, the keyword `layout`; `build`
    takes the face and the same keyword. `reads` is the number of leading bytes that were looked at,
    if whoever read it did not look at the rest.
    """

    name: str
    text: str
    formats: Any
    parse: Callable[..., Any]
    build: Callable[..., bytes]
    parameters: tuple[str, ...] = ()
    reads: int | None = None

    @property
    def layouts(self) -> tuple[Layout, ...]:
        """The layouts there are to choose from; none if no layout makes a difference."""
        return tuple(self.formats) if isinstance(self.formats, Mapping) else ()


@dataclass(frozen=True, slots=True)
class Profile:
    """A format that was posted.

    `date` is that of the (first) posting in ISO 8601, to the day, month or year as it is known;
    `features` and `queues` are empty if it had none; the first of `messages` is the one that names
    the pages. `confidence` is that of the layout itself.
    """

    name: str
    date: str
    summary: str
    confidence: Confidence
    features: tuple[FeatureBit, ...]
    queues: tuple[QueueIndex, ...]
    messages: tuple[Message, ...]
    quirks: tuple[Quirk, ...]
    status: Literal["informative"] = "informative"
