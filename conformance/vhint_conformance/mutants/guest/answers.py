"""Faults between the request and the return of its blocks."""

from __future__ import annotations

from itertools import repeat

from vhint.guest import requests
from vhint.guest.driver import Answer, Request
from vhint.guest.guest import Guest
from vhint.guest.hinting import Hinting, HintRequest, HintWorker
from vhint.guest.initialise import Access, Reply, WriteStatus
from vhint.guest.memory import Block, Relief
from vhint.guest.page_life import PageEvent
from vhint.guest.port import RingPort
from vhint.guest.profiles.acknowledgement import BadAnswer, GoodAnswer
from vhint.guest.profiles.hint_format import HintFormat
from vhint.guest.request_life import RequestState
from vhint.guest.requests import Draft
from vhint.wire.hint_ack import Status
from vhint.wire.status import DeviceStatus
from vhint_conformance.model.reference_guest import Mutation
from vhint_conformance.mutants.guest.base import GuestMutant, hinting, worker

ALLOCATE = "hint.driver.no-allocate-while-outstanding"
EVERY = "hint.driver.return-every-acknowledged"
BAD = "hint.driver.keep-isolated-on-bad-acknowledgement"
STABLE = "hint.driver.request-memory-stable"


class ReleasesOnOffer(Hinting):
    """Gives blocks back to the allocator as soon as they are offered."""

    def after_offer(self, request: HintRequest) -> None:
        """Return them all."""
        for block in request.blocks:
            self.give_back(request, block)


class WrongOrder(Hinting):
    """Returns each block as two of half its size."""

    def order_of_return(self, request: HintRequest) -> list[Block]:
        """Split what was isolated whole."""
        halves: list[Block] = []
        for block in request.blocks:
            half = block.order - 1
            if half < 0:
                halves.append(block)
            else:
                halves += [Block(block.pfn, half), Block(block.pfn + (1 << half), half)]
        return halves


class ReturnsTwice(Hinting):
    """Puts the last block of a request back twice."""

    def order_of_return(self, request: HintRequest) -> list[Block]:
        """Name it once more."""
        return [*request.blocks, request.blocks[-1]]


class NoReturnOnError(Hinting):
    """Returns nothing of a request that the device refused."""

    def acknowledged(self, request: HintRequest, answer: GoodAnswer) -> None:
        """Forget the blocks if the answer is an error."""
        super().acknowledged(request, answer)
        if answer.status not in (Status.OK, Status.PARTIAL):
            request.to_return = []


class ReturnsAcceptedOnly(Hinting):
    """Returns the blocks that the device took and forgets those that it left."""

    def order_of_return(self, request: HintRequest) -> list[Block]:
        """Leave the others out."""
        if request.state is not RequestState.USED_GOOD:
            return super().order_of_return(request)
        return [block for block in request.blocks if block in request.accepted]


class ReusesRequestMemory(RingPort):
    """Frees the memory of a request as soon as the device was told of it."""

    def add(self, draft: Draft) -> Request:
        """Add a request and give its memory back at once."""
        request = super().add(draft)
        self._live.arena.give_back(request.taken)
        return request


class SelectsByCookie(Hinting):
    """Lets the cookie of an answer, not the used id, choose the request that is over."""

    def request_of(self, answer: Answer) -> HintRequest:
        """Look for the cookie."""
        cookie = int.from_bytes(answer.data[:8], "little")
        for each in self.outstanding:
            if each.request.draft.cookie == cookie:
                return each
        return super().request_of(answer)

    def receive(self, answer: Answer) -> HintRequest:
        """Believe it of that request, if it still waits for an answer."""
        chosen = self.request_of(answer)
        if chosen.state is not RequestState.AVAILABLE:
            return chosen
        return super().receive(Answer(chosen.request, answer.length, answer.data))


class BelievesBadAnswers(Hinting):
    """Takes every used buffer for a good answer."""

    def judge(self, answer: Answer) -> GoodAnswer | BadAnswer:
        """Say that everything was accepted."""
        return GoodAnswer(Status.OK, answer.request.draft.blocks, ())


class NeverResets(Hinting):
    """Quarantines after a bad answer, and then does nothing about it."""

    @property
    def wants_reset(self) -> bool:
        """Whether a reset is due: never."""
        return False


