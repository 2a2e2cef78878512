"""`vhint host` as people run it."""

from __future__ import annotations

import io
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from rich.console import Console

from vhint.transport.vhost_user import Figures, QueueFigures
from vhint.wire.features import Feature, Features
from vhint.wire.vhost_user import Header, Request, header
from vhint_conformance.cli.host import FeatureList
from vhint_conformance.cli.host_display import table
from vhint_conformance.cli.main import vhint_command

VHINT = [sys.executable, "-c", "from vhint_conformance.cli.main import main; main()"]


def run(*words: str) -> tuple[int, str]:
    done = CliRunner().invoke(vhint_command, ["host", *words])
    return done.exit_code, done.output


class Running:
    """A `vhint host` that has said that it waits."""

    def __init__(self, path: Path, *words: str) -> None:
        self.path = path
        self.process = subprocess.Popen(
            [*VHINT, "host", "--socket", path, *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.process.stderr is not None
        assert "waiting for a front end at" in self.process.stderr.readline()

    def children(self) -> list[int]:
        text = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        return [int(word) for word in text.split()]

    def connect(self) -> socket.socket:
        client = socket.socket(socket.AF_UNIX)
        client.settimeout(5)
        client.connect(str(self.path))
        return client

    def end(self) -> tuple[int, str, str]:
        out, err = self.process.communicate(timeout=60)
        return self.process.returncode, out, err


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "s"


@pytest.fixture(autouse=True)
def no_orphans() -> Iterator[None]:
    yield
    children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    assert not children


def wait(condition: object) -> None:
    deadline = time.monotonic() + 60
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_wrong_usage_is_said_in_a_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for words, said in (
        ([], "Missing option '--socket'"),
        (["--socket", str(tmp_path / "file")], "exists and is not a socket"),
        (["--socket", str(tmp_path / "s"), "--host-page", "5000"], "host_page is a power of two"),
        (["--socket", str(tmp_path / "s"), "--features", "REPORTIN"], "no feature REPORTIN"),
        (["--socket", str(tmp_path / "s"), "--queue-map", "x"], "'compact-accepted'"),
        (
            ["--socket", str(tmp_path / "s"), "--commands", str(tmp_path / "none" / "c")],
            "its directory does not exist",
        ),
    ):
        status, output = run(*words)
        assert status == 2
        assert said in output
        assert not (tmp_path / "s").exists()


def test_feature_lists() -> None:
    convert = FeatureList().convert
    rings = Features.of(
        Feature.INDIRECT_DESC, Feature.EVENT_IDX, Feature.VERSION_1, Feature.RING_PACKED
    )
    some = convert("page_reporting,stats-vq", None, None)
    assert some == rings | Features.of(Feature.PAGE_REPORTING, Feature.STATS_VQ)
    most = convert("-page-poison,-event_idx", None, None)
    assert Feature.HINTING in most
    assert Feature.PAGE_POISON not in most
    assert Feature.EVENT_IDX not in most
    assert convert("all,-hinting,-hinting_bitmap", None, None) == most - Features.of(
        Feature.HINTING, Feature.HINTING_BITMAP
    ) | Features.of(Feature.PAGE_POISON, Feature.EVENT_IDX)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_and_removes_its_socket(path: Path, number: int) -> None:
    running = Running(path)
    running.process.send_signal(number)
    assert running.end()[0] == 0
    assert not path.exists()


def test_it_ends_with_its_first_front_end_if_told_so(path: Path) -> None:
    running = Running(path, "--once")
    with running.connect() as client:
        client.sendall(header.build(Header.of(Request.GET_FEATURES)))
        assert len(client.recv(100)) == 20
    status, _, err = running.end()
    assert status == 0
    assert "a front end has gone: 0 requests, 0 MiB given back" in err
    assert not path.exists()


def test_commands_on_standard_input(path: Path) -> None:
    running = Running(path, "--commands", "-")
    assert running.process.stdin is not None
    running.process.stdin.write("balloon 1M\nnonsense\nquit\n")
    running.process.stdin.flush()
    status, out, _ = running.end()
    assert status == 0
    assert out.splitlines()[0] == "ok 256 pages"
    assert out.splitlines()[1].startswith("error: no command 'nonsense'")
    assert out.splitlines()[2] == "ok"


def test_figures_as_json_lines(path: Path) -> None:
    running = Running(path, "--stats", "0.05")
    assert running.process.stdout is not None
    lines = [json.loads(running.process.stdout.readline()) for _ in range(3)]
    assert [line["connected"] for line in lines] == [False] * 3
    running.process.terminate()
    assert running.end()[0] == 0


def test_nothing_wakes_it_while_it_is_idle(path: Path) -> None:
    running = Running(path)
    client = running.connect()
    wait(running.children)
    pids = [running.process.pid, *running.children()]
    assert len(pids) == 2
    time.sleep(0.2)

    def switches() -> list[int]:
        texts = [Path(f"/proc/{pid}/status").read_text() for pid in pids]
        lines = [line.split() for text in texts for line in text.splitlines()]
        return [int(line[1]) for line in lines if line[0] == "voluntary_ctxt_switches:"]

    before = switches()
    time.sleep(0.5)
    assert switches() == before
    client.close()
    running.process.terminate()
    assert running.end()[0] == 0


def test_a_child_that_dies_is_replaced(path: Path) -> None:
    running = Running(path)
    wait(running.children)
    (child,) = running.children()
    os.kill(child, signal.SIGBUS)
    assert running.process.stderr is not None
    while "cut its memory short" not in running.process.stderr.readline():
        pass
    with running.connect() as client:
        client.sendall(header.build(Header.of(Request.GET_FEATURES)))
        assert len(client.recv(100)) == 20
    running.process.terminate()
    assert running.end()[0] == 0
    assert not path.exists()


def test_a_child_does_not_outlive_its_parent(path: Path) -> None:
    running = Running(path)
    wait(running.children)
    (child,) = running.children()
    running.process.kill()
    running.end()

    def gone() -> bool:
        try:
            return Path(f"/proc/{child}/stat").read_text().rpartition(") ")[2][0] == "Z"
        except OSError:
            return True

    wait(gone)
    again = Running(path)  # the socket that was left is replaced
    again.process.terminate()
    assert again.end()[0] == 0


def test_the_table_of_a_terminal() -> None:
    figures = Figures(
        front_ends=1,
        refused=2,
        connected=True,
        requests=1234,
        pages=5678,
        discarded_bytes=5 << 20,
        failed_bytes=1 << 20,
        resident_bytes=3 << 20,
        memory_bytes=512 << 20,
        balloon_target=256,
        balloon_actual=128,
        inhibited=True,
        hinting="running",
        hinted_bytes=0,
        error="reporting queue: something",
        statistics={},
        queues={2: QueueFigures("reporting", "running", 256, 1234, 40, 39)},
    )
    console = Console(file=io.StringIO(), width=100)
    console.print(table(figures))
    shown = console.file.getvalue()  # type: ignore[attr-defined]
    for part in (
        "connected (1 so far, 2 refused)",
        "1,234 naming 5,678 pages",
        "5.0 MiB, inhibited",
        "1.0 MiB: the host refused",
        "3.0 of 512.0 MiB",
        "128 of 256 pages wanted",
        "reporting queue: something",
    ):
        assert part in shown
