"""The CI files that the page shows: sound YAML, and commands that are understood and succeed."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import click
import pytest

from tests.docs.conftest import DOCS
from tests.peers import compiler, module
from vhint_conformance.cli.config import Config
from vhint_conformance.cli.main import vhint_command

yaml = module("yaml", "pyyaml")

PAGE = (DOCS / "how-to" / "run-in-ci.md").read_text(encoding="utf-8")
GITHUB, GITLAB = (yaml.safe_load(text) for text in re.findall(r"```yaml\n(.*?)```", PAGE, re.S))
SETTINGS = re.findall(r"```toml\n(.*?)```", PAGE, re.S)
DEVICE = DOCS.parent / "examples" / "hinting_device.c"

STEPS = {
    "github": [step["run"] for step in GITHUB["jobs"]["vhint"]["steps"] if "run" in step],
    "gitlab": GITLAB["conformance"]["script"],
}


@pytest.mark.parametrize("host", STEPS)
def test_every_vhint_command_is_understood(host: str) -> None:
    commands = [shlex.split(step)[1:] for step in STEPS[host] if step.startswith("vhint ")]
    assert [words[0] for words in commands] == ["doctor", "conform"]
    for words in commands:
        name, command, rest = vhint_command.resolve_command(click.Context(vhint_command), words)
        assert command is not None
        command.make_context(name, rest, resilient_parsing=True)


@pytest.mark.parametrize("host", STEPS)
def test_what_is_kept_is_what_was_written(host: str) -> None:
    (judging,) = (shlex.split(step) for step in STEPS[host] if "conform" in step)
    written = {word for word in judging if re.fullmatch(r"\w+\.\w+", word)}
    if host == "github":
        assert "report.sarif" in written
        assert all(name.startswith("report.") for name in written)
    else:
        artifacts = GITLAB["conformance"]["artifacts"]
        assert {*artifacts["paths"], artifacts["reports"]["junit"]} == written


@pytest.mark.parametrize("text", SETTINGS)
def test_the_settings_are_known(text: str) -> None:
    values: dict[str, Any] = tomllib.loads(text)
    values = values.get("tool", {}).get("vhint", values)
    config = Config(Path("vhint.toml"), text, values)
    for command in ("conform", "mutants"):
        config.defaults(vhint_command, click.Context(vhint_command), command, ())


@pytest.mark.long
@pytest.mark.parametrize("host", STEPS)
def test_the_steps_succeed_as_written(host: str, tmp_path: Path) -> None:
    shutil.copy(DEVICE, tmp_path / "balloon.c")
    (tmp_path / "Makefile").write_text(f"balloon: balloon.c\n\t{compiler()} -O2 -o $@ $<\n")
    (tmp_path / "vhint.toml").write_text(SETTINGS[0])
    tools = tmp_path / "tools"
    tools.mkdir()
    program = tools / "vhint"
    program.write_text(f"#!{sys.executable}\nfrom vhint_conformance.cli.main import main\nmain()\n")
    program.chmod(0o755)
    pip = tools / "pip"  # vhint is here already
    pip.write_text("#!/bin/sh\n[ \"$*\" = 'install vhint' ]\n")
    pip.chmod(0o755)
    summary = tmp_path / "summary.md"
    environment = {**os.environ, "PATH": f"{tools}:{os.environ['PATH']}"}
    environment |= {"PYTHONPATH": ":".join(sys.path[1:]), "GITHUB_STEP_SUMMARY": str(summary)}
    draft = ["vhint", "--no-config", "ics", "draft", "vhost-user"]
    draft += ["--spawn", "./balloon {socket}", "-o", "balloon-ics.toml"]
    steps = [*STEPS[host]]
    steps.insert(steps.index("make balloon") + 1, shlex.join(draft))
    for step in steps:
        done = subprocess.run(
            ["bash", "-eo", "pipefail", "-c", step],
            cwd=tmp_path, env=environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{step}\n{done.stdout[-3000:]}{done.stderr}"
    assert (tmp_path / "report.html").stat().st_size > 10_000
    if host == "github":
        assert "conforms" in summary.read_text()
