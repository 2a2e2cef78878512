"""What was seen, in words."""

from __future__ import annotations

from vhint_conformance.demo.plan import MIB, Mode, Plan, Scene
from vhint_conformance.demo.run import MOSTLY, Note, Reclaim, Run, Stage

TALK = (
    "The talk gives no figure: a good amount of what its test application freed was received back "
    "on the host, but not what was parked in the guest's caches."
)
"""What is said of the talk's own measurements (KVM Forum 2018), beside ours."""

COLOURS = {Mode.OFF: "#d9730d", Mode.ON: "#1f77b4"}
"""A lane has the same colour everywhere."""


def mib(size: int) -> str:
    """Say a number of bytes.

    >>> mib(209715200)
    '200 MiB'
    """
    return f"{size / MIB:,.0f} MiB"


def hinting(mode: Mode) -> str:
    """Name a lane.

    >>> hinting(Mode.ON)
    'hinting on'
    """
    return f"hinting {mode}"


def title(scene: Scene, plan: Plan) -> str:
    """Name a scene."""
    if scene is Scene.ONE_GUEST:
        return f"One guest allocates, touches and frees {mib(plan.size)}"
    return f"Guests that do so, one after another, in {mib(plan.budget)} of host memory"


def reclaimed(reclaim: Reclaim) -> str:
    """Say what came of one free.

    >>> reclaimed(Reclaim(200 * MIB, 196 * MIB, 2.31, 2.2, 7.1, 2, 50176))
    '196 of 200 MiB, 90 % after 2.3 s'
    >>> reclaimed(Reclaim(200 * MIB, 0, None, None, 7.1, 0, 0))
    '0 of 200 MiB within 7.1 s'
    """
    came = f"{reclaim.reclaimed / MIB:,.0f} of {mib(reclaim.freed)}"
    if reclaim.seconds is None:
        return f"{came} within {reclaim.watched:.1f} s"
    return f"{came}, {MOSTLY * 100:.0f} % after {reclaim.seconds:.1f} s"


def fitted(run: Run) -> str:
    """Say how many guests fit, and whether more might.

    A number without "at least" was found by one more guest that did not fit.
    """
    return str(run.fitted) if run.is_bound else f"at least {run.fitted}"


def more(off: Run, on: Run) -> str:
    """Compare two hosts: the talk's motive."""
    difference = on.fitted - off.fitted
    if not off.is_bound:
        return "the budget was not used up without hinting: a smaller one tells more"
    if difference == 0:
        return "no more guests fit with hinting" if on.is_bound else "not seen to the end"
    if difference < 0:
        return f"{-difference} fewer fit with hinting"
    least = "" if on.is_bound else "at least "
    fit = "guest fits" if difference == 1 else "guests fit"
    return f"{least}{difference} more {fit} with hinting"


def event(run: Run, note: Note, plan: Plan) -> str:
    """Say what a guest has come to."""
    who = f"guest {note.guest}"
    match note.stage:
        case Stage.STARTED:
            return f"{who} has started"
        case Stage.ALLOCATED:
            return f"{who} has allocated {mib(plan.size)} and touched all of it"
        case Stage.FREED:
            return f"{who} frees it"
        case Stage.SETTLED:
            at = max(each.at for each in run.times(Stage.FREED) if each.at <= note.at)
            return f"{who}: back came {reclaimed(run.reclaim(at, note.at))}"
        case Stage.TURNED_AWAY:
            began = max(each.at for each in run.times(Stage.STARTED) if each.at <= note.at)
            needed = mib(run.peak_since(began))
            return f"{who} does not fit: with it {needed} were in use; it is ended"
        case Stage.INTACT:
            return f"{who}: the {mib(plan.kept)} that it kept are whole"
        case Stage.CORRUPT:
            return f"{who}: LOST DATA: the {mib(plan.kept)} that it kept are not what it wrote"
