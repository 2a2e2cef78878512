"""Command ids of free page hinting: which one comes next."""

from __future__ import annotations

from typing import Final

FIRST_ID: Final = 2
"""The smallest id of a round: 0 is STOP, 1 is DONE
(`free-page-hint.device.round-id-not-reserved`)."""
LAST_ID: Final = 2**32 - 1


class CommandIds:
    """Issues ids in turn, none again before the driver has sent STOP for it.

    An id is open from its issue until the driver has sent it and, after it, STOP
    (`free-page-hint.device.no-id-reuse`).  A driver sends ids in the order in which it saw them,
    so its STOP closes those before as well: it will not come back to them.

    >>> ids = CommandIds(LAST_ID)
    >>> ids.issue(), ids.issue()
    (4294967295, 2)
    """

    def __init__(self, first: int = FIRST_ID) -> None:
        if not FIRST_ID <= first <= LAST_ID:
            raise ValueError(f"a round's id is {FIRST_ID} to {LAST_ID}, not {first}")
        self._next = first
        self._open: dict[int, None] = {}  # in the order of issue
        self._sent: int | None = None

    def issue(self) -> int:
        """Return an id that is not open; it is now."""
        while self._next in self._open:
            self._step()
        issued = self._next
        self._open[issued] = None
        self._step()
        return issued

    def sent(self, value: int) -> None:
        """Note that the driver sent an id."""
        if value in self._open:
            self._sent = value

    def stopped(self) -> None:
        """Note that the driver sent STOP."""
        if self._sent is None:
            return
        for value in list(self._open):
            del self._open[value]
            if value == self._sent:
                break
        self._sent = None

    def forget(self) -> None:
        """Note a reset: no buffer of the driver is under way; the count goes on all the same."""
        self._open.clear()
        self._sent = None

    def _step(self) -> None:
        self._next = FIRST_ID if self._next == LAST_ID else self._next + 1
