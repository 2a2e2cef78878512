"""Page lifetime: who owns a page when, and what a device may do to it (invariants I1 to I5).

A page is the device's from the moment a request that names it is made available until that
request is used; an inflated page, with MUST_TELL_HOST, until its deflate request is used.  What
happens to it at any other time is a violation.  A discard that was only observed is judged by
its bounds: it violates if the page was the driver's during all of the time in which it can have
happened.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from vhint.spans import PAGE, Span, block, inward, merge
from vhint.trace.events import (
    Answered,
    Changed,
    ConfigWritten,
    Discarded,
    Event,
    FeaturesAccepted,
    Offered,
    QueueReady,
    ResetDone,
    Touched,
    Used,
)
from vhint.wire import config
from vhint.wire.features import Feature, Features
from vhint.wire.queues import Queue
from vhint_conformance.oracle.monitor import Monitor

CONTAINMENT = {
    Queue.INFLATE: "balloon.device.inflate-containment",
    Queue.DEFLATE: "balloon.device.deflate-outside-balloon",
    Queue.STATS: "ring.device.writes-within-buffers",
    Queue.FREE_PAGE: "free-page-hint.device.containment",
    Queue.REPORTING: "reporting.device.containment",
    Queue.HINTING: "hint.device.containment",
}
"""Which requirement is broken by touching what no request on that queue names."""

WRAPPED = {
    Queue.INFLATE: "balloon.device.pfn-address-width",
    Queue.DEFLATE: "balloon.device.pfn-address-width",
    Queue.REPORTING: "ring.device.address-64-bit",
}
"""Which requirement is broken by touching the page whose address has the same lower 32 bits."""

WRAP = 32
"""Bits of an address that is too short."""

AFTER_USE = {
    Queue.INFLATE: "balloon.device.no-effect-after-inflate-use",
    Queue.DEFLATE: "balloon.device.no-effect-after-deflate-use",
    Queue.FREE_PAGE: "free-page-hint.device.guest-write-wins",
    Queue.REPORTING: "reporting.device.no-effect-after-use",
    Queue.HINTING: "hint.device.no-effect-after-use",
}
"""Which requirement is broken by touching a page that has come back over that queue."""

AFTER_RESET = AFTER_USE | {
    Queue.FREE_PAGE: "free-page-hint.device.reset-ends-round",
    Queue.REPORTING: "reporting.device.no-effect-after-reset",
    Queue.HINTING: "hint.device.no-effect-after-reset",
}
POISON = {
    Queue.FREE_PAGE: "balloon.device.poison-fph-content",
    Queue.REPORTING: "reporting.device.poison-preserved",
    Queue.HINTING: "hint.device.poison-preserved",
}
WRITTEN = {
    "descriptors": "ring.device.descriptor-table-never-written",
    "available": "ring.device.avail-ring-never-written",
    "readable": "ring.device.readable-never-written",
}


@dataclass(slots=True)
class _Page:
    """One page that was given to the device at least once."""

    queue: Queue
    owners: set[int] = field(default_factory=set)
    last_owner: int = -1
    returned: int = -1
    touched: int = -1
    by_reset: bool = False
    discarded_for: set[int] = field(default_factory=set)

    def was_devices_after(self, place: int) -> bool:
        """Whether the page can have been the device's at some time after `place`."""
        return bool(self.owners) or self.returned > place


