"""The two tables of the device, read as a reader of the specification would."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import Enum

import pytest

from tests.host.hint_requests import entries, hint
from tests.host.host_tools import host
from vhint.host import hint_round, request_life
from vhint.host.hint_round import SHOWN
from vhint.host.hinting import Hinting
from vhint.wire.queues import Queue

Life, Happening = request_life.State, request_life.Event
Round, Act = hint_round.State, hint_round.Event

TABLES = [request_life, hint_round]


def reachable(steps: Mapping[tuple[Enum, Enum], Enum], start: Enum) -> set[Enum]:
    seen, waiting = {start}, [start]
    while waiting:
        state = waiting.pop()
        for (before, _), after in steps.items():
            if before is state and after not in seen:
                seen.add(after)
                waiting.append(after)
    return seen


@pytest.mark.parametrize(
    ("table", "start"), [(request_life, Life.POPPED), (hint_round, Round.NO_ROUND)]
)
def test_every_state_and_event_occurs(table: object, start: Enum) -> None:
    assert reachable(table.STEPS, start) == set(table.State)
    assert {event for _, event in table.STEPS} == set(table.Event)


@pytest.mark.parametrize("table", TABLES)
def test_what_is_not_in_the_table_is_an_error(table: object) -> None:
    missing = [
        (state, event)
        for state in table.State
        for event in table.Event
        if (state, event) not in table.STEPS
    ]
    for state, event in missing:
        with pytest.raises(ValueError, match=f"{state.name} never meets {event.name}"):
            table.advance(state, event)


def paths(state: Life = Life.POPPED) -> Iterator[tuple[Life, ...]]:
    """Every way that a request can go without a reset."""
    steps = [(e, after) for (before, e), after in request_life.STEPS.items() if before is state]
    after_steps = [after for event, after in steps if event is not Happening.RESET]
    if not after_steps:
        yield (state,)
    for after in after_steps:
        yield from ((state, *rest) for rest in paths(after))


def test_a_request_is_used_once_and_touched_only_when_it_is_valid() -> None:
    found = list(paths())
    assert len(found) == 4
    for path in found:
        assert path[-1] is Life.USED
        assert len(set(path)) == len(path)
        if Life.DISCARDING in path:
            at = path.index(Life.DISCARDING)
            assert path[:at] == (Life.POPPED, Life.COPIED, Life.VALIDATED)
            assert path[at:] == (Life.DISCARDING, Life.ANSWERED, Life.USED)


def test_a_reset_ends_a_request_wherever_it_is() -> None:
    ended = {Life.USED, Life.ABANDONED}
    for state in set(Life) - ended:
        assert request_life.STEPS[state, Happening.RESET] is Life.ABANDONED
    assert not [state for state, _ in request_life.STEPS if state in ended]


def test_the_table_of_rounds_has_every_event_for_every_state() -> None:
    """But no guest sends the shown id where none is shown."""
    for state in Round:
        missing = {event for event in Act if (state, event) not in hint_round.STEPS}
        shows_id = SHOWN[state] is hint_round.Shown.ID
        assert missing == (set() if shows_id else {Act.GUEST_SENDS_ID})


def test_only_the_shown_id_makes_hints_count() -> None:
    entering = {pair for pair, after in hint_round.STEPS.items() if after is Round.RUNNING}
    staying = {(Round.RUNNING, Act.GUEST_SENDS_ID)}
    assert entering == {(Round.REQUESTED, Act.GUEST_SENDS_ID)} | staying


@pytest.mark.parametrize("event", [Act.HOST_IS_DONE, Act.RESET])
def test_after_the_last_use_of_hints_done_is_shown(event: Act) -> None:
    for state in (Round.REQUESTED, Round.RUNNING, Round.STOPPED, Round.DONE):
        assert hint_round.STEPS[state, event] is Round.DONE


def test_only_the_host_or_a_reset_gives_pages_back() -> None:
    leaving = {
        event
        for (state, event), after in hint_round.STEPS.items()
        if after is Round.DONE and state is not Round.DONE
    }
    assert leaving == {Act.HOST_IS_DONE, Act.RESET}


VALID, WRONG = hint((0x100, 1)), hint((0x101, 1))
LIVES = {
    "valid": (VALID, 17, [Life.POPPED, Life.COPIED, Life.VALIDATED, Life.DISCARDING, Life.USED]),
    "refused": (WRONG, 17, [Life.POPPED, Life.COPIED, Life.REFUSED, Life.USED]),
    "no room": (VALID, 15, [Life.POPPED, Life.USED]),
}


@pytest.mark.parametrize(("data", "room", "states"), LIVES.values(), ids=LIVES)
def test_the_device_walks_the_table(data: bytes, room: int, states: list[Life]) -> None:
    """The states between two steps; POPPED, UNANSWERABLE and ANSWERED pass within one."""
    with host() as made:
        handler = made.device.lines[Queue.HINTING].handler
        assert isinstance(handler, Hinting)
        made.offer(Queue.HINTING, [data], made.room(room))
        seen = [Life.POPPED]
        while made.device.step(Queue.HINTING):
            if handler.life is not seen[-1] and (len(seen) > 1 or handler.life is not Life.USED):
                seen.append(handler.life)
        assert [*dict.fromkeys([*seen, handler.life])] == states


def test_a_reset_abandons_the_request_in_hand() -> None:
    for steps in range(2, 5):
        with host() as made:
            handler = made.device.lines[Queue.HINTING].handler
            made.run()
            made.offer(Queue.HINTING, [hint(*entries(0x100, 3))], made.room(17))
            for _ in range(steps):
                made.device.step(Queue.HINTING)
            assert handler.life not in (Life.USED, Life.ABANDONED)
            made.device.write_status(0)
            assert handler.life is Life.ABANDONED
