"""A guest and its host in a round of free page hinting, in a few words each."""

from __future__ import annotations

from tests.host.hint_requests import command
from tests.host.host_tools import AREA, Host, page
from vhint.host import RecordHints
from vhint.spans import PAGE, Span
from vhint.wire.queues import Queue

STOP, DONE = 0, 1
FIRST = AREA.start // PAGE
A, B = page(FIRST), page(FIRST + 8)


def shown(made: Host) -> int:
    return int.from_bytes(made.device.read_config(8, 4), "little")


def hinted(made: Host) -> tuple[Span, ...]:
    hints = made.device.hints
    assert isinstance(hints, RecordHints)
    return hints.hinted


def send(made: Host, *commands: int) -> None:
    for value in commands:
        made.offer(Queue.FREE_PAGE, [command(value)])
        made.run()


def give(made: Host, *spans: Span) -> None:
    made.offer(Queue.FREE_PAGE, writable=spans)
    made.run()


def started(made: Host) -> int:
    number = made.device.start_round()
    assert number is not None
    made.device.take_interrupts()
    return number
