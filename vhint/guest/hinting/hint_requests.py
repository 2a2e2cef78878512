"""The requests of a guest's hinting, from the offer to the last block's return.

Each decision on which safety rests is a small method of its own, with the requirement that it
keeps.  `vhint.guest.hinting.hinting` puts it together with capture and workers.
"""

from __future__ import annotations

from vhint.guest.arena import ArenaFullError
from vhint.guest.driver import Answer
from vhint.guest.hinting.counters import Counters
from vhint.guest.hinting.generations import Generation
from vhint.guest.hinting.outstanding import HintRequest
from vhint.guest.memory import Block, Memory
from vhint.guest.page_life import PageEvent
from vhint.guest.port import Port
from vhint.guest.profiles.acknowledgement import BadAnswer, GoodAnswer, judge
from vhint.guest.profiles.hint_format import HintFormat, Limits
from vhint.guest.request_life import RequestEvent, RequestState
from vhint.ring import QueueFullError, RingError
from vhint.spans import PAGE
from vhint.wire.queues import Queue

ACTOR = "hinting"
"""The actor that answers come to, and that returns blocks."""


class HintRequests:
    """The requests that are not over, and what is done with them.

    `poison` is the value that free pages hold if PAGE_POISON was negotiated, or None.  `trusted`
    turns False with the first bad answer: then nothing comes back before a reset.
    """

    def __init__(
        self,
        memory: Memory,
        port: Port,
        generation: Generation,
        hint_format: HintFormat,
        counters: Counters,
    ) -> None:
        self.memory = memory
        self.port = port
        self.generation = generation
        self.format = hint_format
        self.counters = counters
        self.poison: int | None = None
        self.limits = Limits(1, 0)
        self.trusted = True
        self.last_bad: str | None = None
        self.requests: list[HintRequest] = []

    # The offer

    def offer(self, blocks: list[Block]) -> list[Block]:
        """Make a request of as many of the blocks as go in; return those that are left.

        If there is no room in the queue or for the request, all are left.
        """
        drafted = self.format.draft(blocks, self.limits)
        exposed = not self.generation.isolates
        try:
            added = self.port.add(drafted.draft)
        except (QueueFullError, ArenaFullError):
            return blocks
        request = HintRequest(drafted.named, exposed, added)
        if not exposed:
            for block in drafted.named:
                self.memory.move(block, PageEvent.OFFER, keeps_content=self.poison is not None)
        request.happen(RequestEvent.OFFER)
        self.requests.append(request)
        self.counters.requests += 1
        self.counters.offered_pages += sum(1 << block.order for block in drafted.named)
        self.after_offer(request)
        return self.remainder(drafted.rest)

    def after_offer(self, request: HintRequest) -> None:
        """Do nothing: what was offered is the device's (hint.driver.no-touch-while-outstanding)."""

    def remainder(self, rest: tuple[Block, ...]) -> list[Block]:
        """Return what did not go in: it is isolated and must not be forgotten.

        hint.driver.no-stranded-isolation
        """
        return list(rest)

    # Answers

    @property
    def outstanding(self) -> tuple[HintRequest, ...]:
        """The requests that the device has."""
        states = (RequestState.AVAILABLE, RequestState.QUARANTINED, RequestState.USED_BAD)
        return tuple(request for request in self.requests if request.state in states)

    def collect(self) -> HintRequest | None:
        """Take the next answer from the queue and believe it or not; None if there is none."""
        try:
            answer = self.port.collect(Queue.HINTING)
        except RingError as error:
            self.distrust(str(error))
            return None
        if answer is None:
            return None
        return self.receive(answer)

    def receive(self, answer: Answer) -> HintRequest:
        """Let the request that the used id selects go on (hint.driver.used-id-selects)."""
        request = self.request_of(answer)
        verdict = self.judge(answer)
        if isinstance(verdict, BadAnswer):
            request.happen(RequestEvent.USED_BADLY)
            self.distrust(str(verdict))
        else:
            request.happen(RequestEvent.USED_WELL)
            if request.state is RequestState.USED_GOOD:
                self.acknowledged(request, verdict)
        return request

    def request_of(self, answer: Answer) -> HintRequest:
        """Return the request that was used, by its ticket; the cookie plays no part in it."""
        return next(each for each in self.requests if each.request is answer.request)

    def judge(self, answer: Answer) -> GoodAnswer | BadAnswer:
        """Say whether the answer can be believed (vhint, rule 5)."""
        return judge(answer)

    def distrust(self, reason: str) -> None:
        """Believe nothing any more: hint.driver.keep-isolated-on-bad-acknowledgement."""
        self.trusted = False
        self.last_bad = reason
        self.counters.bad_answers += 1
        for request in self.requests:
            request.happen(RequestEvent.DISTRUST)

    def acknowledged(self, request: HintRequest, answer: GoodAnswer) -> None:
        """Take the blocks of a used request over, and prepare their return."""
        taken = {span.start // PAGE for span in answer.accepted}
        request.accepted = frozenset(block for block in request.blocks if block.pfn in taken)
        for block in request.blocks:
            pages = 1 << block.order
            if block in request.accepted:
                self.counters.reported_pages += pages
            else:
                self.counters.refused_pages += pages
        self._take_over(request, PageEvent.USE)

    def _take_over(self, request: HintRequest, event: PageEvent) -> None:
        if not request.exposed:
            for block in request.blocks:
                self.memory.move(block, event)
        request.to_return = self.order_of_return(request)

    def order_of_return(self, request: HintRequest) -> list[Block]:
        """Return every block of the request (hint.driver.return-every-acknowledged).

        Each has the order that it was isolated with (hint.driver.return-original-order).
        """
        return list(request.blocks)

    # The way back

    def returning(self) -> HintRequest | None:
        """Return the first request whose blocks are on their way to the allocator."""
        return next((each for each in self.requests if each.is_coming_back), None)

    def can_return(self) -> bool:
        """Whether the next block can go back now: its zone's lock is free."""
        request = self.returning()
        if request is None:
            return False
        if not request.to_return:
            return True
        block = request.to_return[0]
        return self.memory.zone_of(block.pfn).lock.free_for(ACTOR)

    def return_one(self) -> None:
        """Put one block back; with the last the request is over."""
        request = self.returning()
        if request is None:
            return
        if request.to_return:
            block = request.to_return.pop(0)
            self.give_back(request, block)
            self.counters.returned_pages += 1 << block.order
        if not request.to_return:
            request.happen(RequestEvent.RETURN)
            self.requests.remove(request)

    def give_back(self, request: HintRequest, block: Block) -> None:
        """Put one block into the allocator again; the host knows of it if it was accepted."""
        reported = block in request.accepted
        if request.exposed:
            self.memory.cover(block, reported=reported)
        else:
            self.memory.give_back(block, ACTOR, reported=reported)

    # Reset

    def reset_done(self) -> None:
        """Take everything back from the device (hint.driver.return-outstanding-after-reset)."""
        for request in self.requests:
            was_outstanding = not request.is_coming_back
            request.happen(RequestEvent.RESET_DONE)
            if was_outstanding and request.state is RequestState.BY_RESET:
                self._take_over(request, PageEvent.RESET)
