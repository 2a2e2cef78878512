"""What becomes of hinted pages: recorded, or discarded where that loses nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pytest

from tests.host.hint_requests import command
from tests.host.host_tools import AREA, FILL, Host, free_pages, host, page
from vhint.host import (
    DeviceOptions,
    DiscardHints,
    HintPolicy,
    NotedWrites,
    NothingKnown,
    RecordHints,
    WriteLog,
)
from vhint.spans import PAGE, Span
from vhint.wire.queues import Queue

FIRST = AREA.start // PAGE
A, B, C = (page(FIRST + offset) for offset in (0, 1, 2))


def begin(made: Host) -> None:
    number = made.device.start_round()
    assert number is not None
    made.offer(Queue.FREE_PAGE, [command(number)])
    made.run()


def give(made: Host, *spans: Span) -> None:
    made.offer(Queue.FREE_PAGE, writable=spans)
    made.run()


def write(made: Host, log: NotedWrites, span: Span) -> None:
    made.memory.write(span.start, b"live")
    log.note(Span(span.start, 4))


def test_pages_taken_back_and_written_are_not_discarded() -> None:
    """The driver may release a page before its buffer is used, and write it."""
    log = NotedWrites()
    with host(hints=DiscardHints(log)) as made:
        begin(made)
        made.offer(Queue.FREE_PAGE, writable=[A, B, C])
        write(made, log, B)
        made.run()
        assert made.discarded() == {FIRST, FIRST + 2}
        assert made.memory.peek(Span(B.start, 4)) == b"live"
        assert made.device.tally.discarded == 2 * PAGE


@pytest.mark.parametrize("steps", range(5))
def test_a_write_at_any_point_before_use_wins(steps: int) -> None:
    log = NotedWrites()
    with host(hints=DiscardHints(log)) as made:
        begin(made)
        made.offer(Queue.FREE_PAGE, writable=[A])
        for _ in range(steps):
            made.device.step()
        write(made, log, A)
        made.run()
        assert made.memory.peek(Span(A.start, 4)) == b"live"


def test_what_was_written_before_the_id_was_shown_does_not_count() -> None:
    log = NotedWrites()
    with host(hints=DiscardHints(log)) as made:
        log.note(A)
        begin(made)
        log.note(B)
        give(made, A, B)
        assert made.discarded() == {FIRST}


def test_half_a_written_host_page_stays_whole() -> None:
    log = NotedWrites()
    options = DeviceOptions(host_page=2 * PAGE, hint_min_order=1)
    with host(options, hints=DiscardHints(log)) as made:
        begin(made)
        log.note(Span(B.end - 1, 1))
        give(made, Span(A.start, 4 * PAGE))
        assert made.discarded() == {FIRST + 2, FIRST + 3}


@pytest.mark.parametrize("policy", [DiscardHints(), DiscardHints(NothingKnown()), RecordHints()])
def test_without_a_log_nothing_is_discarded(policy: HintPolicy) -> None:
    with host(hints=policy) as made:
        begin(made)
        give(made, A, B)
        assert made.discarded() == set()
        assert made.intact(free_pages())


@pytest.mark.parametrize("poison", [0, 0xAAAAAAAA])
def test_pages_with_a_pattern_are_not_discarded(poison: int) -> None:
    with host(hints=DiscardHints(NotedWrites()), poison=poison) as made:
        begin(made)
        give(made, A)
        assert made.discarded() == (set() if poison else {FIRST})


def test_nothing_is_discarded_outside_a_round_or_after_done() -> None:
    with host(hints=DiscardHints(NotedWrites())) as made:
        give(made, A)
        begin(made)
        made.device.finish_round()
        give(made, B)
        begin(made)
        made.device.inhibited = True
        give(made, C)
        assert made.discarded() == set()


class Gate(WriteLog):
    """A log that shows that no write can come between the look and the discard."""

    def __init__(self) -> None:
        self.closed = False

    def restart(self) -> None:
        pass

    @contextmanager
    def unwritten(self, spans: Sequence[Span]) -> Iterator[tuple[Span, ...]]:
        self.closed = True
        yield tuple(spans)
        self.closed = False


def test_writers_wait_while_pages_are_discarded(monkeypatch: pytest.MonkeyPatch) -> None:
    gate = Gate()
    with host(hints=DiscardHints(gate)) as made:
        reclaim = made.device.context.reclaim
        whole, seen = reclaim.discard, []
        monkeypatch.setattr(
            reclaim, "discard", lambda spans: (seen.append(gate.closed), whole(spans))[1]
        )
        begin(made)
        give(made, A)
        assert seen == [True]
        assert not gate.closed


def test_a_migration_may_skip_what_was_hinted_and_not_written() -> None:
    log = NotedWrites()
    policy = RecordHints(log)
    with host(hints=policy) as made:
        assert policy.hinted == policy.skippable == ()
        begin(made)
        give(made, Span(A.start, 3 * PAGE))
        log.note(Span(B.start + 5, 1))
        assert policy.hinted == (Span(A.start, 3 * PAGE),)
        assert policy.skippable == (A, C)
        made.device.finish_round()
        assert policy.skippable == ()


def test_a_write_between_two_ids_is_not_forgotten() -> None:
    log = NotedWrites()
    policy = RecordHints(log)
    with host(hints=policy) as made:
        begin(made)
        give(made, A, B)
        write(made, log, A)
        made.device.stop_round()
        begin(made)
        assert policy.hinted == policy.skippable == (B,)
        give(made, C)
        assert policy.skippable == (Span(B.start, 2 * PAGE),)
        assert made.memory.peek(A) == b"live" + FILL * (PAGE - 4)
