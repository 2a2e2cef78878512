"""What is in the balloon, by the requests that the device has seen."""

from __future__ import annotations

from collections.abc import Iterable

from vhint.spans import Span
from vhint.trace.events import (
    ConfigWritten,
    Event,
    FeaturesAccepted,
    Offered,
    ResetDone,
    Used,
)
from vhint.wire import config
from vhint.wire.features import Feature, Features
from vhint.wire.queues import Queue
from vhint_conformance.oracle.monitor import Monitor

ACTUAL_AT = config.field_offset("actual")


class BalloonRules(Monitor):
    """Follows pages into the balloon and out of it.

    `actual` is what the driver wrote last, `is_unsaid` whether the balloon has changed since.  The
    bench calls `shown` whenever it changes num_pages.
    """

    def __init__(self) -> None:
        super().__init__()
        self._pages: set[int] = set()
        self._entering: dict[int, frozenset[int]] = {}
        self._leaving: dict[int, frozenset[int]] = {}
        self.actual: int | None = None
        self.is_unsaid = False
        self._most = 0
        self._targets: tuple[int, ...] = (0,)
        self._may_any_time = False
        self._leaves = False

    def shown(self, target: int) -> None:
        """Learn what num_pages is now; a driver may have read what it was before."""
        self._targets = (*self._targets, target)

    def settled(self) -> None:
        """Learn that the driver has followed what num_pages is now."""
        self._targets = self._targets[-1:]

    def leaves(self) -> None:
        """Learn that the driver is told to go, and may take everything back before it does."""
        self._leaves = True

    @property
    def size(self) -> int:
        """How many pages are in the balloon, those on their way in or out not counted."""
        return len(self._pages)

    @property
    def pages(self) -> frozenset[int]:
        """Their PFNs."""
        return frozenset(self._pages)

    @property
    def quiet(self) -> bool:
        """Whether no page is on its way in or out."""
        return not self._entering and not self._leaving

    def see(self, place: int, event: Event) -> None:  # noqa: ARG002
        """Judge one event."""
        match event:
            case FeaturesAccepted(bits):
                self._leaves = False
                self._may_any_time = Feature.DEFLATE_ON_OOM in Features(bits)
            case Offered(queue=Queue.INFLATE):
                self._inflate(event)
                self._most = max(self._most, self._now)
            case Offered(queue=Queue.DEFLATE):
                self._deflate(event)
            case Used(ticket=ticket) if ticket in self._entering:
                self._pages |= self._entering.pop(ticket)
                self.is_unsaid = True
            case Used(ticket=ticket) if ticket in self._leaving:
                del self._leaving[ticket]
            case ConfigWritten(offset=offset, value=value) if offset == ACTUAL_AT:
                self._written(value)
            case ResetDone():
                self.actual = None
                self.is_unsaid = False
                self._most = 0
                self._pages.clear()
                self._entering.clear()
                self._leaving.clear()
            case _:
                pass

    def _inflate(self, event: Offered) -> None:
        pages = frozenset(_pages(event.blocks))
        again = pages & self._pages
        if again:
            self.report(
                "balloon.driver.no-page-in-balloon-twice",
                "pages that are not in the balloon",
                f"{len(again)} that are",
                f"page {min(again):#x}",
            )
        self._entering[event.ticket] = pages

    def _deflate(self, event: Offered) -> None:
        self.is_unsaid = True
        wanted = frozenset(_pages(event.blocks))
        entering = frozenset().union(*self._entering.values()) & wanted
        strange = wanted - self._pages - entering  # what is entering, the ownership rules judge
        size = len(self._pages) + sum(map(len, self._entering.values()))
        may = self._may_any_time or self._leaves
        if size and size <= min(self._targets) and not may:
            self.report(
                "balloon.driver.no-deflate-below-target",
                "no page taken back while num_pages is not below the balloon",
                f"a deflate request, of {size} pages with num_pages {self._targets[-1]}",
            )
        if strange:
            self.report(
                "balloon.driver.deflate-only-own",
                "pages of the balloon",
                f"{len(strange)} pages that are not in it",
                f"page {min(strange):#x}",
            )
        self._pages -= wanted
        self._leaving[event.ticket] = wanted

    def _written(self, value: int) -> None:
        """Take a value; how far the driver has come the device cannot know, but for the most."""
        self.actual = value
        self.is_unsaid = False
        self._most = max(self._most, self._now)
        if value > self._most:
            self.report("balloon.driver.actual-true", f"at most {self._most}", str(value), "actual")
        self._most = self._now

    @property
    def _now(self) -> int:
        """How many pages can be in the balloon by what was seen."""
        moving = (*self._entering.values(), *self._leaving.values())
        return len(self._pages) + sum(map(len, moving))

    def finish(self) -> None:
        """Judge what `actual` says at rest."""
        if self.quiet and self.size != (self.actual or 0):
            slug = f"balloon.driver.{'update-actual' if self.is_unsaid else 'actual-true'}"
            seen = "never written" if self.actual is None else str(self.actual)
            self.report(slug, str(self.size), seen, "actual")


def _pages(spans: Iterable[Span]) -> Iterable[int]:
    for span in spans:
        yield from span.pages()
