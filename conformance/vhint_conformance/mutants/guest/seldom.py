"""Faults that show only when something else happens as well: a second life, another order."""

from __future__ import annotations

from dataclasses import replace

from vhint.guest.driver import Answer, Request
from vhint.guest.hint_round import RoundState
from vhint.guest.hinting import Hinting
from vhint.guest.hinting.outstanding import HintRequest
from vhint.guest.memory import Block, Relief
from vhint.guest.page_life import PageEvent
from vhint.guest.port import RingPort
from vhint.guest.profiles.acknowledgement import BadAnswer, GoodAnswer, judge
from vhint.guest.profiles.balloon import Balloon
from vhint.guest.profiles.free_page_hint import FreePageHint
from vhint.guest.request_life import RequestState
from vhint.guest.requests import Draft
from vhint.spans import PAGE, Span
from vhint.wire.features import Feature, Features
from vhint.wire.hint_ack import HEADER_SIZE, Status
from vhint.wire.queues import Queue, QueueMode
from vhint.wire.statistics import ENTRY_SIZE
from vhint_conformance.model.reference_guest import Mutation
from vhint_conformance.mutants.guest.base import GuestMutant, guest, hinting

ARRAY = 4 * 256
"""Bytes for the page numbers of the longest request."""

FEW = 300
"""Pages up to which a balloon is taken for one that nobody will miss."""


class OneArray(RingPort):
    """Keeps the page numbers of both balloon queues in one array, as old drivers did."""

    _array: Span | None = None

    def start(self) -> None:
        """Begin without an array."""
        self._array = None
        super().start()

    def add(self, draft: Draft) -> Request:
        """Write the numbers over those that were sent last."""
        if draft.queue not in (Queue.INFLATE, Queue.DEFLATE):
            return super().add(draft)
        live = self._live
        self._array = self._array or live.arena.take(ARRAY)
        span = Span(self._array.start, len(draft.readable))
        head = live.rings[draft.queue].add((span,), ())
        live.memory.write(span.start, draft.readable)
        return live.note(draft, head, (span,), ())


class DeflatesBigEndian(RingPort):
    """Sends the page numbers of deflate requests most significant byte first."""

    def add(self, draft: Draft) -> Request:
        """Turn every number round."""
        if draft.queue is Queue.DEFLATE:
            data = draft.readable
            turned = b"".join(data[at : at + 4][::-1] for at in range(0, len(data), 4))
            draft = replace(draft, readable=turned)
        return super().add(draft)


class ActualInAByte(RingPort):
    """Says of a large balloon that it has 255 pages."""

    def write_config(self, field: str, value: int) -> None:
        """Write what fits into a byte."""
        super().write_config(field, min(value, 0xFF) if field == "actual" else value)


class CountsAccepted(RingPort):
    """Declines statistics, and counts queues over what it has accepted."""

    def start(self) -> None:
        """Start with another map."""
        features = self._wish.features - Features.of(Feature.STATS_VQ)
        self._wish = replace(self._wish, features=features, mode=QueueMode.COMPACT_ACCEPTED)
        super().start()


class SecondLife(RingPort):
    """Knows which of its lives it is in."""

    lives = 0

    def start(self) -> None:
        """Begin another."""
        self.lives += 1
        super().start()


class NoStatisticsAgain(SecondLife):
    """Gives statistics in its first life only."""

    def has(self, queue: Queue) -> bool:
        """Deny the statistics queue afterwards."""
        return super().has(queue) and not (queue is Queue.STATS and self.lives > 1)


class NoKickAgain(SecondLife):
    """Notifies of inflate requests in its first life only."""

    def notify(self, queue: Queue) -> None:
        """Say nothing of them afterwards."""
        if queue is not Queue.INFLATE or self.lives == 1:
            super().notify(queue)


class TagTwice(RingPort):
    """Sends the last statistic twice."""

    def add(self, draft: Draft) -> Request:
        """Repeat the last entry."""
        if draft.queue is Queue.STATS:
            draft = replace(draft, readable=draft.readable + draft.readable[-ENTRY_SIZE:])
        return super().add(draft)


