"""What is to be shown: sizes, how many guests, how long is waited; and what runs side by side."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

MIB = 1 << 20

REPORT_PERIOD = 2.0
"""Seconds between two passes of Linux's reporting worker."""


class Mode(StrEnum):
    """Whether the device offers to be told of free pages."""

    OFF = "off"
    ON = "on"


class Scene(StrEnum):
    """One part of the demonstration; its lanes share one time axis."""

    ONE_GUEST = "one-guest"
    """A guest allocates, touches and frees, some times over."""
    BUDGET = "budget"
    """Guests that do the same are started one after another until one does not fit any more."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Sizes are bytes, times seconds.

    `size` is what a guest allocates and frees, `budget` the host memory that all guests of a lane
    may take together, `guests` how many are started in it at most (0: no such scene), `cycles` how
    often the one guest allocates.  The rest is how long things are looked at: `hold` before memory
    is freed, `rest` before the next allocation.
    """

    size: int = 200 * MIB
    budget: int = 1024 * MIB
    guests: int = 12
    modes: tuple[Mode, ...] = (Mode.OFF, Mode.ON)
    seed: int = 0
    cycles: int = 2
    hold: float = 0.5
    rest: float = 0.5
    period: float = REPORT_PERIOD

    @property
    def kept(self) -> int:
        """What a guest keeps to its end beside that: a quarter, in whole MiB.

        >>> Plan().kept >> 20, Plan(size=MIB).kept >> 20
        (50, 1)
        """
        return max(1, self.size // 4 // MIB) * MIB

    @property
    def patience(self) -> float:
        """How long freed memory is waited for: two periods, and one more for every 128 MiB.

        >>> Plan().patience
        7.125
        """
        return self.period * (2 + self.size / (128 * MIB))

    @property
    def scenes(self) -> tuple[Scene, ...]:
        """What is shown, in this order."""
        return (Scene.ONE_GUEST, Scene.BUDGET) if self.guests else (Scene.ONE_GUEST,)
