"""`vhint demo`: the talk's test application, with real memory."""

from __future__ import annotations

import json
import re
import shutil
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import click

from vhint_conformance.demo import chart as charts
from vhint_conformance.demo.display import Lines, Picture, display_for
from vhint_conformance.demo.guest import DemoGuest
from vhint_conformance.demo.linux_guest import LinuxGuest
from vhint_conformance.demo.perform import Performance
from vhint_conformance.demo.plan import MIB, Mode, Plan, Scene
from vhint_conformance.demo.record import as_data
from vhint_conformance.demo.run import Ending, Run, Stage
from vhint_conformance.demo.simulated_guest import SimulatedGuest
from vhint_conformance.demo.summary import summary
from vhint_conformance.demo.words import mib
from vhint_conformance.report.console import make_console, print_block
from vhint_conformance.report.model import ExitStatus
from vhint_conformance.targets.linux.uml import memory_folder, missing

KINDS: dict[str, type[DemoGuest]] = {
    kind.kind: kind for kind in (LinuxGuest, SimulatedGuest)
}  # fmt: skip
AUTO = "auto"
LEAST = 8 * MIB
"""The least that can be told from what a kernel does by itself."""


class Size(click.ParamType[int]):
    """A number of bytes in whole MiB, with M or G behind it."""

    name = "size"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> int:
        """Return the bytes."""
        if isinstance(value, int):
            return value
        match = re.fullmatch(r"(\d{1,6})([MG])(?:i?B)?", str(value), re.IGNORECASE)
        if match is None:
            self.fail(f"{value!r} is not a size; write 200M or 1G", param, ctx)
        size = int(match[1]) * MIB << (10 if match[2] in "Gg" else 0)
        if size < LEAST:
            self.fail(f"{value} is less than {mib(LEAST)}, the smallest that shows", param, ctx)
        return size


@click.command(
    epilog="Exit status: 0 shown to the end, 1 a guest lost data, 2 wrong usage, 3 a guest did not"
    " start or died, 130 interrupted."
)
@click.option(
    "--size",
    type=Size(),
    default="200M",
    show_default=True,
    help="What a guest allocates, touches and frees.",
)
@click.option(
    "--budget",
    type=Size(),
    default="1G",
    show_default=True,
    help="The host memory that all guests together may take.",
)
@click.option(
    "--guests",
    type=click.IntRange(0, 64),
    default=12,
    show_default=True,
    help="How many guests are started in the budget at most; 0: only the one guest is shown.",
)
@click.option(
    "--hinting",
    type=click.Choice(["off", "on", "both"]),
    default="both",
    show_default=True,
    help="Whether the guests' device takes hints; both: two hosts, side by side.",
)
@click.option(
    "--guest",
    "kind",
    type=click.Choice([AUTO, *KINDS]),
    default=AUTO,
    show_default=True,
    help="Linux in User-Mode Linux, or vhint's own; auto: Linux if it is installed.",
)
@click.option(
    "--chart",
    type=click.Path(path_type=Path, dir_okay=False, writable=True),
    help="Draw what was seen: .svg, .png or .pdf (needs vhint[chart]).",
)
@click.option(
    "--json",
    "record",
    type=click.Path(path_type=Path, dir_okay=False, writable=True),
    help="Write every sample and figure to this file.",
)
@click.option(
    "--seed",
    type=int,
    default=0,
    show_default=True,
    help="Decides on what guests write, and in which order vhint's own frees.",
)
def demo(
    size: int,
    budget: int,
    guests: int,
    hinting: str,
    kind: str,
    chart: Path | None,
    record: Path | None,
    seed: int,
) -> int:
    """Show how memory that guests free comes back to the host, with hinting off and on.

    First one guest allocates memory, touches it and frees it, as the talk's test application does.
    Then guests that do the same are started one after another until the budget has no room for one
    more.  No root and no KVM are needed.  Ctrl-C ends it; what was seen so far is shown.

    \b
    For example:
      vhint demo
      vhint demo --guests 0 --guest simulated
      vhint demo --chart memory.svg --json memory.json
    """  # noqa: D301 - click wants the character itself
    modes = tuple(Mode) if hinting == "both" else (Mode(hinting),)
    plan = Plan(size=size, budget=budget, guests=guests, modes=modes, seed=seed)
    chosen, remark = choose(kind)
    check(plan, chosen, chart, record)
    console = make_console()
    display = display_for(plan, console)
    if remark:
        display.say(remark)
    performance = _play(plan, chosen, display)
    print_block(console, summary(plan, performance.runs, performance.description))
    if record:
        data = as_data(plan, performance.runs, chosen.kind, performance.description)
        _write(record, lambda: record.write_text(f"{json.dumps(data, indent=1)}\n"))
    if chart and any(run.samples for run in performance.runs):
        runs, said = performance.runs, performance.description
        _write(chart, lambda: charts.draw(chart, plan, runs, said))
    return int(_status(performance.runs))


