"""One thing that was looked at."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Health(StrEnum):
    """How it is with it."""

    OK = "ok"
    DEGRADED = "degraded"
    """Something is judged less well, or not at all."""
    ABSENT = "absent"
    """It is optional, and not there."""
    BROKEN = "broken"
    """vhint does not work as it should."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What was looked at (`group`, `name`), what was found, what depends on it, what to do."""

    group: str
    name: str
    health: Health
    found: str
    needed_for: str = ""
    remedy: str = ""
