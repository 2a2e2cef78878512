"""Faults in what a guest believes: of answers, of the content of pages, and of its device."""

from __future__ import annotations

from dataclasses import replace

from vhint.guest.driver import Answer, Request
from vhint.guest.guest import Guest
from vhint.guest.hinting import Hinting
from vhint.guest.hinting.outstanding import HintRequest
from vhint.guest.initialise import InitialisationError, ReadConfig, ReadFeatures, Stage
from vhint.guest.memory import Block
from vhint.guest.port import RingPort
from vhint.guest.profiles.acknowledgement import BadAnswer, GoodAnswer, judge
from vhint.guest.profiles.hint_format import PfnFormat
from vhint.guest.profiles.reporting import Reporting
from vhint.guest.requests import Draft
from vhint.ring import SplitDriverQueue
from vhint.spans import Span, block
from vhint.wire import config
from vhint.wire.bitmap import byte_length
from vhint.wire.features import Feature, Features
from vhint.wire.hint_ack import HEADER_SIZE, Status
from vhint.wire.queues import Queue
from vhint.wire.statistics import ENTRY_SIZE
from vhint_conformance.model.reference_guest import Mutation
from vhint_conformance.mutants.guest.base import GuestMutant, guest, hinting

MARK = 0x6D61726B
"""What a guest fills blocks with that it counts on afterwards."""

UNINITIALISED = "hint.driver.content-uninitialised"


class CountsOnUntouched(Hinting):
    """Counts on what blocks hold that the answer says are untouched, as it may."""

    def offer(self, blocks: list[Block]) -> list[Block]:
        """Fill the blocks first, and go on counting on that."""
        if self.poison is not None:
            return super().offer(blocks)
        for each in blocks:
            self.memory.fill(each, MARK)
        self.poison = MARK
        try:
            return super().offer(blocks)
        finally:
            self.poison = None

    def acknowledged(self, request: HintRequest, answer: GoodAnswer) -> None:
        """Count no more on what was taken."""
        super().acknowledged(request, answer)
        for each in request.accepted:
            self.memory.expectations.give_up(each)

    def reset_done(self) -> None:
        """Count on nothing that was outstanding."""
        for request in self.requests:
            for each in request.blocks:
                self.memory.expectations.give_up(each)
        super().reset_done()


class ResultsFromTheLeft(CountsOnUntouched):
    """Reads the result bits of a byte most significant first."""

    def judge(self, answer: Answer) -> GoodAnswer | BadAnswer:
        """Turn each byte round, and its padding to where it belongs."""
        verdict, count = judge(answer), answer.request.draft.count
        if isinstance(verdict, BadAnswer) or answer.length < HEADER_SIZE + byte_length(count):
            return verdict
        turned = [int(f"{each:08b}"[::-1], 2) for each in answer.data[HEADER_SIZE:]]
        if turned and count % 8:
            turned[-1] >>= 8 - count % 8
        return judge(replace(answer, data=answer.data[:HEADER_SIZE] + bytes(turned)))


class ResultsBeyondLength(CountsOnUntouched):
    """Reads all result bits that it left room for, however few were written."""

    def judge(self, answer: Answer) -> GoodAnswer | BadAnswer:
        """Believe them, if they go with the rest."""
        port = self.port
        whole = HEADER_SIZE + byte_length(answer.request.draft.count)
        if isinstance(port, RingPort) and HEADER_SIZE <= answer.length < whole:
            data = b"".join(map(port._memory.read, answer.request.writable))[:whole]
            longer = judge(replace(answer, length=len(data), data=data))
            if isinstance(longer, GoodAnswer):
                return longer
        return judge(answer)


class RefusedAgain(Hinting):
    """Hints blocks again as soon as they were refused."""

    def acknowledged(self, request: HintRequest, answer: GoodAnswer) -> None:
        """Note them as if they had just been freed."""
        super().acknowledged(request, answer)
        if answer.status not in (Status.OK, Status.PARTIAL):
            for each in request.blocks:
                self.arrays[0].store(each, self.now - 1_000_000)


class FourthLost(Hinting):
    """Loses the blocks for which there would be a fourth outstanding request."""

    def offer(self, blocks: list[Block]) -> list[Block]:
        """Say that they have gone."""
        return [] if len(self.outstanding) == 3 else super().offer(blocks)


class HintsBalloon(RingPort):
    """Names in every hinting request the page that went into the balloon first."""

    _page: Span | None = None

    def add(self, draft: Draft) -> Request:
        """Put it in the place of the last block."""
        if draft.queue is Queue.INFLATE:
            self._page = self._page or draft.blocks[0]
        if draft.queue is Queue.DEFLATE and self._page in draft.blocks:
            self._page = None
        if draft.queue is Queue.HINTING and draft.blocks and self._page is not None:
            entry = block_entry(self._page)
            draft = replace(draft, readable=draft.readable[: -len(entry)] + entry)
        return super().add(draft)


def block_entry(page: Span) -> bytes:
    """Return the entry of a hinting request that names one page."""
    pfn = next(iter(page.pages()))
    assert block(pfn) == page  # noqa: S101 - the balloon is made of single pages
    return pfn.to_bytes(8, "little") + bytes(8)


class DiesOfBadAnswers(Hinting):
    """Asserts that every answer is good."""

    def distrust(self, reason: str) -> None:
        """Die."""
        raise AssertionError(f"BUG: {reason}")


class CountsOnReported(Reporting):
    """Zeroes pages before it reports them, and counts on that when they are back."""

    def search(self) -> None:
        """Zero what was found."""
        known = len(self.isolated)
        super().search()
        if self.poison is None:
            for each in self.isolated[known:]:
                self.memory.fill(each, 0)

    def offer(self) -> None:
        """Offer the blocks, as if there were a poison value that the device keeps."""
        real, self.poison = self.poison, self.poison or 0
        try:
            super().offer()
        finally:
            self.poison = real


