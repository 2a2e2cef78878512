"""Whatever a report calls evidence is either refused or drawn; nothing in between."""

import json
from dataclasses import fields

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.docs.svg_tools import parse
from vhint.trace.events import EVENTS
from vhint.wire.queues import Queue
from vhint_conformance.report.evidence import MOST_EVENTS, Evidence, EvidenceError
from vhint_conformance.report.html.exchange import exchange

NUMBERS = st.one_of(
    st.integers(-1, 40), st.integers(0, 1 << 64), st.sampled_from([4096, 8192, 1 << 63, -1])
)
SPANS = st.lists(NUMBERS, min_size=2, max_size=2)
VALUES = {
    "int": NUMBERS,
    "int | None": st.none() | NUMBERS,
    "str": st.sampled_from([*Queue, "", "queue 9", "<b>", "\x1b"]),
    "bool": st.booleans(),
    "Span": SPANS,
    "tuple[Span, ...]": st.lists(SPANS, max_size=4),
}


@st.composite
def lines(draw) -> str:
    kind = EVENTS[draw(st.sampled_from(sorted(EVENTS)))]
    values = {field.name: draw(VALUES[str(field.type)]) for field in fields(kind)}
    return json.dumps({"n": draw(NUMBERS), "event": kind.__name__} | values)


SIDES = st.fixed_dictionaries(
    {
        "n": NUMBERS,
        "ticket": st.integers(0, 3),
        "queue": VALUES["str"],
        "side": st.sampled_from(["request", "answer"]),
        "size": st.integers(0, 1 << 70),
        "hex": st.binary(max_size=80).map(bytes.hex),
    }
)
PLACES = st.lists(st.integers(0, 40), max_size=4)
ANY = st.fixed_dictionaries(
    {
        "events": st.integers(0, 1 << 70),
        "trace": st.lists(lines(), max_size=MOST_EVENTS // 4),
        "marks": PLACES,
        "found_after": PLACES,
        "shortened": PLACES,
        "bytes": st.lists(SIDES, max_size=4),
    }
)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(ANY)
def test_evidence_is_refused_or_drawn(values):
    try:
        found = Evidence.from_json(values)
    except EvidenceError:
        return
    shown = exchange(found, "a \x1b<case>")
    parse(shown.sequence)
    if shown.ownership:
        parse(shown.ownership)
