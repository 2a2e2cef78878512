"""Rounds of free page hinting at the device: ids, what counts as a hint, and DONE."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.host.hint_requests import command
from tests.host.host_tools import AREA, HIGH_AREA, Host, free_pages, host
from tests.host.round_tools import DONE, STOP, A, B, give, hinted, send, shown, started
from vhint.host import DeviceOptions
from vhint.host.hint_round import State
from vhint.ring import Completion
from vhint.spans import PAGE, Span
from vhint.wire.features import Feature, Features
from vhint.wire.queues import Queue


def test_a_whole_round() -> None:
    with host() as made:
        made.device.take_interrupts()
        assert (shown(made), made.device.round) == (STOP, State.NO_ROUND)
        number = made.device.start_round()
        assert number is not None
        assert shown(made) == number >= 2
        assert made.device.take_interrupts() == (False, True)
        assert made.device.round is State.REQUESTED
        send(made, number)
        assert made.device.round is State.RUNNING
        assert shown(made) == number
        give(made, A, B)
        assert hinted(made) == (A, B)
        send(made, STOP)
        assert (shown(made), made.device.round) == (STOP, State.STOPPED)
        assert made.device.take_interrupts()[1]
        assert hinted(made) == (A, B)  # the host needs them until it is done
        made.device.finish_round()
        assert (shown(made), made.device.round) == (DONE, State.DONE)
        assert made.device.take_interrupts() == (False, True)
        assert hinted(made) == ()
        assert made.discarded() == set()
        assert made.intact(free_pages())
        used = [made.used(Queue.FREE_PAGE) for _ in range(4)]
        assert [each and (each.known, each.length) for each in used] == [(True, 0)] * 3 + [None]


def test_the_host_stops_and_goes_on_under_another_id() -> None:
    """As a migration does at each of its passes."""
    with host() as made:
        first = started(made)
        send(made, first)
        give(made, A)
        made.device.stop_round()
        assert shown(made) == STOP
        give(made, B)  # was on its way
        send(made, STOP)
        second = started(made)
        assert second != first
        assert shown(made) == second
        send(made, second)
        give(made, B)
        assert hinted(made) == (B,)  # without a log of writes the first pass is forgotten


def play(made: Host, script: str) -> None:
    """Play the words of a script: what the host does, and what the guest sends."""
    current = old = started(made)
    send(made, old, STOP)
    made.device.finish_round()
    for word in script.split():
        match word:
            case "start":
                current = started(made)
            case "stop":
                made.device.stop_round()
            case "finish":
                made.device.finish_round()
            case "half":
                made.offer(Queue.FREE_PAGE, [command(current)[:2]])
            case "and-a-half":
                made.offer(Queue.FREE_PAGE, [command(current), b"\0\0"])
            case _:
                ids = {"ID": current, "OLD": old, "STOP": STOP, "DONE": DONE, "OTHER": 12345}
                send(made, ids[word])


@pytest.mark.parametrize(
    "script",
    [
        "",
        "start",  # the id has not come back
        "start OLD",
        "start ID OTHER",
        "start ID DONE",
        "start ID STOP",
        "start ID STOP ID",
        "start ID STOP OLD",
        "start ID stop",
        "start ID finish",
        "start ID start",
        "start ID start OLD",
        "start ID half",
        "start ID and-a-half",
        "start half",
    ],
)
def test_pages_outside_a_round_are_used_and_ignored(script: str) -> None:
    with host() as made:
        play(made, script)
        give(made, A)
        assert hinted(made) == ()
        assert made.discarded() == set()
        assert not made.needs_reset
        ring = made.rings[Queue.FREE_PAGE]
        while (used := ring.collect()) is not None:
            assert (used.known, used.length) == (True, 0)
        assert not ring.outstanding


@pytest.mark.parametrize("script", ["start ID", "start ID ID", "start OLD ID", "start STOP ID"])
def test_pages_under_the_shown_id_count(script: str) -> None:
    with host() as made:
        play(made, script)
        give(made, A)
        assert hinted(made) == (A,)


@given(st.lists(st.integers(0, 4), max_size=4))
def test_an_id_may_come_in_any_pieces(cuts: list[int]) -> None:
    places = [0, *sorted(cuts), 4]
    with host() as made:
        data = command(started(made))
        made.offer(
            Queue.FREE_PAGE,
            [data[start:end] for start, end in pairwise(places)],
            [A],
        )
        made.run()
        assert made.device.round is State.RUNNING
        assert hinted(made) == (A,)  # in one chain the id comes first


@pytest.mark.parametrize("size", [1, 2, 3, 5, 8, 4096])
def test_a_command_of_another_size_is_answered(size: int) -> None:
    with host() as made:
        send(made, started(made))
        head = made.offer(Queue.FREE_PAGE, [b"\2" * size])
        made.run()
        made.used(Queue.FREE_PAGE)
        assert made.used(Queue.FREE_PAGE) == Completion(head, 0, known=True)
        assert made.device.round is State.STOPPED


def test_an_id_sent_twice_changes_nothing() -> None:
    with host() as made:
        number = started(made)
        send(made, number, number)
        give(made, A)
        assert hinted(made) == (A,)


def test_a_late_stop_does_not_end_the_next_round() -> None:
    with host() as made:
        send(made, started(made))
        made.device.stop_round()
        second = started(made)
        send(made, STOP)
        assert made.device.round is State.REQUESTED
        send(made, second)
        assert made.device.round is State.RUNNING


@pytest.mark.parametrize("order", [0, 4, 9])
@given(
    st.lists(st.tuples(st.integers(0, 0x7FFFF), st.integers(1, 0x50000)), min_size=1, max_size=4)
)
def test_only_whole_host_pages_in_one_buffer_count(
    order: int, ranges: list[tuple[int, int]]
) -> None:
    size = PAGE << order
    buffers = [Span(AREA.start + start, min(length, 0x80000 - start)) for start, length in ranges]
    options = DeviceOptions(host_page=size, hint_min_order=order)
    with host(options) as made:
        send(made, started(made))
        for buffer in buffers:
            give(made, buffer)
        found = {start for span in hinted(made) for start in range(span.start, span.end, size)}
    whole = range(0, 0x180000, size)
    expected = {start for start in whole if any(each.covers(Span(start, size)) for each in buffers)}
    assert found == expected


def test_pages_of_every_region_count_and_gaps_do_not() -> None:
    with host() as made:
        send(made, started(made))
        give(made, A, Span(HIGH_AREA.end - PAGE, PAGE))
        assert hinted(made) == (A, Span(HIGH_AREA.end - PAGE, PAGE))
        give(made, Span(HIGH_AREA.end - PAGE, 2 * PAGE))
        assert made.needs_reset  # not inside RAM: the ring says so
        assert shown(made) == STOP


@pytest.mark.parametrize("data", [b"\5\0\0\0", b"\5", bytes(24)])
def test_the_driver_cannot_write_the_field(data: bytes) -> None:
    with host() as made:
        number = started(made)
        for offset in (8, 9, 0):
            made.device.write_config(offset, data)
        assert shown(made) == number
        assert made.device.round is State.REQUESTED


@pytest.mark.parametrize("offered", [(Feature.FREE_PAGE_HINT,), (Feature.PAGE_POISON,)])
def test_the_field_exists_before_anything_is_accepted(offered: tuple[Feature, ...]) -> None:
    made = Host(DeviceOptions(offered=Features.of(Feature.VERSION_1, *offered)))
    assert made.device.read_config(8, 4) == bytes(4)
    made.close()
