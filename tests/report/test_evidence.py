import json

import jsonschema
import pytest

from tests.report.samples import ALL, as_values, discarded_neighbour, outcome, report
from vhint.spans import Span
from vhint.trace import Recorder
from vhint.trace.events import Discarded, Notified, Offered, StatusRead, Touched, Used
from vhint_conformance.oracle.monitor import Monitor
from vhint_conformance.report import json_report
from vhint_conformance.report.evidence import (
    MOST_EVENTS,
    MOST_SPANS_IN_ALL,
    Evidence,
    EvidenceError,
    gather,
    with_evidence,
)
from vhint_conformance.verdict import Verdict, Violation
from vhint_conformance.witness import MOST_BYTES, Witness

WRONG = Violation("hint.device.containment", "nothing", "a discard", "there")


class Blames(Monitor):
    """Reports every discard of a page that it is told about."""

    def see(self, place, event):
        if isinstance(event, Discarded):
            self.report(WRONG.requirement, WRONG.expected, WRONG.seen, WRONG.where)


class Memory:
    def __init__(self, size=1 << 20):
        self.size = size

    def peek(self, span):
        if span.end > self.size:
            raise ValueError("outside")
        return bytes(number % 256 for number in range(span.start, span.end))


def watched(memory=None):
    recorder, monitor = Recorder(), Blames()
    recorder.listen(monitor.see)
    witness = Witness(recorder)
    witness.begin(memory or Memory(), [monitor])
    return recorder, witness


def offer(ticket, readable=(), writable=(), blocks=()):
    return Offered("hinting", ticket, 0, tuple(readable), tuple(writable), tuple(blocks))


def test_a_real_failure_has_its_trace_its_mark_and_its_bytes():
    found = Evidence.from_json(json.loads(json.dumps(discarded_neighbour().evidence)))
    (mark,) = found.marks
    event = dict(found.events)[mark]
    assert isinstance(event, Discarded)
    sides = {each.side: each for each in found.payloads}
    assert sides["request"].data[:8] == bytes([1, 0, 0, 0, 2, 0, 0, 0])
    assert sides["answer"].data[:8] == (0x1122).to_bytes(8, "little")
    assert found.total >= len(found.events)


def test_evidence_survives_its_journey():
    values = discarded_neighbour().evidence
    assert Evidence.from_json(values).as_json() == values
    whole = as_values(report(discarded_neighbour()))
    jsonschema.validate(whole, json.loads(json_report.SCHEMA_FILE.read_text()))


@pytest.mark.parametrize("item", ALL, ids=lambda item: item.verdict.value)
def test_only_what_did_not_end_well_has_evidence(item):
    recorder, witness = watched()
    recorder.emit(Notified("hinting"))
    found = with_evidence(item, witness)
    quiet = (Verdict.PASS, Verdict.NOT_APPLICABLE)
    assert (found.evidence is None) == (item.verdict in quiet)


def test_nothing_happened():
    _, witness = watched()
    assert with_evidence(outcome(Verdict.ERROR), witness).evidence is None


def test_a_long_trace_is_cut_to_what_matters():
    recorder, witness = watched()
    page = Span(0x5000, 4096)
    recorder.emit(offer(0, blocks=[page]))
    recorder.emit(Used("hinting", 0, 0, 16, 0))
    for number in range(4000):
        recorder.emit(Notified("hinting"))
        recorder.emit(Touched((Span(0x100000 + number * 4096, 4096),)))
    mark = recorder.emit(Discarded((page,), recorder.last))
    for _ in range(500):
        recorder.emit(StatusRead(15))
    found = gather(witness, [WRONG])
    places = [place for place, _ in found.events]
    assert len(places) <= MOST_EVENTS
    assert places == sorted(set(places))
    assert found.marks == (mark,)
    assert {0, 1, mark} <= set(places)
    assert found.total == len(recorder.events)


def test_what_is_repeated_does_not_fill_it():
    recorder, witness = watched()
    for ticket in range(3):
        recorder.emit(offer(ticket))
    for _ in range(1000):
        recorder.emit(Notified("hinting"))
    recorder.emit(Discarded((Span(0, 4096),), 0))
    found = gather(witness, [WRONG])
    assert sum(isinstance(event, Offered) for _, event in found.events) == 3
    assert sum(isinstance(event, Notified) for _, event in found.events) == 1


def test_many_ranges_are_cut_and_that_is_said():
    recorder, witness = watched()
    blocks = [Span(number * 8192, 4096) for number in range(30000)]
    for ticket in range(20):
        recorder.emit(offer(ticket, blocks=blocks))
    found = gather(witness, [])
    assert sum(len(event.blocks) for _, event in found.events) <= MOST_SPANS_IN_ALL
    assert found.shortened == frozenset(range(20))
    assert len(json.dumps(found.as_json())) < 64 << 10


def test_bytes_are_bounded_and_hostile_addresses_harmless():
    recorder, witness = watched(Memory(0x2000))
    recorder.emit(offer(0, readable=[Span(0, 0x1000)], writable=[Span(1 << 60, 16)]))
    recorder.emit(offer(1, readable=[Span(0x1FFE, 1), Span(0x1FFF, 4)]))
    recorder.emit(Used("hinting", 0, 0, 16, 0))
    first, second, answer = witness.payloads
    assert (len(first.data), first.size) == (MOST_BYTES, 0x1000)
    assert (second.data, second.size) == (b"\xfe", 5)
    assert (answer.side, answer.data, answer.size) == ("answer", b"", 16)


def test_pages_that_are_buffers_are_not_read():
    recorder, witness = watched()
    page = Span(0x3000, 4096)
    recorder.emit(Offered("reporting", 0, 0, (), (page,), (page,)))
    recorder.emit(Used("reporting", 0, 0, 0, 0))
    assert not witness.payloads


def test_what_a_case_finds_itself_is_marked_where_it_was_found():
    recorder, witness = watched()
    recorder.emit(Notified("hinting"))
    witness.blame([WRONG])
    recorder.emit(StatusRead(0))
    found = gather(witness, [WRONG])
    assert (found.marks, found.found_after) == ((), (0,))
    assert gather(witness, []).found_after == ()


GOOD = '{"n": 0, "event": "Notified", "queue": "stats"}'


@pytest.mark.parametrize(
    "line",
    [
        "",
        "[]",
        GOOD.replace("0", '"x"'),
        GOOD.replace("Notified", "Exploded"),
        '{"event": "Notified", "queue": "stats"}',
        GOOD.replace('"stats"', "7"),
        '{"n": -5, "event": "StatusRead", "value": 1}',
        f'{{"n": 0, "event": "StatusRead", "value": {1 << 64}}}',
        GOOD.replace("stats", r"\u001b"),
        GOOD.replace("stats", "q" * 100),
        f'{{"n": 0, "event": "Touched", "spans": [[0, {1 << 70}]]}}',
        "[" * 100_000,
    ],
)
def test_a_line_that_is_no_event_is_refused(line):
    with pytest.raises(EvidenceError):
        Evidence.from_json({"events": 1, "trace": [line]})
    assert Evidence.from_json({"events": 1, "trace": [GOOD]}).events[0][0] == 0


def test_what_the_monitors_saw_is_not_marked_again_where_the_case_learns_of_it():
    recorder, witness = watched()
    recorder.emit(Discarded((Span(0, 4096),), 0))
    recorder.emit(StatusRead(0))
    witness.blame([WRONG])
    found = gather(witness, [WRONG])
    assert (found.marks, found.found_after) == ((0,), ())