def choose(kind: str) -> tuple[type[DemoGuest], str]:
    """Return the guest, and what has to be said about the choice."""
    lacking = missing()
    if kind == AUTO and lacking:
        return SimulatedGuest, (
            f"No Linux is started: {lacking}. vhint's own guest takes its place, simulated in this "
            "process: its memory is real, its application is not, and its times are not a kernel's."
        )
    if kind == LinuxGuest.kind and lacking:
        raise click.UsageError(f"--guest linux: {lacking}; or use --guest simulated")
    return KINDS[LinuxGuest.kind if kind == AUTO else kind], ""


def check(plan: Plan, kind: type[DemoGuest], chart: Path | None, record: Path | None) -> None:
    """Raise `click.UsageError` for what cannot be done on this machine."""
    if chart and (reason := charts.problem(chart)):
        raise click.UsageError(f"--chart: {reason}")
    for path in (chart, record):
        if path and not path.absolute().parent.is_dir():
            raise click.UsageError(f"{path}: the directory {path.parent} does not exist")
    # The guest that turns out to be one too many takes what it takes before it is ended.
    each = plan.size + plan.kept + 128 * MIB
    needed = len(plan.modes) * (each + (plan.budget if Scene.BUDGET in plan.scenes else 0))
    for place, available in _available(kind):
        if needed > available:
            raise click.UsageError(
                f"this needs up to {mib(needed)}, and {mib(available)} are available {place}: "
                "choose a smaller --budget or --size, or --hinting on or off alone"
            )


def _available(kind: type[DemoGuest]) -> Iterator[tuple[str, int]]:
    """Yield where guests' memory comes from, and how many bytes can be had there."""
    with suppress(OSError, ValueError, IndexError):
        said = re.findall(r"^MemAvailable:\s+(\d+) kB", Path("/proc/meminfo").read_text(), re.M)
        yield "of this machine's memory", int(said[0]) << 10
    if kind is LinuxGuest:
        with suppress(OSError):
            folder = memory_folder()
            yield f"in {folder}, where guests' memory lies", shutil.disk_usage(folder).free


def _play(plan: Plan, kind: type[DemoGuest], display: Lines | Picture) -> Performance:
    stop = threading.Event()
    performance = Performance(plan, kind, display, stop)
    with _stopping(stop, display):
        try:
            performance.play()
        finally:
            display.close()
    return performance


@contextmanager
def _stopping(stop: threading.Event, display: Lines | Picture) -> Iterator[None]:
    """Set an event at SIGINT, SIGTERM and SIGHUP, as often as they come."""

    def asked(*_: object) -> None:
        stop.set()

    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, asked) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        if stop.is_set():
            display.say("interrupted: this is what was seen so far")


def _write(path: Path, write: Callable[[], object]) -> None:
    try:
        write()
    except OSError as error:
        raise click.ClickException(f"{path} cannot be written: {error.strerror}") from None
    click.echo(f"wrote {path}", err=True)


def _status(runs: Sequence[Run]) -> ExitStatus:
    if any(run.times(Stage.CORRUPT) for run in runs):
        return ExitStatus.VIOLATED
    endings = {run.ending for run in runs}
    if Ending.FAILED in endings:
        for run in runs:
            if run.error:
                click.echo(f"vhint: hinting {run.mode}: {run.error}", err=True)
        return ExitStatus.TARGET
    return ExitStatus.INTERRUPTED if Ending.INTERRUPTED in endings else ExitStatus.CONFORMS
