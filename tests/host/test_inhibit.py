"""The host's switch against discards, and answers when a discard fails."""

from __future__ import annotations

import struct

import pytest

from tests.host.hint_requests import command, hint, pfns
from tests.host.host_tools import AREA, UNWRITTEN, Host, free_pages, host, page
from vhint.host import Device, Simulated, hint_round, hinting
from vhint.host.request_life import State
from vhint.ring import Completion
from vhint.spans import PAGE, Span
from vhint.wire.queues import Queue

FIRST = AREA.start // PAGE
OK, INHIBITED = 0, 4


def answer(made: Host, data: bytes, room: int = 17) -> tuple[int, int, bytes]:
    """Send a hinting request; return (status, processed, what was written)."""
    (buffer,) = made.room(room)
    made.offer(Queue.HINTING, [data], [buffer])
    made.run()
    used = made.used(Queue.HINTING)
    assert used is not None
    written = made.memory.read(buffer)[: used.length]
    return (*struct.unpack("<II", written[8:16]), written)


def test_while_inhibited_everything_is_answered_and_nothing_goes() -> None:
    with host() as made:
        made.device.inhibited = True
        assert answer(made, hint((FIRST, 0)))[:2] == (INHIBITED, 0)
        for queue, readable, writable in (
            (Queue.INFLATE, [pfns(FIRST + 1)], []),
            (Queue.REPORTING, [], [page(FIRST + 2)]),
        ):
            head = made.offer(queue, readable, writable)
            made.run()
            assert made.used(queue) == Completion(head, 0, known=True)
        assert made.discarded() == set()
        assert made.intact(free_pages())
        made.device.inhibited = False
        assert answer(made, hint((FIRST, 0)))[:2] == (OK, 1)
        assert made.discarded() == {FIRST}  # and nothing of before is made up for


def test_an_empty_request_is_ok_even_then() -> None:
    with host() as made:
        made.device.inhibited = True
        assert answer(made, hint())[0] == OK


@pytest.mark.parametrize("steps", range(8))
def test_the_switch_counts_at_the_moment_of_discarding(steps: int) -> None:
    with host() as made:
        made.run()
        (room,) = made.room(17)
        made.offer(Queue.HINTING, [hint((FIRST, 0))], [room])
        for _ in range(steps):
            made.device.step()
        gone = made.discarded()
        made.device.inhibited = True
        made.run()
        assert made.discarded() == gone
        status = struct.unpack("<I", made.memory.read(Span(room.start + 8, 4)))[0]
        assert status == (OK if gone else INHIBITED)


def test_no_round_goes_on_or_starts() -> None:
    with host() as made:
        number = made.device.start_round()
        assert number is not None
        made.offer(Queue.FREE_PAGE, [command(number)])
        made.run()
        made.device.take_interrupts()
        made.device.inhibited = True
        assert made.device.round is hint_round.State.STOPPED
        assert made.device.read_config(8, 4) == bytes(4)
        assert made.device.take_interrupts() == (False, True)
        assert made.device.start_round() is None
        made.device.finish_round()  # what was hinted is given back all the same
        assert made.device.read_config(8, 4) == command(1)
        made.device.inhibited = False
        assert made.device.start_round() is not None


def test_the_switch_outlives_a_reset() -> None:
    with host() as made:
        made.device.inhibited = True
        made.device.write_status(0)
        made.start()
        assert answer(made, hint((FIRST, 0)))[0] == INHIBITED


def test_a_block_whose_discard_failed_is_not_called_untouched() -> None:
    """OK says that content may be lost; only a clear result bit would say that it is not."""
    with host() as made:
        stuck = [page(FIRST + 1)]
        made.device = Device(made.device_memory, reclaim=Simulated(made.device_memory, stuck=stuck))
        made.start()
        status, processed, written = answer(made, hint((FIRST, 1), (FIRST + 4, 0)))
        assert (status, processed, written[16:]) == (OK, 2, b"\3")
        tally = made.device.tally
        assert (tally.discarded, tally.failed) == (2 * PAGE, PAGE)
        assert [failure.span for failure in tally.failures] == stuck


def long_request(made: Host) -> Span:
    """A bitmap of every other page, which is as many ranges as bits are set."""
    (room,) = made.room(48)
    data = struct.pack("<HHIQQII", 2, 0, 128, 9, FIRST, 0, 0) + b"\x55" * 16
    made.offer(Queue.HINTING, [data], [room])
    return room


EVERY_OTHER = {FIRST + offset for offset in range(0, 128, 2)}


def test_a_long_request_takes_several_steps_and_is_answered_after_the_last(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(hinting, "SPANS_A_STEP", 10)
    with host() as made:
        made.run()
        room = long_request(made)
        sizes = [0]
        while made.device.step():
            if len(made.discarded()) > sizes[-1]:
                sizes.append(len(made.discarded()))
            if made.discarded() < EVERY_OTHER:
                assert made.memory.read(room) == UNWRITTEN * 48
                assert made.rings[Queue.HINTING].pending == 0
        assert sizes == [0, 10, 20, 30, 40, 50, 60, 64]
        assert made.used(Queue.HINTING) == Completion(0, 32, known=True)


@pytest.mark.parametrize("steps", range(12))
def test_a_reset_between_two_parts_of_a_request_ends_it(
    steps: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hinting, "SPANS_A_STEP", 10)
    with host() as made:
        made.run()
        room = long_request(made)
        for _ in range(steps):
            made.device.step()
        handler = made.device.lines[Queue.HINTING].handler
        done = handler.life is State.USED
        made.device.write_status(0)
        assert handler.life is (State.USED if done else State.ABANDONED)
        made.fill()
        before = made.memory.read(room)
        made.run()
        assert made.discarded() == set()
        assert made.memory.read(room) == before
