"""What shells complete: asked as they ask, and once each in a real one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.shell_completion import ShellComplete
from click.testing import CliRunner

from tests import peers
from vhint_conformance.cli.completion import VARIABLE, Bash
from vhint_conformance.cli.main import COMPLETING, vhint_command
from vhint_spec import load


def completed(*words: str) -> list[str]:
    asked = ShellComplete(vhint_command, {}, "vhint", VARIABLE)
    return [item.value for item in asked.get_completions(list(words[:-1]), words[-1])]


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (("conf",), ["conform"]),
        (("conform", "refer"), ["reference", "reference:blocking", "reference:batching"]),
        (("conform", "mutant:discard-n"), ["mutant:discard-neighbour"]),
        (("conform", "mut"), ["mutant:"]),
        (("conform", "vhost-user:"), ["vhost-user:"]),
        (("conform", "python:"), ["python:"]),
        (("conform", "reference", "--select", "reporting.one-"), ["reporting.one-page"]),
        (("conform", "--select", "reporting.device.cont"), ["reporting.device.containment"]),
        (("conform", "--rol"), ["--role"]),
        (("conform", "--level", ""), ["must", "should"]),
        (("fuzz", "qem"), ["qemu", "qemu:mmio"]),
        (("ics", "draft", "linu"), ["linux"]),
        (("mutants", "discard-n"), ["discard-neighbour"]),
        (("requirements", "reporting.device.cont"), ["reporting.device.containment"]),
        (("errata", "statistics-entry"), ["statistics-entry-size"]),
        (("explore", "isola"), ["isolating"]),
        (("completion", "b"), ["bash"]),
    ],
)
def test_names_are_completed(words: tuple[str, ...], found: list[str]) -> None:
    assert completed(*words)[: len(found)] == found


def test_every_requirement_is_completed_with_its_text() -> None:
    asked = ShellComplete(vhint_command, {}, "vhint", VARIABLE)
    items = asked.get_completions(["requirements"], "")
    assert {item.value: item.help for item in items} == {
        slug: requirement.text.partition("\n")[0] for slug, requirement in load().items()
    }


def test_click_looks_for_the_same_variable() -> None:
    assert COMPLETING == VARIABLE


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("conform mutant : discard-n", "plain,discard-neighbour"),
        ("conform mut", "plain,mutant:"),
        ("conform qemu : pci-l", "plain,pci-legacy"),
    ],
)
def test_bash_gets_what_follows_the_colon(
    monkeypatch: pytest.MonkeyPatch, typed: str, expected: str
) -> None:
    words = typed.split()
    monkeypatch.setenv("COMP_WORDS", " ".join(["vhint", *words]))
    monkeypatch.setenv("COMP_CWORD", str(len(words)))
    assert Bash(vhint_command, {}, "vhint", VARIABLE).complete() == expected


def test_a_wrong_shell_is_refused() -> None:
    result = CliRunner().invoke(vhint_command, ["completion", "tcsh"], standalone_mode=False)
    assert isinstance(result.exception, click.UsageError)


ASK = {
    "bash": """
        source {script}
        COMP_WORDS=(vhint conform mutant : discard-n); COMP_CWORD=4
        _vhint_completion vhint
        printf '%s\\n' "${{COMPREPLY[@]}}"
    """,
    "fish": """
        source {script}
        complete --do-complete 'vhint conform mutant:discard-n'
    """,
    "zsh": """
        autoload -U compinit && compinit -u -D
        source {script}
        whence -w _vhint_completion
        echo ${{_comps[vhint]}}
    """,
}
SAYS = {
    "bash": "discard-neighbour\n",
    "fish": "mutant:discard-neighbour",
    "zsh": "_vhint_completion: function\n_vhint_completion\n",
}


@pytest.mark.parametrize("shell", ["bash", "zsh", pytest.param("fish", marks=pytest.mark.long)])
def test_in_a_real_shell(shell: str, tmp_path: Path) -> None:
    peers.program(shell, shell)
    script, program = tmp_path / "script", tmp_path / "vhint"
    script.write_text(CliRunner().invoke(vhint_command, ["completion", shell]).output)
    program.write_text(f"#!{sys.executable}\nfrom vhint_conformance.cli.main import main\nmain()\n")
    program.chmod(0o755)
    environment = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    environment |= {"PYTHONPATH": ":".join(sys.path[1:]), "HOME": str(tmp_path)}
    plain = {"bash": ["--norc"], "zsh": ["-f"], "fish": ["--no-config"]}[shell]
    done = subprocess.run(
        [shell, *plain, "-c", ASK[shell].format(script=script)],
        env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.stdout.startswith(SAYS[shell]), done.stdout + done.stderr
