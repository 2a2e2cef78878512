"""Whose pages are when: the lines of an ownership timeline, from the events of a trace.

It follows the same rules as the bars of a sequence diagram (`sequence_model.steps`).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

from vhint.spans import Span, intersect, merge, subtract
from vhint.trace.events import (
    Allocated,
    Changed,
    Discarded,
    Event,
    Freed,
    Isolated,
    Offered,
    Returned,
    Touched,
)
from vhint_conformance.drawing.sequence_model import steps

MOST_LINES = 6


class Deed(StrEnum):
    """What can happen to pages, beside changing hands."""

    WRITTEN = "written by the driver"
    DISCARDED = "discarded"
    CHANGED = "changed"
    ALLOCATED = "allocated"
    FREED = "freed"


DEEDS: dict[type[Event], Deed] = {
    Touched: Deed.WRITTEN,
    Discarded: Deed.DISCARDED,
    Changed: Deed.CHANGED,
    Allocated: Deed.ALLOCATED,
    Freed: Deed.FREED,
}


@dataclass(frozen=True, slots=True)
class Spot:
    """Something that was done to pages, at a column; observed, at some time after `since`.

    `held` says that the pages were the device's.
    """

    column: int
    deed: Deed
    wrong: bool
    since: int | None = None
    held: bool = False


@dataclass(slots=True)
class Line:
    """A range of pages: when it is the device's, as pairs of columns, and what happens to it.

    A period that ends at None goes on after the end.
    """

    span: Span
    periods: list[tuple[int, int | None]] = field(default_factory=list)
    spots: list[Spot] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Timeline:
    """Lines over columns; `places` are the events' places in the trace, one a column."""

    places: tuple[int, ...]
    lines: tuple[Line, ...]


def timeline(events: Sequence[tuple[int, Event]], marks: Collection[int]) -> Timeline | None:
    """Return the lines of the pages that violations are about, and of their neighbours.

    None if no event at a mark is about the lifetime of pages.
    """
    about = [
        span
        for place, event in events
        if place in marks and isinstance(event, (*DEEDS, Isolated, Returned))
        for span in getattr(event, "spans", ())
    ]
    if not about:
        return None
    lines = [Line(span) for span in _ranges(events, merge(about))]
    drawn = steps(event for _, event in events)
    places = [place for place, _ in events]
    open_since: list[dict[int, int]] = [{} for _ in lines]
    for column, ((place, event), step) in enumerate(zip(events, drawn, strict=True)):
        for line, holders in zip(lines, open_since, strict=True):
            if step.gives is not None and isinstance(event, Offered) and _hits(event.blocks, line):
                holders[step.gives] = min([column, *holders.values()])
            back = set(holders) if step.returns_all else set(step.returns) & set(holders)
            begun = min(holders.values(), default=column)
            for ticket in back:
                del holders[ticket]
            if back and not holders:
                line.periods.append((begun, column))
            deed = DEEDS.get(type(event))
            if deed and _hits(getattr(event, "spans", ()), line):
                since = _column(places, getattr(event, "since", None))
                line.spots.append(Spot(column, deed, place in marks, since, bool(holders)))
    for line, holders in zip(lines, open_since, strict=True):
        if holders:
            line.periods.append((min(holders.values()), None))
    _acquit(lines)
    return Timeline(tuple(places), tuple(lines))


def _acquit(lines: Sequence[Line]) -> None:
    """Leave the blame for what was done to many pages at once with those that were not its doer's.

    If it was within the rights to all of them it was wrong for another reason, and stays so.
    """
    guilty = {
        (id(line), spot)
        for line in lines
        for spot in line.spots
        if spot.wrong and not _was_within_rights(line, spot)
    }
    columns = {spot.column for _, spot in guilty}
    for line in lines:
        line.spots = [
            replace(spot, wrong=False)
            if spot.column in columns and (id(line), spot) not in guilty
            else spot
            for spot in line.spots
        ]


def _was_within_rights(line: Line, spot: Spot) -> bool:
    """Whether pages were the device's when it may have discarded them, or not when the driver did.

    What was observed may have been done at any time since the last look.
    """
    if spot.deed not in (Deed.DISCARDED, Deed.CHANGED):
        return not spot.held
    since = spot.column if spot.since is None else spot.since
    return any(
        begun <= spot.column and (ended is None or ended > since) for begun, ended in line.periods
    )


def _ranges(events: Sequence[tuple[int, Event]], about: Sequence[Span]) -> list[Span]:
    """Return the ranges that get a line, by address.

    What a violation is about is cut where the device's permission begins or ends: in
    "[block that was offered][its neighbour]" each part has a history of its own.
    """
    offered = merge(
        span for _, event in events if isinstance(event, Offered) for span in event.blocks
    )
    inside, outside = intersect(about, offered), subtract(about, offered)
    chosen = [*outside[: MOST_LINES - 1], *inside[:MOST_LINES]][:MOST_LINES]
    if len(chosen) < MOST_LINES:
        rest = subtract(offered, about)
        middle = about[0].start
        rest = tuple(sorted(rest, key=lambda span: abs(span.start - middle)))
        chosen += rest[: min(2, MOST_LINES - len(chosen))]
    return sorted(chosen)


def _hits(spans: Sequence[Span], line: Line) -> bool:
    return any(span.overlaps(line.span) for span in spans)


def _column(places: Sequence[int], since: int | None) -> int | None:
    """Return the column of the last event that is kept at or before a place; -1 before all."""
    if since is None:
        return None
    return max((column for column, place in enumerate(places) if place <= since), default=-1)
