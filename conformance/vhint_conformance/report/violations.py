"""Violations of one case, those that differ only by their place told together."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from vhint_conformance.verdict import Violation

MOST_PLACES = 3


@dataclass(frozen=True, slots=True)
class Kind:
    """A requirement seen broken in one way, at these places."""

    requirement: str
    expected: str
    seen: str
    places: tuple[str, ...]

    @property
    def where(self) -> str:
        """The first places, and how many more there are; empty if none was named."""
        named = "; ".join(filter(None, self.places[:MOST_PLACES]))
        left = len(self.places) - MOST_PLACES
        return f"{named} and {left} more" if left > 0 else named


def kinds(violations: Iterable[Violation]) -> list[Kind]:
    """Return the kinds of violation in the order in which they were seen first.

    >>> at = [Violation("a.device.b", "this", "that", where) for where in "xyzw"]
    >>> [(kind.seen, kind.where) for kind in kinds(at)]
    [('that', 'x; y; z and 1 more')]
    """
    places: dict[tuple[str, str, str], list[str]] = {}
    for each in violations:
        places.setdefault((each.requirement, each.expected, each.seen), []).append(each.where)
    return [Kind(*key, tuple(found)) for key, found in places.items()]
