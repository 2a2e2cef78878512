"""`-q` and `-v`: how much a command tells.  They may stand before the command or behind it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from vhint_conformance.report.verbosity import Verbosity

F = TypeVar("F", bound=Callable[..., Any])
KEY = "vhint.verbosity"
CONFIG = "vhint.config"
"""Under which the context keeps the name of the file that settings were taken from."""


def verbosity_options(command: F) -> F:
    """Give a command `-q` and `-v`."""
    for names, level, text in (
        (("-v", "--verbose"), Verbosity.VERBOSE, "Tell more: everything that is done."),
        (("-q", "--quiet"), Verbosity.QUIET, "Tell less: the result, and what is wrong."),
    ):
        command = click.option(
            *names,
            is_flag=True,
            expose_value=False,
            callback=_setter(level),
            help=text,
        )(command)
    return command


def _setter(level: Verbosity) -> Callable[[click.Context, click.Parameter, bool], None]:
    def set_level(ctx: click.Context, param: click.Parameter, given: bool) -> None:  # noqa: ARG001
        if not given:
            return
        if ctx.meta.get(KEY, level) is not level:
            raise click.UsageError("-q and -v exclude each other", ctx)
        ctx.meta[KEY] = level

    return set_level


def verbosity() -> Verbosity:
    """Return how much the command that is running is to tell."""
    ctx = click.get_current_context(silent=True)
    found = ctx.meta.get(KEY, Verbosity.NORMAL) if ctx else Verbosity.NORMAL
    return Verbosity(found)


def tell_config(ctx: click.Context) -> None:
    """Say under `-v` which file settings were taken from."""
    if verbosity() is Verbosity.VERBOSE:
        path = ctx.meta.get(CONFIG)
        click.echo(f"settings from {path}" if path else "settings from no file", err=True)
