"""State diagrams are drawn from the transition tables, and from nothing else."""

import importlib
import pkgutil
from collections.abc import Mapping
from enum import Enum
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

import vhint.guest
import vhint.host
from tests.docs.svg_tools import boxes, parse, words
from vhint.host.status import STEPS, Phase
from vhint.wire.status import DeviceStatus
from vhint_docs import states_svg
from vhint_docs.states_model import NotATable, find, read

State = Enum("State", [f"S{number}" for number in range(7)])
Event = Enum("Event", [f"e{number}" for number in range(5)])


def drawing(table):
    return states_svg.draw(read(table), "a machine")


def test_every_state_and_event_is_written():
    written = words(drawing(STEPS))
    assert {phase.name for phase in Phase} <= set(written)
    assert "FEATURES_OK" in written
    assert "DRIVER_OK" in written


def test_a_new_transition_changes_the_drawing():
    more = {**STEPS, (Phase.LIVE, DeviceStatus.FAILED): Phase.RESET}
    assert "FAILED" not in words(drawing(STEPS))
    assert "FAILED" in words(drawing(more))


def test_members_are_explained_by_their_docstrings():
    events = {event.name: event.docs for event in read(STEPS).events}
    assert events["DRIVER"] == "The driver knows how to drive it."


@given(
    st.dictionaries(
        st.tuples(st.sampled_from(State), st.sampled_from(Event)),
        st.sampled_from(State),
        min_size=1,
        max_size=25,
    )
)
def test_any_table_is_drawn_whole_and_inside_its_frame(table):
    machine = read(table)
    assert len(machine.steps) == len(table)
    picture = states_svg.draw(machine, "any")
    written = words(picture)
    for event in Event:
        uses = sum(1 for _, used in table if used is event)
        assert written.count(event.name) == uses
    frame = parse(picture)
    width, height = float(frame.get("width")), float(frame.get("height"))
    placed = sorted(boxes(picture), key=lambda box: box[1])
    assert len(placed) == len(machine.states)
    for x, y, box_width, box_height in placed:
        assert x >= 0
        assert x + box_width <= width
        assert y >= 0
        assert y + box_height <= height
    for (_, upper, _, size), (_, lower, _, _) in pairwise(placed):
        assert upper + size < lower


def tables():
    for package in (vhint.guest, vhint.host):
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            module = importlib.import_module(found.name)
            if isinstance(getattr(module, "STEPS", None), Mapping):
                yield f"{found.name}:STEPS"


@pytest.mark.parametrize("path", list(tables()))
def test_every_table_of_the_reference_can_be_drawn(path):
    table = find(path)
    machine = read(table)
    assert len(machine.steps) == len(table)
    assert set(words(states_svg.draw(machine, path))) >= {state.name for state in machine.states}


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("vhint.host.status:NOTHING", "there is no"),
        ("vhint.host.nowhere:STEPS", "there is no"),
        ("vhint.host.status:SEQUENCE", "no table of transitions, but tuple"),
    ],
)
def test_what_is_no_table_is_refused(path, reason):
    with pytest.raises(NotATable, match=reason):
        find(path)


def test_a_table_of_other_things_is_refused():
    with pytest.raises(NotATable, match="no pair"):
        read({1: Phase.LIVE})
    with pytest.raises(NotATable, match="not all members"):
        read({(Phase.LIVE, "stop"): Phase.RESET})
