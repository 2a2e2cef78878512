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
WRONG = "\N{BALLOT X}"
MARGIN = 38
"""Width of the numbers of events, where there are any."""


def draw(steps: Sequence[Step], title: str) -> str:
    """Return the drawing."""
    marks: list[str] = []
    numbers: list[str] = []
    bars: list[str] = []
    given: dict[int, float] = {}
    y = float(HEAD)
    for step in steps:
        bottom = y + len(step.lines) * LINE + 14
        marks.append(_step(step, y, bottom))
        if step.number is not None:
            label = f"{step.number}"
            numbers.append(text(MARGIN - 12, y + 11, label, "vh-t vh-small", text_anchor="end"))
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
    said = " ".join(map(_said, steps))
    drawn = [*lines, *bars, *marks]
    if not numbers:
        return picture(WIDTH, y + 4, title, *drawn, description=said)
    shifted = el("g", *drawn, transform=f"translate({MARGIN} 0)")
    return picture(WIDTH + MARGIN, y + 4, title, *numbers, shifted, description=said)


def _step(step: Step, top: float, bottom: float) -> str:
    if step.kind is Kind.ASIDE:
        return _lines(step, (DRIVER + DEVICE) / 2, top, "middle", "vh-t vh-small vh-aside")
    if step.kind in (Kind.DRIVER, Kind.DEVICE):
        return _note(step, top, bottom)
    forth = step.kind is Kind.TO_DEVICE
    start, end = (DRIVER, DEVICE - BAR) if forth else (DEVICE - BAR, DRIVER)
    y = bottom - 4
    back = -8 if forth else 8
    arrow = el("path", d=f"M{start} {y:g}H{end}", class_="vh-line" if forth else "vh-line vh-back")
    # Not a marker: its id would have to be the only one of a page with many drawings.
    tip = el("path", d=f"M{end} {y:g}l{back} -4v8z", class_="vh-tip")
    return el("g", arrow, tip, class_=_wrong(step)) + _lines(
        step, (DRIVER + DEVICE) / 2, top, "middle"
    )


def _note(step: Step, top: float, bottom: float) -> str:
    width = max(map(len, _shown(step))) * SMALL + 20
    x = DRIVER - 74.0 if step.kind is Kind.DRIVER else DEVICE + 90 - width
    box = el("rect", x=x, y=top, width=width, height=bottom - top - 4, rx=4, class_="vh-note")
    return el("g", box, class_=_wrong(step)) + _lines(step, x + 10, top + 3, "start")


def _lines(step: Step, x: float, top: float, anchor: str, style: str = "vh-t vh-small") -> str:
    return "".join(
        text(
            x, top + 11 + number * LINE, line, f"{style} vh-wrong" if step.wrong else style,
            text_anchor=anchor,
        )
        for number, line in enumerate(_shown(step))
    )  # fmt: skip


def _shown(step: Step) -> Sequence[str]:
    """Return the lines of a step; one that is wrong has a mark, not a colour alone."""
    return (f"{WRONG} {step.lines[0]}", *step.lines[1:]) if step.wrong else step.lines


def _wrong(step: Step) -> str | None:
    return "vh-wrong" if step.wrong else None


def _bar(top: float, bottom: float, place: int) -> str:
    x = DEVICE - BAR + place * 4
    owned = el("title", "the blocks belong to the device")
    rect = el("rect", x=x, y=top, width=2 * BAR, height=bottom - top, class_="vh-owned")
    return el("g", owned, rect)


def _lifeline(x: float, bottom: float, name: str) -> str:
    box = el("rect", x=x - 60, y=4, width=120, height=28, rx=6, class_="vh-box")
    label = text(x, 23, name, "vh-t vh-name", text_anchor="middle")
    return el("path", d=f"M{x} 32V{bottom:g}", class_="vh-life") + box + label


def _said(step: Step) -> str:
    who = "Driver: " if step.kind in (Kind.TO_DEVICE, Kind.DRIVER) else "Device: "
    if step.kind is Kind.ASIDE:
        who = ""
    wrong = "A violation is seen here. " if step.wrong else ""
    return f"{wrong}{who}{' '.join(step.lines)}."
