"""Hinting as a whole: capture arrays, workers, outstanding requests, and the way back.

`steps` says what can be done next and `do` does it.  What happens to an entry is in
`vhint.guest.hinting.hint_worker`, what happens to a request in
`vhint.guest.hinting.hint_requests`.
"""

from __future__ import annotations

from collections.abc import Iterator

from vhint.guest.hinting.capture import CaptureArray
from vhint.guest.hinting.counters import Counters, Missed
from vhint.guest.hinting.generations import Generation, Isolating
from vhint.guest.hinting.hint_requests import ACTOR, HintRequests
from vhint.guest.hinting.hint_worker import HintWorker
from vhint.guest.hinting.settings import HintSettings
from vhint.guest.memory import Block, Memory, Relief
from vhint.guest.page_life import PageEvent
from vhint.guest.port import Port
from vhint.guest.profiles.hint_format import HintFormat, Limits, PfnFormat
from vhint.guest.step import Step
from vhint.wire.queues import Queue


class Hinting(HintRequests):
    """The hinting of one guest: `worker_kind` is what its workers are made of."""

    worker_kind: type[HintWorker] = HintWorker

    def __init__(
        self,
        memory: Memory,
        port: Port,
        settings: HintSettings | None = None,
        generation: Generation | None = None,
        hint_format: HintFormat | None = None,
        counters: Counters | None = None,
    ) -> None:
        super().__init__(
            memory,
            port,
            generation or Isolating(),
            hint_format or PfnFormat(),
            counters or Counters(),
        )
        self.settings = settings or HintSettings()
        self.now = 0
        self.arrays = [CaptureArray(self.settings.array_size) for _ in range(memory.cpus)]
        self.workers = [self.worker_kind(cpu, self) for cpu in range(memory.cpus)]

    @property
    def live(self) -> bool:
        """Whether there is a device to hint to."""
        return self.trusted and self.port.has(Queue.HINTING)

    @property
    def wants_reset(self) -> bool:
        """Whether an answer was bad (hint.driver.reset-on-bad-acknowledgement)."""
        return not self.trusted

    def started(self) -> None:
        """Take note that the device was initialised: read what it says about requests."""
        self.trusted = True
        if self.port.has(Queue.HINTING):
            self.limits = Limits(
                self.port.read_config("hint_max_count"), self.port.read_config("hint_min_order")
            )

    @property
    def min_order(self) -> int:
        """The smallest block to report: the guest's own limit and the device's."""
        return max(self.settings.min_order, self.limits.min_order)

    # The free hook

    def capture(self, cpu: int, block: Block) -> None:
        """Store a freed block in a CPU's array: a guess, until it is re-checked."""
        if block.order < self.min_order and not self.settings.follow_merges:
            return
        if not self.arrays[cpu].store(block, self.now):
            self.counters.missed[Missed.ARRAY_FULL] += 1
            return
        self.counters.captured_pages += 1 << block.order
        zone = self.memory.zone_of(block.pfn)
        zone.ledger.try_move(block.pfn, block.order, PageEvent.CAPTURE)

    # Pressure and time

    def relieve(self, pages: int) -> Relief:
        """Answer memory pressure: return what waits below the threshold, and what has come back.

        hint.driver.no-stranded-isolation
        """
        before = self.counters.returned_pages
        for worker in self.workers:
            self.withdraw(worker, pages - (self.counters.returned_pages - before))
        while self.counters.returned_pages - before < pages and self.can_return():
            self.return_one()
        if self.counters.returned_pages > before:
            return Relief.NOW
        return Relief.LATER if self.requests else Relief.NONE

    def withdraw(self, worker: HintWorker, pages: int | None = None) -> None:
        """Return blocks of a worker's second array to the allocator instead of reporting them."""
        returned = 0
        while worker.waiting and (pages is None or returned < pages):
            block = worker.waiting[-1]
            if not self.memory.zone_of(block.pfn).lock.free_for(ACTOR):
                return
            worker.waiting.pop()
            if self.generation.isolates:
                self.memory.give_back(block, ACTOR)
            else:
                self.memory.cover(block, reported=False)
            returned += 1 << block.order
            self.counters.returned_pages += 1 << block.order

    def can_withdraw(self, worker: HintWorker) -> bool:
        """Whether nothing of a worker's second array is behind a lock that somebody holds."""
        zones = (self.memory.zone_of(block.pfn) for block in worker.waiting)
        return all(zone.lock.free_for(ACTOR) for zone in zones)

    def expired(self, since: int) -> bool:
        """Whether something that waits since then has waited for too long."""
        return self.now - since >= self.settings.time_limit

    # Steps

    def steps(self) -> Iterator[Step]:
        """Yield what can be done next."""
        for worker in self.workers:
            event = worker.next_event()
            if event is not None:
                yield Step(worker.name, event.name.lower())
        if self.port.pending(Queue.HINTING) and self.trusted:
            yield Step(ACTOR, "collect")
        if self.can_return():
            yield Step(ACTOR, "return")

    def do(self, step: Step) -> None:
        """Do one of `steps`."""
        if step == (ACTOR, "collect", 0):
            self.collect()
        elif step == (ACTOR, "return", 0):
            self.return_one()
        else:
            worker = self.workers[int(step.actor.removeprefix("worker"))]
            event = worker.next_event()
            if event is None or event.name.lower() != step.action:
                raise ValueError(f"{step} is not what {worker.name} does next: {event}")
            worker.step()

    def key(self) -> tuple[object, ...]:
        """Return the state as a value, for hashing and comparing."""
        return (
            self.trusted,
            self.memory.stop.holder,
            tuple(array.entries for array in self.arrays),
            tuple(worker.key() for worker in self.workers),
            tuple((r.state, r.blocks, r.accepted, tuple(r.to_return)) for r in self.requests),
        )