class LifetimeMonitor(Monitor):
    """Holds discards and changed content against the ownership of every page."""

    def __init__(self) -> None:
        super().__init__()
        self._accepted = Features(0)
        self._poison = 0
        self._pages: dict[int, _Page] = {}
        self._refused: dict[int, str] = {}
        self._tickets: dict[int, Offered] = {}
        self._last: Queue | None = None
        self._structures: dict[str, list[Span]] = defaultdict(list)

    def see(self, place: int, event: Event) -> None:
        """Follow ownership, and judge what was found to have happened to pages."""
        match event:
            case FeaturesAccepted(bits):
                self._accepted = Features(bits)
            case ConfigWritten(offset, _, value) if offset == config.field_offset("poison_val"):
                self._poison = value
            case QueueReady():
                self._structures["descriptors"].append(event.descriptors)
                self._structures["available"].append(event.available)
            case Offered():
                self._offered(event)
            case Used(ticket=ticket) if ticket is not None:
                self._used(place, self._tickets[ticket])
            case Answered():
                self._answered(event)
            case Touched(spans):
                for page in self._known(spans):
                    page.touched = place
                    if page.queue is Queue.FREE_PAGE:  # the driver takes back what it writes to
                        page.owners.clear()
                        page.returned = place
            case ResetDone():
                self._reset(place)
            case Discarded(spans, since):
                self._discarded(spans, since)
            case Changed(spans):
                self._changed(spans)
            case _:
                pass

    @property
    def _keeps_poison(self) -> bool:
        return Feature.PAGE_POISON in self._accepted and self._poison != 0

    def _offered(self, event: Offered) -> None:
        self._tickets[event.ticket] = event
        self._last = Queue(event.queue)
        self._structures["readable"].extend(event.readable)
        if self._last is Queue.DEFLATE:
            return
        for number in whole_pages(event.blocks):
            page = self._pages.setdefault(number, _Page(self._last))
            self._refused.pop(number, None)
            if page.queue is Queue.FREE_PAGE:  # offered anew: taken back before
                page.owners.clear()
            page.queue = self._last
            page.owners.add(event.ticket)
            page.last_owner = event.ticket
            page.by_reset = False

    def _used(self, place: int, offer: Offered) -> None:
        queue = Queue(offer.queue)
        stays = queue is Queue.INFLATE and Feature.MUST_TELL_HOST in self._accepted
        # A hinted page is the device's to change until the driver writes to it, or DONE.
        if stays or queue is Queue.FREE_PAGE:
            return
        for number in whole_pages(offer.blocks):
            page = self._pages.get(number)
            if page is None:
                continue
            if queue is Queue.DEFLATE:
                page.queue = queue
                page.owners.clear()
            page.owners.discard(offer.ticket)
            if not page.owners:
                page.returned = place

    def _answered(self, event: Answered) -> None:
        slug = (
            "hint.device.unaccepted-untouched"
            if event.accepted
            else "hint.device.refusal-touches-nothing"
        )
        lost = []
        for number in whole_pages(event.refused):
            page = self._pages.get(number)
            if page is None:
                continue
            if event.ticket in page.discarded_for:
                lost.append(block(number))
            elif not page.owners:
                del self._pages[number]  # it was never the device's to touch
                self._refused[number] = slug
        self._lost(slug, lost, "refused blocks to be left as they were", "discarded")

    def _reset(self, place: int) -> None:
        for page in self._pages.values():
            if page.owners:
                page.owners.clear()
                page.returned = place
                page.by_reset = True
        self._poison = 0

    def _discarded(self, spans: Iterable[Span], since: int) -> None:
        wrong: dict[tuple[str, str], list[Span]] = defaultdict(list)
        for number in whole_pages(spans):
            page = self._pages.get(number)
            if page is None:
                slug, expected = self._not_the_devices(number)
                wrong[slug, expected].append(block(number))
            elif not page.was_devices_after(max(since, page.touched)):
                slug = (AFTER_RESET if page.by_reset else AFTER_USE)[page.queue]
                wrong[slug, "no effect on a page that is the driver's again"].append(block(number))
            elif self._keeps_poison and page.queue in POISON:
                expected = f"pages to go on reading as poison_val {self._poison:#x}"
                wrong[POISON[page.queue], expected].append(block(number))
            else:
                page.discarded_for |= page.owners or {page.last_owner}
        for (slug, expected), lost in wrong.items():
            self._lost(slug, lost, expected, "discarded")

    def _changed(self, spans: Iterable[Span]) -> None:
        for span in spans:
            for kind, places in self._structures.items():
                if any(span.overlaps(place) for place in places):
                    self._lost(WRITTEN[kind], [span], "no write by the device", "changed")
                    break
            else:
                number = span.start // PAGE
                page = self._pages.get(number)
                if page is None:
                    slug, expected = self._not_the_devices(number)
                elif self._keeps_poison and page.queue in POISON:
                    slug = POISON[page.queue]
                    expected = f"pages to go on reading as poison_val {self._poison:#x}"
                else:
                    slug = (AFTER_RESET if page.by_reset else AFTER_USE)[page.queue]
                    expected = "no effect on a page that is the driver's again"
                self._lost(slug, [span], expected, "changed")

    def _not_the_devices(self, number: int) -> tuple[str, str]:
        """Return which requirement protects a page that the device was not given, and how."""
        if number in self._refused:
            return self._refused[number], "refused blocks to be left as they were"
        if self._last in WRAPPED and self._is_wrapped(number):  # that says more
            return WRAPPED[
                self._last
            ], "the page touched whose address has all bits of the one named"
        slug = CONTAINMENT[self._last] if self._last else "ring.device.writes-within-buffers"
        return slug, "memory that no request names to be left alone"

    def _is_wrapped(self, number: int) -> bool:
        """Whether the page is what is left of the address of one that was given to the device."""
        size = (1 << WRAP) // PAGE
        above = {known // size * size for known in self._pages} - {0}
        return number < size and any(number + each in self._pages for each in above)

    def _known(self, spans: Iterable[Span]) -> Iterable[_Page]:
        for span in spans:
            for number in span.pages():
                page = self._pages.get(number)
                if page is not None:
                    yield page

    def _lost(self, slug: str, lost: list[Span], expected: str, what: str) -> None:
        if lost:
            spans = merge(lost)
            size = sum(span.length for span in spans)
            where = ", ".join(map(str, spans[:3])) + (", ..." if len(spans) > 3 else "")
            self.report(slug, expected, f"{size} bytes {what}", where)


def whole_pages(spans: Iterable[Span]) -> Iterable[int]:
    """Yield the PFN of every page that lies wholly inside one of the spans."""
    for span in spans:
        yield from inward(span, PAGE).pages()