class FillsNothing(HintWorker):
    """Forgets to fill pages with the poison value."""

    def append(self) -> None:
        """Put the block into the second array as it is."""
        poison, self.hinting.poison = self.hinting.poison, None
        super().append()
        self.hinting.poison = poison


class GivesUpWaiting(Hinting):
    """Takes outstanding blocks back under memory pressure, as after a timeout."""

    def relieve(self, pages: int) -> Relief:
        """Take everything back."""
        for request in self.requests:
            if request.state is RequestState.AVAILABLE:
                request.state = RequestState.USED_GOOD
                self._take_over(request, PageEvent.USE)
        return super().relieve(pages)

    def receive(self, answer: Answer) -> HintRequest:
        """Ignore an answer that comes late."""
        known = [each for each in self.requests if each.request is answer.request]
        if known and known[0].state is RequestState.USED_GOOD:
            return known[0]
        return super().receive(answer)


class ClearsRingsLate(RingPort):
    """Tells the device to start, and only then sees to it that the rings are empty."""

    def start(self) -> None:
        """Leave in the rings what was there until the device is live."""
        before = self._memory.read(self._structures)
        write = self._perform

        def perform(access: Access) -> Reply:
            if isinstance(access, WriteStatus) and access.value & DeviceStatus.DRIVER_OK:
                fresh = self._memory.read(self._structures)
                self._memory.write(self._structures.start, before)
                reply = write(access)
                self._memory.write(self._structures.start, fresh)
                return reply
            return write(access)

        self._perform = perform
        try:
            super().start()
        finally:
            self._perform = write


class NoRoom(RingPort):
    """Leaves no room for the answer."""

    def add(self, draft: Draft) -> Request:
        """Shorten the room of hinting requests to 8 bytes."""
        if draft.count:
            shorter = {name: getattr(draft, name) for name in Draft.__dataclass_fields__}
            draft = requests.Draft(**(shorter | {"room": 8}))
        return super().add(draft)


def _cookies(value: int) -> Mutation:
    def make(kind: type[HintFormat], results: bool) -> HintFormat:
        return kind(results=results, cookies=repeat(value))

    return Mutation(formats=make)


class TakesBackBeforeReset(Guest):
    """Takes everything back as soon as it has asked for a reset."""

    def begin_reset(self) -> None:
        """Write 0, and do not wait."""
        super().begin_reset()
        for half in self._halves:
            half.reset_done()


class TakesBackWhenBroken(Guest):
    """Takes everything back when the device shows NEEDS_RESET."""

    def give_up(self) -> None:
        """Use the device no more, and take its pages."""
        super().give_up()
        for half in self._halves:
            half.reset_done()


class LeaksOnReset(Hinting):
    """Forgets outstanding requests when the device is reset or removed."""

    def reset_done(self) -> None:
        """Drop them."""
        super().reset_done()
        self.requests = [each for each in self.requests if not each.request.draft.count]


