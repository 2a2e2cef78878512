"""The evidence of a failure as the page shows it: drawings, and the bytes field by field."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from vhint.trace.events import Event, Offered, Used
from vhint.wire.errors import WireError
from vhint.wire.formats import Annotation, Field, annotate
from vhint.wire.queues import Queue
from vhint_conformance.drawing import ownership_svg, sequence_svg
from vhint_conformance.drawing.excerpt import excerpt_steps
from vhint_conformance.drawing.ownership import timeline
from vhint_conformance.report.console import printable
from vhint_conformance.report.evidence import Evidence, EvidenceError
from vhint_conformance.report.model import Outcome
from vhint_conformance.witness import Payload

FORMATS: dict[tuple[str, str], str] = {
    (Queue.INFLATE, "request"): "pfn-array",
    (Queue.DEFLATE, "request"): "pfn-array",
    (Queue.STATS, "request"): "statistics",
    (Queue.FREE_PAGE, "request"): "command-id",
    (Queue.HINTING, "request"): "hint-request",
    (Queue.HINTING, "answer"): "hint-ack",
}
"""What the bytes on a queue are, by the side that wrote them."""

MOST_FIELDS = 24
MOST_MESSAGES = 8
COUNT = slice(4, 8)
"""Where a hinting request has the number of its blocks."""


@dataclass(frozen=True, slots=True)
class Row:
    """One field: where it is, its bytes, its name, what it says, and whether it is `wrong`."""

    offset: int
    octets: str
    path: str
    value: str
    unit: str
    wrong: bool


@dataclass(frozen=True, slots=True)
class Message:
    """The bytes of one side of a chain; `wrong` says why they are no such message."""

    title: str
    rows: tuple[Row, ...]
    rest: str
    wrong: str
    left_out: int


@dataclass(frozen=True, slots=True)
class Exchange:
    """What can be shown of a failure."""

    sequence: Markup
    ownership: Markup | None
    messages: tuple[Message, ...]
    messages_left: int


def shown_of(outcome: Outcome) -> Exchange | None:
    """Return what can be shown of an outcome; None if it has no evidence."""
    if outcome.evidence is None:
        return None
    try:
        return exchange(Evidence.from_json(outcome.evidence), outcome.id)
    except EvidenceError:
        return None  # a report is checked when it is read, and our own are sound


def exchange(evidence: Evidence, name: str) -> Exchange:
    """Return what the page shows; `name` is the case that the drawings are of."""
    name = printable(name)
    drawn = excerpt_steps(
        evidence.events,
        evidence.total,
        evidence.marks,
        evidence.found_after,
        evidence.shortened,
    )
    lines = timeline(_since_setup(evidence), evidence.marks)
    # The functions that draw escape every text.
    sequence = Markup(sequence_svg.draw(drawn, f"The exchange in {name}"))  # noqa: S704
    ownership = None
    if lines is not None:
        ownership = Markup(ownership_svg.draw(lines, f"Whose the pages are in {name}"))  # noqa: S704
    chosen = evidence.payloads[-MOST_MESSAGES:]
    return Exchange(
        sequence,
        ownership,
        tuple(_message(evidence, each) for each in chosen),
        len(evidence.payloads) - len(chosen),
    )


def _since_setup(evidence: Evidence) -> Sequence[tuple[int, Event]]:
    """Return the events from the first request on: before that every page is the driver's."""
    begun = (i for i, (_, event) in enumerate(evidence.events) if isinstance(event, Offered))
    return evidence.events[next(begun, 0) :]


def _message(evidence: Evidence, payload: Payload) -> Message:
    data = payload.data
    cut = payload.size - len(data)
    if payload.side == "answer":
        used = _used_length(evidence, payload.ticket)
        if used is not None and used < len(data):
            data, cut = data[:used], 0
    verb = "request" if payload.side == "request" else "answer to request"
    title = f"{verb} #{payload.ticket} on the {payload.queue} queue, {len(data) + cut} bytes"
    found = _annotated(evidence, payload, data)
    if found is None:
        return Message(title, (), data.hex(" "), "", cut)
    fields = found.fields[:MOST_FIELDS]
    rows = tuple(_row(field, is_wrong=field is found.at_fault) for field in fields)
    rest = found.rest if len(fields) == len(found.fields) else b""
    left = len(data) - sum(len(field.data) for field in fields if not field.bits) - len(rest)
    # Bytes that the report does not hold are no fault of whoever wrote the message.
    wrong = str(found.error) if found.error and not cut else ""
    return Message(title, rows, rest.hex(" "), wrong, max(0, left) + cut)


def _annotated(evidence: Evidence, payload: Payload, data: bytes) -> Annotation | None:
    form = FORMATS.get((payload.queue, payload.side))
    if form is None or not data:
        return None
    parameters: dict[str, int] = {}
    if form == "hint-ack":
        request = next(
            (
                each.data
                for each in evidence.payloads
                if each.ticket == payload.ticket and each.side == "request"
            ),
            b"",
        )
        parameters["count"] = int.from_bytes(request[COUNT], "little")
    try:
        return annotate(form, data, layout=None, **parameters)
    except WireError:
        return None


def _used_length(evidence: Evidence, ticket: int) -> int | None:
    uses = (
        event.length
        for _, event in evidence.events
        if isinstance(event, Used) and event.ticket == ticket
    )
    return next(uses, None)


def _row(field: Field, *, is_wrong: bool) -> Row:
    octets = field.data.hex(" ")
    shown = octets if len(field.data) <= 16 else f"{field.data[:16].hex(' ')} …"
    text = field.text if len(field.text) <= 64 else f"{field.text[:64]}…"
    return Row(field.offset, shown, field.path, text, field.unit, is_wrong)
