"""The state tables: complete, consistent, and tied to the registry of requirements."""

from __future__ import annotations

import re
from enum import Enum
from pathlib import Path
from types import ModuleType

import pytest

import vhint.guest
from vhint.guest import (
    device_life,
    hint_round,
    page_life,
    reporting_worker,
    request_life,
    worker,
)
from vhint.guest.page_life import AWAY, BREACHES, DEVICES, IN_BUDDY, LIVE, PageEvent, PageState
from vhint.guest.tables import UndefinedStepError
from vhint_spec import load

TABLES: dict[ModuleType, tuple[type[Enum], type[Enum], Enum]] = {
    page_life: (PageState, PageEvent, PageState.FREE),
    request_life: (
        request_life.RequestState,
        request_life.RequestEvent,
        request_life.RequestState.DRAFTED,
    ),
    hint_round: (hint_round.RoundState, hint_round.RoundEvent, hint_round.RoundState.IDLE),
    reporting_worker: (
        reporting_worker.ReportingState,
        reporting_worker.ReportingEvent,
        reporting_worker.ReportingState.IDLE,
    ),
    worker: (worker.WorkerState, worker.WorkerEvent, worker.WorkerState.IDLE),
    device_life: (
        device_life.DeviceState,
        device_life.DeviceEvent,
        device_life.DeviceState.DOWN,
    ),
}
each_table = pytest.mark.parametrize("module", TABLES, ids=lambda module: module.__name__)


@each_table
def test_every_state_is_reached_and_every_event_happens(module: ModuleType) -> None:
    states, events, start = TABLES[module]
    reached = {start}
    while more := {after for (s, _), after in module.STEPS.items() if s in reached} - reached:
        reached |= more
    assert reached == set(states)
    assert {event for _, event in module.STEPS} == set(events)


@each_table
def test_advance_follows_the_table_and_refuses_the_rest(module: ModuleType) -> None:
    states, events, _ = TABLES[module]
    for state in states:
        for event in events:
            if (state, event) in module.STEPS:
                assert module.advance(state, event) is module.STEPS[state, event]
            else:
                with pytest.raises(UndefinedStepError, match=f"{state.name} has no step"):
                    module.advance(state, event)


@each_table
def test_the_slugs_in_the_docstring_exist(module: ModuleType) -> None:
    text = module.__doc__ or ""
    roles = r"`((?:hint|reporting|balloon|free-page-hint|virtio)\.driver\.[a-z-]+)`"
    slugs = re.findall(roles, text)
    assert slugs or module in (worker,)
    assert set(slugs) <= set(load())


def test_breaches_are_no_steps_and_name_requirements() -> None:
    assert not BREACHES.keys() & page_life.STEPS.keys()
    assert set(BREACHES.values()) <= set(load())


def test_nothing_but_the_buddy_and_cpu_lists_is_allocated_from() -> None:
    sources = {state for state, event in page_life.STEPS if event is PageEvent.ALLOCATE}
    assert sources == {
        PageState.FREE,
        PageState.CAPTURED,
        PageState.REPORTED,
        PageState.PER_CPU,
        PageState.PER_CPU_CAPTURED,
    }
    assert not sources & DEVICES


def test_only_isolated_blocks_become_the_devices() -> None:
    to_device = {
        (before, event)
        for (before, event), after in page_life.STEPS.items()
        if after in DEVICES and before not in DEVICES
    }
    exposed = {pair for pair in to_device if pair[1] is PageEvent.EXPOSE}
    assert {before for before, _ in to_device - exposed} == {PageState.ISOLATED}


def test_the_groups_of_states_do_not_overlap() -> None:
    assert not LIVE & (IN_BUDDY | AWAY)
    assert not IN_BUDDY & AWAY


def test_nothing_returns_from_an_outstanding_request_but_by_use_or_reset() -> None:
    """hint.driver.no-return-before-reset-done, hint.driver.needs-reset-returns-nothing."""
    leaving = {e for (s, e), _ in page_life.STEPS.items() if s is PageState.OFFERED}
    assert leaving == {PageEvent.USE, PageEvent.RESET}


def test_a_tainted_request_comes_back_by_reset_alone() -> None:
    """hint.driver.keep-isolated-on-bad-acknowledgement."""
    states, events = request_life.RequestState, request_life.RequestEvent
    for state in (states.USED_BAD, states.QUARANTINED):
        outs = {e: after for (s, e), after in request_life.STEPS.items() if s is state}
        assert {e for e, after in outs.items() if after is not state} == {events.RESET_DONE}


@pytest.mark.parametrize("state", hint_round.RoundState)
def test_a_round_survives_whatever_config_space_shows(state: hint_round.RoundState) -> None:
    events = hint_round.RoundEvent
    for event in (events.COMMAND_STOP, events.COMMAND_DONE, events.PRESSURE, events.RESET):
        hint_round.advance(state, event)


def test_every_requirement_that_the_guest_names_exists() -> None:
    full = re.compile(
        r"\b(?:hint|hint-bitmap|reporting|balloon|free-page-hint|virtio)\.driver\.[a-z0-9-]+"
    )
    known = load()
    named = {
        slug
        for path in Path(vhint.guest.__file__).parent.rglob("*.py")
        for slug in full.findall(path.read_text(encoding="utf-8"))
    }
    assert len(named) > 50
    assert named <= set(known), named - set(known)
