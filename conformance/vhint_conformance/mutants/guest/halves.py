"""Faults of a guest that looks at half of something, or remembers what is over."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from vhint.guest import requests
from vhint.guest.driver import Answer, Driver, Request
from vhint.guest.guest import Guest
from vhint.guest.hint_round import RoundState
from vhint.guest.hinting import Hinting
from vhint.guest.initialise import Access, ReadFeatures, Reply
from vhint.guest.page_life import PageEvent
from vhint.guest.port import RingPort
from vhint.guest.profiles.acknowledgement import BadAnswer, GoodAnswer, judge
from vhint.guest.profiles.balloon import Balloon
from vhint.guest.profiles.free_page_hint import FreePageHint
from vhint.guest.profiles.hint_format import Limits
from vhint.guest.profiles.reporting import Phase, Reporting
from vhint.guest.requests import Draft
from vhint.ring import Fault, RingError, SplitDriverQueue
from vhint.wire.bitmap import byte_length
from vhint.wire.command import CommandId
from vhint.wire.hint_ack import HEADER_SIZE, Status
from vhint.wire.queues import Queue
from vhint_conformance.model.reference_guest import Mutation
from vhint_conformance.mutants.guest.base import GuestMutant, guest, hinting
from vhint_conformance.mutants.guest.queues import with_rings

COOKIE_SIZE = 8
STATUS_AT, COUNT_AT = 8, 12
"""Where status and `processed` stand in an acknowledgement."""


DOZEN = 12


def reading(change: Callable[[Answer], Answer]) -> Mutation:
    """Return a guest that reads answers as `change` has them."""

    class Reads(Hinting):
        """Reads them so."""

        def judge(self, answer: Answer) -> GoodAnswer | BadAnswer:
            """Judge what was read."""
            return judge(change(answer) if len(answer.data) >= HEADER_SIZE else answer)

    return hinting(Reads)


def low_cookie(answer: Answer) -> Answer:
    """Take the high half of the cookie for what it should be."""
    mine = answer.request.draft.cookie.to_bytes(COOKIE_SIZE, "little")
    return replace(answer, data=answer.data[:4] + mine[4:] + answer.data[COOKIE_SIZE:])


def refusal_uncounted(answer: Answer) -> Answer:
    """Take `processed` of a refusal for 0."""
    status = int.from_bytes(answer.data[STATUS_AT:COUNT_AT], "little")
    if status in (Status.OK, Status.PARTIAL):
        return answer
    return replace(answer, data=answer.data[:COUNT_AT] + bytes(4) + answer.data[HEADER_SIZE:])


def one_too_many(answer: Answer) -> Answer:
    """Take a length of one byte too many for the largest that can be."""
    most = HEADER_SIZE + byte_length(answer.request.draft.count)
    if answer.length != most + 1:
        return answer
    return replace(answer, length=most, data=answer.data[:most])


class NeverForgets(Driver):
    """Takes an id for an answer to whatever request had it last."""

    last: dict[tuple[Queue, int], Request]

    def collect(self, queue: Queue) -> Answer | None:
        """Look among all requests that ever were."""
        completion = self.rings[queue].collect()
        if completion is None:
            return None
        place = (queue, completion.head)
        request = self.outstanding.pop(place, None)
        if request is not None:
            self.last[place] = request
            return self._answer(request, completion.length)
        if place in self.last:
            waiting = [each for (name, _), each in self.outstanding.items() if name is queue]
            return Answer(waiting[0], HEADER_SIZE, _good(waiting[0])) if waiting else None
        raise RingError(Fault.USED_ID, f"id {completion.head} on the {queue} queue")


def _good(request: Request) -> bytes:
    """Return the acknowledgement that all blocks of a request were taken."""
    taken = len(request.draft.blocks).to_bytes(4, "little")
    return request.draft.cookie.to_bytes(COOKIE_SIZE, "little") + bytes(4) + taken


class StaleIds(RingPort):
    """Has such a driver."""

    def start(self) -> None:
        """Start, and exchange it."""
        super().start()
        if self.driver is not None:
            self.driver.__class__ = NeverForgets
            self.driver.last = {}  # type: ignore[attr-defined]


class OfferRemembered(RingPort):
    """Reads the offered features once, and remembers them over resets."""

    _offered: Reply = None

    def start(self) -> None:
        """Start with the features of its first life."""
        real = self._perform

        def remembering(access: Access) -> Reply:
            reply = real(access)
            if not isinstance(access, ReadFeatures):
                return reply
            self._offered = self._offered or reply
            return self._offered

        self._perform = remembering
        try:
            super().start()
        finally:
            self._perform = real


class LimitsRemembered(Hinting):
    """Reads the limits of requests in its first life only."""

    _first: Limits | None = None

    def started(self) -> None:
        """Remember them."""
        super().started()
        self.limits = self._first = self._first or self.limits


class TakesDeflating(Balloon):
    """Takes a change of config space for the answer to its deflate request."""

    def config_changed(self) -> None:
        """Take the pages back."""
        super().config_changed()
        batch = self.deflating
        if batch and not batch.left:
            self.deflating = None
            self._move(batch.pages, PageEvent.USE)
            self.returning += batch.pages


class CancelsInflating(Balloon):
    """Takes an inflate request for void when nothing is wanted any more."""

    def look(self) -> None:
        """Take the pages back."""
        super().look()
        batch = self.inflating
        if batch and not self.target:
            self.inflating = None
            self._move(batch.pages, PageEvent.RESET)
            self.returning += batch.pages


class PoisonsEarly(Balloon):
    """Fills deflated pages with poison when it makes the request, and not when it is used."""

    def deflate(self, count: int | None = None) -> None:
        """Fill them at once."""
        super().deflate(count)
        for page in self.deflating.pages if self.deflating and self.poison is not None else ():
            self.memory.fill(page, self.poison or 0)


class LosesFound(Reporting):
    """Forgets at a reset what it has isolated for a report that is not made yet."""

    def reset_done(self) -> None:
        """Forget it."""
        if self.phase in (Phase.SEARCHING, Phase.OFFERING):
            self.isolated.clear()
        super().reset_done()


class LosesUnused(FreePageHint):
    """Forgets at DONE the blocks whose buffer has not been used."""

    def look(self) -> None:
        """Forget them."""
        super().look()
        if self.state is RoundState.RELEASING:
            self.held = [each for each in self.held if each.used]


class EndsBoth(Balloon):
    """Takes the answer to an inflate request for that to the deflate request as well."""

    def collect(self, queue: Queue) -> None:
        """End both."""
        super().collect(queue)
        batch = self.deflating
        if queue is Queue.INFLATE and batch and not batch.left:
            self.deflating = None
            self._move(batch.pages, PageEvent.USE)
            self.returning += batch.pages


class IdAgain(FreePageHint):
    """Sends the id of its round again when config space is said to have changed."""

    _again: int | None = None

    def look(self) -> None:
        """Send it once more."""
        supplying = self.state is RoundState.SUPPLYING
        super().look()
        known = self.round_id
        if supplying and known not in (None, self._again) and self.port.room(Queue.FREE_PAGE) > 2:
            self._again = known
            self._send(CommandId(known or 0))


class ReturningLost(Hinting):
    """Forgets at a reset the blocks that were on their way back."""

    def reset_done(self) -> None:
        """Forget them."""
        returning = [each for each in self.requests if each.is_coming_back]
        super().reset_done()
        for each in returning:
            each.to_return = []


class OldFlag(SplitDriverQueue):
    """Goes by the flag that stood in the used ring when it looked last."""

    _flag = 0

    def kick_needed(self) -> bool:
        """Look at it for the next time."""
        wanted = super().kick_needed()
        flag, self._flag = self._flag, self.memory.load16(self.layout.used) & 1
        return wanted and (self.event_idx or not flag)


class FewPolls(RingPort):
    """Gives a dozen statistics and no more."""

    _given = 0

    def room(self, queue: Queue) -> int:
        """Say that there is no room for another."""
        return 0 if queue is Queue.STATS and self._given == DOZEN else super().room(queue)

    def add(self, draft: Draft) -> Request:
        """Count."""
        self._given += draft.queue is Queue.STATS
        return super().add(draft)


class FreshStatistics(RingPort):
    """Keeps the figures in the outstanding statistics buffer fresh."""

    request: Request | None = None

    def add(self, draft: Draft) -> Request:
        """Remember the buffer."""
        request = super().add(draft)
        if draft.queue is Queue.STATS:
            self.request = request
        return request


class FreshGuest(Guest):
    """Writes them."""

    def tick(self, now: int) -> None:
        """Write them whenever time goes on."""
        super().tick(now)
        port = self.port
        if isinstance(port, FreshStatistics) and port.request and self.statistics.outstanding:
            fresh = requests.give_statistics(self.statistics.figures()).readable
            port._memory.write(port.request.readable[0].start, fresh)


def _mutant(name: str, summary: str, violates: tuple[str, ...], mutation: Mutation) -> GuestMutant:
    return GuestMutant(name, summary, violates[0], "", mutation, also=violates[1:])


MUTANTS = (
    _mutant("cookie-compared-in-32-bits", "compares the low half of a cookie",
            ("hint.driver.bad-cookie-detected",), reading(low_cookie)),
    _mutant("refusal-uncounted", "does not look at `processed` in a refusal",
            ("hint.driver.processed-contradiction-detected",), reading(refusal_uncounted)),
    _mutant("answer-a-byte-too-long", "takes a used length of one byte too many",
            ("hint.driver.long-acknowledgement-detected",), reading(one_too_many)),
    _mutant("stale-id-taken", "takes an id that was answered before for another answer",
            ("hint.driver.bad-id-detected", "ring.driver.used-id-checked"),
            Mutation(port_kind=StaleIds)),
    _mutant("offer-remembered", "remembers over a reset which features were offered",
            ("virtio.driver.accept-only-offered",), Mutation(port_kind=OfferRemembered)),
    _mutant("limits-remembered", "remembers over a reset how long requests may be",
            ("hint.driver.config-limits-read", "hint-pfn.driver.count-within-limit",
             "hint.driver.order-within-bounds"), hinting(LimitsRemembered)),
    _mutant("deflating-taken-at-change", "uses deflated pages when config space changes",
            ("balloon.driver.wait-for-deflate",), guest(balloon_kind=TakesDeflating)),
    _mutant("inflate-cancelled", "uses the pages of an inflate request when none are wanted",
            ("balloon.driver.wait-for-inflate",), guest(balloon_kind=CancelsInflating)),
    _mutant("poisoned-before-deflate-used", "fills deflated pages before the request is used",
            ("balloon.driver.wait-for-deflate",), guest(balloon_kind=PoisonsEarly)),
    _mutant("found-blocks-lost-on-reset", "forgets at a reset blocks that it has yet to report",
            ("reporting.driver.return-every-page",), guest(reporting_kind=LosesFound)),
    _mutant("unused-hints-lost-on-done", "forgets at DONE what the device has not used",
            ("free-page-hint.driver.release-on-remove", "free-page-hint.driver.release-on-done"),
            guest(rounds_kind=LosesUnused)),
    _mutant("inflate-ends-deflate", "takes a used inflate buffer for the end of its deflate too",
            ("balloon.driver.wait-for-deflate", "balloon.driver.acknowledgement-matched"),
            guest(balloon_kind=EndsBoth)),
    _mutant("id-again-at-interrupt", "sends the id again when config space may have changed",
            ("free-page-hint.driver.id-once",), guest(rounds_kind=IdAgain)),
    _mutant("returning-lost-on-reset", "forgets at a reset blocks that are on their way back",
            ("hint.driver.remove-returns-all", "hint.driver.return-every-acknowledged"),
            hinting(ReturningLost)),
    _mutant("flag-of-last-time", "goes by the flag for notifications that it saw the last time",
            ("ring.driver.kick-when-flags-zero",), with_rings(OldFlag)),
    _mutant("a-dozen-statistics", "gives a dozen statistics buffers and no more",
            ("balloon.driver.stats-answer-use",), Mutation(port_kind=FewPolls)),
    _mutant("statistics-kept-fresh", "writes new figures into the buffer that the device has",
            ("ring.driver.no-alter-exposed",),
            Mutation(guest_kind=FreshGuest, port_kind=FreshStatistics)),
)  # fmt: skip
"""Guest mutants that know half, or too much."""
