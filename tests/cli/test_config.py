"""Settings from a file: found, checked, and overruled by the command line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import pytest

from vhint_conformance.cli.config import ConfigError, find
from vhint_conformance.cli.main import vhint_command


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    project = tmp_path / "project"
    (project / "inner").mkdir(parents=True)
    monkeypatch.chdir(project)
    return project


def defaults(command: str, *args: str) -> dict[str, Any]:
    config = find(Path.cwd())
    assert config is not None
    return config.defaults(vhint_command, click.Context(vhint_command), command, args)


def write(text: str, name: str = "vhint.toml") -> None:
    Path(name).write_text(text)


def test_settings_are_defaults_of_options() -> None:
    write('target = "vhost-user"\nspawn = "./b"\nlevel = "should"\nin-band = true\nseed = 3\n')
    assert defaults("conform") == {
        "target": "vhost-user",
        "spawn": "./b",
        "level": "should",
        "in_band": True,
        "seed": 3,
    }


def test_paths_are_as_seen_from_the_file(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write('expect = ["e.toml"]\nics = "../ics.toml"\njson = "-"\n')
    monkeypatch.chdir(here / "inner")
    assert defaults("conform") == {
        "expect": ["../e.toml"],
        "ics": "../../ics.toml",
        "json_file": "-",
    }


def test_one_word_does_for_a_list_and_a_list_for_rings() -> None:
    write('select = "ring.*"\nrings = ["packed", "split"]\n')
    assert defaults("conform") == {"select": ["ring.*"], "rings": "packed,split"}


def test_other_commands_have_tables_and_the_target() -> None:
    write('target = "qemu"\nspawn = "./b"\nlevel = "must"\n[mutants]\njobs = 2\n')
    assert defaults("fuzz") == {"target": "qemu", "spawn": "./b"}
    assert defaults("mutants") == {"jobs": 2}
    assert defaults("ics") == {"draft": {"target": "qemu", "spawn": "./b"}}


def test_another_target_gets_nothing_that_is_about_this_one() -> None:
    write('target = "vhost-user"\nspawn = "./b"\nics = "i.toml"\nselect = ["ring.*"]\n')
    assert defaults("conform", "qemu", "--", "-n", "2") == {"select": ["ring.*"]}
    assert "ics" in defaults("conform", "vhost-user")


def test_pyproject_and_the_nearest_file(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write('[tool.vhint]\ntarget = "outer"\n', "pyproject.toml")
    write("[tool.other]\n", "inner/pyproject.toml")
    monkeypatch.chdir(here / "inner")
    assert defaults("conform") == {"target": "outer"}
    write('target = "inner"\n')
    assert defaults("conform") == {"target": "inner"}


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("a = 1\nlevl = 2\n", "line 1: there is no setting 'a'; known: target, "),
        ('\nlevl = "must"', "line 2: there is no setting 'levl'; did you mean level?"),
        ("[mutants]\njob = 1", "line 2: there is no setting 'job'; did you mean jobs?"),
        ("[mutant]\njobs = 1", "line 1: there is no command 'mutant'; did you mean mutants?"),
        ('level = "mst"', "level: 'mst' is not one of 'must', 'should'."),
        ("level = 1.5", "level: "),
        ("in-band = 1", "line 1: in-band: expected true or false; seen 1"),
        ("spawn = true", "spawn: expected text or a number; seen True"),
        ('level = ["must"]', "level: expected one value; seen ['must']"),
        ('seed = "x"', "seed: 'x' is not a valid integer."),
        ("x = [", "line 1: not valid TOML"),
        ("list = true", "there is no setting 'list'"),
        ("[ics.drafts]\nx = 1", "line 1: no command 'drafts'; did you mean draft?"),
        ("select = [{}]", "select: expected text or a number"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(text: str, complaint: str) -> None:
    write(text)
    with pytest.raises(ConfigError) as caught:
        defaults("ics" if "ics" in text else "mutants" if "[mutants" in text else "conform")
    assert "vhint.toml: " in str(caught.value)
    assert complaint in str(caught.value)


def run(*words: str) -> object:
    return vhint_command.main([*words], "vhint", standalone_mode=False)


def test_the_command_uses_it_and_can_be_told_not_to(capfd: pytest.CaptureFixture[str]) -> None:
    write("[requirements]\nslugs = ['reporting.device.containment']\n[requirement]\n")
    with pytest.raises(click.UsageError, match="did you mean requirements"):
        run("requirements")
    write("[requirements]\nslugs = ['reporting.device.containment']\n", "other.toml")
    Path("vhint.toml").unlink()
    run("--config", "other.toml", "requirements")
    assert capfd.readouterr().out.startswith("reporting.device.containment\n")
    write("nonsense = 1\n")
    run("--no-config", "requirements", "ring.device.in-order")
    with pytest.raises(click.UsageError, match="exclude each other"):
        run("--no-config", "--config", "x", "requirements")


def test_verbose_says_which_file(capfd: pytest.CaptureFixture[str]) -> None:
    write('target = "reference"\nselect = ["reporting.one-page@"]\n')
    assert run("conform", "-v") == 0
    said = capfd.readouterr()
    assert said.err == "settings from vhint.toml\n"
    assert "reporting.one-page" in said.out


def test_quiet_says_the_result_alone(capfd: pytest.CaptureFixture[str]) -> None:
    assert run("-q", "conform", "reference", "--select", "reporting.one-page@") == 0
    assert capfd.readouterr().out == "conforms: 1 passed\n"
    with pytest.raises(click.UsageError, match="exclude each other"):
        run("-q", "conform", "-v", "reference")
