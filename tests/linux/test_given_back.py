"""The real Linux driver against `vhint host`: memory that it frees comes back to the host."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.linux.uml_tools import need_uml
from vhint_conformance.targets.linux.uml import Uml, UmlOptions

VHINT = [sys.executable, "-c", "from vhint_conformance.cli.main import main; main()"]
MIB = 1 << 20


class Host:
    """A running `vhint host` and its control socket."""

    def __init__(self, folder: Path, *words: str) -> None:
        self.path, self.control = folder / "s", folder / "c"
        self.process = subprocess.Popen(
            [*VHINT, "host", "--socket", self.path, "--commands", self.control, *words],
            stderr=subprocess.PIPE,
            text=True,
        )
        self.wait(self.control.exists)

    def command(self, line: str) -> str:
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(5)
            client.connect(str(self.control))
            client.sendall(f"{line}\n".encode())
            with client.makefile() as answers:
                answer = answers.readline().strip()
        assert answer.startswith("ok"), answer
        return answer.removeprefix("ok").strip()

    def figures(self) -> dict[str, Any]:
        figures: dict[str, Any] = json.loads(self.command("stats"))
        return figures

    def wait(self, condition: Callable[[], bool], seconds: float = 60.0) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, "it did not happen in time"
            time.sleep(0.02)


@contextmanager
def hosting(folder: Path, *words: str) -> Iterator[Host]:
    host = Host(folder, *words)
    try:
        yield host
        host.process.send_signal(signal.SIGTERM)
        _, said = host.process.communicate(timeout=60)
        assert host.process.returncode == 0, said
        assert not host.path.exists()
        assert not host.control.exists()
    finally:
        host.process.kill()
        host.process.communicate()


def test_a_freed_file_comes_back_and_a_kept_one_is_whole(tmp_path: Path) -> None:
    need_uml()
    with (
        hosting(tmp_path) as host,
        Uml(UmlOptions(balloons=(host.path,), memory=256 << 20)) as guest,
    ):
        guest.run("dd if=/dev/urandom of=/tmp/kept bs=1M count=16 && sha1sum /tmp/kept >/tmp/sum")
        guest.run("dd if=/dev/zero of=/tmp/freed bs=1M count=100")
        guest.load_driver()
        full = host.figures()["resident_bytes"]
        assert full > 116 * MIB
        guest.run("rm /tmp/freed")
        host.wait(lambda: host.figures()["resident_bytes"] < full - 90 * MIB)
        figures = host.figures()
        assert figures["discarded_bytes"] > 90 * MIB
        assert figures["failed_bytes"] == 0
        reporting = next(q for q in figures["queues"].values() if q["queue"] == "reporting")
        assert reporting["used"] == figures["requests"] > 0
        # The guest can have all of it again, and what it kept is whole.
        guest.run("dd if=/dev/zero of=/tmp/again bs=1M count=100")
        assert guest.run("sha1sum -c /tmp/sum").endswith(": OK")
        # Balloon, statistics and hints are asked for by the host.
        host.command("balloon 8M")
        host.wait(lambda: host.figures()["balloon_actual"] == 2048)
        before = host.figures()["statistics"]
        host.command("poll")
        host.wait(lambda: host.figures()["statistics"] != before)
        guest.run("rm /tmp/again")
        host.command("hint start")
        host.wait(lambda: host.figures()["hinted_bytes"] > 64 * MIB)
        assert host.command("hint done") == "done"
        host.command("balloon 0")
        host.wait(lambda: host.figures()["balloon_actual"] == 0)
        # A driver that is loaded again begins anew.
        guest.run("rmmod virtio_balloon")
        guest.load_driver()
        assert guest.run("sha1sum -c /tmp/sum").endswith(": OK")
        assert host.figures()["refused"] == 0


@pytest.mark.long
def test_a_guest_that_is_killed_leaves_the_host_ready_for_the_next(tmp_path: Path) -> None:
    need_uml()
    with hosting(tmp_path) as host:
        for number in (1, 2):
            with Uml(UmlOptions(balloons=(host.path,), memory=128 << 20)) as guest:
                guest.load_driver()
                host.wait(lambda: host.figures()["connected"])
                os.killpg(guest._process.pid, signal.SIGKILL)
                host.wait(lambda: not host.figures()["connected"])
            assert host.figures()["front_ends"] == number
