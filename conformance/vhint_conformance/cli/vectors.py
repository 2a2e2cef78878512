"""`vhint vectors`: the vector files, for people who make, check and use them."""

from __future__ import annotations

from pathlib import Path

import click

from vhint_conformance.report.console import say
from vhint_conformance.report.model import ExitStatus
from vhint_conformance.selection import close_names, matches
from vhint_conformance.vectors import store
from vhint_conformance.vectors.model import Json

FOLDER = click.Path(file_okay=False, path_type=Path)
directory_option = click.option(
    "--directory", type=FOLDER, help="The folder of the files; by default the installed one."
)


@click.group()
def vectors() -> None:
    """Find, list, check and make the vector files (JSON, for any language).

    \b
    For example:
      ls "$(vhint vectors path)"
      vhint vectors list 'hint-ack.*'
      vhint vectors generate --check
    """  # noqa: D301 - click wants the character itself


@vectors.command()
def path() -> None:
    """Print the folder of the installed vector files; README.md there explains them.

    \b
    For example:
      vhint vectors path
    """  # noqa: D301
    say(str(store.directory()))


@vectors.command("list")
@click.argument("ids", nargs=-1, metavar="[ID]...")
@directory_option
def list_vectors(ids: tuple[str, ...], directory: Path | None) -> None:
    """Print ids and comments: all, or those that match an ID (a name or a glob).

    \b
    For example:
      vhint vectors list 'hint-ack.*'
    """  # noqa: D301
    folder = _existing(directory)
    lines: dict[str, str] = {}
    for entry in _load(folder / "manifest.json")["files"]:
        for vector in _load(folder / entry["path"])["vectors"]:
            lines[vector["id"]] = f"{vector['result']:<9}  {vector['id']}  {vector['comment']}"
    for glob in ids:
        if not any(matches(glob, identity) for identity in lines):
            close = close_names(glob, lines)
            hint = f"did you mean {' or '.join(close)}?" if close else "see `vhint vectors list`"
            raise click.UsageError(f"no vector is called {glob}; {hint}")
    for identity, line in lines.items():
        if not ids or any(matches(glob, identity) for glob in ids):
            say(line)


@vectors.command()
@directory_option
def lint(directory: Path | None) -> int:
    """Check the files as they are: schema, manifest, ids, requirements, form.

    \b
    For example:
      vhint vectors lint --directory my-vectors
    """  # noqa: D301
    from vhint_conformance.vectors.lint import lint as judge

    folder = _existing(directory)
    try:
        found = judge(folder)
    except ModuleNotFoundError as error:
        raise click.UsageError(
            f"linting needs {error.name}, which is not installed: pip install jsonschema"
        ) from error
    for line in found:
        click.echo(line, err=True)
    say(f"{folder}: {_number(len(found), 'problem')}" if found else f"{folder}: sound")
    return int(ExitStatus.VIOLATED if found else ExitStatus.CONFORMS)


@vectors.command()
@click.option("--check", is_flag=True, help="Write nothing; say what differs, and exit with 1.")
@click.option(
    "--redefine",
    multiple=True,
    metavar="ID",
    help="Let this id (or glob) change its meaning or go: only before it is published.",
)
@directory_option
def generate(*, check: bool, redefine: tuple[str, ...], directory: Path | None) -> int:
    """Make the files from the tables in vhint_conformance.vectors; never edit them by hand.

    \b
    For example:
      vhint vectors generate --check
      vhint vectors generate --redefine 'hint-ack.short-*'
    """  # noqa: D301
    from vhint_conformance.vectors import generate as maker

    folder = store.directory() if directory is None else directory
    try:
        made = maker.texts()
    except maker.VectorError as error:
        for line in error.problems:
            click.echo(line, err=True)
        say("nothing written: the tables contradict the project")
        return int(ExitStatus.VIOLATED)
    different = maker.differences(folder, made)
    broken = maker.broken_promises(folder, made, redefine)
    for line in (*broken, *(different if check else ())):
        click.echo(line, err=True)
    if check:
        say(f"{folder}: {_number(len(different), 'file')} would change"
            if different else f"{folder}: as the tables make it")  # fmt: skip
        return int(ExitStatus.VIOLATED if different or broken else ExitStatus.CONFORMS)
    if broken:
        say("nothing written: published ids keep their meaning")
        return int(ExitStatus.VIOLATED)
    maker.write(folder, made)
    say(f"{folder}: {_number(len(different), 'file')} written")
    return int(ExitStatus.CONFORMS)


def _existing(directory: Path | None) -> Path:
    folder = store.directory() if directory is None else directory
    if not (folder / "manifest.json").is_file():
        raise click.UsageError(f"{folder} has no manifest.json: it is no folder of vectors")
    return folder


def _load(path: Path) -> Json:
    try:
        return store.load(path)
    except (OSError, ValueError) as error:
        raise click.UsageError(f"{path} cannot be read: {error}") from error


def _number(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
