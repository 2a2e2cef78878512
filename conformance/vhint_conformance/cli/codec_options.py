"""What `vhint decode` and `vhint encode` have in common: options, files, and how they end."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, TypeVar

import click

from vhint_conformance.cli.formats import FormatId

if TYPE_CHECKING:
    from vhint.wire.formats import Format

F = TypeVar("F", bound=Callable[..., Any])
STDIN = "-"


class Parameter(click.ParamType):  # type: ignore[type-arg]
    """``NAME=NUMBER``."""

    name = "NAME=NUMBER"

    def convert(self, value: Any, param: Any, ctx: Any) -> tuple[str, int]:
        """Return the name and the number."""
        name, equals, number = str(value).partition("=")
        try:
            if not equals:
                raise ValueError
            return name, int(number, 0)
        except ValueError:
            self.fail(f"{value!r} is not of the form count=11", param, ctx)


def codec_options(function: F) -> F:
    """Add what both commands take."""
    for decorate in reversed(
        (
            click.argument("form", type=FormatId(), metavar="FORMAT"),
            click.argument("file", default=STDIN, metavar="[FILE]"),
            click.option(
                "--param",
                "given",
                multiple=True,
                type=Parameter(),
                metavar="NAME=NUMBER",
                help="A number that the format needs besides the bytes, such as count=11.",
            ),
            click.option(
                "--layout",
                metavar="LAYOUT",
                help="Which guest wrote it (old formats), such as lp64-big.",
            ),
            click.option(
                "--stream", is_flag=True, help="The input is many messages, one after the other."
            ),
            click.option(
                "--keep-going",
                is_flag=True,
                help="With --stream: go on after a bad message, with a line that says so.",
            ),
            click.option(
                "--max-size",
                type=click.IntRange(min=1),
                default=1 << 20,
                show_default=True,
                metavar="BYTES",
                help="The longest message that is taken.",
            ),
        )
    ):
        function = decorate(function)
    return function


def options_of(
    form: Format, given: tuple[tuple[str, int], ...], layout: str | None
) -> dict[str, Any]:
    """Return the keyword arguments of a codec; what does not fit the format is wrong usage."""
    from vhint.wire.errors import WireError

    options: dict[str, Any] = dict(given)
    try:
        form.numbers(options)
        form.declaration(layout)
    except WireError as error:
        needs = " ".join(f"--param {name}=..." for name in form.parameters) or "no --param"
        layouts = f"; --layout is {' or '.join(form.layouts)}" if form.layouts else ""
        raise click.UsageError(f"{form.id} needs {needs}{layouts} ({error})") from error
    return options if layout is None else {**options, "layout": layout}


@contextmanager
def opened(file: str) -> Iterator[BinaryIO]:
    """Open the input; what cannot be read is wrong usage, a reader that has gone is the end."""
    try:
        if file == STDIN:
            yield sys.stdin.buffer
        else:
            with Path(file).open("rb") as stream:
                yield stream
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        if error.filename is None:
            raise
        raise click.UsageError(f"{error.filename} cannot be read: {error.strerror}") from error


def complain(file: str, text: str) -> None:
    """Say on standard error what is wrong with the input."""
    name = "standard input" if file == STDIN else file
    click.echo(f"vhint: {name}: {text}", err=True)
