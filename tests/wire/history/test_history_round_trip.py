"""Every historical message in every layout: round trips; bad input is read or a `WireError`."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.wire.history.history_cases import CASES, FACES, Case
from tests.wire.wire_cases import ODD, damaged, outcome
from vhint.wire import WireError
from vhint.wire.derive import NotDerivable
from vhint.wire.history import PROFILES, Layout, lal_v8
from vhint.wire.plan import read_message

# There are some fifty messages in their layouts, and what could differ is in their declarations.
quick = settings(max_examples=8)
every_message = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)


def declaration(case: Case) -> Any:
    return case.message.formats if case.layout is None else case.message.formats[case.layout]


def test_every_message_has_a_strategy() -> None:
    assert set(FACES) == {
        (profile.name, message.name)
        for profile in PROFILES.values()
        for message in profile.messages
    }


@every_message
@quick
@given(data=st.data())
def test_faces_make_the_round_trip(case: Case, data: st.DataObject) -> None:
    face = data.draw(case.faces)
    parameters = data.draw(case.parameters(face))
    message = case.build(face)
    parsed = case.parse(message, *parameters)
    assert parsed == face
    assert hash(parsed) == hash(face)
    assert case.build(parsed) == message


@every_message
@quick
@given(data=st.data())
def test_damaged_messages_are_read_or_refused(case: Case, data: st.DataObject) -> None:
    face = data.draw(case.faces)
    parameters = data.draw(case.parameters(face))
    message = data.draw(damaged(case.build(face)))
    kind, value = outcome(case.parse, message, *parameters)
    if kind == "value":
        assert case.parse(case.build(value), *parameters) == value


@every_message
@quick
@given(data=st.data())
def test_arbitrary_bytes_are_read_or_refused(case: Case, data: st.DataObject) -> None:
    message = data.draw(st.binary(max_size=80))
    parameters = tuple(data.draw(st.integers(0, 10)) for _ in case.message.parameters)
    kind, value = outcome(case.parse, message, *parameters)
    if kind == "value":
        assert case.parse(case.build(value), *parameters) == value


@every_message
@quick
@given(data=st.data())
def test_every_cut_is_refused_or_shorter(case: Case, data: st.DataObject) -> None:
    face = data.draw(case.faces)
    parameters = data.draw(case.parameters(face))
    message = case.build(face)
    cut = message[: data.draw(st.integers(0, len(message)))]
    kind, value = outcome(case.parse, cut, *parameters)
    assert kind == "error" or cut == message or value != face


@every_message
@quick
@given(data=st.data())
def test_odd_values_are_built_or_refused(case: Case, data: st.DataObject) -> None:
    face = data.draw(case.faces)
    if not dataclasses.is_dataclass(face) or isinstance(face, type):
        return
    name = data.draw(st.sampled_from([field.name for field in dataclasses.fields(face)]))
    odd: Any = dataclasses.replace(face, **{name: data.draw(st.sampled_from(ODD))})
    outcome(case.build, odd)


@every_message
@pytest.mark.parametrize("wrong", [None, 5, "text", object(), [1, 2]])
def test_wrong_types_are_wire_errors(case: Case, wrong: object) -> None:
    with pytest.raises(WireError):
        case.parse(wrong, *(1 for _ in case.message.parameters))
    with pytest.raises(WireError):
        case.build(wrong)


@every_message
def test_an_unknown_layout_is_a_wire_error(case: Case) -> None:
    if case.layout is None:
        return
    for wrong in ("lp64-middle", None, 3):
        with pytest.raises(WireError, match="layout"):
            case.message.parse(bytes(16), *(0 for _ in case.message.parameters), layout=wrong)


@every_message
def test_all_but_two_are_derived(case: Case) -> None:
    """The modules say that only Li's v5 and v6 are run by construct."""
    is_run = (case.profile, case.message.name) in {
        ("li-packed-v5", "response"),
        ("li-range-v6", "response"),
    }
    if is_run:
        with pytest.raises(NotDerivable):
            read_message(declaration(case))
    else:
        read_message(declaration(case))


@every_message
@quick
@given(data=st.data())
def test_interpreted_and_derived_agree(case: Case, data: st.DataObject) -> None:
    """The declaration is the definition: run by construct it accepts and makes the same bytes."""
    face = data.draw(case.faces)
    message = case.build(face)
    numbers = dict(zip(case.message.parameters, data.draw(case.parameters(face)), strict=True))
    values = declaration(case).parse(message, **numbers)
    assert declaration(case).build(values, **numbers) == message


@given(
    entries=st.lists(st.tuples(st.integers(0, 2**32 - 1), st.integers(0, 40)), max_size=4),
    written=st.sampled_from(Layout),
    wanted=st.sampled_from(Layout),
)
def test_entries_are_the_same_in_every_layout(
    entries: list[tuple[int, int]], written: Layout, wanted: Layout
) -> None:
    face = lal_v8.IsolatedBlocks.of(entries, written)
    again = lal_v8.parse(lal_v8.build(face, layout=wanted), len(entries), layout=wanted)
    assert again == face == lal_v8.IsolatedBlocks.of(entries, wanted)
    assert list(again) == list(face)
    assert hash(again) == hash(face)