class EventTooLate(SplitDriverQueue):
    """Asks for the interrupt after the next."""

    def ask(self) -> None:
        """Ask, with an index that is one too large."""
        if self.event_idx:
            self.put_used_event(self._used_index + 1 & 0xFFFF)


class SleepsThrough(RingPort):
    """Looks at a queue when it was interrupted, and asks for the next interrupt too late."""

    interrupted = True

    def start(self) -> None:
        """Start, with queues that ask too late."""
        super().start()
        for ring in self.driver.rings.values() if self.driver else ():
            if isinstance(ring, SplitDriverQueue):
                ring.__class__ = EventTooLate

    def pending(self, queue: Queue) -> bool:
        """Whether something waits, and an interrupt has said so."""
        return self.interrupted and super().pending(queue)

    def collect(self, queue: Queue) -> Answer | None:
        """Take one; sleep again if there is no other."""
        answer = super().collect(queue)
        ring = self._live.rings[queue]
        if isinstance(ring, EventTooLate):
            ring.ask()
        self.interrupted = any(each.waits for each in self._live.rings.values())
        return answer


class InterruptedGuest(Guest):
    """A guest that looks at its queues when it is told to."""

    def interrupted(self, *, config: bool = False) -> None:
        """Wake the port."""
        if isinstance(self.port, SleepsThrough) and not config:
            self.port.interrupted = True
        super().interrupted(config=config)


class StatisticsInKib(RingPort):
    """Sends its figures in KiB."""

    def add(self, draft: Draft) -> Request:
        """Divide them."""
        if draft.queue is Queue.STATS:
            data = draft.readable
            draft = replace(draft, readable=b"".join(map(in_kib, entries(data))))
        return super().add(draft)


def entries(data: bytes) -> list[bytes]:
    """Return the entries of a statistics buffer."""
    return [data[at : at + ENTRY_SIZE] for at in range(0, len(data), ENTRY_SIZE)]


def in_kib(entry: bytes) -> bytes:
    """Return an entry with its value divided by 1024."""
    return entry[:2] + (int.from_bytes(entry[2:], "little") // 1024).to_bytes(8, "little")


class ConfigInHalves(RingPort):
    """Reads a field of config space 16 bits at a time."""

    def read_config(self, field: str) -> int:
        """Put the halves together."""
        at = config.field_offset(field)
        low, high = (int(self._perform(ReadConfig(at + half, 2)) or 0) for half in (0, 2))
        return high << 16 | low


class SilentWithoutVersion1(RingPort):
    """Leaves a device alone that is not a modern one, and does not tell it."""

    def start(self) -> None:
        """Look at the features before anything else."""
        if Feature.VERSION_1 not in Features(int(self._perform(ReadFeatures()) or 0)):
            raise InitialisationError(Stage.NEGOTIATE, "the device is a legacy one")
        super().start()


def _mutant(name: str, summary: str, violates: tuple[str, ...], mutation: Mutation) -> GuestMutant:
    return GuestMutant(name, summary, violates[0], "", mutation, also=violates[1:])


def _port(kind: type[RingPort]) -> Mutation:
    return Mutation(port_kind=kind)


MUTANTS = (
    _mutant("results-from-the-left", "reads result bits most significant first",
            (UNINITIALISED, "hint.driver.uncovered-results-lost"), hinting(ResultsFromTheLeft)),
    _mutant("results-beyond-length", "reads result bits behind the used length",
            ("ring.driver.nothing-beyond-len", "hint.driver.uncovered-results-lost",
             UNINITIALISED), hinting(ResultsBeyondLength)),
    _mutant("refused-again-at-once", "hints blocks again as soon as they were refused",
            ("hint.driver.refused-not-repeated", "hint.driver.inhibited-not-retried-at-once"),
            hinting(RefusedAgain)),
    _mutant("fourth-request-lost", "loses the blocks of a fourth outstanding request",
            ("hint.driver.return-on-error", "hint.driver.no-stranded-isolation",
             "hint.driver.return-every-acknowledged"), hinting(FourthLost)),
    _mutant("balloon-page-hinted", "hints a page that is in the balloon",
            ("hint.driver.never-name-balloon-pages",),
            Mutation(port_kind=HintsBalloon, formats=lambda _, all_: PfnFormat(results=all_))),
    _mutant("dies-of-bad-answers", "asserts that every answer is good, and dies if not",
            ("hint.driver.reset-on-bad-acknowledgement",), hinting(DiesOfBadAnswers)),
    _mutant("counts-on-reported-zeroes", "counts on zeroes in pages that it has reported",
            ("reporting.driver.content-uninitialised",), guest(reporting_kind=CountsOnReported)),
    _mutant("used-event-too-late", "asks for the interrupt after the next, and sleeps",
            ("ring.driver.recheck-after-enabling",),
            Mutation(guest_kind=InterruptedGuest, port_kind=SleepsThrough)),
    _mutant("statistics-in-kib", "sends statistics in KiB",
            ("balloon.driver.stats-initialise-buffer",), _port(StatisticsInKib)),
    _mutant("config-in-halves", "reads fields of config space 16 bits at a time",
            ("virtio.driver.config-access-width",), _port(ConfigInHalves)),
    _mutant("silent-without-version-1", "leaves a legacy device alone without setting FAILED",
            ("virtio.driver.failed-when-unusable",), _port(SilentWithoutVersion1)),
)  # fmt: skip
"""Guest mutants that believe what they must not."""
