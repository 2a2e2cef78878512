"""`vhint mutants`: hold the suite against broken and unusual implementations: the kill matrix."""

from __future__ import annotations

import os
from pathlib import Path

import click

from vhint_conformance.case import Role
from vhint_conformance.cli import completing
from vhint_conformance.cli.verbosity import tell_config, verbosity, verbosity_options
from vhint_conformance.kill_matrix import SUBJECTS, Options, Subject, run_matrix
from vhint_conformance.kill_matrix.show import Progress, print_list, print_matrix
from vhint_conformance.report.console import make_console
from vhint_conformance.selection import close_names, matches


@click.command()
@click.argument("names", nargs=-1, metavar="[NAME]...", shell_complete=completing.mutants)
@click.option("--list", "list_", is_flag=True, help="List them and judge nothing.")
@click.option("--role", type=click.Choice([r.value for r in Role]), help="Only those of this role.")
@click.option("--sound", is_flag=True, help="Only the sound implementations.")
@click.option(
    "-j", "--jobs", type=click.IntRange(min=1), help="How many at once [default: the cores]."
)
@click.option("--full", is_flag=True, help="Run every case; do not stop at the kill.")
@click.option(
    "--json", "json_file", type=click.Path(path_type=Path), help="Save the matrix (vhint-matrix/1)."
)
@click.option(
    "--deadline",
    type=click.FloatRange(min=1),
    default=Options().deadline,
    show_default=True,
    metavar="SECONDS",
    help="End the process of an implementation after this long.",
)
@verbosity_options
@click.pass_context
def mutants(
    ctx: click.Context,
    names: tuple[str, ...],
    list_: bool,
    role: str | None,
    sound: bool,
    jobs: int | None,
    full: bool,
    json_file: Path | None,
    deadline: float,
) -> None:
    """Judge every mutant and every sound implementation, and print the kill matrix.

    NAMEs may be globs, such as 'hint-*'; by default all are judged.  The exit status is 0 if every
    mutant was killed by an assertion that names a requirement which it violates, and nothing was
    found in what is sound; else 1.

    `vhint conform mutant:NAME` and `sound:NAME` show one in full.

    \b
    For example:
      vhint mutants --list
      vhint mutants 'hint-*' -j 2
      vhint mutants --sound --json matrix.json
    """  # noqa: D301 - click wants the character itself
    chosen = _chosen(names, Role(role) if role else None, sound)
    console = make_console()
    if list_:
        print_list(console, chosen)
        return
    options = Options(jobs or len(os.sched_getaffinity(0)), full, deadline)
    tell_config(ctx)
    with Progress(make_console(to_stderr=True), len(chosen), verbosity()) as progress:
        matrix = run_matrix(chosen, options, progress)
    print_matrix(console, matrix, verbosity())
    if json_file:
        try:
            json_file.write_text(matrix.as_json(), encoding="utf-8")
        except OSError as error:
            raise click.UsageError(f"{json_file}: {error.strerror}") from error
    ctx.exit(0 if matrix.good else 1)


def _chosen(names: tuple[str, ...], role: Role | None, sound: bool) -> list[Subject]:
    """Return who is meant, in the order of the list; raise `UsageError` for a name of nobody."""
    for name in names:
        if not any(matches(name, each) for each in SUBJECTS):
            close = close_names(name, SUBJECTS)
            hint = f"did you mean {' or '.join(close)}?" if close else "see vhint mutants --list"
            raise click.UsageError(f"{name}: no mutant and nothing sound is called so; {hint}")
    found = [
        subject
        for subject in SUBJECTS.values()
        if (not names or any(matches(name, subject.name) for name in names))
        and role in (None, subject.role)
        and (subject.sound or not sound)
    ]
    if not found:
        raise click.UsageError("the selection is empty: nobody of that role is called so")
    return found
