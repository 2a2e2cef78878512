"""`vhint init`: a harness to start from."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from vhint_conformance.report.console import say
from vhint_conformance.report.model import ExitStatus
from vhint_conformance.scaffold import LANGUAGES, AlreadyThere, write

NEXT = {
    "c": ("make smoke", "make conform"),
    "python": (
        "vhint smoke 'stdio:python3 harness.py'",
        "vhint conform 'stdio:python3 harness.py'",
    ),
}
"""What a user types next, by language."""


@click.command(short_help="Write a harness to start from, in Python or C.")
@click.argument("language", type=click.Choice(LANGUAGES))
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path, file_okay=False))
def init(language: str, folder: Path) -> int:
    """Write a harness in LANGUAGE into DIR: a small device that conforms, to be replaced by yours.

    No file is overwritten: if one is there already, nothing is written.

    \b
    For example:
      vhint init c my-balloon && cd my-balloon && make smoke
      vhint init python my-balloon
    """  # noqa: D301 - click wants the character itself
    try:
        written = write(language, folder)
    except AlreadyThere as error:
        names = ", ".join(map(str, error.paths))
        raise click.UsageError(
            f"nothing was written, because this is there already: {names}"
        ) from error
    except OSError as error:
        raise click.UsageError(f"{error.filename or folder}: {error.strerror}") from error
    for path in written:
        say(f"wrote {path}")
    say("next:")
    for line in (f"cd {shlex.quote(str(folder))}", *NEXT[language]):
        say(f"  {line}")
    return int(ExitStatus.CONFORMS)
