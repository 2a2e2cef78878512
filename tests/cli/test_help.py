"""Every command shows examples, and they are right; it fits a terminal of 80 columns."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator

import click
import pytest
from click.testing import CliRunner

from vhint_conformance.cli.lazy import LazyCommand
from vhint_conformance.cli.main import vhint_command


def commands(group: click.Group, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield every command's words with its help."""
    for name, command in group.commands.items():
        found = command.load() if isinstance(command, LazyCommand) else command
        yield (*path, name), f"{found.help or ''}\n{found.epilog or ''}"
        if isinstance(found, click.Group):
            yield from commands(found, (*path, name))


EVERY = dict(commands(vhint_command, ()))


@pytest.mark.parametrize("words", EVERY, ids=" ".join)
def test_a_command_has_examples_that_parse(words: tuple[str, ...]) -> None:
    examples = re.findall(r"vhint \S.*", EVERY[words].partition("\b")[2])
    assert examples, "no example"
    for line in examples:
        text = re.split(r" {2,}| > |\)\"", line)[0]
        name, command, rest = vhint_command.resolve_command(
            click.Context(vhint_command), shlex.split(text)[1:]
        )
        while isinstance(command, click.Group) and rest:
            name, command, rest = command.resolve_command(click.Context(command), rest)
        assert command is not None, line
        if not isinstance(command, click.Group):
            context = click.Context(command, info_name=name, resilient_parsing=True)
            command.make_parser(context).parse_args(list(rest))


@pytest.mark.parametrize("words", [(), *EVERY], ids=lambda words: " ".join(words) or "vhint")
def test_help_fits_a_terminal(words: tuple[str, ...]) -> None:
    result = CliRunner().invoke(vhint_command, [*words, "--help"], terminal_width=80)
    assert result.exit_code == 0, result.output
    assert max(map(len, result.output.splitlines())) <= 80
