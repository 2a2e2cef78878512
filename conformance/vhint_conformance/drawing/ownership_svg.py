"""Drawing an ownership timeline: a line a range of pages, a column an event."""

from __future__ import annotations

from vhint_conformance.drawing.ownership import Deed, Line, Spot, Timeline
from vhint_conformance.drawing.sequence_model import ranges
from vhint_conformance.drawing.svg import el, picture, text

LEFT = 196
RIGHT = 18
COLUMN = 40
NARROW = 11
WIDE = 720
HEAD = 26
ROW = 44
KEY = 46
WRONG = "\N{BALLOT X}"
LETTERS = {
    Deed.WRITTEN: "w",
    Deed.DISCARDED: "d",
    Deed.CHANGED: "c",
    Deed.ALLOCATED: "a",
    Deed.FREED: "f",
}
"""What stands in the mark of a deed: the shape alone would tell too little."""


def draw(shown: Timeline, title: str) -> str:
    """Return the drawing."""
    columns = len(shown.places)
    step = max(NARROW, min(COLUMN, (WIDE - LEFT - RIGHT) // max(1, columns)))
    width = max(LEFT + columns * step + RIGHT, WIDE)
    bottom = HEAD + ROW * len(shown.lines)
    marks = [text(LEFT - 12, HEAD - 10, "event", "vh-t vh-small", text_anchor="end")]
    every = -(-30 // step)
    for column, place in enumerate(shown.places):
        x = _at(column, step)
        if column % every == 0:
            marks.append(text(x, HEAD - 10, str(place), "vh-t vh-small", text_anchor="middle"))
            marks.append(el("path", d=f"M{x:g} {HEAD - 4}V{bottom}", class_="vh-grid"))
    end = _at(columns - 1, step) + step / 2
    for number, line in enumerate(shown.lines):
        marks.append(_line(line, HEAD + number * ROW, step, end))
    marks.append(_key(bottom + 14))
    said = " ".join(map(_described, shown.lines))
    return picture(width, bottom + KEY, title, *marks, description=said)


def _at(column: int, step: float) -> float:
    return LEFT + (column + 0.5) * step


def _line(line: Line, top: float, step: float, end: float) -> str:
    middle = top + ROW / 2 + 4
    wrong = any(spot.wrong for spot in line.spots)
    name = f"{WRONG} {ranges([line.span])}" if wrong else ranges([line.span])
    style = "vh-t vh-small vh-wrong" if wrong else "vh-t vh-small"
    parts = [
        text(LEFT - 12, middle + 4, name, style, text_anchor="end"),
        el("path", d=f"M{LEFT} {middle}H{end:g}", class_="vh-mine"),
    ]
    for begun, ended in line.periods:
        left = _at(begun, step)
        right = end if ended is None else _at(ended, step)
        bar = el("rect", x=left, y=middle - 8, width=max(2.0, right - left), height=16,
                 class_="vh-owned")  # fmt: skip
        parts.append(el("g", el("title", "the device's"), bar))
    parts += [_spot(spot, middle, step) for spot in line.spots]
    return "".join(parts)


def _spot(spot: Spot, y: float, step: float) -> str:
    x = _at(spot.column, step)
    inside = [el("title", f"{spot.deed}{', a violation' if spot.wrong else ''}")]
    if spot.since is not None:
        start = _at(spot.since, step) if spot.since >= 0 else float(LEFT)
        inside.append(el("path", d=f"M{start:g} {y - 14}v-3H{x:g}v3", class_="vh-maybe"))
    inside.append(el("circle", cx=x, cy=y, r=8, class_="vh-touch"))
    inside.append(text(x, y + 4, LETTERS[spot.deed], "vh-t vh-small", text_anchor="middle"))
    return el("g", *inside, class_="vh-wrong" if spot.wrong else None)


def _key(y: float) -> str:
    """Explain the marks."""
    bar = el("rect", x=LEFT, y=y, width=22, height=12, class_="vh-owned")
    line = el("path", d=f"M{LEFT + 130} {y + 6}h22", class_="vh-mine")
    between = el("path", d=f"M{LEFT + 258} {y + 9}v-3h22v3", class_="vh-maybe")
    deeds = ", ".join(f"{letter} {deed}" for deed, letter in LETTERS.items())
    words = [
        text(LEFT + 28, y + 10, "the device's", "vh-t vh-small"),
        text(LEFT + 158, y + 10, "the driver's", "vh-t vh-small"),
        text(LEFT + 286, y + 10, "seen at some time in between", "vh-t vh-small"),
        text(LEFT, y + 27, deeds, "vh-t vh-small"),
    ]
    return el("g", bar, line, between, *words)


def _described(line: Line) -> str:
    said = [f"{ranges([line.span])}:"]
    said += [
        f"the device's from event column {begun + 1}"
        + (f" to {ended + 1};" if ended is not None else " on;")
        for begun, ended in line.periods
    ] or ["never the device's;"]
    said += [
        f"{spot.deed} at column {spot.column + 1}{', a violation' if spot.wrong else ''};"
        for spot in line.spots
    ]
    return " ".join(said)
