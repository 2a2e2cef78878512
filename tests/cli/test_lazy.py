"""`vhint --help` costs next to nothing: no command is imported before it is called."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from vhint_conformance.cli.lazy import LazyCommand
from vhint_conformance.cli.main import COMMANDS, main, vhint_command

HEAVY = ["construct", "numpy", "pytest", "hypothesis", "rich", "jsonschema"]


@pytest.mark.parametrize("words", [["--help"], ["--version"]])
def test_help_and_version_import_nothing_heavy(words: list[str]) -> None:
    script = (
        "import sys\n"
        "from vhint_conformance.cli.main import vhint_command\n"
        f"vhint_command.main({words!r}, 'vhint', standalone_mode=False)\n"
        f"sys.exit(' '.join(name for name in {HEAVY!r} if name in sys.modules) or 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "vhint" in done.stdout


def test_what_hypothesis_keeps_does_not_go_into_the_working_directory(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("HYPOTHESIS_STORAGE_DIRECTORY", "")  # so that it is put back
    monkeypatch.delenv("HYPOTHESIS_STORAGE_DIRECTORY")
    monkeypatch.setattr(sys, "argv", ["vhint", "--version"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 0
    assert os.environ["HYPOTHESIS_STORAGE_DIRECTORY"] == f"{tmp_path}/vhint/hypothesis"


@pytest.mark.parametrize("name", [name for name, _, _ in COMMANDS])
def test_every_command_is_where_the_table_says(name: str) -> None:
    command = vhint_command.commands[name]
    assert isinstance(command, LazyCommand)
    found = command.load()
    assert found.name == name
    assert found.help


def test_the_list_has_a_line_for_every_command() -> None:
    shown = CliRunner().invoke(vhint_command, ["--help"], terminal_width=80).output
    for name, _, line in COMMANDS:
        assert f"  {name}" in shown
        assert line in shown
    assert max(map(len, shown.splitlines())) <= 80


def test_a_wrong_command_is_told_from_a_right_one() -> None:
    with pytest.raises(click.UsageError) as caught:
        vhint_command.main(["conforn"], standalone_mode=False)
    assert "Did you mean 'conform'?" in caught.value.format_message()
