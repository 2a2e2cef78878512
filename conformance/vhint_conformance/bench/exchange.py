"""The test bench: one target, one driver, watched memory and monitors, for one case.

A case speaks as a well-behaved driver through `send`, `answer` and `exchange`, and as a hostile
one through `driver.rings` and `memory`.  Whatever it does, the monitors look on, and leaving the
bench adds their verdict to the case's own.
"""

from __future__ import annotations

from contextlib import suppress
from enum import StrEnum
from typing import Any, NoReturn

from vhint.guest import Answer, Draft, Request
from vhint.guest.arena import ArenaFullError
from vhint.ring import RingError
from vhint.ring.split_driver import QueueFullError
from vhint.trace.events import Notified
from vhint.wire.queues import Queue
from vhint.wire.status import DeviceStatus
from vhint_conformance.bench.life import Life
from vhint_conformance.case import Capability
from vhint_conformance.oracle.ring import USE_EVERY_BUFFER
from vhint_conformance.verdict import Failed, NotApplicable, fail

GLIMPSE = 0.25
"""Seconds after which a device that cannot ask for a reset is taken to be silent for ever."""


class Fate(StrEnum):
    """What became of a chain."""

    USED = "used"
    NEEDS_RESET = "DEVICE_NEEDS_RESET"
    SILENCE = "silence"


class Bench(Life):
    """One life of a target under one case; `open_bench` makes it."""

    def send(
        self, draft: Draft, *, notify: bool = True, valid: bool = True, **placing: Any
    ) -> Request:
        """Make a request available and notify the device if it wants that.

        `placing` is how `Driver.add` cuts and places it; `valid` is False for one that the device
        need not be able to use.  A request that no queue or no memory of
        the target can hold makes the case not applicable.
        """
        room = self.driver.rings[draft.queue].layout.size
        try:
            request = self.driver.add(draft, valid=valid, **placing)
        except (QueueFullError, ArenaFullError) as error:
            raise NotApplicable(f"too much for the target's queues or memory: {error}") from error
        descriptors = len(request.readable) + len(request.writable)
        if descriptors > room:  # no chain may be longer than the queue, in a table or not
            raise NotApplicable(f"{descriptors} descriptors are too many for a queue of {room}")
        self._give(draft, request)
        self.publish(draft.queue, notify=notify)
        return request

    def fitting(self, queue: Queue, wanted: int, descriptors: int = 1) -> int:
        """Return how many chains of so many descriptors, at most `wanted`, the queue has room for.

        If it has room for none, the case is not applicable.
        """
        room = self.driver.rings[queue].free
        if room < descriptors:
            raise NotApplicable(f"a queue of {room} entries has no room for {descriptors}")
        return min(wanted, room // descriptors)

    def need_entries(self, queue: Queue, entries: int) -> None:
        """Make the case not applicable if the queue is shorter than that."""
        size = self.driver.rings[queue].layout.size
        if size < entries:
            raise NotApplicable(f"a queue of {size} entries is too short: {entries} are needed")

    def _give(self, draft: Draft, request: Request) -> None:
        if draft.queue is Queue.DEFLATE:
            return
        if not (draft.pages_are_buffers and self._keeps_poison):
            self.memory.release(draft.blocks)
        if not draft.pages_are_buffers:
            self.memory.release(request.writable)

    def publish(self, queue: Queue, *, notify: bool = True) -> None:
        """Make what was added available, and notify the device if it asked for it."""
        wanted = self.driver.publish(queue)
        if notify and wanted:
            self.notify(queue)

    def notify(self, queue: Queue) -> None:
        """Notify the device, whether it wants it or not."""
        self.recorder.emit(Notified(queue))
        self.transport.notify(self.driver.negotiated.queues[queue].index)

    def waits(self, queue: Queue, seconds: float | None = None) -> bool:
        """Wait until a used element can be collected; return whether one can."""
        return self.transport.wait(
            lambda: self.driver.look(queue, self.recorder.last),
            self.limits.patience if seconds is None else seconds,
        )

    def answer(self, queue: Queue, requirement: str = "", *, reuse: bool = True) -> Answer:
        """Wait for the next answer on a queue; fail by `requirement` if none comes.

        What was discarded by then is looked at.  With `reuse` the blocks that came back are
        written at once, as a guest may, so that a late discard destroys something.
        """
        if not self.waits(queue):
            self.silent(queue, requirement)
        try:
            answer = self.driver.collect(queue)
        except RingError as error:
            raise Failed(self._violations()) from error
        if answer is None:
            raise Failed(self._violations())
        self.observe()
        self._count(answer)
        if reuse and queue in (Queue.REPORTING, Queue.HINTING):
            self.touch(answer.request.draft.blocks)
        return answer

    def silent(self, queue: Queue, requirement: str = "") -> NoReturn:
        """Fail because a valid chain was not used."""
        seen = f"nothing within {self.limits.patience} s, status {self.status()!r}"
        slug = requirement or USE_EVERY_BUFFER.get(queue, "ring.device.drains-available")
        raise fail(slug, expected="the chain to be used", seen=seen, where=f"{queue} queue")

    def exchange(
        self, draft: Draft, requirement: str = "", *, reuse: bool = True, **placing: Any
    ) -> Answer:
        """Send a request and return its answer."""
        self.send(draft, **placing)
        return self.answer(draft.queue, requirement, reuse=reuse)

    def let_run(self, turns: int) -> None:
        """Give the device a number of turns: steps in one process, polls elsewhere."""
        left = iter(range(turns))
        self.transport.wait(lambda: next(left, None) is None, self.limits.patience)

    def fate(self, queue: Queue, seconds: float | None = None) -> Fate:
        """Wait for what becomes of a chain that the device need not be able to use."""

        def decided() -> bool:
            return self.driver.look(queue, self.recorder.last) or bool(
                self.transport.read_status() & DeviceStatus.NEEDS_RESET
            )

        asks = Capability.ASKS_FOR_RESET in self.session.capabilities
        # Where no answer has to come, none is worth waiting for as long as one that has to.
        if seconds is None:
            seconds = self.limits.patience if asks else GLIMPSE
        self.transport.wait(decided, seconds)
        self.observe()
        if self.driver.look(queue, self.recorder.last):
            return Fate.USED
        if self.status() & DeviceStatus.NEEDS_RESET:
            return Fate.NEEDS_RESET
        return Fate.SILENCE

    def finish(self) -> None:
        """Take what nobody asked for out of the used rings, and judge the whole."""
        self.transport.settle()
        if self._driver is not None and not self._reset:
            for queue in self._driver.rings.keys() - self.unwatched:
                with suppress(RingError):  # it is in the trace
                    while self._driver.collect(queue) is not None:
                        pass
        super().finish()
