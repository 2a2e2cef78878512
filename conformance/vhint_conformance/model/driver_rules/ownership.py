"""Who may use a page: what a driver must not do with what it has named to the device."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from vhint.ring import GuestMemory
from vhint.spans import PAGE, Span, block
from vhint.trace.events import (
    Allocated,
    Event,
    FeaturesAccepted,
    Freed,
    Isolated,
    Offered,
    ResetDone,
    Returned,
    StatusRead,
    StatusWritten,
    Touched,
    Used,
)
from vhint.wire import hint_ack
from vhint.wire.features import Feature, Features
from vhint.wire.hint_ack import Status
from vhint.wire.queues import Queue
from vhint.wire.status import DeviceStatus
from vhint_conformance.oracle.monitor import Monitor

TAKEN_BACK = {
    Queue.INFLATE: "balloon.driver.wait-for-inflate",
    Queue.DEFLATE: "balloon.driver.wait-for-deflate",
    Queue.REPORTING: "reporting.driver.no-touch-until-use",
    Queue.HINTING: "hint.driver.no-allocate-while-outstanding",
}
"""What is broken by taking a page back while a request on that queue has it."""

TOUCHED = TAKEN_BACK | {Queue.HINTING: "hint.driver.no-touch-while-outstanding"}
IN_USE = {
    Queue.REPORTING: "reporting.driver.never-report-in-use",
    Queue.INFLATE: "balloon.driver.wait-for-inflate",
    Queue.FREE_PAGE: "free-page-hint.driver.supply-pages",
}
OVERLAP = {Queue.REPORTING: "reporting.driver.no-overlap-outstanding"}
TWICE = {
    Queue.REPORTING: "reporting.driver.no-overlap-in-report",
    Queue.INFLATE: "balloon.driver.no-page-in-balloon-twice",
}
HINT_IN_USE = "hint.driver.never-report-reallocated"
HINT_OVERLAP = "hint.driver.no-overlap-outstanding"
NAMED_FROM_BALLOON = {Queue.HINTING: "hint.driver.never-name-balloon-pages"}
BEFORE_RESET = "hint.driver.no-return-before-reset-done"
NEEDS_RESET = "hint.driver.needs-reset-returns-nothing"
BAD_ANSWER = "hint.driver.keep-isolated-on-bad-acknowledgement"
BY_COOKIE = "hint.driver.used-id-selects"
COOKIE = slice(8, 16)
"""Where the cookie stands in a hinting request."""


@dataclass(slots=True)
class _Owner:
    """Which request has a page; `None` in place of a ticket is the balloon."""

    queue: Queue
    ticket: int | None


class OwnershipRules(Monitor):
    """Follows every page from its request to its return.

    `memory` is read at the moment of a used element: what the acknowledgement says decides
    whether the blocks may come back.  Pages of free page hinting are `RoundRules`' affair.
    """

    def __init__(self, memory: GuestMemory) -> None:
        super().__init__()
        self._memory = memory
        self._accepted = Features(0)
        self._owners: dict[int, _Owner] = {}
        self._offers: dict[int, tuple[Offered, bytes]] = {}
        self._allocated: set[int] = set()
        self._isolated: dict[int, Span] = {}
        self._resetting = False
        self._needs_reset = False
        self._bad = False
        self._wrong_cookies: set[bytes] = set()

    def see(self, place: int, event: Event) -> None:  # noqa: ARG002
        """Judge one event."""
        match event:
            case FeaturesAccepted(bits):
                self._accepted = Features(bits)
            case Offered():
                self._offered(event)
            case Used(ticket=ticket) if ticket is not None:
                self._used(ticket, event.length)
            case Allocated(spans):
                self._refuse(spans, TAKEN_BACK)
                self._take(spans)
            case Freed(spans):
                self._allocated.difference_update(_pages(spans))
            case Isolated(spans):
                self._isolated.update((span.start, span) for span in spans)
            case Returned(spans):
                self._returned(spans)
            case Touched(spans):
                self._refuse(spans, TOUCHED)
            case StatusWritten(0):
                self._resetting = True
            case StatusRead(value) if value & DeviceStatus.NEEDS_RESET:
                self._needs_reset = True
            case ResetDone():
                self._owners.clear()
                self._offers.clear()
                self._wrong_cookies.clear()
                self._resetting = self._needs_reset = self._bad = False
            case _:
                pass

    def _offered(self, event: Offered) -> None:
        queue = Queue(event.queue)
        self._offers[event.ticket] = (event, b"".join(map(self._memory.read, event.readable)))
        if queue is Queue.DEFLATE:
            self._deflated(event)
            return
        mine: set[int] = set()
        for number in _pages(event.blocks):
            owner = self._owners.get(number)
            if number in mine:
                slug = TWICE.get(queue, "hint.driver.no-overlap-in-request")
                self._say(slug, number, "named once", "named twice")
            elif owner is not None and owner.queue is not Queue.FREE_PAGE:
                slug = self._slug_of_overlap(owner, queue)
                self._say(slug, number, "named by one request", f"named by another on {queue}")
            elif number in self._allocated:
                slug = IN_USE.get(queue, HINT_IN_USE)
                self._say(slug, number, "named only while it is free", "allocated")
            mine.add(number)
            self._owners[number] = _Owner(queue, event.ticket)

    def _slug_of_overlap(self, owner: _Owner, queue: Queue) -> str:
        if owner.queue is Queue.INFLATE and owner.ticket is None:
            return NAMED_FROM_BALLOON.get(queue, "balloon.driver.deflate-through-queue")
        if owner.queue in (Queue.INFLATE, Queue.DEFLATE):
            return TAKEN_BACK[owner.queue]
        return OVERLAP.get(queue, HINT_OVERLAP)

    def _deflated(self, event: Offered) -> None:
        for number in _pages(event.blocks):
            owner = self._owners.get(number)
            if owner is not None and owner.queue is Queue.INFLATE and owner.ticket is not None:
                slug = "balloon.driver.no-deflate-before-inflate-use"
                self._say(slug, number, "its inflate request used", "still outstanding")
            elif Feature.MUST_TELL_HOST in self._accepted:
                self._owners[number] = _Owner(Queue.DEFLATE, event.ticket)
            else:  # balloon.driver.may-reuse-before-deflate-use
                self._owners.pop(number, None)

    def _used(self, ticket: int, length: int) -> None:
        offer, sent = self._offers.pop(ticket, (None, b""))
        if offer is None:
            return
        queue = Queue(offer.queue)
        if queue is Queue.HINTING and self._is_bad(offer, sent, length):
            self._bad = True
        if queue is Queue.FREE_PAGE or (queue is Queue.HINTING and self._bad):
            return
        for number in _pages(offer.blocks):
            owner = self._owners.get(number)
            if owner is None or owner.ticket != ticket:
                continue
            if queue is Queue.INFLATE:
                owner.ticket = None
            else:
                del self._owners[number]

    def _is_bad(self, offer: Offered, sent: bytes, length: int) -> bool:
        """Whether the answer is one of those that rule 5 names."""
        room = sum(span.length for span in offer.writable)
        if room < hint_ack.HEADER_SIZE:
            return False
        data = b"".join(map(self._memory.read, offer.writable))[:length]
        if len(data) < hint_ack.HEADER_SIZE:
            return True
        if data[:8] != sent[COOKIE]:
            self._wrong_cookies.add(data[:8])
            return True
        return int.from_bytes(data[8:12], "little") not in list(Status)

    def _take(self, spans: Iterable[Span]) -> None:
        for number in _pages(spans):
            for span in self._isolated.values():
                if span.overlaps(block(number)):
                    slug = TAKEN_BACK[Queue.HINTING]
                    self._say(slug, number, "not allocated while isolated", "allocated")
                    break
            self._allocated.add(number)

    def _returned(self, spans: Iterable[Span]) -> None:
        spans = tuple(spans)
        self._refuse(spans, TAKEN_BACK)
        for number in _pages(spans):
            owner = self._owners.get(number)
            if owner is not None and owner.queue is Queue.FREE_PAGE:
                del self._owners[number]
        for span in spans:
            taken = self._isolated.pop(span.start, None)
            if taken is not None and taken != span:
                self.report(
                    "hint.driver.return-original-order",
                    f"the block of {taken.length // PAGE} pages that was isolated",
                    f"{span.length // PAGE} pages",
                    str(taken),
                )

    def _refuse(self, spans: Iterable[Span], slugs: dict[Queue, str]) -> None:
        """Report every page that somebody else has."""
        for number in _pages(spans):
            owner = self._owners.get(number)
            if owner is None or owner.queue is Queue.FREE_PAGE:
                continue
            what = "nothing done with it before the device is done"
            if owner.queue is Queue.INFLATE and owner.ticket is None:
                slug, seen = "balloon.driver.deflate-through-queue", "taken out of the balloon"
            elif owner.queue is Queue.HINTING and self._resetting:
                slug, seen = BEFORE_RESET, "taken back before status read 0"
            elif owner.queue is Queue.HINTING and self._needs_reset:
                slug, seen = NEEDS_RESET, "taken back because the device needs a reset"
            elif owner.queue is Queue.HINTING and self._bad:
                slug, seen = self._after_bad(owner), "taken back after a bad acknowledgement"
            else:
                slug, seen = slugs[owner.queue], f"used while the {owner.queue} queue has it"
            self._say(slug, number, what, seen)

    def _after_bad(self, owner: _Owner) -> str:
        offer, sent = self._offers.get(-1 if owner.ticket is None else owner.ticket, (None, b""))
        by_cookie = offer is not None and sent[COOKIE] in self._wrong_cookies
        return BY_COOKIE if by_cookie else BAD_ANSWER

    def _say(self, slug: str, number: int, expected: str, seen: str) -> None:
        self.report(slug, expected, seen, f"page {number:#x}")


def _pages(spans: Iterable[Span]) -> Iterable[int]:
    for span in spans:
        yield from span.pages()
