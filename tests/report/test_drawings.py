"""Drawings of an excerpt: what is wrong is marked by more than colour, what is missing is said."""

import pytest

from tests.docs.svg_tools import boxes, parse, words
from tests.report.samples import discarded_neighbour
from vhint.spans import Span
from vhint.trace import events as ev
from vhint_conformance.drawing import ownership_svg, sequence_svg
from vhint_conformance.drawing.excerpt import excerpt_steps
from vhint_conformance.drawing.ownership import Deed, timeline
from vhint_conformance.drawing.sequence_model import Kind
from vhint_conformance.report.evidence import Evidence

MINE, NEXT = Span(0x4000, 4096), Span(0x5000, 4096)
SETUP = [(0, ev.StatusWritten(0)), (1, ev.ResetDone()), (2, ev.StatusWritten(3))]


def offered(place, ticket, *blocks):
    return (place, ev.Offered("hinting", ticket, 0, (), (), blocks))


def used(place, ticket):
    return (place, ev.Used("hinting", 0, ticket, 16, place - 1))


def evidence():
    return Evidence.from_json(discarded_neighbour().evidence)


def test_a_real_failure_is_drawn():
    found = evidence()
    steps = excerpt_steps(
        found.events, found.total, found.marks, found.found_after, found.shortened
    )
    picture = sequence_svg.draw(steps, "a failure")
    frame = parse(picture)
    said = " ".join(words(picture))
    assert said.count("\N{BALLOT X} discards") == 1
    assert "of the initialisation" in said
    for x, y, width, height in boxes(picture):
        assert x >= 0
        assert x + width <= float(frame.get("width"))
        assert y + height <= float(frame.get("height"))


def test_what_is_left_out_is_counted():
    events = [*SETUP, offered(9, 0, MINE), (40, ev.Notified("hinting"))]
    steps = excerpt_steps(events, 100)
    said = [step.lines[0] for step in steps if step.kind is Kind.ASIDE]
    assert said == [
        "3 events of the initialisation, 6 events left out"
        if said[0].startswith("3")
        else "6 events left out, 3 events of the initialisation",
        "30 events left out",
        "59 events left out",
    ]
    assert [step.number for step in steps if step.number is not None] == [9, 40]


def test_what_the_case_found_stands_after_what_it_looked_at():
    steps = excerpt_steps([offered(0, 0, MINE), used(1, 0)], 2, found_after=[1])
    assert [step.wrong for step in steps] == [False, False, True]
    assert steps[-1].lines == ("here the case finds a requirement broken",)


def test_an_initialisation_that_is_the_matter_is_not_folded():
    steps = excerpt_steps(SETUP, 3, marks=[2])
    assert [step.number for step in steps] == [0, 1, 2]
    assert [step.wrong for step in steps] == [False, False, True]
    folded = excerpt_steps([*SETUP, offered(3, 0, MINE)], 4, marks=[2])
    assert [step.number for step in folded if step.wrong] == [2]


def test_the_page_that_was_not_given_is_to_blame_and_not_its_neighbour():
    events = [offered(0, 0, MINE), used(1, 0), (2, ev.Discarded((Span(0x4000, 8192),), 0))]
    found = timeline(events, [2])
    assert [line.span for line in found.lines] == [MINE, NEXT]
    mine, other = found.lines
    assert mine.periods == [(0, 1)]
    assert other.periods == []
    assert [spot.wrong for spot in mine.spots] == [False]
    assert [(spot.deed, spot.wrong) for spot in other.spots] == [(Deed.DISCARDED, True)]
    said = " ".join(words(ownership_svg.draw(found, "pages")))
    assert said.count("\N{BALLOT X}") == 1


def test_a_discard_after_the_use_is_wrong_by_its_bounds():
    late = [
        offered(0, 0, MINE),
        used(1, 0),
        (2, ev.Touched((MINE,))),
        (3, ev.Discarded((MINE,), 2)),
    ]
    (line,) = timeline(late, [3]).lines
    assert [(spot.column, spot.wrong) for spot in line.spots] == [(2, False), (3, True)]
    assert line.spots[1].since == 2


def test_a_driver_that_writes_to_what_it_gave_away():
    events = [offered(0, 0, MINE), (1, ev.Touched((MINE, NEXT))), used(2, 0)]
    found = timeline(events, [1])
    blame = {line.span: [spot.wrong for spot in line.spots] for line in found.lines}
    assert blame == {MINE: [True], NEXT: [False]}


def test_a_discard_within_the_rights_that_is_wrong_for_another_reason_stays_wrong():
    events = [offered(0, 0, MINE), (1, ev.Discarded((MINE,), 0)), used(2, 0)]
    (line,) = timeline(events, [1]).lines
    assert [spot.wrong for spot in line.spots] == [True]


def test_blocks_that_do_not_come_back_stay_the_devices():
    events = [offered(0, 0, MINE), (1, ev.Touched((MINE,)))]
    (line,) = timeline(events, [1]).lines
    assert line.periods == [(0, None)]


def test_a_reset_returns_everything():
    events = [offered(0, 0, MINE), (1, ev.ResetDone()), (2, ev.Discarded((MINE,), 1))]
    (line,) = timeline(events, [2]).lines
    assert line.periods == [(0, 1)]
    assert line.spots[0].wrong


def test_there_is_none_where_no_page_is_the_matter():
    assert timeline([offered(0, 0, MINE), used(1, 0)], [1]) is None


@pytest.mark.parametrize("columns", [1, 3, 48])
def test_a_timeline_stays_in_its_frame(columns):
    events = [offered(n, n, MINE) for n in range(columns)]
    events.append((columns, ev.Discarded((NEXT,), -1)))
    picture = ownership_svg.draw(timeline(events, [columns]), "pages")
    frame = parse(picture)
    for x, y, width, height in boxes(picture):
        assert x >= 0
        assert x + width <= float(frame.get("width"))
        assert y + height <= float(frame.get("height"))
