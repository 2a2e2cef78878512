"""Derived and interpreted functions give the same value or the same error, for every format."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.wire.wire_cases import CASES, ODD, Case, damaged, outcome
from vhint.wire import WireError, hint_ack, hint_request
from vhint.wire.bitmap import Bitmap

every_format = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)


@every_format
@given(data=st.data())
def test_valid_messages_make_the_round_trip_both_ways(case: Case, data: st.DataObject) -> None:
    face = data.draw(case.faces)
    parameters = data.draw(case.parameters(face))
    message = case.codec.build(face)
    assert message == case.codec.build_interpreted(face)
    assert message == case.codec.build(face, *parameters)
    assert case.codec.parse(message, *parameters) == face
    assert case.codec.parse_interpreted(message, *parameters) == face
    assert hash(case.codec.parse(message, *parameters)) == hash(face)
    assert case.codec.build(case.codec.parse(message, *parameters), *parameters) == message


@every_format
@given(data=st.data())
def test_damaged_messages_get_the_same_answer(case: Case, data: st.DataObject) -> None:
    face = data.draw(case.faces)
    parameters = data.draw(case.parameters(face))
    message = data.draw(damaged(case.codec.build(face)))
    fast = outcome(case.codec.parse, message, *parameters)
    assert fast == outcome(case.codec.parse_interpreted, message, *parameters)
    if fast[0] == "value":
        rebuilt = case.codec.build(fast[1], *parameters)
        assert rebuilt == message or (case.has_padding and case.codec.parse(rebuilt) == fast[1])


@every_format
@given(data=st.data())
def test_every_cut_is_refused_or_read_alike(case: Case, data: st.DataObject) -> None:
    face = data.draw(case.faces)
    parameters = data.draw(case.parameters(face))
    message = case.codec.build(face)
    cut = message[: data.draw(st.integers(0, len(message)))]
    assert outcome(case.codec.parse, cut, *parameters) == outcome(
        case.codec.parse_interpreted, cut, *parameters
    )


@every_format
@given(data=st.data())
def test_arbitrary_bytes_get_the_same_answer(case: Case, data: st.DataObject) -> None:
    message = data.draw(st.binary(max_size=64))
    parameters = (data.draw(st.integers(0, 64)),) if case.codec.parameters else ()
    assert outcome(case.codec.parse, message, *parameters) == outcome(
        case.codec.parse_interpreted, message, *parameters
    )


@every_format
@given(data=st.data())
def test_odd_values_get_the_same_answer_from_build(case: Case, data: st.DataObject) -> None:
    face = data.draw(case.faces)
    if not dataclasses.is_dataclass(face) or isinstance(face, type):
        return
    name = data.draw(st.sampled_from([field.name for field in dataclasses.fields(face)]))
    odd: Any = dataclasses.replace(face, **{name: data.draw(st.sampled_from(ODD))})
    fast = outcome(case.codec.build, odd)
    assert fast == outcome(case.codec.build_interpreted, odd)
    if fast[0] == "value":
        parameters = data.draw(case.parameters(odd))
        assert case.codec.build(case.codec.parse(fast[1], *parameters)) == fast[1]


@given(
    pfns=st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=5),
    order=st.integers(0, 2**32 - 1) | st.integers(38, 42),
)
def test_entries_out_of_bounds_get_the_same_answer_from_build(pfns: list[int], order: int) -> None:
    request = hint_request.PfnRequest(1, hint_request.Blocks.of([(pfn, order) for pfn in pfns]))
    assert outcome(hint_request.build, request) == outcome(hint_request.build_interpreted, request)


@given(count=st.integers(-1, 40), bits=st.integers(0, 40))
def test_results_are_held_to_the_count(count: int, bits: int) -> None:
    ack = hint_ack.Acknowledgement(1, hint_ack.Status.OK, 0, Bitmap.from_indices(bits, []))
    fast = outcome(hint_ack.build, ack, count)
    assert fast == outcome(hint_ack.build_interpreted, ack, count)
    assert (fast[0] == "value") == (0 < bits <= count and (bits % 8 == 0 or bits == count))


@every_format
@pytest.mark.parametrize("wrong", [None, 5, "text", object(), [1, 2]])
def test_wrong_types_are_wire_errors(case: Case, wrong: object) -> None:
    parameters = (1,) * len(case.codec.parameters)
    for function in (case.codec.parse, case.codec.parse_interpreted):
        with pytest.raises(WireError):
            function(wrong, *parameters)
    for function in (case.codec.build, case.codec.build_interpreted):
        with pytest.raises(WireError):
            function(wrong)


@pytest.mark.parametrize("results", [None, Bitmap(3, b"\x05")])
@pytest.mark.parametrize("count", [-1, "1", 1.0, 2, True, None, 3, 4])
def test_any_count_gets_the_same_answer_from_build(results: Bitmap | None, count: Any) -> None:
    ack = hint_ack.Acknowledgement(1, hint_ack.Status.OK, 0, results)
    assert outcome(hint_ack.build, ack, count) == outcome(hint_ack.build_interpreted, ack, count)


@pytest.mark.parametrize("count", [-1, "1", None, 1.0])
def test_a_bad_parameter_is_a_wire_error(count: Any) -> None:
    message = bytes(16)
    fast = outcome(hint_ack.parse, message, count)
    assert fast == outcome(hint_ack.parse_interpreted, message, count)
    assert fast[0] == "error"
