"""Sequence diagrams are drawn from what the reference does."""

import functools

import pytest

from tests.docs.conftest import DOCS
from tests.docs.svg_tools import boxes, parse, words
from vhint.spans import Span
from vhint.trace import events as ev
from vhint.trace.recorder import from_json, to_json
from vhint_conformance.drawing import sequence_svg
from vhint_conformance.drawing.sequence_model import Kind, step_of, steps
from vhint_docs import recorders

recorded = functools.cache(recorders.record)


def of_kind(name, kind):
    trace = recorded(name)
    found = [event for event in trace.events[trace.first :] if isinstance(event, kind)]
    return [(trace.events.index(event), event) for event in found]


@pytest.mark.parametrize("name", recorders.RECORDERS)
def test_every_exchange_can_be_drawn(name):
    trace = recorded(name)
    shown = trace.events[trace.first :]
    picture = sequence_svg.draw(steps(shown), name)
    frame = parse(picture)
    assert {"Driver", "Device"} <= set(words(picture))
    assert len(words(picture)) >= len(shown)
    for x, y, width, height in boxes(picture):
        assert x >= 0
        assert x + width <= float(frame.get("width"))
        assert y + height <= float(frame.get("height"))


def test_a_discard_lies_between_the_offer_and_the_use():
    ((offered, offer),) = of_kind("hint-pfn", ev.Offered)
    ((used, _),) = of_kind("hint-pfn", ev.Used)
    gone = of_kind("hint-pfn", ev.Discarded)
    assert all(offered < place < used for place, _ in gone)
    named = {page for span in offer.blocks for page in span.pages()}
    assert {page for _, event in gone for span in event.spans for page in span.pages()} == named


def test_a_refusal_discards_nothing():
    assert of_kind("hint-refusal", ev.Discarded) == []
    ((_, answer),) = of_kind("hint-refusal", ev.Answered)
    assert answer.accepted == ()
    assert answer.refused


def test_a_reset_returns_what_was_outstanding():
    assert of_kind("reset-with-outstanding", ev.Used) == []
    trace = recorded("reset-with-outstanding")
    shown = steps(trace.events[trace.first :])
    assert [step.gives is not None for step in shown].count(True) == 1
    assert any(step.returns_all for step in shown)


def test_inflated_pages_are_the_devices_until_they_are_deflated():
    shown = steps(recorded("inflate-deflate").events)
    uses = [step for step in shown if step.lines[0].startswith("uses")]
    assert [bool(step.returns) for step in uses] == [False, True]


def test_hinted_pages_are_the_devices_until_the_driver_uses_them():
    shown = steps(recorded("free-page-hint").events)
    given = [step.gives for step in shown if step.gives is not None]
    assert len(given) == 2
    assert [step.returns for step in shown if set(step.returns) & set(given)] == [tuple(given)]


def test_the_statistics_buffer_is_used_only_when_the_host_asks():
    offers, uses = of_kind("statistics", ev.Offered), of_kind("statistics", ev.Used)
    assert len(offers) == 2
    assert len(uses) == 1
    assert offers[0][0] < uses[0][0] < offers[1][0]


def test_recorded_events_are_those_that_a_trace_file_holds():
    for place, event in enumerate(recorded("reporting").events):
        assert from_json(to_json(place, event)) == event


@pytest.mark.parametrize("kind", ev.EVENTS.values(), ids=ev.EVENTS)
def test_every_kind_of_event_has_a_step(kind):
    values = {"str": "q", "int": 7, "bool": True, "Span": Span(0, 4096)}
    fields = {name: values.get(str(hint), ()) for name, hint in kind.__annotations__.items()}
    fields |= {name: 7 for name, hint in kind.__annotations__.items() if "None" in str(hint)}
    step = step_of(kind(**fields))
    assert isinstance(step.kind, Kind)
    assert all(step.lines)


def test_the_site_shows_every_exchange():
    page = (DOCS / "reference" / "exchanges.md").read_text()
    assert all(f"{{sequence}} {name}\n" in page for name in recorders.RECORDERS)
