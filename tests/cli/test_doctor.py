"""`vhint doctor`: what is missing is told with its remedy, and only what is broken fails."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from vhint_conformance import targets
from vhint_conformance.cli.main import vhint_command
from vhint_conformance.doctor import machine, packages


def doctor(*words: str) -> Result:
    return CliRunner().invoke(vhint_command, ["doctor", *words], standalone_mode=False)


def findings(result: Result) -> dict[str, dict[str, str]]:
    return {item["name"]: item for item in json.loads(result.output)["findings"]}


def test_what_is_here_is_told_with_versions() -> None:
    result = doctor()
    assert result.return_value == 0, result.output
    for name in ("vhint", "Python", "click", "holes in memory", "reference", "qemu-linux"):
        assert name in result.output
    assert max(map(len, result.output.splitlines())) <= 80


def test_every_kind_of_target_is_looked_at() -> None:
    kinds = {name.partition(":")[0] for name in targets.known()} - {"mutant", "sound"}
    assert kinds <= {name.partition(":")[0] for name in findings(doctor("--json"))}


def test_a_program_that_is_not_installed_breaks_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("VHINT_QEMU", raising=False)
    result = doctor("--json")
    assert result.return_value == 0
    found = findings(result)
    assert found["qemu"]["health"] == "absent"
    assert found["qemu"]["remedy"] == "apt install qemu-system-x86, or name it in VHINT_QEMU"
    assert "user-mode-linux" in found["linux"]["remedy"]
    assert found["reference"]["health"] == "ok"


def test_a_program_that_does_not_run_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    program = tmp_path / "qemu"
    program.write_text("#!/bin/sh\necho cannot load libfoo >&2\nexit 127\n")
    program.chmod(0o755)
    monkeypatch.setenv("VHINT_QEMU", str(program))
    found = findings(doctor("--json"))["qemu"]
    assert (found["health"], "cannot load libfoo" in found["found"]) == ("degraded", True)


def test_little_room_is_degraded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "ROOM", 1 << 60)
    result = doctor("-q")
    assert result.return_value == 0
    assert "degraded" in result.output
    assert "works; degraded: " in result.output
    assert "Python" not in result.output


def test_a_machine_that_shows_no_holes_is_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "_punched", lambda: False)
    result = doctor()
    assert result.return_value == 1
    assert "broken: holes in memory" in result.output


def test_a_package_of_the_wrong_version_is_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages.metadata, "requires", lambda _: ["click>=99", "x; extra == 'y'"])
    result = doctor("--json")
    assert result.return_value == 1
    assert findings(result)["click"]["remedy"] == "pip install 'click>=99'"
    assert "x" not in findings(result)


def test_it_works_whatever_the_settings_say(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "vhint.toml").write_text("nonsense = 1\n")
    monkeypatch.chdir(tmp_path)
    assert doctor("--json").return_value == 0
