"""The ledger of guest memory: the state of every page, moved along the table of page life alone.

The allocator, the per-CPU lists, the cache and the balloon keep their own books; the ledger keeps
the common one.  A move that the table does not have is a `Breach`, which names the requirement.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from vhint.guest.page_life import BREACHES, STEPS, PageEvent, PageState
from vhint.spans import block

UNDEFINED = 0xFF

CONSERVATION = "hint.driver.return-every-acknowledged"
"""What a step breaks that no entry of `BREACHES` has: a page is where it cannot be."""


@dataclass(frozen=True, slots=True)
class Breach:
    """A page was moved as no sound guest moves it."""

    pfn: int
    state: PageState
    event: PageEvent
    slug: str

    def __str__(self) -> str:
        expected = sorted(state.name for state, event in STEPS if event is self.event)
        return (
            f"{self.slug}: page {block(self.pfn)}: {self.event.name} expects a page that is one of "
            f"{', '.join(expected)}; seen {self.state.name}"
        )


class PageLifeError(Exception):
    """A page was moved as no sound guest moves it; `breach` says which, how, and what it breaks."""

    def __init__(self, breach: Breach) -> None:
        super().__init__(str(breach))
        self.breach = breach


def refuse(breach: Breach) -> None:
    """Raise `PageLifeError`: what the ledger does with a breach unless told otherwise."""
    raise PageLifeError(breach)


def _code(state: PageState) -> int:
    return state.value


def _tables() -> dict[PageEvent, bytes]:
    tables = {event: bytearray([UNDEFINED]) * 256 for event in PageEvent}
    for (before, event), after in STEPS.items():
        tables[event][_code(before)] = _code(after)
    return {event: bytes(table) for event, table in tables.items()}


_MOVES = _tables()
_USUAL: dict[PageEvent, PageState] = {event: after for (_, event), after in STEPS.items()}
"""Where a forced event leads from a state that the table does not have."""


class PageLedger:
    """The states of the pages `first` to `first + pages - 1`, one byte each.

    `on_breach` is called for a move that the table does not have, before anything is changed.  By
    default it raises.  If it returns, the move is made all the same, as a broken guest would.

    >>> ledger = PageLedger(0, 4)
    >>> ledger.move(0, 1, PageEvent.ALLOCATE)
    >>> ledger.state(1), ledger.count(PageState.FREE)
    (<PageState.ALLOCATED: 1>, 2)
    """

    def __init__(
        self, first: int, pages: int, on_breach: Callable[[Breach], None] = refuse
    ) -> None:
        self.first = first
        self.on_breach = on_breach
        self._states = bytearray([_code(PageState.FREE)]) * pages
        self._counts = [0] * (len(PageState) + 1)
        self._counts[_code(PageState.FREE)] = pages

    def state(self, pfn: int) -> PageState:
        """Return the state of one page."""
        return PageState(self._states[pfn - self.first])

    def count(self, state: PageState) -> int:
        """Return how many pages are in a state."""
        return self._counts[_code(state)]

    def recount(self, state: PageState) -> int:
        """Count the pages in a state one by one, as a check of `count`."""
        return self._states.count(_code(state))

    def move(self, pfn: int, order: int, event: PageEvent) -> None:
        """Let an event happen to the 2^order pages at `pfn`."""
        start = pfn - self.first
        stop = start + (1 << order)
        before = self._states[start:stop]
        after = before.translate(_MOVES[event])
        if UNDEFINED in after:
            self._force(pfn, before, after, event)
        self._store(start, before, after)

    def try_move(self, pfn: int, order: int, event: PageEvent) -> None:
        """Let an event happen to those of the pages for which the table has it."""
        start = pfn - self.first
        stop = start + (1 << order)
        before = self._states[start:stop]
        after = before.translate(_MOVES[event])
        if UNDEFINED in after:
            for place, new in enumerate(after):
                if new == UNDEFINED:
                    after[place] = before[place]
        self._store(start, before, after)

    def key(self) -> bytes:
        """Return the states of all pages as bytes, for hashing and comparing."""
        return bytes(self._states)

    def _store(self, start: int, before: bytearray, after: bytearray) -> None:
        self._states[start : start + len(after)] = after
        for code in set(before):
            self._counts[code] -= before.count(code)
        for code in set(after):
            self._counts[code] += after.count(code)

    def _force(self, pfn: int, before: bytearray, after: bytearray, event: PageEvent) -> None:
        for place, (old, new) in enumerate(zip(before, after, strict=True)):
            if new == UNDEFINED:
                state = PageState(old)
                slug = BREACHES.get((state, event), CONSERVATION)
                self.on_breach(Breach(pfn + place, state, event, slug))
                after[place] = _code(_USUAL[event])
