"""Commands whose modules are imported when they are called: `vhint --help` needs none of them."""

from __future__ import annotations

from importlib import import_module

import click

REST = "vhint.rest"
"""Under which the context keeps the arguments of the command that was resolved last."""


class LazyCommand(click.Command):
    """The name of a command, its line of help, and where the command itself is to be had."""

    def __init__(self, name: str, where: str, short_help: str) -> None:
        super().__init__(name, short_help=short_help)
        self.where = where

    def load(self) -> click.Command:
        """Import the command."""
        module, _, attribute = self.where.partition(":")
        command: click.Command = getattr(import_module(module), attribute)
        command.short_help = self.short_help
        return command


class LazyGroup(click.Group):
    """A group that may hold lazy commands beside ordinary ones.

    Click looks at all commands for a list of them and resolves the one that is meant (or whose
    arguments are to be completed); only the latter is imported.
    """

    def add_lazy(self, name: str, where: str, short_help: str) -> None:
        """Add a command that is found at `where`, `"module:attribute"`."""
        self.add_command(LazyCommand(name, where, short_help))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command's name, the command itself, and the arguments that are left."""
        name, command, rest = super().resolve_command(ctx, args)
        if isinstance(command, LazyCommand):
            command = command.load()
        ctx.meta[REST] = tuple(rest)
        return name, command, rest
