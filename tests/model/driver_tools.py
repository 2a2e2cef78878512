"""Traces of drivers, event by event, for the rules that judge them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from vhint.ring import GuestMemory
from vhint.spans import Span, block
from vhint.trace.events import Event, FeaturesAccepted, Offered, Used
from vhint.wire import hint_ack, hint_request
from vhint.wire.blocks import Blocks
from vhint.wire.features import Features
from vhint.wire.hint_ack import Acknowledgement, Status
from vhint.wire.hint_request import PfnRequest
from vhint.wire.queues import Queue
from vhint_conformance.oracle.monitor import Monitor

SIZE = 0x200000


class Driver:
    """Says events to a monitor, and puts the bytes of requests where the events say."""

    def __init__(self, memory: GuestMemory, monitor: Monitor) -> None:
        self.memory = memory
        self.monitor = monitor
        self.places = 0
        self.next_at = 0x20000

    def say(self, *events: Event) -> None:
        for event in events:
            self.monitor.see(self.places, event)
            self.places += 1

    def accept(self, *features: int) -> None:
        self.say(FeaturesAccepted(Features.of(*features).bits))

    def hint(self, ticket: int, *blocks: tuple[int, int], cookie: int | None = None,
             at: int | None = None, room: int = 17) -> Offered:  # fmt: skip
        data = hint_request.build(PfnRequest(cookie or ticket + 1, Blocks.of(blocks)))
        start = at if at is not None else self.next_at
        self.next_at += 0x100
        self.memory.write(start, data)
        offered = Offered(
            Queue.HINTING, ticket, ticket, (Span(start, len(data)),),
            (Span(start + 0x80, room),), tuple(block(*each) for each in blocks),
        )  # fmt: skip
        self.say(offered)
        return offered

    def answer(self, offered: Offered, cookie: int | None = None, status: int = 0) -> None:
        given = offered.ticket + 1 if cookie is None else cookie
        data = bytearray(hint_ack.build(Acknowledgement(given, Status.OK, 1, None), 1))
        data[8] = status
        self.memory.write(offered.writable[0].start, bytes(data))
        self.say(Used(Queue.HINTING, offered.head, offered.ticket, 16, self.places))

    @property
    def found(self) -> list[str]:
        return [violation.requirement for violation in self.monitor.violations]


@contextmanager
def driver(kind: type[Monitor]) -> Iterator[Driver]:
    with GuestMemory.create(SIZE) as memory:
        yield Driver(memory, kind(memory))
