"""The balloon itself, the driver's half: inflate to the target, deflate, deflate on OOM.

One request is outstanding on each queue at most, as in every driver that is known.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from vhint.guest import requests
from vhint.guest.arena import ArenaFullError
from vhint.guest.driver import Request
from vhint.guest.memory import Block, Memory, Relief, Zone
from vhint.guest.page_life import PageEvent
from vhint.guest.port import Port
from vhint.guest.step import Step
from vhint.ring import QueueFullError, RingError
from vhint.wire.features import Feature
from vhint.wire.queues import Queue

ACTOR = "balloon"
BATCH = 256
"""Pages of one request, as in Linux."""


@dataclass(slots=True)
class Batch:
    """A request on its way, with its pages.  `left` says that the pages did not wait for it."""

    request: Request
    pages: list[Block]
    left: bool = False


class Balloon:
    """The balloon of one guest; pages are single pages of 4 KiB."""

    def __init__(self, memory: Memory, port: Port, batch: int = BATCH) -> None:
        self.memory = memory
        self.port = port
        self.batch = batch
        self.poison: int | None = None
        self.target = 0
        self.pages: list[Block] = []
        self.inflating: Batch | None = None
        self.deflating: Batch | None = None
        self.returning: list[Block] = []
        self.actual = 0
        self.must_look = False
        self.held_off = False
        self.trusted = True
        self.kicks = 0
        self._unkicked: set[Queue] = set()

    @property
    def live(self) -> bool:
        """Whether there is a device."""
        return self.trusted and self.port.has(Queue.INFLATE)

    @property
    def wants_reset(self) -> bool:
        """Whether a queue makes no sense any more."""
        return not self.trusted

    @property
    def size(self) -> int:
        """How many pages are in the balloon, or on their way into it."""
        return len(self.pages) + (len(self.inflating.pages) if self.inflating else 0)

    def started(self) -> None:
        """Take note that the device was initialised."""
        self.trusted = True
        self.must_look = self.live
        self.actual = 0

    def config_changed(self) -> None:
        """Take note that the target may have changed."""
        self.must_look = self.live

    def look(self) -> None:
        """Read the target."""
        self.must_look = self.held_off = False
        self.target = self.port.read_config("num_pages")

    # Inflate

    def spare(self, zone: Zone) -> int:
        """Return how many pages a zone keeps: its high watermark, so that nothing oscillates."""
        return zone.watermarks.high

    @property
    def wants_to_inflate(self) -> bool:
        """Whether pages are to be given, and can be (balloon.driver.inflate-on-demand).

        After a deflate on OOM not before config space changes: the pages were needed, and would
        only go back and forth.
        """
        if (
            self.held_off
            or self.target <= self.size
            or self.inflating
            or self.deflating
            or self.returning
        ):
            return False
        zones = self.memory.zones
        return any(
            self.memory.open_to(zone, ACTOR) and zone.allows(0, self.spare(zone)) for zone in zones
        )

    def inflate(self) -> None:
        """Take free pages away from the allocator and offer them."""
        pages: list[Block] = []
        while len(pages) < min(self.batch, self.target - self.size):
            page = self.memory.isolate_any(0, ACTOR, self.spare)
            if page is None:
                break
            pages.append(page)
        request = self._add(Queue.INFLATE, pages)
        if request is None:
            for page in pages:
                self.memory.give_back(page, ACTOR)
            return
        self._move(pages, PageEvent.INFLATE)
        self.inflating = Batch(request, pages)

    # Deflate

    @property
    def must_tell_host(self) -> bool:
        """Whether pages have to wait for the answer (balloon.driver.wait-for-deflate)."""
        return Feature.MUST_TELL_HOST in self.port.accepted

    @property
    def wants_to_deflate(self) -> bool:
        """Whether the balloon is above its target (balloon.driver.no-deflate-below-target)."""
        return self.target < self.size and bool(self.pages) and self.deflating is None

    def deflate(self, count: int | None = None) -> None:
        """Announce pages that are wanted back (balloon.driver.deflate-through-queue).

        Only pages whose inflate request was used (balloon.driver.no-deflate-before-inflate-use).
        """
        count = min(self.batch, self.size - self.target) if count is None else count
        pages = self.pages[-count:]
        request = self._add(Queue.DEFLATE, pages)
        if request is None:
            return
        del self.pages[-count:]
        self._move(pages, PageEvent.DEFLATE)
        self.deflating = Batch(request, pages)
        if not self.must_tell_host:  # balloon.driver.may-reuse-before-deflate-use
            self._move(pages, PageEvent.RELEASE)
            self.deflating.left = True
            self.returning += pages

    def return_one(self) -> None:
        """Put a page back into the allocator, filled with the poison value if there is one.

        balloon.driver.poison-fill-deflated
        """
        page = self.returning.pop(0)
        if self.poison is not None:
            self.memory.fill(page, self.poison)
        self.memory.give_back(page, ACTOR)

    def relieve(self, pages: int) -> Relief:
        """Deflate on OOM, if that was negotiated (balloon.driver.may-deflate-on-oom)."""
        if self.returning and self._can_return():
            while self.returning and self._can_return():
                self.return_one()
            return Relief.NOW
        if self.deflating and not self.deflating.left:
            return Relief.LATER
        if not self.pages or self.deflating or not self.live or not self.may_deflate_on_oom:
            return Relief.NONE
        self.held_off = True
        self.deflate(min(len(self.pages), max(pages, self.batch)))
        if self.deflating is None:
            return Relief.NONE
        return Relief.LATER if self.must_tell_host else self.relieve(pages)

    @property
    def may_deflate_on_oom(self) -> bool:
        """Whether pages may be taken back against the target, or it allows it anyway."""
        return Feature.DEFLATE_ON_OOM in self.port.accepted or self.target < self.size

    # Answers

    def collect(self, queue: Queue) -> None:
        """Take a used buffer; its length means nothing."""
        try:
            answer = self.port.collect(queue)
        except RingError:
            self.trusted = False
            return
        if answer is None:
            return
        if self.inflating and answer.request is self.inflating.request:
            batch, self.inflating = self.inflating, None
            self._move(batch.pages, PageEvent.USE)
            self.pages += batch.pages
        elif self.deflating and answer.request is self.deflating.request:
            batch, self.deflating = self.deflating, None
            if not batch.left:
                self._move(batch.pages, PageEvent.USE)
                self.returning += batch.pages

    def write_actual(self) -> None:
        """Tell the device how large the balloon is (balloon.driver.update-actual)."""
        self.actual = len(self.pages)
        self.port.write_config("actual", self.actual)

    def reset_done(self) -> None:
        """Empty the balloon: the device knows of no page any more."""
        for batch in (self.inflating, self.deflating):
            if batch and not batch.left:
                self._move(batch.pages, PageEvent.RESET)
                self.returning += batch.pages
        self._move(self.pages, PageEvent.RESET)
        self.returning += self.pages
        self.pages = []
        self.inflating = self.deflating = None
        self.target = self.actual = 0
        self.must_look = self.held_off = False
        self._unkicked.clear()

    # Steps

    def steps(self) -> Iterator[Step]:
        """Yield what can be done next."""
        if self.live:
            yield from self._live_steps()
        if self.returning and self._can_return():
            yield Step(ACTOR, "return")

    def _live_steps(self) -> Iterator[Step]:
        if self.must_look:
            yield Step(ACTOR, "look")
        if self.wants_to_inflate:
            yield Step(ACTOR, "inflate")
        if self.wants_to_deflate:
            yield Step(ACTOR, "deflate")
        if self._unkicked:
            yield Step(ACTOR, "kick")
        if self.port.pending(Queue.INFLATE):
            yield Step(ACTOR, "collect_inflate")
        if self.port.pending(Queue.DEFLATE):
            yield Step(ACTOR, "collect_deflate")
        if self.actual != len(self.pages):
            yield Step(ACTOR, "write_actual")

    def do(self, step: Step) -> None:
        """Do one of `steps`."""
        match step.action:
            case "look":
                self.look()
            case "inflate":
                self.inflate()
            case "deflate":
                self.deflate()
            case "kick":
                self.kick()
            case "collect_inflate":
                self.collect(Queue.INFLATE)
            case "collect_deflate":
                self.collect(Queue.DEFLATE)
            case "write_actual":
                self.write_actual()
            case "return":
                self.return_one()
            case _:
                raise ValueError(f"no such step: {step}")

    def kick(self) -> None:
        """Notify the device of what was added."""
        for queue in sorted(self._unkicked):
            self.port.notify(queue)
            self.kicks += 1
        self._unkicked.clear()

    def _add(self, queue: Queue, pages: list[Block]) -> Request | None:
        if not pages:
            return None
        pfns = [page.pfn for page in pages]
        draft = requests.inflate(pfns) if queue is Queue.INFLATE else requests.deflate(pfns)
        try:
            request = self.port.add(draft)
        except (QueueFullError, ArenaFullError):
            return None
        if self.port.publish(queue):
            self._unkicked.add(queue)
        return request

    def _move(self, pages: list[Block], event: PageEvent) -> None:
        for page in pages:
            self.memory.move(page, event)

    def _can_return(self) -> bool:
        return self.memory.open_to(self.memory.zone_of(self.returning[0].pfn), ACTOR)

    def key(self) -> tuple[object, ...]:
        """Return the state as a value, for hashing and comparing."""
        batches = tuple(
            (tuple(batch.pages), batch.left) if batch else None
            for batch in (self.inflating, self.deflating)
        )
        pages = (tuple(self.pages), tuple(self.returning), self.target, self.actual)
        return (*pages, batches, self.must_look, self.held_off, frozenset(self._unkicked))
