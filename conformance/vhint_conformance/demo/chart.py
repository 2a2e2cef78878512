"""The chart of a demonstration, drawn by matplotlib: SVG, PNG or PDF, as the file's name ends.

matplotlib is an extra (`vhint[chart]`) and is imported when a chart is drawn, not before.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vhint_conformance.demo.plan import MIB, Mode, Plan, Scene
from vhint_conformance.demo.run import Run, Sample, Stage
from vhint_conformance.demo.words import COLOURS, fitted, hinting, mib, more, reclaimed, title

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SUFFIXES = (".svg", ".png", ".pdf")
SETTINGS: dict[Any, Any] = {
    "svg.fonttype": "none",  # text stays text
    "svg.hashsalt": "vhint",  # the same figures make the same file
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
    "axes.titleweight": "bold",
    "axes.grid": True,
    "grid.color": "#dddddd",
    "grid.linewidth": 0.6,
    "legend.frameon": False,
}
WIDTH = 8.5
LIMIT = "#b00020"
"""The colour of the budget and of who is turned away."""


def problem(path: Path) -> str | None:
    """Say why no chart can be drawn to that file, or return None."""
    if path.suffix.lower() not in SUFFIXES:
        return f"{path}: a chart ends in {', '.join(SUFFIXES)}"
    if importlib.util.find_spec("matplotlib") is None:
        return "a chart needs matplotlib: pip install 'vhint[chart]'"
    return None


def draw(path: Path, plan: Plan, runs: Sequence[Run], description: str) -> None:
    """Draw what was seen; raises `OSError` if the file cannot be written."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    panels = [panel for panel in _panels(runs) if panel[1]]
    with rc_context(SETTINGS):
        heights = [height for height, _, _ in panels]
        figure = Figure(figsize=(WIDTH, 0.9 + 1.1 * sum(heights)), layout="constrained")
        axes = figure.subplots(len(panels), 1, height_ratios=heights, squeeze=False)
        for ax, (_, lanes, paint) in zip(axes[:, 0], panels, strict=True):
            paint(ax, plan, lanes)
            ax.set_xlim(0, max(run.last.at for run in lanes) * 1.02 or 1)
            ax.set_ylim(bottom=0)
        axes[-1, 0].set_xlabel("seconds")
        figure.text(0.01, -0.005, _footer(plan, description), fontsize=7, color="#555555", va="top")
        about = {"Title": "vhint demo", "Description": _footer(plan, description)}
        metadata = {**about, "Date": None} if path.suffix.lower() == ".svg" else None
        figure.savefig(path, dpi=150, bbox_inches="tight", pad_inches=0.15, metadata=metadata)


Paint = Callable[["Axes", Plan, Sequence[Run]], None]


def _panels(runs: Sequence[Run]) -> list[tuple[float, list[Run], Paint]]:
    """Return height, runs and painter of every panel; one of no runs is left out."""
    one = [run for run in runs if run.scene is Scene.ONE_GUEST and run.samples]
    budget = [run for run in runs if run.scene is Scene.BUDGET and run.samples]
    return [(2.4, one, _memory), (1.2, one, _pages), (3.0, budget, _budget)]


def _footer(plan: Plan, description: str) -> str:
    return (
        f"{description or 'no guest was started'}; each guest frees {mib(plan.size)} and keeps "
        f"{mib(plan.kept)}; memory is the allocated blocks of the guests' memory files; "
        f"seed {plan.seed}"
    )


def _curve(ax: Axes, run: Run, value: Callable[[Sample], float], label: str) -> None:
    times = [sample.at for sample in run.samples]
    ax.plot(
        times,
        [value(sample) for sample in run.samples],
        color=COLOURS[run.mode],
        lw=1.6,
        label=label,
    )


def _used(sample: Sample) -> float:
    return sample.used / MIB


def _memory(ax: Axes, plan: Plan, runs: Sequence[Run]) -> None:
    """Paint the host memory of one guest, and what came back of every free."""
    ax.set_title(title(Scene.ONE_GUEST, plan))
    for run in runs:
        _curve(ax, run, _used, hinting(run.mode))
        if run.mode is Mode.ON or len(runs) == 1:
            _came_back(ax, run)
    ax.set_ylim(top=max(run.peak for run in runs) / MIB * 1.25 or 1)
    ax.set_ylabel("MiB in use")
    ax.legend(loc="upper left", ncols=2)


def _came_back(ax: Axes, run: Run) -> None:
    """Mark every free, and say beside the fall what came of it."""
    for freed, reclaim in zip(run.times(Stage.FREED), run.reclaims(), strict=True):
        ax.axvline(freed.at, color="#888888", lw=0.7, ls=":")
        _label(ax, "freed", freed.at, run.peak / MIB * 0.03, (3, 0), "#666666", ha="left")
        what = reclaimed(reclaim).replace(", ", " back,\n")
        at = freed.at + (reclaim.seconds or 0)
        _label(ax, what, at, run.peak / MIB * 0.6, (9, 0), COLOURS[run.mode], ha="left")


def _label(
    ax: Axes, text: str, x: float, y: float, offset: tuple[int, int], colour: str, *, ha: str
) -> None:
    ax.annotate(
        text, (x, y), xytext=offset, textcoords="offset points", fontsize=8, color=colour, ha=ha
    )


def _pages(ax: Axes, _: Plan, runs: Sequence[Run]) -> None:
    """Paint the pages that were offered, all together."""
    ax.set_title("Pages that the guest has offered")
    for run in runs:
        label = f"{hinting(run.mode)}: {run.last.pages:,} in {run.last.requests:,} requests"
        _curve(ax, run, lambda sample: sample.pages / 1000, label)
    ax.set_ylim(top=max(1, *(run.last.pages for run in runs)) / 1000 * 1.6)
    ax.set_ylabel("thousands")
    ax.legend(loc="upper left", ncols=2)


def _budget(ax: Axes, plan: Plan, runs: Sequence[Run]) -> None:
    """Paint the host memory of all guests that were started, one after another."""
    by_mode = {run.mode: run for run in runs}
    ax.set_title(title(Scene.BUDGET, plan))
    if len(by_mode) == len(Mode) and all(run.is_whole for run in runs):
        ax.set_title(f"{ax.get_title('left')}: {more(by_mode[Mode.OFF], by_mode[Mode.ON])}")
    for run in runs:
        _curve(ax, run, _used, f"{hinting(run.mode)}: {fitted(run)} guests fit")
        for note in run.times(Stage.ALLOCATED):
            place = (0, 3) if run.mode is Mode.ON else (5, -10)
            at = _highest(run, note.at) / MIB
            _label(ax, str(note.guest), note.at, at, place, COLOURS[run.mode], ha="center")
        for note in run.times(Stage.TURNED_AWAY):
            ax.plot([note.at], [run.peak / MIB], marker="x", color=LIMIT, ms=7, mew=2, ls="none")
    ax.axhline(plan.budget / MIB, color=LIMIT, lw=1, ls="--", label=f"budget: {mib(plan.budget)}")
    ax.set_ylim(top=max(plan.budget, *(run.peak for run in runs)) / MIB * 1.3)
    ax.set_ylabel("MiB in use")
    ax.legend(loc="upper left", ncols=3)


def _highest(run: Run, at: float) -> int:
    """Return the memory in use about then."""
    return max((s.used for s in run.samples if abs(s.at - at) <= 0.4), default=0)