class TagComesAndGoes(RingPort):
    """Sends one statistic only after the balloon has grown."""

    _grown = False

    def add(self, draft: Draft) -> Request:
        """Leave the last entry out until then."""
        self._grown |= draft.queue is Queue.INFLATE
        if draft.queue is Queue.STATS and not self._grown:
            draft = replace(draft, readable=draft.readable[:-ENTRY_SIZE])
        return super().add(draft)


class TakesSilently(Balloon):
    """Takes all pages of a small balloon back under pressure, and tells nobody."""

    def relieve(self, pages: int) -> Relief:
        """Empty it."""
        if self.may_deflate_on_oom and self.deflating is None and 0 < len(self.pages) < FEW:
            self.held_off = True
            taken, self.pages = self.pages, []
            self._move(taken, PageEvent.DEFLATE)
            self._move(taken, PageEvent.RELEASE)
            self.returning += taken
        return super().relieve(pages)


class WritesBallooned(RingPort):
    """Keeps a note in a page that is in the balloon."""

    _page = 0

    def add(self, draft: Draft) -> Request:
        """Remember the first page that was given."""
        if draft.queue is Queue.INFLATE:
            self._page = draft.blocks[0].start
        return super().add(draft)

    def write_config(self, field: str, value: int) -> None:
        """Write it when the size is told."""
        super().write_config(field, value)
        if field == "actual" and value:
            self._memory.write(self._page + PAGE // 2, b"note")


class ExchangesAtTarget(Balloon):
    """Takes a page out when the target is reached, and then puts one in again."""

    @property
    def wants_to_deflate(self) -> bool:
        """Whether the target is reached or passed."""
        return self.target <= self.size and bool(self.pages) and self.deflating is None

    def deflate(self, count: int | None = None) -> None:
        """Take at least one."""
        super().deflate(count or max(1, min(self.batch, self.size - self.target)))


class DeafWhileSupplying(FreePageHint):
    """Does not look at the command id while it has pages to supply."""

    def look(self) -> None:
        """Look only then."""
        if self.state is RoundState.SUPPLYING:
            self.must_look = False
        else:
            super().look()


class BelowMinimum(Hinting):
    """Takes blocks for large enough that are half the smallest size."""

    @property
    def min_order(self) -> int:
        """The device's limit, less one."""
        return max(0, self.limits.min_order - 1)


class MiscountBelieved(Hinting):
    """Does not look at `processed` where the status is PARTIAL."""

    def judge(self, answer: Answer) -> GoodAnswer | BadAnswer:
        """Put a number in its place that fits, if there is one."""
        verdict = judge(answer)
        if answer.data[8:12] != Status.PARTIAL.to_bytes(4, "little"):
            return verdict
        for count in range(len(answer.request.draft.blocks) + 1):
            data = answer.data[:12] + count.to_bytes(4, "little") + answer.data[16:]
            better = judge(replace(answer, data=data))
            if isinstance(better, GoodAnswer):
                return better
        return verdict


class UnwrittenUntouched(Hinting):
    """Counts on the content of blocks whose result bit was not written."""

    _written = 0

    def offer(self, blocks: list[Block]) -> list[Block]:
        """Clear the blocks first, and count on that."""
        if self.poison is not None:
            return super().offer(blocks)
        for block in blocks:
            self.memory.fill(block, 0)
        self.poison = 0
        try:
            return super().offer(blocks)
        finally:
            self.poison = None

    def judge(self, answer: Answer) -> GoodAnswer | BadAnswer:
        """Remember how much was written."""
        self._written = answer.length
        return judge(answer)

    def acknowledged(self, request: HintRequest, answer: GoodAnswer) -> None:
        """Count on nothing any more, but after PARTIAL without a result bit."""
        super().acknowledged(request, answer)
        if answer.status is not Status.PARTIAL or self._written > HEADER_SIZE:
            self._forget(request)

    def reset_done(self) -> None:
        """Count on nothing that was outstanding."""
        for request in self.requests:
            self._forget(request)
        super().reset_done()

    def _forget(self, request: HintRequest) -> None:
        for block in request.blocks:
            self.memory.expectations.give_up(block)


class AnswersInOrder(Hinting):
    """Takes every answer for that to the oldest request."""

    def receive(self, answer: Answer) -> HintRequest:
        """Let the oldest request change places with the one that was used."""
        mine = self.request_of(answer)
        oldest = next(each for each in self.requests if each.state is RequestState.AVAILABLE)
        if oldest is not mine and isinstance(judge(answer), GoodAnswer):
            mine.blocks, oldest.blocks = oldest.blocks, mine.blocks
        return super().receive(answer)


def _mutant(name: str, summary: str, violates: tuple[str, ...], mutation: Mutation) -> GuestMutant:
    return GuestMutant(name, summary, violates[0], "", mutation, also=violates[1:])


def _port(kind: type[RingPort]) -> Mutation:
    return Mutation(port_kind=kind)


MUTANTS = (
    _mutant("one-array-for-both-queues", "keeps page numbers of both balloon queues in one place",
            ("balloon.driver.unacknowledged-kept",), _port(OneArray)),
    _mutant("deflate-big-endian", "sends page numbers to be deflated most significant byte first",
            ("balloon.driver.pfn-width",), _port(DeflatesBigEndian)),
    _mutant("actual-in-a-byte", "says of every larger balloon that it has 255 pages",
            ("balloon.driver.actual-true",), _port(ActualInAByte)),
    _mutant("queues-counted-by-accepted", "counts queues over what it accepts, not what is offered",
            ("balloon.driver.queue-map-follows-device",), _port(CountsAccepted)),
    _mutant("no-statistics-in-second-life", "gives no statistics after it was loaded again",
            ("balloon.driver.stats-first-buffer",), _port(NoStatisticsAgain)),
    _mutant("no-kick-in-second-life", "notifies of no inflate request after it was loaded again",
            ("ring.driver.kick-at-avail-event",), _port(NoKickAgain)),
    _mutant("statistics-tag-twice", "sends the last statistic twice",
            ("balloon.driver.stats-initialise-buffer",), _port(TagTwice)),
    _mutant("statistics-tag-comes-later", "sends one statistic only after the balloon has grown",
            ("balloon.driver.stats-same-subset",), _port(TagComesAndGoes)),
    _mutant("small-balloon-taken-silently", "empties a small balloon under pressure, untold",
            ("balloon.driver.deflate-through-queue",), guest(balloon_kind=TakesSilently)),
    _mutant("ballooned-page-written", "keeps a note in a page that is in the balloon",
            ("balloon.driver.deflate-through-queue", "balloon.driver.never-inflate-in-use"),
            _port(WritesBallooned)),
    _mutant("page-exchanged-at-target", "takes a page out at the target, and puts one in again",
            ("balloon.driver.no-deflate-below-target", "balloon.driver.no-churn"),
            guest(balloon_kind=ExchangesAtTarget)),
    _mutant("deaf-while-supplying", "does not see STOP while it has pages to supply",
            ("free-page-hint.driver.stop-on-command",), guest(rounds_kind=DeafWhileSupplying)),
    _mutant("order-below-minimum", "hints blocks of half the smallest size",
            ("hint.driver.order-within-bounds",), hinting(BelowMinimum)),
    _mutant("miscount-believed", "does not look at `processed` in a PARTIAL answer",
            ("hint.driver.processed-contradiction-detected",), hinting(MiscountBelieved)),
    _mutant("unwritten-results-untouched", "counts on blocks whose result bit was not written",
            ("hint.driver.uncovered-results-lost", "hint.driver.content-uninitialised"),
            hinting(UnwrittenUntouched)),
    _mutant("answers-in-order", "takes every answer for that to the oldest request",
            ("hint.driver.used-id-selects",), hinting(AnswersInOrder)),
)  # fmt: skip
"""Guest mutants that behave until something else happens."""
