"""Whoever is killed at whatever moment: nothing of it stays, and the other side goes on.

`VHINT_KILLS=100` kills so many of each (`make kills`).
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import secrets
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests import peers
from tests.linux.uml_tools import need_uml
from tests.vhost_user.test_host_command import Running
from vhint_conformance.report.model import ExitStatus

KILLS = int(os.environ.get("VHINT_KILLS", "0"))
often = pytest.mark.skipif(not KILLS, reason="only if VHINT_KILLS says how often")
VHINT = [sys.executable, "-c", "from vhint_conformance.cli.main import main; main()"]
HOST = shlex.join([*VHINT, "host", "--socket", "{socket}"])
TAG = "VHINT_TAG"
"""An environment variable by which a process is known for a descendant of one that was killed."""

SUITES = {
    "spawn": (["vhost-user", "--spawn", HOST, "--select", "reporting.*"], 3.0),
    "run": (["vhost-user", "--spawn", HOST, "--spawn-per", "run", "--select", "hint*"], 3.0),
    "qemu": (["qemu", "--select", "reporting.*"], 3.0),
    "reference": (["reference"], 3.0),
    "linux": (["linux", "--select", "reporting.*"], 12.0),
}
"""What a suite is started with, and how many seconds later it is killed at the latest."""


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory for temporary files that must be empty in the end, with a short path."""
    made = Path(tempfile.mkdtemp(prefix="vhint-kill-"))
    yield made
    shutil.rmtree(made)


def wait(condition: Callable[[], bool], what: str) -> None:
    until = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < until, what
        time.sleep(0.02)


def tagged(tag: str) -> list[str]:
    """The processes that descend from one that was started with this tag."""
    found = []
    for environ in Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):
            if f"{TAG}={tag}\0".encode() in environ.read_bytes():
                state = (environ.parent / "stat").read_text().rpartition(") ")[2][0]
                if state not in "ZX":
                    found.append((environ.parent / "cmdline").read_text().replace("\0", " ")[:200])
    return found


def start(words: list[str], tag: str, place: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [*VHINT, "conform", *words],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=os.environ | {TAG: tag, "TMPDIR": str(place)},
    )


@pytest.mark.parametrize("name", SUITES)
def test_a_killed_suite_leaves_no_process_and_no_file(place: Path, name: str) -> None:
    words, longest = SUITES[name]
    if name == "qemu":
        peers.qemu()
    if name == "linux":
        need_uml()
    if not KILLS and name in ("linux", "reference", "run"):
        pytest.skip("only if VHINT_KILLS says how often")
    rng = random.Random(name)
    shared = {*Path("/dev/shm").iterdir()}  # noqa: S108 - looked at only
    for _ in range(KILLS or 1):
        tag = secrets.token_hex(8)
        suite = start(words, tag, place)
        time.sleep(rng.uniform(0.5, longest))
        suite.kill()
        suite.wait()
        wait(lambda tag=tag: not tagged(tag), f"orphans: {tagged(tag)}")
        wait(lambda: not [*place.iterdir()], f"left behind: {[*place.iterdir()]}")
    assert {*Path("/dev/shm").iterdir()} <= shared  # noqa: S108


@often
def test_a_host_outlives_front_ends_that_are_killed(place: Path) -> None:
    rng = random.Random(1)
    running = Running(place / "s", "--stats", "3600")
    try:
        (server,) = running.children()
        descriptors = Path(f"/proc/{server}/fd")
        before = None
        for _ in range(KILLS):
            suite = start([f"vhost-user:{place / 's'}", "--select", "reporting.*"], "-", place)
            time.sleep(rng.uniform(0.5, 3.0))
            suite.kill()
            suite.wait()
            with running.connect():  # the next front end is served, when that one has gone
                pass
            time.sleep(0.05)
            now = len([*descriptors.iterdir()])
            before = before or now
            assert now <= before + 1
        assert running.children() == [server]
    finally:
        running.process.send_signal(signal.SIGTERM)
        status, out, _ = running.end()
    assert status == 0
    assert json.loads(out.splitlines()[-1])["failed_bytes"] == 0
    assert not [*place.iterdir()]


@often
def test_a_killed_host_costs_verdicts_and_can_be_started_again(place: Path) -> None:
    """Its parent, which everybody sees, or its child, which serves."""
    rng = random.Random(2)
    path, report = place / "s", place / "report.json"
    for number in range(KILLS):
        running = Running(path)
        words = [f"vhost-user:{path}", "--select", "reporting.*", "--json", str(report)]
        suite = start(words, "-", place)
        time.sleep(rng.uniform(0.5, 3.0))
        (server,) = running.children()
        victim = server if number % 2 else running.process.pid
        os.kill(victim, signal.SIGKILL)
        status = suite.wait(60)
        assert status in (ExitStatus.CONFORMS, ExitStatus.TARGET), report.read_text()
        assert json.loads(report.read_text())["exit_status"] == status
        report.unlink()
        if victim == server:
            wait(lambda host=running: bool(host.children()), "the server was not started again")
            running.connect().close()
            running.process.send_signal(signal.SIGTERM)
        running.end()
        wait(lambda server=server: not Path(f"/proc/{server}/exe").exists(), "an orphan")
