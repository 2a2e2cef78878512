"""Free page reporting, the driver's half: a delayed worker that walks the free lists.

As Linux does it: a pass goes over every zone and, from the largest order down
(`reporting.driver.prefer-large`), over every list; it isolates blocks that do not carry the
reported mark, up to 32 a report, offers them, waits, and returns them with the mark.  A zone that
is short of pages is left out, and a list gives so many reports a pass and no more, so that one
large list holds nobody up.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, auto

from vhint.guest import requests
from vhint.guest.arena import ArenaFullError
from vhint.guest.memory import Block, Memory, Relief, Zone, span_of
from vhint.guest.page_life import PageEvent
from vhint.guest.port import Port
from vhint.guest.reporting_worker import ReportingEvent, ReportingState, advance
from vhint.guest.step import Step
from vhint.ring import QueueFullError, RingError
from vhint.wire.queues import Queue
from vhint.wire.reporting import CAPACITY

ACTOR = "reporting"


@dataclass(frozen=True, slots=True)
class ReportingSettings:
    """`capacity` blocks a report; `min_order` the smallest block; `delay` in the guest's time."""

    capacity: int = CAPACITY
    min_order: int = 9
    delay: int = 2000

    def budget(self, blocks: int) -> int:
        """Return how many reports a list of so many blocks may give in one pass.

        >>> ReportingSettings().budget(512), ReportingSettings().budget(513)
        (1, 2)
        """
        return -(-blocks // (self.capacity * 16))


class Phase(Enum):
    """What a pass is about to do."""

    RESTING = auto()
    """There is no pass."""
    SEARCHING = auto()
    """Look for the next block to isolate."""
    OFFERING = auto()
    """Make a report of what was isolated."""
    KICKING = auto()
    """Notify the device."""
    WAITING = auto()
    """The report is the device's."""
    RETURNING = auto()
    """Put the blocks back, one by one."""


class Reporting:
    """The worker of one guest; `page_listed` is called for every block that comes to a list."""

    def __init__(
        self, memory: Memory, port: Port, settings: ReportingSettings | None = None
    ) -> None:
        self.memory = memory
        self.port = port
        self.settings = settings or ReportingSettings()
        self.poison: int | None = None
        self.now = 0
        self.state = ReportingState.IDLE
        self.phase = Phase.RESTING
        self.due = 0
        self.trusted = True
        self.isolated: list[Block] = []
        self.reports = 0
        self.kicks = 0
        self.reported_pages = 0
        self._lists: list[tuple[Zone, int]] = []
        self._capacity = self.settings.capacity
        self._budget = 0
        self._worked = False
        self._asked_for = False

    @property
    def live(self) -> bool:
        """Whether there is a device to report to."""
        return self.trusted and self.port.has(Queue.REPORTING)

    @property
    def wants_reset(self) -> bool:
        """Whether the queue makes no sense any more."""
        return not self.trusted

    def page_listed(self, block: Block) -> None:
        """Request a pass if a block is large enough to report."""
        if block.order >= self.settings.min_order and self.live:
            if self.state is ReportingState.IDLE:
                self.due = self.now + self.settings.delay
            self.state = advance(self.state, ReportingEvent.PAGE_FREED)

    def started(self) -> None:
        """Request a first pass: everything that is free now is news to the device."""
        self.trusted = True
        if self.live:
            self.state = advance(self.state, ReportingEvent.PAGE_FREED)
            self.due = self.now + self.settings.delay

    # A pass

    def run(self) -> None:
        """Begin a pass: all lists of all zones, the largest blocks first."""
        self.state = advance(self.state, ReportingEvent.RUN)
        # ring.driver.chain-within-queue-size: all of the queue is free between two passes
        self._capacity = min(self.settings.capacity, self.port.room(Queue.REPORTING))
        orders = range(max(zone.buddy.max_order for zone in self.memory.zones), -1, -1)
        self._lists = [
            (zone, order)
            for zone in self.memory.zones
            if self.can_spare(zone)
            for order in orders
            if self.settings.min_order <= order <= zone.buddy.max_order
        ]
        self._open_list()
        self.phase = Phase.SEARCHING

    def can_spare(self, zone: Zone) -> bool:
        """Whether a zone has enough left when a whole report of it is away."""
        low = zone.watermarks.low
        return zone.buddy.free_pages >= low + (self.settings.capacity << self.settings.min_order)

    def search(self) -> None:
        """Isolate the next block of the list, or go to the next list; the zone's lock is held.

        reporting.driver.never-report-in-use, reporting.driver.no-overlap-outstanding
        """
        zone, order = self._lists[0]
        block = self.next_block(zone, order)
        if block is not None and self._budget > 0:
            self.memory.isolate(block, ACTOR)
            if self.poison is not None:  # reporting.driver.poison-before-report
                self.memory.fill(block, self.poison)
            self.isolated.append(block)
            if len(self.isolated) >= self._capacity:
                self.phase = Phase.OFFERING
            return
        if block is not None:
            self.state = advance(self.state, ReportingEvent.BUDGET_SPENT)
        self._close_list(zone)

    def next_block(self, zone: Zone, order: int) -> Block | None:
        """Return the next block that the host does not know to be free."""
        buddy = zone.buddy
        return next((each for each in buddy.blocks(order) if not buddy.is_reported(each)), None)

    def _open_list(self) -> None:
        if self._lists:
            zone, order = self._lists[0]
            self._budget = self.settings.budget(zone.buddy.count(order))

    def _close_list(self, zone: Zone) -> None:
        self._lists.pop(0)
        self._open_list()
        if self.isolated and (not self._lists or self._lists[0][0] is not zone):
            self.phase = Phase.OFFERING

    def offer(self) -> None:
        """Make a report; if there is no room for it, the blocks go back without the mark."""
        draft = requests.report(map(span_of, self.isolated))
        self._worked = False
        try:
            self.port.add(draft)
        except (QueueFullError, ArenaFullError):
            self.phase = Phase.RETURNING
            return
        for block in self.isolated:
            self.memory.move(block, PageEvent.OFFER, keeps_content=self.poison is not None)
        self._asked_for = self.port.publish(Queue.REPORTING)
        self.reports += 1
        self._budget -= 1
        self.phase = Phase.KICKING

    def kick(self) -> None:
        """Notify the device, if it wants that."""
        if self._asked_for and self.port.has(Queue.REPORTING):
            self.port.notify(Queue.REPORTING)
            self.kicks += 1
        self.phase = Phase.WAITING

    def collect(self) -> None:
        """See that the report was used: the blocks are the driver's again."""
        try:
            answer = self.port.collect(Queue.REPORTING)
        except RingError:
            self.trusted = False  # nothing comes back before a reset
            return
        if answer is not None:
            self._take_over(PageEvent.USE)
            self._worked = True
            self.reported_pages += sum(1 << block.order for block in self.isolated)

    def _take_over(self, event: PageEvent) -> None:
        for block in self.isolated:
            self.memory.move(block, event)
        self.phase = Phase.RETURNING

    def return_one(self) -> None:
        """Put a block back, with the mark if the device has seen it.

        reporting.driver.return-every-page
        """
        if self.isolated:
            block = self.isolated.pop(0)
            self.memory.give_back(block, ACTOR, reported=self._worked, quiet=True)
        if not self.isolated:
            resumes = self.live and self._lists and self._worked
            self.phase = Phase.SEARCHING if resumes else Phase.RESTING
            if not resumes:
                self._finish()

    def _finish(self) -> None:
        self._lists = []
        self.phase = Phase.RESTING
        if self.state is not ReportingState.IDLE:
            self.state = advance(self.state, ReportingEvent.FINISH)
            self.due = self.now + self.settings.delay

    # Reset and pressure

    def reset_done(self) -> None:
        """Take a report back that the device had; there is nobody to report to."""
        self.state = advance(self.state, ReportingEvent.UNREGISTER)
        self._worked = False
        self._lists = []
        if self.phase in (Phase.KICKING, Phase.WAITING):
            self._take_over(PageEvent.RESET)
        elif self.phase is not Phase.RESTING:
            self.phase = Phase.RETURNING

    def relieve(self, pages: int) -> Relief:  # noqa: ARG002
        """Give back what is isolated and not the device's."""
        if self.phase in (Phase.SEARCHING, Phase.OFFERING) and self.isolated:
            self._worked = False
            self.phase = Phase.RETURNING
        if self.phase in (Phase.KICKING, Phase.WAITING):
            return Relief.LATER
        if not self._can_return():
            return Relief.NONE
        while self._can_return():
            self.return_one()
        return Relief.NOW

    def _can_return(self) -> bool:
        if self.phase is not Phase.RETURNING:
            return False
        return not self.isolated or self._lock_free(self.memory.zone_of(self.isolated[0].pfn))

    def _lock_free(self, zone: Zone) -> bool:
        return self.memory.open_to(zone, ACTOR)

    # Steps

    def steps(self) -> Iterator[Step]:
        """Yield what can be done next."""
        match self.phase:
            case Phase.RESTING:
                wanted = self.state is ReportingState.REQUESTED and self.live
                if wanted and self.now >= self.due:
                    yield Step(ACTOR, "run")
            case Phase.SEARCHING:
                if not self._lists:
                    yield Step(ACTOR, "finish")
                elif self._lock_free(self._lists[0][0]):
                    yield Step(ACTOR, "search")
            case Phase.OFFERING:
                if self.live:
                    yield Step(ACTOR, "offer")
            case Phase.KICKING:
                yield Step(ACTOR, "kick")
            case Phase.WAITING:
                if self.trusted and self.port.pending(Queue.REPORTING):
                    yield Step(ACTOR, "collect")
            case Phase.RETURNING:
                if self._can_return():
                    yield Step(ACTOR, "return")

    def do(self, step: Step) -> None:
        """Do one of `steps`."""
        match step.action:
            case "run":
                self.run()
            case "search":
                self.search()
            case "offer":
                self.offer()
            case "kick":
                self.kick()
            case "collect":
                self.collect()
            case "return":
                self.return_one()
            case "finish":
                self._finish()
            case _:
                raise ValueError(f"no such step: {step}")

    def key(self) -> tuple[object, ...]:
        """Return the state as a value, for hashing and comparing."""
        lists = tuple((zone.kind, order) for zone, order in self._lists)
        place = (lists, self._budget, self._worked, self._asked_for)
        return (self.state, self.phase, self.trusted, tuple(self.isolated), *place)
