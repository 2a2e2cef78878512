"""Drawing a machine: states in a column, arrows down the middle or along lanes beside it.

An arrow to the next state goes straight down. Arrows that skip states go along lanes on the right,
those that go back, or stay, along lanes on the left; all that lead to one state from one side run
together into its lane and enter it as one. Two lanes are at the same distance only where they do
not meet. So every label stands by itself at the state that is left, however many there are.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from vhint_conformance.drawing.svg import MONO, el, picture, text
from vhint_docs.states_model import Arrow, Machine

PORT = 20
"""Height that an arrow needs at the side of a state, with its label."""
LANE = 16
LABEL_LINE = 15
SMALL = 6.65
"""Width of a character of a label."""


@dataclass(frozen=True, slots=True)
class Lane:
    """All arrows to one state on one side: the heights at which they leave, with their labels.

    `enters` is the height at which they enter together, `place` how far out the lane is.
    """

    leaves: tuple[tuple[float, str], ...]
    enters: float
    place: int


def draw(machine: Machine, title: str) -> str:
    """Return the drawing of a machine."""
    straight = [a for a in machine.arrows if a.target == a.source + 1]
    right = [a for a in machine.arrows if a.target > a.source + 1]
    left = [a for a in machine.arrows if a.target <= a.source]
    box = max(len(state.name) for state in machine.states) * MONO + 36
    tops, heights, bottom = _column(machine, straight, right, left)
    rights, lefts = _lanes(right, tops), _lanes(left, tops)
    x = _room(left, lefts)
    room_right = max(_room(right, rights), _label_width(straight) - box / 2)
    marks = [_arrowhead()]
    marks += [_straight(arrow, x + box / 2, tops, heights) for arrow in straight]
    marks += [_side(lane, x + box, _label_width(right), 1) for lane in rights]
    marks += [_side(lane, x, _label_width(left), -1) for lane in lefts]
    for place, state in enumerate(machine.states):
        marks.append(_state(state.name, state.docs, x, tops[place], box, heights[place]))
    return picture(x + box + room_right, bottom, title, *marks, description=describe(machine))


def describe(machine: Machine) -> str:
    """Say in words what the drawing shows."""
    return " ".join(f"{source} on {event} to {target}." for source, event, target in machine.steps)


def _column(
    machine: Machine, straight: list[Arrow], right: list[Arrow], left: list[Arrow]
) -> tuple[list[float], list[float], float]:
    """Return the top and the height of every state, and the height of it all."""
    tops: list[float] = []
    heights: list[float] = []
    y = 8.0
    for place in range(len(machine.states)):
        ports = max(_ports(right, place), _ports(left, place))
        heights.append(max(36.0, ports * PORT + 12.0))
        tops.append(y)
        labels = [len(arrow.events) for arrow in straight if arrow.source == place]
        y += heights[-1] + max(34, max(labels, default=0) * LABEL_LINE + 22)
    return tops, heights, tops[-1] + heights[-1] + 12


def _ports(arrows: Iterable[Arrow], place: int) -> int:
    """Count the rows that arrows need at one side of a state: one an event, one to enter."""
    leaving = sum(len(arrow.events) for arrow in arrows if arrow.source == place)
    return leaving + any(arrow.target == place for arrow in arrows)


def _lanes(arrows: list[Arrow], tops: list[float]) -> list[Lane]:
    """Give the arrows to each state a lane, the shortest nearest to the column."""
    taken = dict.fromkeys(range(len(tops)), 0)

    def port(place: int) -> float:
        taken[place] += 1
        return tops[place] + 8 + taken[place] * PORT - PORT / 2

    enters = {target: port(target) for target in sorted({arrow.target for arrow in arrows})}
    leaves: dict[int, list[tuple[float, str]]] = {target: [] for target in enters}
    for arrow in sorted(arrows, key=lambda a: (a.source, abs(a.target - a.source))):
        leaves[arrow.target] += [(port(arrow.source), event) for event in arrow.events]
    spans = {
        target: (
            min(enters[target], leaves[target][0][0]) - 4,
            max(enters[target], leaves[target][-1][0]) + 4,
        )
        for target in enters
    }
    places: list[list[tuple[float, float]]] = []
    lanes: list[Lane] = []
    for target, span in sorted(spans.items(), key=lambda item: item[1][1] - item[1][0]):
        place = _free_place(places, span)
        places[place].append(span)
        lanes.append(Lane(tuple(leaves[target]), enters[target], place))
    return lanes


def _free_place(places: list[list[tuple[float, float]]], span: tuple[float, float]) -> int:
    for number, others in enumerate(places):
        if all(span[1] < low or high < span[0] for low, high in others):
            return number
    places.append([])
    return len(places) - 1


def _room(arrows: list[Arrow], lanes: list[Lane]) -> float:
    if not lanes:
        return 12.0
    return _label_width(arrows) + (max(lane.place for lane in lanes) + 1) * LANE + 10


def _label_width(arrows: Iterable[Arrow]) -> float:
    return max((len(e) for a in arrows for e in a.events), default=0) * SMALL + 18


def _straight(arrow: Arrow, x: float, tops: list[float], heights: list[float]) -> str:
    top, bottom = tops[arrow.source] + heights[arrow.source], tops[arrow.target]
    labels = "".join(
        text(x + 8, top + 16 + number * LABEL_LINE, event, "vh-t vh-small")
        for number, event in enumerate(arrow.events)
    )
    return _line(f"M{x:g} {top:g}V{bottom - 1:g}") + labels


def _side(lane: Lane, edge: float, label: float, direction: int) -> str:
    trunk = edge + direction * (label + lane.place * LANE + 6)
    heights = [lane.enters, *(height for height, _ in lane.leaves)]
    drawn = [
        el("path", d=f"M{trunk:g} {min(heights):g}V{max(heights):g}", class_="vh-line"),
        _line(f"M{trunk:g} {lane.enters:g}H{edge + direction:g}"),
    ]
    anchor = "start" if direction > 0 else "end"
    for height, event in lane.leaves:
        drawn.append(el("path", d=f"M{edge:g} {height:g}H{trunk:g}", class_="vh-line"))
        x = edge + direction * 8
        drawn.append(text(x, height - 4, event, "vh-t vh-small", text_anchor=anchor))
    return "".join(drawn)


def _state(name: str, docs: str, x: float, y: float, width: float, height: float) -> str:
    about = el("title", docs) if docs else ""
    rect = el("rect", x=x, y=y, width=width, height=height, rx=9, class_="vh-box")
    middle = y + height / 2 + 4
    return el(
        "g", about, rect, text(x + width / 2, middle, name, "vh-t vh-name", text_anchor="middle")
    )


def _line(path: str) -> str:
    return el("path", d=path, class_="vh-line", marker_end="url(#vh-arrow)")


def _arrowhead() -> str:
    tip = el("path", d="M0 0L10 5L0 10z", class_="vh-tip")
    marker = el(
        "marker",
        tip,
        id="vh-arrow",
        viewBox="0 0 10 10",
        refX=10,
        refY=5,
        markerWidth=7,
        markerHeight=7,
        orient="auto-start-reverse",
    )
    return el("defs", marker)