MUTANTS = (
    GuestMutant(
        "release-on-offer",
        "gives blocks back to the allocator when it offers them, not when they are used",
        ALLOCATE,
        "PlainPages",
        hinting(ReleasesOnOffer),
        also=(EVERY, "hint.driver.no-touch-while-outstanding"),
    ),
    GuestMutant(
        "wrong-order-on-return",
        "returns blocks with another order than they were isolated with",
        "hint.driver.return-original-order",
        "HintPages",
        hinting(WrongOrder),
    ),
    GuestMutant(
        "returned-twice",
        "puts a block of a request back into the free lists twice",
        EVERY,
        "HintPages",
        hinting(ReturnsTwice),
        also=(
            "hint.driver.return-once",
            ALLOCATE,
        ),
    ),
    GuestMutant(
        "no-return-on-error",
        "returns nothing of a request that was answered with an error",
        EVERY,
        "HintPages",
        hinting(NoReturnOnError),
        also=(ALLOCATE, "hint.driver.no-overlap-outstanding"),
    ),
    GuestMutant(
        "returns-accepted-only",
        "returns only those blocks of a request that the device accepted",
        EVERY,
        "HintPages",
        hinting(ReturnsAcceptedOnly),
        also=(ALLOCATE, "hint.driver.no-overlap-outstanding"),
    ),
    GuestMutant(
        "reuses-request-memory",
        "places a request over one that the device has not used yet",
        STABLE,
        "FullRing",
        Mutation(port_kind=ReusesRequestMemory),
        also=(
            "balloon.driver.unacknowledged-kept",
            "hint.driver.cookie-unique",
            BAD,
            "hint.device.cookie-echo",
        ),
    ),
    GuestMutant(
        "selects-by-cookie",
        "takes a late answer for another request's, by its cookie",
        "hint.driver.used-id-selects",
        "BadAnswers",
        hinting(SelectsByCookie),
        also=(BAD, ALLOCATE),
    ),
    GuestMutant(
        "believes-bad-answers",
        "returns blocks after an acknowledgement that cannot be",
        BAD,
        "BadAnswers",
        hinting(BelievesBadAnswers),
        also=(
            "hint.driver.bad-cookie-detected",
            "hint.driver.bad-status-detected",
            "hint.driver.short-acknowledgement-detected",
            "hint.driver.long-acknowledgement-detected",
            "hint.driver.refusal-with-results-detected",
            "hint.driver.processed-contradiction-detected",
            "hint.driver.used-id-selects",
        ),
    ),
    GuestMutant(
        "never-resets-after-bad-answer",
        "keeps blocks isolated after a bad acknowledgement and never resets the device",
        "hint.driver.reset-on-bad-acknowledgement",
        "BadAnswers",
        hinting(NeverResets),
        also=(EVERY,),
    ),
    GuestMutant(
        "no-poison-before-hint",
        "hints pages without filling them with poison_val",
        "hint.driver.poison-fill-first",
        "HintPages",
        worker(FillsNothing),
    ),
    GuestMutant(
        "gives-up-waiting",
        "takes outstanding blocks back under pressure without resetting the device",
        ALLOCATE,
        "HintPages",
        hinting(GivesUpWaiting),
    ),
    GuestMutant(
        "rings-cleared-late",
        "empties its rings only after it has written DRIVER_OK",
        "virtio.driver.initialisation-order",
        "ResetsAnywhere",
        Mutation(port_kind=ClearsRingsLate),
    ),
    GuestMutant(
        "no-room-for-answer",
        "leaves the device too little room for an acknowledgement",
        "hint.driver.room-for-acknowledgement",
        "HintPages",
        Mutation(port_kind=NoRoom),
    ),
    GuestMutant(
        "cookie-zero",
        "gives requests the cookie 0",
        "hint.driver.cookie-nonzero",
        "HintPages",
        _cookies(0),
        also=("hint.driver.cookie-unique",),
    ),
    GuestMutant(
        "cookie-repeated",
        "gives requests that are outstanding together the same cookie",
        "hint.driver.cookie-unique",
        "FullRing",
        _cookies(7),
    ),
    GuestMutant(
        "take-back-before-reset-done",
        "takes outstanding blocks back as soon as it has written 0 to the status",
        "hint.driver.no-return-before-reset-done",
        "HintResets",
        Mutation(guest_kind=TakesBackBeforeReset),
        also=(
            ALLOCATE,
            "reporting.driver.no-touch-until-use",
            "balloon.driver.wait-for-inflate",
            "balloon.driver.wait-for-deflate",
            "balloon.driver.deflate-through-queue",
            "free-page-hint.driver.initialise-early-release",
        ),
    ),
    GuestMutant(
        "needs-reset-taken-for-return",
        "takes outstanding blocks back because the device shows NEEDS_RESET",
        "hint.driver.needs-reset-returns-nothing",
        "ResetsAnywhere",
        Mutation(guest_kind=TakesBackWhenBroken),
        also=(
            ALLOCATE,
            EVERY,
            "hint.driver.no-return-before-reset-done",
            "reporting.driver.no-touch-until-use",
            "balloon.driver.wait-for-inflate",
            "balloon.driver.wait-for-deflate",
            "balloon.driver.deflate-through-queue",
            "free-page-hint.driver.initialise-early-release",
        ),
    ),
    GuestMutant(
        "leaks-on-reset",
        "forgets the blocks of outstanding requests when the device is reset",
        "hint.driver.return-outstanding-after-reset",
        "HintResets",
        hinting(LeaksOnReset),
        also=(
            EVERY,
            ALLOCATE,
            "hint.driver.no-stranded-isolation",
            "hint.driver.no-overlap-outstanding",
        ),
    ),
)
"""Guest mutants of requests, answers, returns and resets."""
