"""`vhint explore`: every interleaving of a small system."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any, TypeVar

import click
from rich.console import Console
from rich.table import Table

from vhint_conformance.cli import completing
from vhint_conformance.model.explore import promela, report
from vhint_conformance.model.explore.catalogue import SYSTEMS, System
from vhint_conformance.model.explore.history import history
from vhint_conformance.model.explore.liveness import Liveness, Trouble, comes_to_rest, trouble
from vhint_conformance.model.explore.search import (
    Counterexample,
    Exploration,
    Limits,
    Verdict,
    explore,
)
from vhint_conformance.model.explore.systems.bounds import Bounds
from vhint_conformance.model.history import vector_file as vector_value
from vhint_conformance.report.console import make_console, print_block, say, styled
from vhint_conformance.report.model import ExitStatus
from vhint_conformance.selection import close_names
from vhint_conformance.vectors.render import canonical
from vhint_conformance.verdict import Violation

STATUS = {
    Verdict.PROVED: ExitStatus.CONFORMS,
    Verdict.REFUTED: ExitStatus.VIOLATED,
    Verdict.UNDETERMINED: ExitStatus.UNSETTLED,
}
F = TypeVar("F", bound=Callable[..., Any])
_HELP = {
    "pages": "Pages of guest memory (blocks, for a shared bitmap).",
    "cpus": "Processors, each with a worker and a capture array.",
    "zones": "Zones that the pages are split over.",
    "max_order": "Largest order of a block.",
    "entries": "Entries of a capture array.",
    "requests": "Requests that can be outstanding.",
    "resets": "Resets of the device.",
}


def _bounds(command: F) -> F:
    for field in reversed(fields(Bounds)):
        command = click.option(
            f"--{field.name.replace('_', '-')}",
            type=int,
            default=field.default,
            show_default=True,
            help=_HELP[field.name],
        )(command)
    return command


@click.command(
    epilog="Exit status: 0 proved within the bounds, 1 refuted, 2 wrong usage, 4 undetermined.",
)
@click.argument("system", required=False, shell_complete=completing.systems)
@click.option("--list", "list_", is_flag=True, help="List the systems and what is claimed of them.")
@_bounds
@click.option("--no-symmetry", is_flag=True, help="Explore states that differ by names alone, too.")
@click.option("--max-states", type=click.IntRange(1), default=Limits().states, show_default=True)
@click.option("--seconds", type=click.FloatRange(0, min_open=True), help="Stop after that long.")
@click.option("--json", "json_file", type=click.Path(path_type=Path), help="Write the outcome.")
@click.option(
    "--mermaid",
    "mermaid_file",
    type=click.Path(path_type=Path),
    help="Write the counterexample as a Mermaid sequence diagram.",
)
@click.option(
    "--vector",
    "vector_file",
    type=click.Path(path_type=Path),
    help="Write the run, as far as driver and device show it, as a stateful vector.",
)
@click.option(
    "--promela",
    "promela_file",
    type=click.Path(path_type=Path),
    help="Write the model for spin, and explore nothing.",
)
def explore_command(
    system: str | None,
    list_: bool,
    no_symmetry: bool,
    max_states: int,
    seconds: float | None,
    json_file: Path | None,
    mermaid_file: Path | None,
    promela_file: Path | None,
    vector_file: Path | None,
    **bounds: int,
) -> int:
    """Explore SYSTEM: every interleaving within the bounds, or a shortest violation.

    What is proved is proved within the bounds that are printed beside it, and no further.

    \b
    For example:
      vhint explore --list
      vhint explore isolating --pages 4
      vhint explore recheck-outside-lock --mermaid run.mmd
    """  # noqa: D301 - click wants the character itself
    if list_ or system is None:
        _list()
        return int(ExitStatus.CONFORMS)
    chosen = _choose(system)
    limits = Limits(max_states, seconds)
    try:
        within = Bounds(**bounds)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    model = chosen.make(within, True)
    if promela_file:
        _write(promela_file, promela.promela(model))
        return int(ExitStatus.CONFORMS)
    console = make_console()
    console.print(styled(f"{chosen.name}: {chosen.summary}", "bold"))
    symmetric = not no_symmetry
    outcome = explore(model, limits, reduce_symmetry=symmetric, progress=_progress())
    liveness = comes_to_rest(outcome)
    loss = _loss(chosen, within, outcome, limits, symmetric)
    table = Table.grid(padding=(0, 2))
    for name, text in report.summary(outcome, liveness):
        table.add_row(name, styled(text))
    print_block(console, table, 2)
    if outcome.counterexample:
        _show(console, outcome.counterexample, "The shortest run to a violation")
    if loss:
        _show(console, loss, "The shortest run to a loss")
    if liveness.verdict is Verdict.REFUTED:
        _show_trouble(console, trouble(model), chosen.breaks)
    if json_file:
        _write(json_file, json.dumps(report.as_data(outcome, liveness, loss), indent=2) + "\n")
    found = loss or outcome.counterexample
    if mermaid_file and found:
        _write(mermaid_file, report.mermaid(found))
    if vector_file and found:
        _write(vector_file, _vector(chosen, found))
    return int(STATUS[_worst(outcome, liveness)])


def _vector(chosen: System, found: Counterexample) -> str:
    steps = history(found)
    if not any(step["step"] == "offer" for step in steps):
        raise click.UsageError(f"{chosen.name} has no queue: there is no history to write")
    violation = Violation(found.slug, "no such run", found.problem, "")
    scenario = [does for _, _, does in report.scenario(found)]
    return canonical(vector_value(chosen.name, steps, violation, scenario))


def _worst(outcome: Exploration, liveness: Liveness) -> Verdict:
    if Verdict.REFUTED in (outcome.verdict, liveness.verdict):
        return Verdict.REFUTED
    if outcome.model.settled is None:  # nothing is owed in this system
        return outcome.verdict
    undetermined = Verdict.UNDETERMINED in (outcome.verdict, liveness.verdict)
    return Verdict.UNDETERMINED if undetermined else Verdict.PROVED


def _loss(
    chosen: System, bounds: Bounds, outcome: Exploration, limits: Limits, symmetric: bool
) -> Counterexample | None:
    """Follow a violation of ownership to where content is lost, if it is another run."""
    found = outcome.counterexample
    if found is None or found.steps[-1].breaks:
        return None
    return explore(chosen.make(bounds, False), limits, reduce_symmetry=symmetric).counterexample


def _choose(name: str) -> System:
    if name in SYSTEMS:
        return SYSTEMS[name]
    close = close_names(name, SYSTEMS)
    hint = f"did you mean {' or '.join(close)}?" if close else "see `vhint explore --list`"
    raise click.UsageError(f"no system is called {name}; {hint}")


def _list() -> None:
    width = max(map(len, SYSTEMS))
    for system in SYSTEMS.values():
        claim = f"breaks {system.breaks}" if system.breaks else "sound"
        if system.in_the_end and not system.breaks:
            claim = "safe; does not report every page"
        say(f"{system.name:<{width}}  {system.summary}  [{claim}]")


def _show(console: Console, found: Counterexample, title: str) -> None:
    console.print()
    console.print(styled(f"{title}: {found.slug}", "bold"))
    table = Table.grid(padding=(0, 2))
    table.add_column(justify="right")
    table.add_column(ratio=1)
    steps = report.scenario(found)
    for number, _, does in steps:
        table.add_row(str(number), styled(does))
    if found.problem != steps[-1][-1]:
        table.add_row("", styled(found.problem, "bold red"))
    print_block(console, table, 2)


def _show_trouble(console: Console, found: Trouble | None, breaks: str | None) -> None:
    assert found is not None  # noqa: S101 - the verdict says so
    console.print()
    slug = f": {breaks}" if breaks else ""
    console.print(styled(f"A shortest run to where it goes wrong{slug}", "bold"))
    table = Table.grid(padding=(0, 2))
    table.add_column(justify="right")
    table.add_column(ratio=1)
    for number, step in enumerate(found.steps, 1):
        table.add_row(str(number), styled(step.label))
    if found.repeated:
        table.add_row("", styled("and from here, for ever:", "bold red"))
    for number, step in enumerate(found.repeated, len(found.steps) + 1):
        table.add_row(str(number), styled(step.label))
    if not found.repeated:
        table.add_row("", styled("nothing more happens, and something is owed", "bold red"))
    print_block(console, table, 2)


def _progress() -> Callable[[Exploration], None] | None:
    if not sys.stderr.isatty():
        return None

    def tell(outcome: Exploration) -> None:
        click.echo(
            f"\r  depth {outcome.depth}, {outcome.states:,} states, {outcome.rate:,.0f}/s ",
            nl=False,
            err=True,
        )

    return tell


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise click.UsageError(f"{path} cannot be written: {error.strerror}") from None
