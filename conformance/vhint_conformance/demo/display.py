"""What is shown while it happens: a picture on a terminal, a line for each event anywhere else."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from rich.console import Console, Group
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from vhint_conformance.demo.bars import columns, rows
from vhint_conformance.demo.plan import MIB, Plan, Scene
from vhint_conformance.demo.run import MOSTLY, Note, Run
from vhint_conformance.demo.words import COLOURS, event, fitted, hinting, mib, title
from vhint_conformance.report.console import watched

NARROW = 72
"""Characters below which the two pictures stand above each other."""
AXIS = 6
"""Characters of the numbers beside a picture."""
EVENTS = 3
"""How many of the latest events are shown below."""
HIGHEST = 12


class Events:
    """Finds out which notes are new."""

    def __init__(self) -> None:
        self._told: dict[tuple[Scene, str], int] = {}

    def new(self, runs: Sequence[Run]) -> Iterator[tuple[Run, Note]]:
        """Yield every note once, in the order of time."""
        found = []
        for run in runs:
            key = (run.scene, run.mode)
            notes = run.notes[self._told.get(key, 0) :]
            self._told[key] = self._told.get(key, 0) + len(notes)
            found += [(run, note) for note in notes]
        return iter(sorted(found, key=lambda pair: pair[1].at))


class Lines:
    """A line for each event."""

    def __init__(self, plan: Plan, console: Console) -> None:
        self._plan = plan
        self._console = console
        self._events = Events()
        self._scene: Scene | None = None

    def say(self, line: str) -> None:
        """Say something else."""
        self._console.print(Text(line), soft_wrap=True)

    def show(self, runs: Sequence[Run]) -> None:
        """Print what is new."""
        for run, note in self._events.new(runs):
            if run.scene is not self._scene:
                self._scene = run.scene
                self.say(title(run.scene, self._plan))
            used = f"{mib(run.last.used)} in use"
            what = event(run, note, self._plan)
            self.say(f"{note.at:6.1f} s  {hinting(run.mode):11}  {what}; {used}")

    def finished(self, runs: Sequence[Run]) -> None:
        """Print what is left to say."""
        self.show(runs)
        self.say("")

    def close(self) -> None:
        """Do nothing more."""


class Picture:
    """Both hosts side by side, redrawn at every sample; each scene's last picture stays."""

    def __init__(self, plan: Plan, console: Console) -> None:
        self._plan = plan
        self._console = console
        self._events = Events()
        self._latest: list[Text] = []
        self._live: Live | None = None

    def say(self, line: str) -> None:
        """Say something above the picture."""
        self._console.print(Text(line))

    def show(self, runs: Sequence[Run]) -> None:
        """Redraw."""
        if self._live is None:
            self._live = Live(console=self._console, auto_refresh=False, transient=False)
            self._live.start()
        for run, note in self._events.new(runs):
            text = Text(f"{note.at:6.1f} s  ")
            text.append(f"{hinting(run.mode):11}", COLOURS[run.mode])
            self._latest.append(text.append(f"  {event(run, note, self._plan)}"))
        size = self._console.size
        self._live.update(self._drawn(runs, size.width, size.height), refresh=True)

    def _drawn(self, runs: Sequence[Run], width: int, height: int) -> Group:
        latest = self._latest[-EVENTS:]
        latest += [Text()] * (EVENTS - len(latest))
        for line in latest:
            line.truncate(width, overflow="ellipsis")
        return Group(
            Text(title(runs[0].scene, self._plan), "bold"),
            pictures(runs, width, height - EVENTS - 8),
            figures(runs),
            Group(*latest),
        )

    def finished(self, runs: Sequence[Run]) -> None:
        """Leave the picture of a scene where it stands."""
        self.show(runs)
        self.close()
        self._latest.clear()
        self._console.print()

    def close(self) -> None:
        """Give the terminal back."""
        if self._live:
            self._live.stop()
            self._live = None


def display_for(plan: Plan, console: Console) -> Lines | Picture:
    """Return a picture for a terminal that can show one."""
    can_draw = watched(console) and console.encoding == "utf-8"
    return Picture(plan, console) if can_draw else Lines(plan, console)


def pictures(runs: Sequence[Run], width: int, height: int) -> Table:
    """Return the memory in use of each host over time, on the same scales."""
    across = 1 if width < NARROW or len(runs) == 1 else len(runs)
    each = width // across - AXIS - 4
    high = max(3, min(HIGHEST, (height if across > 1 else height // len(runs)) - 3))
    seconds = max(10.0, math.ceil(max(run.last.at for run in runs) / 10) * 10.0)
    highest = max(max(run.peak, run.budget or 0) for run in runs)
    top = max(1, -(-highest // (64 * MIB))) * 64 * MIB
    grid = Table.grid(expand=False)
    panels = [_panel(run, each, high, seconds, top) for run in runs]
    for first in range(0, len(panels), across):
        grid.add_row(*panels[first : first + across])
    return grid


def _panel(run: Run, width: int, height: int, seconds: float, top: int) -> Panel:
    drawn = rows(columns(run.samples, seconds, width), top, height, run.budget)
    text = Text(no_wrap=True)
    for number, row in enumerate(drawn):
        label = {0: f"{top // MIB}", height - 1: "0"}.get(number, "")
        text.append(f"{label:>{AXIS - 1}} ", "dim")
        text.append(row, COLOURS[run.mode])
        text.append("\n")
    right = f"{seconds:g} s"
    text.append(" " * AXIS + "0" + right.rjust(width - 1), "dim")
    now = f"{mib(run.last.used)} in use"
    return Panel(
        text,
        title=Text(f"{hinting(run.mode)}: {now}", COLOURS[run.mode]),
        title_align="left",
        border_style="dim",
        width=width + AXIS + 4,
    )


def figures(runs: Sequence[Run]) -> Table:
    """Return the figures of now, a row for each host."""
    table = Table(box=None, padding=(0, 2, 0, 0))
    table.add_column("", no_wrap=True)
    results = ["fit"] if runs[0].budget is not None else ["back", f"{MOSTLY * 100:.0f} % after"]
    for name in ("guests", "in use", "most", "requests", "pages", *results):
        table.add_column(name, justify="right", no_wrap=True)
    for run in runs:
        last = run.last
        table.add_row(
            Text(hinting(run.mode), COLOURS[run.mode]),
            str(last.guests),
            mib(last.used),
            mib(run.peak),
            f"{last.requests:,}",
            f"{last.pages:,}",
            *_results(run),
        )
    return table


def _results(run: Run) -> list[str]:
    if run.budget is not None:
        return [fitted(run) if run.ending else str(run.fitted)]
    frees = list(run.reclaims())
    if not frees:
        return ["", ""]
    return [
        mib(frees[-1].reclaimed),
        "" if frees[-1].seconds is None else f"{frees[-1].seconds:.1f} s",
    ]
