"""`vhint ics`: implementation conformance statements."""

from __future__ import annotations

from pathlib import Path

import click

from vhint_conformance import statement
from vhint_conformance.report.console import say
from vhint_conformance.report.model import ExitStatus

FILE = click.Path(dir_okay=False, path_type=Path)


@click.group()
def ics() -> None:
    """Check what an implementation claims (vhint-ics/1: the chapter on conformance)."""


@ics.command()
@click.argument("file", type=FILE)
@click.option(
    "--report", type=FILE, help="The report that the statement names: check that this is it."
)
def check(file: Path, report: Path | None) -> int:
    """Check a statement: its form, and that its slugs exist and bind its role.

    Exits with 1 if something is wrong, and says each thing on a line of standard error.
    """
    try:
        data = file.read_bytes()
        found = statement.problems(data)
        if report is not None and not found:
            found = statement.report_problems(data, report.read_bytes())
    except OSError as error:
        raise click.UsageError(f"{error.filename} cannot be read: {error.strerror}") from error
    except ModuleNotFoundError as error:
        raise click.UsageError(
            f"checking needs {error.name}, which is not installed: pip install jsonschema"
        ) from error
    for line in found:
        click.echo(f"{file}: {line}", err=True)
    if not found:
        say(f"{file}: sound")
    return int(ExitStatus.VIOLATED if found else ExitStatus.CONFORMS)
