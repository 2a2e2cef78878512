"""A device that is killed at random moments: no hang, no orphan, nothing left, no false verdict.

`VHINT_KILLS=100 pytest tests/transport/test_kill.py` (`make kills`) does it more often.
"""

from __future__ import annotations

import contextlib
import os
import random
import shlex
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Self

import pytest

from tests.transport.c_peer import command, compiled
from tests.transport.test_vhost_user_target import children, nothing_is_left
from vhint_conformance import runner
from vhint_conformance.report.model import Fault, Report
from vhint_conformance.runner import RunOptions
from vhint_conformance.targets import SpawnPer, TargetSettings
from vhint_conformance.variants import Rings
from vhint_conformance.verdict import Verdict

SPLIT = (Rings.SPLIT,)  # the other format doubles every case

__all__ = ["nothing_is_left"]

KILLS = int(os.environ.get("VHINT_KILLS", "2"))
CASES = "reporting.*" if KILLS > 2 else "reporting.o*"
LONGEST = 0.1
"""Seconds from one kill to the next at most: about what a case takes."""


class Killer:
    """Kills the devices that this process has started, one at a time, at random moments."""

    def __init__(self, kills: int, seed: int) -> None:
        self.left = kills
        self._rng = random.Random(seed)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        while self.left and not self._stop.wait(self._rng.uniform(0, LONGEST)):
            for line in children():
                pid, name = line.split(maxsplit=1)
                if name.startswith("balloon-"):
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(int(pid), signal.SIGKILL)
                        self.left -= 1

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("c-peer")


@pytest.mark.parametrize("per", SpawnPer)
def test_kills_at_random_moments(folder: Path, per: SpawnPer) -> None:
    settings = TargetSettings(spawn=command(compiled(folder)), spawn_per=per)
    left = KILLS // 2
    died = runs = 0
    while left > 0:
        begun = time.monotonic()
        with Killer(left, seed=runs) as killer:
            report = runner.run(RunOptions("vhost-user", settings, select=(CASES,), rings=SPLIT))
        assert time.monotonic() - begun < 60
        died += deaths_in(report)
        left, runs = killer.left, runs + 1
        assert runs <= KILLS
    assert died or KILLS < 20  # a few may all fall between two cases


def deaths_in(report: Report) -> int:
    """Return how many verdicts the kills cost; each is an error that says so, and nothing else."""
    if report.target_error:  # it was killed when it was asked for its version
        assert report.exit_status == 3
        return 1
    errors = [each for each in report.outcomes if each.verdict is not Verdict.PASS]
    # One that was killed before it listened was not there to be judged.
    assert {each.verdict for each in errors} <= {Verdict.ERROR}
    assert {each.fault for each in errors} <= {Fault.DIED, Fault.NOT_STARTED}
    assert report.exit_status == (3 if errors else 0)
    return len(errors)


def test_a_suite_that_is_killed_takes_the_device_with_it(folder: Path, tmp_path: Path) -> None:
    note = tmp_path / "pid"
    device = compiled(folder)
    script = f"echo $$ > {shlex.quote(str(note))}; exec {shlex.quote(str(device))} $0"
    spawn = f"sh -c {shlex.quote(script)} {{socket}}"
    suite = subprocess.Popen(
        [
            sys.executable,
            *("-c", "from vhint_conformance.cli.main import main; main()"),
            *("conform", f"vhost-user:{tmp_path / 's'}", "--spawn", spawn),
            *("--spawn-per", "run", "--select", "reporting.reuse-at-once"),
        ],
        stdout=subprocess.DEVNULL,
    )
    try:
        until = time.monotonic() + 60
        while not (note.exists() and note.read_text().strip()):
            assert time.monotonic() < until
            time.sleep(0.01)
    finally:
        suite.kill()
        suite.wait()
    pid = int(note.read_text())
    until = time.monotonic() + 60
    while Path(f"/proc/{pid}/cmdline").exists() and device.name in Path(
        f"/proc/{pid}/cmdline"
    ).read_text(errors="replace"):
        assert time.monotonic() < until, "the device outlived the suite that started it"
        time.sleep(0.01)
