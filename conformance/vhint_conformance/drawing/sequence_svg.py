"""Drawing a sequence: two lifelines, a step a row, and whose the blocks are beside the device."""

from __future__ import annotations

from collections.abc import Sequence

from vhint_conformance.drawing.sequence_model import Kind, Step
from vhint_conformance.drawing.svg import el, picture, text

WIDTH = 720
DRIVER = 84
DEVICE = 620
HEAD = 44
LINE = 15
SMALL = 6.65
BAR = 7


def draw(steps: Sequence[Step], title: str) -> str:
    """Return the drawing."""
    marks: list[str] = []
    bars: list[str] = []
    given: dict[int, float] = {}
    y = float(HEAD)
    for step in steps:
        bottom = y + len(step.lines) * LINE + 14
        marks.append(_step(step, y, bottom))
        if step.gives is not None:
            given[step.gives] = bottom - 2
        returned = list(given) if step.returns_all else step.returns
        bars += [
            _bar(given.pop(ticket), bottom - 2, len(given))
            for ticket in returned
            if ticket in given
        ]
        y = bottom + 4
    bars += [_bar(top, y, place) for place, top in enumerate(given.values())]
    y += 10
    lines = [_lifeline(DRIVER, y, "Driver"), _lifeline(DEVICE, y, "Device")]
    said = " ".join(f"{_who(step.kind)} {' '.join(step.lines)}." for step in steps)
    return picture(WIDTH, y + 4, title, _arrowheads(), *lines, *bars, *marks, description=said)


def _step(step: Step, top: float, bottom: float) -> str:
    if step.kind in (Kind.DRIVER, Kind.DEVICE):
        return _note(step, top, bottom)
    forth = step.kind is Kind.TO_DEVICE
    start, end = (DRIVER, DEVICE - BAR) if forth else (DEVICE - BAR, DRIVER)
    y = bottom - 4
    arrow = el(
        "path",
        d=f"M{start} {y:g}H{end + (-1 if forth else 1)}",
        class_="vh-line" if forth else "vh-line vh-back",
        marker_end="url(#vh-head)",
    )
    middle = (DRIVER + DEVICE) / 2
    return arrow + _lines(step.lines, middle, top, "middle")


def _note(step: Step, top: float, bottom: float) -> str:
    width = max(map(len, step.lines)) * SMALL + 20
    x = DRIVER - 74.0 if step.kind is Kind.DRIVER else DEVICE + 90 - width
    box = el("rect", x=x, y=top, width=width, height=bottom - top - 4, rx=4, class_="vh-note")
    return box + _lines(step.lines, x + 10, top + 3, "start")


def _lines(lines: Sequence[str], x: float, top: float, anchor: str) -> str:
    return "".join(
        text(x, top + 11 + number * LINE, line, "vh-t vh-small", text_anchor=anchor)
        for number, line in enumerate(lines)
    )


def _bar(top: float, bottom: float, place: int) -> str:
    x = DEVICE - BAR + place * 4
    owned = el("title", "the blocks belong to the device")
    rect = el("rect", x=x, y=top, width=2 * BAR, height=bottom - top, class_="vh-owned")
    return el("g", owned, rect)


def _lifeline(x: float, bottom: float, name: str) -> str:
    box = el("rect", x=x - 60, y=4, width=120, height=28, rx=6, class_="vh-box")
    label = text(x, 23, name, "vh-t vh-name", text_anchor="middle")
    return el("path", d=f"M{x} 32V{bottom:g}", class_="vh-life") + box + label


def _who(kind: Kind) -> str:
    return "Driver:" if kind in (Kind.TO_DEVICE, Kind.DRIVER) else "Device:"


def _arrowheads() -> str:
    tip = el("path", d="M0 0L10 5L0 10z", class_="vh-tip")
    marker = el(
        "marker",
        tip,
        id="vh-head",
        viewBox="0 0 10 10",
        refX=10,
        refY=5,
        markerWidth=7,
        markerHeight=7,
        orient="auto-start-reverse",
    )
    return el("defs", marker)
