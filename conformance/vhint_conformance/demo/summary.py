"""What is said at the end."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from vhint_conformance.demo.plan import MIB, Mode, Plan, Scene
from vhint_conformance.demo.run import MOSTLY, Ending, Run, Stage
from vhint_conformance.demo.words import COLOURS, TALK, fitted, hinting, mib, more, title


def summary(plan: Plan, runs: Sequence[Run], description: str) -> Group:
    """Return the figures of all scenes that were played, with what they are worth."""
    parts: list[RenderableType] = []
    for scene in plan.scenes:
        lanes = [run for run in runs if run.scene is scene]
        if lanes:
            parts += [Text(title(scene, plan), "bold"), _table(lanes), Text()]
    by_mode = {run.mode: run for run in runs if run.scene is Scene.BUDGET}
    if len(by_mode) == len(Mode) and all(run.is_whole for run in by_mode.values()):
        parts += [Text(f"{more(by_mode[Mode.OFF], by_mode[Mode.ON])}.".capitalize(), "bold")]
    parts += [Text(_kept(plan, runs)), Text(TALK)]
    parts += [
        Text(
            f"Guest: {description or 'none was started'}. Memory is the allocated blocks of the "
            "guests' memory files, looked at ten times a second."
        )
    ]
    return Group(*parts)


def _table(lanes: Sequence[Run]) -> Table:
    table = Table(box=None, pad_edge=True, padding=(0, 3, 0, 1))
    table.add_column("", no_wrap=True)
    for run in lanes:
        table.add_column(hinting(run.mode), style=COLOURS[run.mode], header_style="bold")
    for name, value in _rows(lanes[0].scene):
        table.add_row(name, *(value(run) for run in lanes))
    if any(not run.is_whole for run in lanes):
        table.add_row("not to the end", *(_why(run) for run in lanes))
    return table


def _rows(scene: Scene) -> list[tuple[str, Callable[[Run], str]]]:
    common: list[tuple[str, Callable[[Run], str]]] = [
        ("requests, pages", lambda run: f"{run.last.requests:,}, {run.last.pages:,}"),
        ("most memory in use", lambda run: mib(run.peak)),
        ("in use at the end", lambda run: mib(run.last.used)),
    ]
    if scene is Scene.ONE_GUEST:
        return [("came back", _came_back), (f"{MOSTLY * 100:.0f} % of it after", _after), *common]
    return [("guests that fit", fitted), *common]


def _came_back(run: Run) -> str:
    """Say how much came back of each free, with commas between."""
    sizes = ", ".join(f"{reclaim.reclaimed / MIB:,.0f}" for reclaim in run.reclaims())
    return f"{sizes} of {mib(run.size)}" if sizes else "-"


def _after(run: Run) -> str:
    """Say how long that took."""
    reclaims = list(run.reclaims())
    if reclaims and all(reclaim.seconds is None for reclaim in reclaims):
        return f"not within {min(reclaim.watched for reclaim in reclaims):.1f} s"
    seconds = ("never" if each.seconds is None else f"{each.seconds:.1f} s" for each in reclaims)
    return ", ".join(seconds) or "-"


def _why(run: Run) -> str:
    if run.ending is Ending.FAILED:
        return f"failed: {run.error.partition(chr(10))[0]}"
    return "interrupted" if run.ending is Ending.INTERRUPTED else ""


def _kept(plan: Plan, runs: Sequence[Run]) -> str:
    whole = sum(len(run.times(Stage.INTACT)) for run in runs)
    lost = sum(len(run.times(Stage.CORRUPT)) for run in runs)
    if lost:
        return f"LOST DATA: {lost} guests do not have any more what they kept ({mib(plan.kept)})."
    if not whole:
        return "What guests kept was not looked at: none came to its end."
    guests = "guest" if whole == 1 else "guests"
    each = f"{mib(plan.kept)} each"
    return f"What {whole} {guests} kept ({each}) was read again at the end: all whole."
