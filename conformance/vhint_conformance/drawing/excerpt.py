"""The steps of an excerpt of a trace: numbered, violations marked, and what is left out told."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace

from vhint.trace.events import (
    Event,
    FeaturesOffered,
    Offered,
    QueueReady,
    ResetDone,
    StatusRead,
    StatusWritten,
)
from vhint_conformance.drawing.sequence_model import Kind, Step, steps

FOUND = "here the case finds a requirement broken"
ROUTINE = (StatusWritten, StatusRead, FeaturesOffered, QueueReady, ResetDone)
"""What every initialisation has in it."""


def excerpt_steps(
    events: Sequence[tuple[int, Event]],
    total: int,
    marks: Collection[int] = (),
    found_after: Collection[int] = (),
    shortened: Collection[int] = (),
) -> list[Step]:
    """Return the steps of an excerpt.

    `events` are places in a trace of `total` events with what happened there; `marks` are places at
    which a violation was seen, `found_after` those after which the case found one, `shortened`
    those of events that do not name all their ranges.  What every initialisation has is told in one
    line, if a request comes after it.
    """
    first = _first_request(events)
    found: list[Step] = []
    folded = 0
    expected = 0
    drawn = steps(event for _, event in events)
    for index, ((place, event), step) in enumerate(zip(events, drawn, strict=True)):
        if place > expected:
            found.append(_aside(f"{_number(place - expected)} left out"))
        expected = place + 1
        matters = place in marks or place in found_after
        if index < first and isinstance(event, ROUTINE) and not matters:
            folded += 1
            continue
        if folded:
            found.append(_aside(f"{_number(folded)} of the initialisation"))
            folded = 0
        lines = step.lines
        if place in shortened:
            lines = (*lines, "  (not all of the ranges are kept)")
        found.append(replace(step, lines=lines, number=place, wrong=place in marks))
        if place in found_after:
            found.append(Step(Kind.ASIDE, (FOUND,), wrong=True))
    if total > expected:
        found.append(_aside(f"{_number(total - expected)} left out"))
    return list(_merged(found))


def _first_request(events: Sequence[tuple[int, Event]]) -> int:
    offers = (index for index, (_, event) in enumerate(events) if isinstance(event, Offered))
    return next(offers, 0)


def _aside(said: str) -> Step:
    return Step(Kind.ASIDE, (said,))


def _number(count: int) -> str:
    return "1 event" if count == 1 else f"{count} events"


def _merged(found: Sequence[Step]) -> Iterator[Step]:
    """Yield the steps with those that are nobody's, where there are several in a row, in one."""
    said: list[str] = []
    for step in found:
        if step.kind is Kind.ASIDE and not step.wrong:
            said += step.lines
            continue
        if said:
            yield _aside(", ".join(said))
            said = []
        yield step
    if said:
        yield _aside(", ".join(said))
