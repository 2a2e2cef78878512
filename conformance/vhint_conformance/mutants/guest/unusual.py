"""A guest that is sound and does everything in another way than the reference."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import cycle

from vhint.guest.driver import Answer, Request
from vhint.guest.guest import Guest
from vhint.guest.hinting import Generation, Hinting
from vhint.guest.hinting.outstanding import HintRequest
from vhint.guest.page_life import PageEvent
from vhint.guest.port import RingPort
from vhint.guest.profiles.balloon import ACTOR, Balloon, Batch
from vhint.guest.profiles.hint_format import HintFormat
from vhint.guest.requests import Draft, hint_blocks
from vhint.guest.step import Step
from vhint.ring import RingError
from vhint.wire.queues import Queue
from vhint.wire.statistics import ENTRY_SIZE
from vhint_conformance.model.reference_guest import Mutation

AT_ONCE = 3
"""Inflate requests that are outstanding at the same time."""

COOKIE = 0xFEDC_BA98_7654_3210
"""The cookie of the request of no blocks; the others are counted."""

PIECES = 5
"""Descriptors of a hinting request."""

UNIT = 8
"""Pages by which the balloon grows: it may so become larger than its target."""


class UnhurriedBalloon(Balloon):
    """Grows in units by several requests at once, takes nothing back for a lower target.

    (balloon.driver.may-inflate-beyond-need, may-deflate-above-target, may-batch-actual)
    """

    _flying: tuple[Batch, ...] = ()

    @property
    def size(self) -> int:
        """How many pages are in the balloon, or on their way into it."""
        return len(self.pages) + sum(len(batch.pages) for batch in self._flying)

    @property
    def wants_to_inflate(self) -> bool:
        """Whether a unit is missing, and a request more may be made."""
        if len(self._flying) == AT_ONCE or not self.port.room(Queue.INFLATE):
            return False
        return super().wants_to_inflate

    @property
    def wants_to_deflate(self) -> bool:
        """Return False: only memory pressure takes pages out again."""
        return False

    def inflate(self) -> None:
        """Offer a unit."""
        target, self.target = self.target, self.size + UNIT
        super().inflate()
        self.target = target
        if self.inflating:
            self._flying = (*self._flying, self.inflating)
            self.inflating = None

    def collect(self, queue: Queue) -> None:
        """Take a used buffer, whichever of the outstanding it is."""
        if queue is not Queue.INFLATE:
            super().collect(queue)
            return
        try:
            answer = self.port.collect(queue)
        except RingError:
            self.trusted = False
            return
        for batch in self._flying:
            if answer is not None and batch.request is answer.request:
                self._move(batch.pages, PageEvent.USE)
                self.pages += batch.pages
        self._flying = tuple(each for each in self._flying if not _answers(answer, each))

    def reset_done(self) -> None:
        """Take back what was on its way, too."""
        for batch in self._flying:
            self._move(batch.pages, PageEvent.RESET)
            self.returning += batch.pages
        self._flying = ()
        super().reset_done()

    def _live_steps(self) -> Iterator[Step]:
        """Write the size once, when all is done."""
        waits = bool(self._flying) or self.wants_to_inflate
        late = Step(ACTOR, "write_actual")
        return (step for step in super()._live_steps() if step != late or not waits)


def _answers(answer: Answer | None, batch: Batch) -> bool:
    return answer is not None and answer.request is batch.request


class ProbingHints(Hinting):
    """Begins with a request of no blocks, which a device answers OK."""

    _probe: Request | None = None

    def started(self) -> None:
        """Send it."""
        super().started()
        if self.port.has(Queue.HINTING) and self.port.room(Queue.HINTING):
            self._probe = self.port.add(hint_blocks(COOKIE, ()))
            if self.port.publish(Queue.HINTING):
                self.port.notify(Queue.HINTING)

    def collect(self) -> HintRequest | None:
        """Take its answer for what it is."""
        if self._probe is None:
            return super().collect()
        try:
            answer = self.port.collect(Queue.HINTING)
        except RingError as error:
            self.distrust(str(error))
            return None
        if answer is None:
            return None
        if answer.request is self._probe:
            self._probe = None
            return None
        return self.receive(answer)

    def reset_done(self) -> None:
        """Forget it."""
        self._probe = None
        super().reset_done()


class ManyPieces(RingPort):
    """Spreads requests over several descriptors, never indirectly, and turns statistics round."""

    def add(self, draft: Draft) -> Request:
        """Cut the request and the room for its answer where nobody else would."""
        if draft.queue is Queue.STATS:
            self._turn = -self._turn
            data = draft.readable
            entries = [data[at : at + ENTRY_SIZE] for at in range(0, len(data), ENTRY_SIZE)]
            draft = Draft(Queue.STATS, b"".join(entries[:: self._turn]))
        if draft.queue is not Queue.HINTING:
            return self._live.add(draft)
        return self._live.add(draft, readable_pieces=(3, 17), writable_pieces=(9,))

    _turn = 1

    def room(self, queue: Queue) -> int:
        """Say that there is none for less than a whole hinting request."""
        free = super().room(queue)
        return free if queue is not Queue.HINTING or free >= PIECES else 0


def odd_room(made: type[HintFormat], results: bool) -> HintFormat:  # noqa: ARG001
    """Leave room for result bits in every second request."""

    class Format(made):  # type: ignore[misc, valid-type]
        """The format, with more room or less."""

        _rooms = cycle((None, 0))

        @property
        def _room(self) -> int | None:
            room: int | None = next(self._rooms)
            return room

    found: HintFormat = Format()
    return found


class UnusualGuest(Guest):
    """The guest with all of these."""

    balloon_kind = UnhurriedBalloon

    def make_hinting(
        self, generation: Generation | None, hint_format: HintFormat | None
    ) -> Hinting:
        """Make the hinting that begins with a request of no blocks."""
        settings = self.options.hinting
        return ProbingHints(
            self.memory, self.port, settings, generation, hint_format, self.counters
        )


UNUSUAL = Mutation(guest_kind=UnusualGuest, port_kind=ManyPieces, formats=odd_room)
"""What makes the reference guest this one."""
