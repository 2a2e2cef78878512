"""How rounds of free page hinting end: reset, failure, and any order of events."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.host.host_tools import Host, host
from tests.host.round_tools import DONE, STOP, A, give, hinted, send, shown, started
from vhint.host import ALL_FEATURES, DeviceOptions
from vhint.host.command_ids import LAST_ID
from vhint.host.hint_round import State
from vhint.wire.features import Feature, Features
from vhint.wire.queues import Queue


@pytest.mark.parametrize("upto", [0, 1, 2, 3])
def test_a_reset_ends_the_round_and_says_done(upto: int) -> None:
    with host() as made:
        number = started(made)
        if upto >= 1:
            send(made, number)
            give(made, A)
        if upto >= 2:
            send(made, STOP)
        if upto == 3:
            made.device.finish_round()
        made.device.write_status(0)
        assert (shown(made), made.device.round) == (DONE, State.DONE)
        assert made.device.take_interrupts() == (False, False)
        assert hinted(made) == ()
        made.start()
        give(made, A)
        send(made, number)
        give(made, A)
        assert hinted(made) == ()
        assert started(made) > number
        assert made.device.start_round() is not None


def test_a_reset_without_a_round_leaves_stop() -> None:
    with host() as made:
        made.device.write_status(0)
        assert shown(made) == STOP


def test_no_round_starts_where_it_could_not_be_answered() -> None:
    made = Host()
    assert made.device.start_round() is None
    made.start(upto=11)
    assert made.device.start_round() is None
    made.device.write_status(15)
    assert made.device.start_round() is not None
    made.start(ALL_FEATURES - Features.of(Feature.FREE_PAGE_HINT))
    assert made.device.start_round() is None
    assert shown(made) == DONE
    made.start()
    made.memory.store16(made.rings[Queue.INFLATE].layout.available_index_at, 0x8000)
    made.device.notify(0)
    made.run()
    assert made.needs_reset
    assert made.device.start_round() is None
    made.close()


def test_done_is_said_also_when_the_device_needs_a_reset() -> None:
    with host() as made:
        send(made, started(made))
        give(made, A)
        made.memory.store16(made.rings[Queue.INFLATE].layout.available_index_at, 0x8000)
        made.device.notify(0)
        made.run()
        assert shown(made) == STOP
        assert hinted(made) == (A,)
        made.device.finish_round()
        assert shown(made) == DONE
        assert hinted(made) == ()


def test_ids_wrap_over_the_reserved_ones() -> None:
    with host(DeviceOptions(first_hint_id=LAST_ID)) as made:
        numbers = []
        for _ in range(3):
            numbers.append(started(made))
            send(made, numbers[-1], STOP)
        assert numbers == [LAST_ID, 2, 3]


moves = st.lists(
    st.sampled_from(["start", "stop", "finish", "send", "resend", "STOP", "reset"]), max_size=30
)


@given(moves)
def test_any_order_of_events_keeps_the_promises(history: list[str]) -> None:
    """An id is always new; only under the shown id do pages count; the field says what is."""
    with host() as made:
        issued: list[int] = []
        for move in history:
            made.device.take_interrupts()
            before = shown(made)
            if move == "start":
                number = started(made)
                assert number not in issued
                issued.append(number)
                assert shown(made) == number
                continue
            if move == "stop":
                made.device.stop_round()
            elif move == "finish":
                made.device.finish_round()
                assert hinted(made) == ()
                assert shown(made) in (DONE, STOP)
            elif move == "send" and issued:
                send(made, issued[-1])
            elif move == "resend" and issued:
                send(made, issued[0])
            elif move == "STOP":
                send(made, STOP)
            elif move == "reset":
                made.device.write_status(0)
                made.start()
            told = made.device.take_interrupts()[1]
            assert told == (shown(made) != before) or move == "reset"
            give(made, A)
            running = made.device.round is State.RUNNING
            if running:
                assert hinted(made) == (A,)
                assert shown(made) == issued[-1]
            assert not made.needs_reset
