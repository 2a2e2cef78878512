"""What the server says of its front ends: a line each, and not more than somebody could read."""

from __future__ import annotations

from collections.abc import Callable

LINES = 20
"""So many lines are said in a period."""
PERIOD = 10.0
"""Seconds of a period."""


class Messages:
    """Says lines through `say`; beyond the limit it counts them, and says how many there were."""

    def __init__(self, say: Callable[[str], None], clock: Callable[[], float]) -> None:
        self._say = say
        self._clock = clock
        self._began = clock()
        self._said = 0
        self._kept = 0

    def tell(self, line: str) -> None:
        """Say a line, or count it."""
        now = self._clock()
        if now - self._began >= PERIOD:
            self.flush()
            self._began, self._said = now, 0
        if self._said < LINES:
            self._said += 1
            self._say(" ".join(line.split()))
        else:
            self._kept += 1

    def flush(self) -> None:
        """Say how many lines were kept back."""
        if self._kept:
            self._say(f"{self._kept} more messages were not shown")
            self._kept = 0
