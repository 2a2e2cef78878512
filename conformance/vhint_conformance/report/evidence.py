"""The evidence of a failure: so much of its trace, and of the bytes in it, as shows what happened.

A report holds it for every case that did not end well, so it is bounded: a trace can have many
thousand events, an event many thousand ranges.  What is left out is counted.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Self

from vhint.spans import Span
from vhint.trace.events import (
    Event,
    FeaturesAccepted,
    Offered,
    ResetDone,
    StatusWritten,
    Used,
)
from vhint.trace.recorder import from_json, to_json
from vhint_conformance.report.model import Outcome
from vhint_conformance.verdict import Verdict, Violation
from vhint_conformance.witness import Payload, Witness

MOST_EVENTS = 48
MOST_SPANS = (64, 16, 4)
"""Ranges kept of one field of an event: as many as make no more than `MOST_SPANS_IN_ALL`."""
MOST_SPANS_IN_ALL = 512
MOST_PAYLOADS = 16
WORD = 1 << 64
LONGEST_NAME = 64
EXPLAINED = (Verdict.FAIL, Verdict.EXPECTED_FAIL, Verdict.INCONCLUSIVE, Verdict.ERROR)
"""Verdicts of which a report shows how they came about."""


class EvidenceError(ValueError):
    """What stands in a report is no evidence; the text says why."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """An excerpt of a trace.

    `events` are places in the trace with what happened there, in order; `total` is how many events
    the whole trace has.  `marks` are the places at which a monitor saw a violation, `found_after`
    those after which the case itself found one, `shortened` those of events of which only the first
    ranges are kept.
    """

    events: tuple[tuple[int, Event], ...]
    total: int
    marks: tuple[int, ...] = ()
    found_after: tuple[int, ...] = ()
    shortened: frozenset[int] = frozenset()
    payloads: tuple[Payload, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Return plain values; the events are lines as a trace file has them."""
        return {
            "events": self.total,
            "trace": [to_json(place, event) for place, event in self.events],
            "marks": list(self.marks),
            "found_after": list(self.found_after),
            "shortened": sorted(self.shortened),
            "bytes": [
                {
                    "n": each.place,
                    "ticket": each.ticket,
                    "queue": each.queue,
                    "side": each.side,
                    "size": each.size,
                    "hex": each.data.hex(),
                }
                for each in self.payloads
            ],
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """Return what `as_json` described, or raise `EvidenceError`; the values fit the schema."""
        try:
            events = tuple(_event(line) for line in values["trace"])
            return cls(
                events=events,
                total=max(values["events"], len(events)),
                marks=tuple(values.get("marks", ())),
                found_after=tuple(values.get("found_after", ())),
                shortened=frozenset(values.get("shortened", ())),
                payloads=tuple(_payload(each) for each in values.get("bytes", ())),
            )
        except (ValueError, RecursionError) as error:
            raise EvidenceError(str(error)) from error


def with_evidence(outcome: Outcome, witness: Witness) -> Outcome:
    """Return the outcome with evidence, if its verdict is one that has to be explained."""
    if outcome.verdict not in EXPLAINED:
        return outcome
    found = gather(witness, outcome.violations)
    return replace(outcome, evidence=found.as_json() if found else None)


def gather(witness: Witness, violations: Sequence[Violation]) -> Evidence | None:
    """Return the evidence for these violations; None if nothing happened at all."""
    events = witness.recorder.events
    if not events:
        return None
    # The slug of a violation may have been made more precise since (`ring_words`).
    known = {(each.expected, each.seen, each.where) for each in violations}

    def places_of(found: Iterable[tuple[int, Violation]]) -> list[int]:
        return sorted(
            {
                place
                for place, each in found
                if place >= 0 and (each.expected, each.seen, each.where) in known
            }
        )

    # Monitors report to the case, which then fails by what they saw.
    reported = {each for _, each in witness.seen}
    own = [(place, each) for place, each in witness.blamed if each not in reported]
    marks, blamed = places_of(witness.seen), places_of(own)
    places = chosen(events, sorted({*marks, *blamed}))
    most = _most_spans([events[place] for place in places])
    shortened = frozenset(place for place in places if _longest(events[place]) > most)
    kept = frozenset(places)
    payloads = [each for each in witness.payloads if each.place in kept]
    return Evidence(
        events=tuple((place, _short(events[place], most)) for place in places),
        total=len(events),
        marks=tuple(place for place in marks if place in kept),
        found_after=tuple(place for place in blamed if place in kept),
        shortened=shortened,
        payloads=tuple(payloads[-MOST_PAYLOADS:]),
    )


def chosen(events: Sequence[Event], marks: Sequence[int], most: int = MOST_EVENTS) -> list[int]:
    """Return the places of the events that show best what happened at the marks.

    These are the marks, what has to do with the same memory or the same requests, the negotiation,
    and then what came last before the first mark.
    """
    if len(events) <= most:
        return list(range(len(events)))
    places = [place for place in marks if place < len(events)][:most] or [len(events) - 1]
    first = places[0]
    tickets, spans = _theme(events, places)
    about = [place for place, event in enumerate(events) if _concerns(event, tickets, spans)]
    # The nearest first, so that a page that is used all the time does not fill the excerpt.
    about.sort(key=lambda place: min(abs(place - mark) for mark in places))
    setting = [
        place
        for place, event in enumerate(events[:first])
        if isinstance(event, (FeaturesAccepted, StatusWritten))
    ][-4:]
    # What is done again and again, such as looking at the status, is told once.
    last = min(first + 2, len(events) - 1)
    before = [n for n in range(last, -1, -1) if n == 0 or events[n] != events[n - 1]]
    kept = dict.fromkeys([*places, *about[: most // 2], *setting, *before])
    return sorted(list(kept)[:most])


def _theme(events: Sequence[Event], places: Iterable[int]) -> tuple[set[int], list[Span]]:
    """Return the requests and the memory that the events at these places are about."""
    tickets: set[int] = set()
    spans: list[Span] = []
    for place in places:
        event = events[place]
        spans += getattr(event, "spans", ())[: MOST_SPANS[0]]
        ticket = getattr(event, "ticket", None)
        if ticket is not None:
            tickets.add(ticket)
    return tickets, spans


def _concerns(event: Event, tickets: set[int], spans: list[Span]) -> bool:
    if isinstance(event, ResetDone):
        return True
    if isinstance(event, Offered):
        touches = any(block.overlaps(span) for block in event.blocks for span in spans)
        if touches:
            tickets.add(event.ticket)
        return touches or event.ticket in tickets
    if isinstance(event, Used):
        return event.ticket in tickets
    mine = getattr(event, "spans", ())
    return any(each.overlaps(span) for each in mine for span in spans)


def _most_spans(events: Sequence[Event]) -> int:
    """Return how many ranges of a field are kept, so that all together are not too many."""
    lengths = [len(spans) for event in events for _, spans in _ranges(event)]
    fitting = (
        most
        for most in MOST_SPANS
        if sum(min(length, most) for length in lengths) <= MOST_SPANS_IN_ALL
    )
    return next(fitting, MOST_SPANS[-1])


def _longest(event: Event) -> int:
    return max((len(spans) for _, spans in _ranges(event)), default=0)


def _short(event: Event, most: int) -> Event:
    """Return the event with no more ranges of a field than are kept."""
    if _longest(event) <= most:
        return event
    return replace(event, **{name: spans[:most] for name, spans in _ranges(event)})


def _ranges(event: Event) -> list[tuple[str, tuple[Span, ...]]]:
    values = [(field.name, getattr(event, field.name)) for field in fields(event)]
    return [(name, value) for name, value in values if type(value) is tuple]


def _event(line: str) -> tuple[int, Event]:
    event = from_json(line)
    place = json.loads(line)["n"]
    if type(place) is not int:
        raise EvidenceError(f"the place of an event is a number; seen {place!r:.40}")
    for number in [place, *_numbers(event)]:
        if not -1 <= number < WORD:
            raise EvidenceError(f"no number of an event has more than 64 bits; seen {number:#x}")
    for text in _texts(event):
        _check_name(text)
    return place, event


def _check_name(text: str) -> None:
    """Raise `EvidenceError` if a text cannot be the name of a queue."""
    if len(text) > LONGEST_NAME or not text.isprintable():
        raise EvidenceError(f"no queue has such a name: {text!r:.40}")


def _texts(event: Event) -> list[str]:
    values = (getattr(event, field.name) for field in fields(event))
    return [value for value in values if isinstance(value, str)]


def _numbers(event: Event) -> Iterable[int]:
    for field in fields(event):
        value = getattr(event, field.name)
        if isinstance(value, int):
            yield value
        elif isinstance(value, Span):
            yield from value
        elif isinstance(value, tuple):
            for span in value:
                yield from span


def _payload(values: Mapping[str, Any]) -> Payload:
    _check_name(values["queue"])
    return Payload(
        values["n"], values["ticket"], values["queue"], values["side"], values["size"],
        bytes.fromhex(values["hex"]),
    )  # fmt: skip
