"""`vhint fuzz`: random traffic for devices and drivers, and the shortest failure it leads to."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from vhint.wire.queues import QueueMode
from vhint_conformance import expectations, targets
from vhint_conformance.case import Role
from vhint_conformance.cli import completing
from vhint_conformance.cli.verbosity import verbosity, verbosity_options
from vhint_conformance.collection import UsageError
from vhint_conformance.fuzz.options import Options
from vhint_conformance.model.history import write_vector
from vhint_conformance.report import files
from vhint_conformance.report.console import make_console
from vhint_conformance.report.model import ExitStatus
from vhint_conformance.report.progress import time_left_bar
from vhint_conformance.report.verbosity import Verbosity
from vhint_conformance.targets import DriverTarget, SpawnPer, Target, TargetSettings
from vhint_conformance.verdict import NotApplicable, TargetDied, TargetNotStarted

if TYPE_CHECKING:
    from vhint_conformance.fuzz.hunt import Finding

ORDINARY = Options()
NOTHING_SAID = TargetSettings(spawn_per=SpawnPer.CASE)


@click.command()
@click.argument("target", shell_complete=completing.targets)
@click.option(
    "--role",
    type=click.Choice([Role.DEVICE.value, Role.DRIVER.value]),
    help="Judge TARGET as a device or as a driver; by default as the first of these that it is.",
)
@click.option("--seed", type=int, default=0, show_default=True, help="Which traffic it is.")
@click.option(
    "--examples",
    type=click.IntRange(min=1),
    default=ORDINARY.examples,
    show_default=True,
    help="Programs to try at most.",
)
@click.option(
    "--steps",
    type=click.IntRange(min=1),
    default=ORDINARY.steps,
    show_default=True,
    help="Moves of one program at most.",
)
@click.option(
    "--seconds",
    type=click.FloatRange(min=0, min_open=True),
    default=ORDINARY.seconds,
    show_default=True,
    help="Search for so long at most, and shrink for as long again.",
)
@click.option(
    "--save",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write the failure as a vector, for `vhint conform TARGET --replay FILE`.",
)
@click.option(
    "--spawn",
    metavar="COMMAND",
    help="Start a vhost-user device with this; {socket} is where it is to listen.",
)
@click.option(
    "--queue-map",
    type=click.Choice([mode.value for mode in QueueMode]),
    help="How a vhost-user device numbers its queues; by default this is found out.",
)
@click.option(
    "--no-expect",
    is_flag=True,
    help="Look for what the target is known to do, too, which otherwise counts as nothing found.",
)
@verbosity_options
def fuzz(
    target: str,
    role: str | None,
    seed: int,
    examples: int,
    steps: int,
    seconds: float,
    save: Path | None,
    spawn: str | None,
    queue_map: str | None,
    no_expect: bool,
) -> int:
    """Send TARGET random traffic, valid and nearly valid, and look for what it does wrong.

    A device is driven in every way in which it lets itself be; a driver is given a hostile device
    while its guest is at work. What is found is shrunk to a few moves. The same seed gives the same
    traffic. Exit status 0:
    nothing was found; 1: a requirement was broken; 3: the target could not be started, or died;
    4: it cannot be judged so.

    \b
    For example:
      vhint fuzz qemu --seconds 20
      vhint fuzz mutant:discard-neighbour --save found.json
      vhint conform mutant:discard-neighbour --replay found.json
      vhint fuzz linux --role driver --seconds 120
    """  # noqa: D301 - click wants the character itself
    settings = TargetSettings(
        spawn=spawn,
        spawn_per=SpawnPer.CASE,
        queue_mode=QueueMode(queue_map) if queue_map else None,
    )
    try:
        if save:
            files.check_file(save)
        found_target = _resolved(target, Role(role) if role else None, settings)
    except (targets.UnknownTarget, targets.WrongSettings, UsageError, files.Unwritable) as error:
        raise click.UsageError(str(error)) from error
    try:
        with _progress(seconds) as told:
            known = expectations.for_target(
                expectations.gather([found_target], (), no_expect), target, found_target.versions
            )
            options = Options(seed, examples, steps, seconds, expectations=known)
            finding = _search(found_target, options, told)
    except (TargetNotStarted, TargetDied) as error:
        click.echo(f"{target}: {error}", err=True)
        return int(ExitStatus.TARGET)
    except NotApplicable as error:
        click.echo(f"{target}: {error}", err=True)
        return int(ExitStatus.UNSETTLED)
    finally:
        found_target.close()
    _print(target, finding)
    if save and finding.saved:
        write_vector(save, finding.saved)
        words = ["vhint", "conform", target, *settings.words(), "--replay", str(save)]
        click.echo(f"saved: {shlex.join(words)}")
    if finding.died:
        return int(ExitStatus.TARGET)
    return int(ExitStatus.CONFORMS if finding.sound else ExitStatus.VIOLATED)


def _resolved(name: str, role: Role | None, settings: TargetSettings) -> Target | DriverTarget:
    """Return the device or the driver of that name."""
    said = settings if settings != NOTHING_SAID else None
    found = targets.judged(name, role, said)
    for each in (Role.DEVICE, Role.DRIVER):
        judged = found.get(each)
        if isinstance(judged, (Target, DriverTarget)):
            return judged
    raise UsageError(f"{name} is neither a device nor a driver, and is not fuzzed")


def _search(
    target: Target | DriverTarget,
    options: Options,
    told: Callable[[int, float, bool], object] | None,
) -> Finding:
    """Search in the role of the target; this brings Hypothesis in, which takes time."""
    if isinstance(target, Target):
        from vhint_conformance.fuzz.search import search

        return search(target, options, told)
    from vhint_conformance.fuzz.driver.search import search as search_driver

    return search_driver(target, options, told)


@contextmanager
def _progress(seconds: float) -> Iterator[Callable[[int, float, bool], object] | None]:
    """Show on a terminal how long it may still take; a failure begins it anew, to be shrunk."""
    if verbosity() is Verbosity.QUIET:
        yield None
        return
    with time_left_bar(make_console(to_stderr=True), bounded=True) as bar:
        task = bar.add_task("", total=seconds)

        def told(programs: int, left: float, shrinking: bool) -> None:
            what = "shrinking what was found" if shrinking else "searching"
            done = max(seconds - left, 0.0)
            bar.update(task, completed=done, description=f"{what}: {programs} programs played")

        yield told


def _print(target: str, finding: Finding) -> None:
    tried = f"seed {finding.seed}, {finding.examples} programs played"
    if finding.known:
        tried += f", {finding.known} of them met only what is known; --no-expect shows it"
    if finding.sound:
        click.echo(f"{target}: nothing found ({tried})")
        return
    click.echo(f"{target}: broken by {len(finding.scenario)} moves ({tried})")
    for number, sentence in enumerate(finding.scenario, 1):
        click.echo(f"  {number}. {sentence}")
    for violation in finding.violations:
        click.echo(f"  {violation}")
    if finding.died:
        click.echo(f"  {finding.died}")
