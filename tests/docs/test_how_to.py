"""What the pages tell people to type is true."""

import doctest
import re
import shlex

import click
import pytest

from tests.docs.conftest import DOCS
from vhint_conformance.cli.main import vhint_command

PAGES = sorted([*DOCS.glob("how-to/*.md"), DOCS / "index.md"])
COMMAND = re.compile(r"^\$ (?:\w+=\S+ )*vhint (.*)$", re.MULTILINE)


def commands():
    for page in PAGES:
        for match in COMMAND.finditer(page.read_text(encoding="utf-8")):
            yield pytest.param(match[1], id=f"{page.stem}: {match[1]}")


@pytest.mark.parametrize("line", list(commands()))
def test_commands_are_understood(line):
    words = shlex.split(line)
    name, command, rest = vhint_command.resolve_command(click.Context(vhint_command), words)
    while isinstance(command, click.Group):
        name, command, rest = command.resolve_command(click.Context(command), rest)
    command.make_context(name, rest)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_examples_run(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = re.sub(r"^```.*$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
    example = doctest.DocTestParser().get_doctest(text, {}, page.name, str(page), 0)
    result = doctest.DocTestRunner().run(example)
    assert result.failed == 0


def test_slugs_in_commands_exist():
    from vhint_spec import load

    for page in PAGES:
        for slug in re.findall(r"vhint requirements (\S+)", page.read_text(encoding="utf-8")):
            assert slug.strip("`") in load() or not slug[0].isalpha()
