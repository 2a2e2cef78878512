"""What a server can tell of itself at any moment."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class QueueFigures:
    """One ring: which queue it is, its state, chains used, kicks taken and calls made."""

    queue: str | None
    state: str
    size: int
    used: int
    kicks: int
    calls: int


@dataclass(frozen=True, slots=True)
class Figures:
    """Figures of the server; those of the device are of the front end that is connected.

    Units: `*_bytes` are bytes, `pages` are of 4 KiB.  `requests` are chains used and `pages` the
    pages that drivers offered, `discarded_bytes` what was given back; these and `front_ends` and
    `refused` are counted from the server's start.  `resident_bytes` is what the guest's memory
    takes on the host now.  `balloon_target` and `balloon_actual` are pages.
    """

    front_ends: int
    refused: int
    connected: bool
    requests: int
    pages: int
    discarded_bytes: int
    failed_bytes: int
    resident_bytes: int
    memory_bytes: int
    balloon_target: int
    balloon_actual: int
    inhibited: bool
    hinting: str
    hinted_bytes: int
    error: str | None
    statistics: dict[str, int]
    queues: dict[int, QueueFigures]

    def as_data(self) -> dict[str, Any]:
        """Return the figures as JSON has them."""
        return asdict(self)
