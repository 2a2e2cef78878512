"""Memory statistics, the driver's half: one buffer, which the device holds until it wants news."""

from __future__ import annotations

from collections.abc import Iterator

from vhint.guest import requests
from vhint.guest.memory import Memory
from vhint.guest.port import Port
from vhint.guest.step import Step
from vhint.ring import RingError
from vhint.spans import PAGE
from vhint.wire.queues import Queue
from vhint.wire.statistics import Statistic, StatisticTag

ACTOR = "statistics"


class GuestStatistics:
    """The statistics of one guest.

    The same figures are sent every time (balloon.driver.stats-same-subset), in bytes.
    """

    def __init__(self, memory: Memory, port: Port) -> None:
        self.memory = memory
        self.port = port
        self.outstanding = False
        self.trusted = True
        self._unkicked = False

    @property
    def live(self) -> bool:
        """Whether the device takes statistics."""
        return self.trusted and self.port.has(Queue.STATS)

    @property
    def wants_reset(self) -> bool:
        """Whether the queue makes no sense any more."""
        return not self.trusted

    def figures(self) -> tuple[Statistic, ...]:
        """Return one entry for each figure that the guest has."""
        account = self.memory.account()
        free = account.free + account.per_cpu
        return (
            Statistic(StatisticTag.MEMFREE, free * PAGE),
            Statistic(StatisticTag.MEMTOT, (account.total - account.ballooned) * PAGE),
            Statistic(StatisticTag.AVAIL, (free + account.cached) * PAGE),
            Statistic(StatisticTag.CACHES, account.cached * PAGE),
        )

    def started(self) -> None:
        """Take note that the device was initialised: it has no buffer yet."""
        self.outstanding = False
        self.trusted = True

    def give(self) -> None:
        """Make the one buffer available, with fresh figures.

        balloon.driver.stats-single-buffer, stats-first-buffer, stats-answer-use
        """
        self.port.add(requests.give_statistics(self.figures()))
        self._unkicked = self.port.publish(Queue.STATS)
        self.outstanding = True

    def collect(self) -> None:
        """See that the device wants new figures."""
        try:
            if self.port.collect(Queue.STATS) is not None:
                self.outstanding = False
        except RingError:
            self.trusted = False

    def kick(self) -> None:
        """Notify the device."""
        self._unkicked = False
        self.port.notify(Queue.STATS)

    def reset_done(self) -> None:
        """Take note that the device has no buffer."""
        self.outstanding = self._unkicked = False

    def steps(self) -> Iterator[Step]:
        """Yield what can be done next."""
        if not self.live:
            return
        if not self.outstanding and self.port.room(Queue.STATS):
            yield Step(ACTOR, "give")
        if self._unkicked:
            yield Step(ACTOR, "kick")
        if self.port.pending(Queue.STATS):
            yield Step(ACTOR, "collect")

    def do(self, step: Step) -> None:
        """Do one of `steps`."""
        match step.action:
            case "give":
                self.give()
            case "kick":
                self.kick()
            case "collect":
                self.collect()
            case _:
                raise ValueError(f"no such step: {step}")

    def key(self) -> tuple[object, ...]:
        """Return the state as a value, for hashing and comparing."""
        return (self.outstanding, self._unkicked, self.trusted)
