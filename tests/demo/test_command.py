"""`vhint demo` as people run it, with vhint's own guest."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
from click.testing import CliRunner

from tests import peers
from tests.demo.fake_guest import CorruptGuest, DyingGuest, FakeGuest
from vhint_conformance.cli import demo as command
from vhint_conformance.cli.main import vhint_command
from vhint_conformance.demo import perform
from vhint_conformance.demo.plan import Plan

VHINT = [sys.executable, "-c", "from vhint_conformance.cli.main import main; main()"]


@pytest.fixture
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "Plan", partial(Plan, hold=0.0, rest=0.0, period=0.3))
    monkeypatch.setattr(perform, "PERIOD", 0.01)


def run(*words: str) -> tuple[int, str]:
    done = CliRunner().invoke(vhint_command, ["demo", *words], standalone_mode=False)
    if done.exception is not None:
        return 2, str(getattr(done.exception, "message", done.exception))
    return int(done.return_value), done.output


@pytest.mark.usefixtures("_quick")
def test_a_demonstration_from_its_start_to_its_files(tmp_path: Path) -> None:
    peers.module("matplotlib", "matplotlib")
    chart, record = tmp_path / "c.svg", tmp_path / "r.json"
    words = ("--guest", "simulated", "--size", "8M", "--budget", "25M", "--guests", "3")
    status, output = run(*words, "--seed", "3", "--chart", str(chart), "--json", str(record))
    assert status == 0, output
    assert "guest 1 has allocated 8 MiB and touched all of it" in output
    data = json.loads(record.read_text())
    assert data["schema"] == "vhint-demo/1"
    assert data["plan"]["seed"] == 3
    assert data["guest"]["kind"] == "simulated"
    off, on = (each for each in data["runs"] if each["scene"] == "budget")
    # Each keeps 2 MiB beside its rings; with 8 more the third does not fit without hinting.
    assert (off["fitted"], off["is_bound"]) == (2, True)
    assert (on["fitted"], on["is_bound"]) == (3, False)
    assert on["peak"] <= 25 << 20 < off["peak"]
    one = [each for each in data["runs"] if each["scene"] == "one-guest"]
    assert [r["reclaimed"] for r in one[0]["reclaims"]] == [0, 0]
    assert all(r["reclaimed"] >= 7 << 20 for r in one[1]["reclaims"])
    assert "At least 1 more guest fits with hinting" in output
    assert "</svg>" in chart.read_text()


@pytest.mark.usefixtures("_quick")
@pytest.mark.parametrize(("kind", "status"), [(FakeGuest, 0), (CorruptGuest, 1), (DyingGuest, 3)])
def test_the_exit_status_says_what_happened(
    kind: type[FakeGuest], status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "Plan", partial(Plan, hold=0.0, rest=0.0, period=0.01))
    monkeypatch.setitem(command.KINDS, "simulated", kind)
    assert run("--guest", "simulated", "--guests", "1", "--size", "100M")[0] == status
    assert FakeGuest.alive == []


def test_without_linux_it_says_so_and_takes_the_simulated_guest(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(command, "missing", lambda: "linux.uml is not installed; apt install it")
    kind, remark = command.choose("auto")
    assert kind.kind == "simulated"
    assert "linux.uml is not installed" in remark
    assert "simulated" in remark
    status, said = run("--guest", "linux")
    assert status == 2
    assert "apt install it" in said


def test_linux_is_taken_where_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "missing", lambda: None)
    kind, remark = command.choose("auto")
    assert (kind.kind, remark) == ("linux", "")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("--size", "12"), "write 200M or 1G"),
        (("--size", "1M"), "less than 8 MiB"),
        (("--budget", "900000G"), "of this machine's memory"),
        (("--chart", "a.gif"), ".svg, .png, .pdf"),
        (("--json", "/none/a.json"), "the directory /none does not exist"),
        (("--hinting", "perhaps"), "perhaps"),
        (("--guests", "-1"), "-1"),
    ],
)
def test_wrong_usage_is_told(words: tuple[str, ...], expected: str) -> None:
    status, said = run("--guest", "simulated", *words)
    assert status == 2
    assert expected in said


def test_a_size_is_read_as_people_write_it() -> None:
    size = command.Size()
    assert [size.convert(text, None, None) >> 20 for text in ("200M", "1g", "16MiB")] == [
        200,
        1024,
        16,
    ]


def test_ctrl_c_ends_it_cleanly_with_what_was_seen(tmp_path: Path) -> None:
    record = tmp_path / "r.json"
    process = subprocess.Popen(
        [*VHINT, "demo", "--guest", "simulated", "--size", "8M", "--json", str(record)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    for line in process.stdout:
        if "has allocated" in line:
            break
    process.send_signal(signal.SIGINT)
    said, wrong = process.communicate(timeout=60)
    assert process.returncode == 130, wrong
    assert "interrupted: this is what was seen so far" in said
    assert "Traceback" not in wrong
    data = json.loads(record.read_text())
    assert {run["ending"] for run in data["runs"]} == {"interrupted"}
    assert any(run["peak"] >= 8 << 20 for run in data["runs"])
