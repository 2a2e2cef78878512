"""One CPU's hinting worker: walks the table of `vhint.guest.worker`, a step at a time."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from vhint.guest.hinting.counters import Missed
from vhint.guest.hinting.recheck import recheck
from vhint.guest.memory import Block, ZoneLock
from vhint.guest.page_life import PageEvent
from vhint.guest.worker import WorkerEvent, WorkerState, advance
from vhint.wire.queues import Queue

if TYPE_CHECKING:
    from vhint.guest.hinting.hinting import Hinting

DESCRIPTORS = 2
"""Descriptors that a hinting request takes: the request and its answer."""


class HintWorker:
    """The worker of CPU `cpu`.

    `entries` are the captured blocks that it has yet to look at, `waiting` is its second array:
    blocks that are isolated and in no request yet, since `since`.
    """

    def __init__(self, cpu: int, hinting: Hinting) -> None:
        self.cpu = cpu
        self.name = f"worker{cpu}"
        self.hinting = hinting
        self.state = WorkerState.IDLE
        self.entries: deque[Block] = deque()
        self.waiting: list[Block] = []
        self.since = 0
        self.found: Block | None = None
        self.held: ZoneLock | None = None
        self._looked = 0
        self._asked_for = False

    # What comes next

    def next_event(self) -> WorkerEvent | None:
        """Return what the worker does next, or None if it has nothing to do or has to wait."""
        match self.state:
            case WorkerState.IDLE:
                return self._when_idle()
            case WorkerState.SCANNING:
                return self._when_scanning()
            case WorkerState.LOCKED:
                return self._when_locked()
            case WorkerState.CHECKED:
                return WorkerEvent.ISOLATE
            case WorkerState.HOLDING:
                return WorkerEvent.APPEND
            case WorkerState.REPORTING:
                return WorkerEvent.OFFER if self._can_offer() else None
            case WorkerState.KICKING:
                return WorkerEvent.KICK
            case WorkerState.WAITING:
                return None if self._unanswered() else WorkerEvent.ANSWERED

    def _when_idle(self) -> WorkerEvent | None:
        hinting = self.hinting
        array = hinting.arrays[self.cpu]
        if self.waiting and hinting.expired(self.since):
            return WorkerEvent.REPORT  # or, without a device, let go of it
        if not hinting.live or (self._stops and not hinting.memory.stop.free_for(self.name)):
            return None
        if len(array) >= hinting.settings.first_threshold:
            return WorkerEvent.WAKE
        if array.entries and hinting.expired(array.since):
            return WorkerEvent.WAKE
        if self.waiting and self._full(scan_over=False):
            return WorkerEvent.REPORT
        return None

    def _when_scanning(self) -> WorkerEvent | None:
        if not self.hinting.live:
            return self._without_device()
        late = not self.entries and self.hinting.expired(self.since)
        if self.waiting and (late or self._full(scan_over=not self.entries)):
            return WorkerEvent.REPORT
        if self.entries:
            lock = self.lock_for(self.entries[0])
            return WorkerEvent.LOCK if lock.free_for(self.name) else None
        if self._stops and self._unanswered():
            return WorkerEvent.AWAIT
        return WorkerEvent.DONE

    def _without_device(self) -> WorkerEvent | None:
        """There is nobody to tell: wait for what is still away, then let go of everything."""
        if self._stops and self._unanswered():
            return WorkerEvent.AWAIT
        return WorkerEvent.DONE if self.hinting.can_withdraw(self) else None

    def _when_locked(self) -> WorkerEvent:
        if not self.entries or self._full(scan_over=False):
            return WorkerEvent.UNLOCK
        if self._looked and not self.hinting.generation.keeps_lock():
            return WorkerEvent.UNLOCK
        if self.held is not self.lock_for(self.entries[0]):
            return WorkerEvent.UNLOCK
        found = self.recheck(self.entries[0])
        return WorkerEvent.FIND if isinstance(found, Block) else WorkerEvent.PASS_OVER

    @property
    def _stops(self) -> bool:
        """Whether this generation stops the allocator instead of isolating."""
        return not self.hinting.generation.isolates

    def _full(self, *, scan_over: bool) -> bool:
        threshold = self.hinting.settings.second_threshold
        return self.hinting.generation.reports(len(self.waiting), threshold, scan_over=scan_over)

    def _can_offer(self) -> bool:
        if not self.hinting.live or not self.waiting:
            return True  # there is nothing to offer, or nobody to offer it to
        return self.hinting.port.room(Queue.HINTING) >= DESCRIPTORS

    def _unanswered(self) -> bool:
        return bool(self.hinting.requests)

    # Doing it

    def step(self) -> WorkerEvent | None:
        """Do what comes next and return it."""
        event = self.next_event()
        if event is not None:
            self._do(event)
            self.state = advance(self.state, event)
        return event

    def _do(self, event: WorkerEvent) -> None:
        match event:
            case WorkerEvent.WAKE:
                self.wake()
            case WorkerEvent.LOCK:
                self.lock()
            case WorkerEvent.PASS_OVER:
                self.pass_over()
            case WorkerEvent.FIND:
                self.find()
            case WorkerEvent.ISOLATE:
                self.isolate()
            case WorkerEvent.APPEND:
                self.append()
            case WorkerEvent.UNLOCK:
                self.unlock()
            case WorkerEvent.REPORT:
                self.report()
            case WorkerEvent.OFFER:
                self.offer()
            case WorkerEvent.KICK:
                self.kick()
            case WorkerEvent.DONE:
                self.done()
            case WorkerEvent.AWAIT | WorkerEvent.ANSWERED:
                pass

    def wake(self) -> None:
        """Take the entries over from the free hook, in the order that the generation wants."""
        hinting = self.hinting
        entries = hinting.arrays[self.cpu].take()

        def zone_number(block: Block) -> int:
            return hinting.memory.zone_of(block.pfn).kind

        self.entries.extend(hinting.generation.arrange(entries, zone_number))
        if self._stops:
            hinting.memory.stop.take(self.name)
            hinting.counters.lock_acquisitions += 1

    def lock_for(self, entry: Block) -> ZoneLock:
        """Return the lock that keeps an entry's block from being allocated.

        The zone's (hint.driver.no-allocate-while-outstanding), or the sequence lock.
        """
        if self._stops:
            return self.hinting.memory.stop
        return self.hinting.memory.zone_of(entry.pfn).lock

    def take_lock(self, lock: ZoneLock) -> None:
        """Take it; nothing is allocated from the zone until it is released."""
        if lock.holder is None:
            lock.take(self.name)
            self.hinting.counters.lock_acquisitions += 1

    def lock(self) -> None:
        """Take the lock of the next entry."""
        self.held = self.lock_for(self.entries[0])
        self.take_lock(self.held)
        self._looked = 0

    def recheck(self, entry: Block) -> Block | Missed:
        """Look at what the entry names, with the lock held.

        hint.driver.never-report-reallocated
        """
        hinting = self.hinting
        return recheck(
            hinting.memory,
            entry,
            hinting.min_order,
            follow_merges=hinting.settings.follow_merges,
        )

    def pass_over(self) -> None:
        """Leave the entry's block where it is, and count why."""
        entry = self.entries.popleft()
        reason = self.recheck(entry)
        assert isinstance(reason, Missed)  # noqa: S101 - next_event has just seen it
        self.hinting.counters.missed[reason] += 1
        self._looked += 1
        zone = self.hinting.memory.zone_of(entry.pfn)
        zone.ledger.try_move(entry.pfn, entry.order, PageEvent.PASS_OVER)

    def find(self) -> None:
        """Settle on the block that the re-check found."""
        found = self.recheck(self.entries.popleft())
        assert isinstance(found, Block)  # noqa: S101 - next_event has just seen it
        self.found = found
        self._looked += 1

    def isolate(self) -> None:
        """Take the block off the free list, so that nobody can allocate it.

        hint.driver.no-allocate-while-outstanding
        """
        found = self._found
        if self._stops:
            self.hinting.memory.expose(found)
        else:
            self.hinting.memory.isolate(found, self.name)
        self.hinting.counters.isolated_pages += 1 << found.order

    def append(self) -> None:
        """Put the block into the second array, filled with the poison value if there is one.

        hint.driver.poison-fill-first
        """
        found, self.found = self._found, None
        if self.hinting.poison is not None:
            self.hinting.memory.fill(found, self.hinting.poison)
        if not self.waiting:
            self.since = self.hinting.now
        self.waiting.append(found)

    def unlock(self) -> None:
        """Release the zone's lock; the sequence lock stays until the answer is there."""
        lock, self.held = self.held, None
        if lock is not None and not self._stops and lock.holder == self.name:
            lock.release(self.name)

    def report(self) -> None:
        """Begin a request: the second array has what it takes."""
        if self._stops:
            self.take_lock(self.hinting.memory.stop)

    def offer(self) -> None:
        """Make a request of the second array; what does not go in stays."""
        if self.waiting and self.hinting.live:
            self.waiting = self.hinting.offer(self.waiting)
            self._asked_for = self.hinting.port.publish(Queue.HINTING)

    def kick(self) -> None:
        """Notify the device if it asked for it."""
        if self._asked_for and self.hinting.port.has(Queue.HINTING):
            self.hinting.port.notify(Queue.HINTING)
            self.hinting.counters.kicks += 1
        self._asked_for = False

    def done(self) -> None:
        """Go to sleep; the allocator goes on if it was stopped, with nothing left exposed.

        Without a device the entries come to nothing and what was isolated goes back
        (hint.driver.no-stranded-isolation).
        """
        if self.entries:
            self.hinting.counters.missed[Missed.NO_DEVICE] += len(self.entries)
            self.entries.clear()
        if self._stops or not self.hinting.live:
            self.hinting.withdraw(self)
        if self.hinting.memory.stop.holder == self.name:
            self.hinting.memory.stop.release(self.name)

    @property
    def _found(self) -> Block:
        assert self.found is not None  # noqa: S101 - the table says so
        return self.found

    def key(self) -> tuple[object, ...]:
        """Return the state as a value, for hashing and comparing."""
        return (
            self.state,
            tuple(self.entries),
            tuple(self.waiting),
            self.found,
            self.held and self.held.name,
            self._looked > 0,
            self._asked_for,
        )
