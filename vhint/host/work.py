"""The device's work: enabled queues, and the steps in which their chains are processed."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Generator
from dataclasses import dataclass

from vhint.host.context import Handler
from vhint.ring import DeviceRing, RingError
from vhint.wire.queues import Queue


@dataclass(slots=True)
class Line:
    """One enabled queue: its ring, who serves it, and the work under way on it."""

    ring: DeviceRing
    handler: Handler
    kicked: bool = False
    work: Generator[None, None, None] | None = None

    def end(self) -> None:
        """Give up the work under way: no chain of it is touched, written or used any more."""
        if self.work is not None:
            self.work.close()
        self.work, self.kicked = None, False


class Work(ABC):
    """Serves queues step by step; whoever calls `step` chooses the interleaving."""

    def __init__(self) -> None:
        self.lines: dict[Queue, Line] = {}
        self._used_interrupt = False

    @property
    def idle(self) -> bool:
        """Whether there is nothing that a step would do."""
        return not any(line.work or line.kicked for line in self.lines.values())

    def step(self, queue: Queue | None = None) -> bool:
        """Do one step, on one queue or on the first that has work; return whether there was any."""
        for name, line in self.lines.items():
            if queue in (None, name) and (line.work or line.kicked):
                self._advance(name, line)  # which may end all lines: no more of them is looked at
                return True
        return False

    def serve(self, name: Queue, line: Line) -> Generator[None, None, None]:
        """Process every chain that is available; each yield is a point to interleave at."""
        while (chain := line.ring.pop()) is not None:
            yield
            length = yield from line.handler.handle(chain)
            if length is not None:
                self.complete(name, line, chain.head, length)
                yield

    def complete(self, name: Queue, line: Line, head: int, length: int) -> None:  # noqa: ARG002
        """Use a buffer and tell the driver unless it asked not to be told."""
        line.ring.push(head, length)
        if line.ring.interrupt_needed():
            self._used_interrupt = True

    @abstractmethod
    def fail(self, reason: str) -> None:
        """Stop all work: the driver broke a ring."""

    def end_all(self) -> None:
        """Give up all work and all queues."""
        for line in self.lines.values():
            line.end()
        self.lines.clear()

    def _advance(self, name: Queue, line: Line) -> None:
        if line.work is None:
            line.kicked = False
            line.work = self.serve(name, line)
        try:
            next(line.work)
        except StopIteration:
            line.work = None
        except RingError as error:
            self.fail(f"{name} queue: {error}")
