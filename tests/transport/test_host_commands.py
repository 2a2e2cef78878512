"""Telling a device what the host wants: lines and answers, and answers that are none."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from vhint.transport.interface import TransportError
from vhint_conformance.case import Capability
from vhint_conformance.targets.host_commands import HostCommands


@contextmanager
def device(path: Path, answers: dict[str, bytes]) -> Iterator[list[str]]:
    """Answer lines from a table; an empty answer hangs up."""
    heard: list[str] = []
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen()

    def serve() -> None:
        client, _ = listener.accept()
        with client, client.makefile("rb") as lines:
            for raw in lines:
                line = raw.decode().strip()
                heard.append(line)
                answer = answers.get(line, b"ok\n")
                if not answer:
                    return
                client.sendall(answer)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield heard
    finally:
        thread.join(5)
        listener.close()
        assert not thread.is_alive()


HELP = b"ok help: show this; balloon N: set the size; poll: ask; stats: show\n"


def test_what_is_told_and_heard(tmp_path: Path) -> None:
    stats = b'ok {"statistics": {"memfree": 5, "77": 1}, "more": 0}\n'
    answers = {"help": HELP, "stats": stats, "poll": b"error: there is no buffer\n"}
    with device(tmp_path / "c", answers) as heard:
        host = HostCommands(tmp_path / "c", 2)
        assert host.capabilities == {
            Capability.SETS_BALLOON_SIZE,
            Capability.POLLS_STATISTICS,
            Capability.READS_STATISTICS,
        }
        host.set_balloon_size(17)
        host.poll_statistics()  # a refusal here is for the case to find out
        assert host.statistics() == {4: 5, 77: 1}
        host.close()
    assert heard == ["help", "balloon 17", "poll", "stats"]


def test_rounds_are_told(tmp_path: Path) -> None:
    answers = {"help": b"ok hint start|stop|done; inhibit on|off\n", "hint start": b"ok id 7\n"}
    with device(tmp_path / "c", answers) as heard:
        host = HostCommands(tmp_path / "c", 2)
        assert host.capabilities == {
            Capability.STARTS_ROUNDS,
            Capability.REPEATS_ROUNDS,
            Capability.STOPS_ROUNDS,
            Capability.INHIBITS_ROUNDS,
        }
        assert host.start_round() == 7
        host.stop_round()
        host.finish_round()
        host.inhibit(True)
        host.inhibit(False)
        host.close()
    assert heard[1:] == ["hint start", "hint stop", "hint done", "inhibit on", "inhibit off"]


def test_a_device_that_cannot_ask_begins_no_round(tmp_path: Path) -> None:
    answers = {"help": b"ok hint\n", "hint start": b"error: the driver has no such queue\n"}
    with device(tmp_path / "c", answers):
        host = HostCommands(tmp_path / "c", 2)
        assert host.start_round() is None
        host.close()


def test_only_what_there_is_can_be_told(tmp_path: Path) -> None:
    with device(tmp_path / "c", {"help": b"ok balloon\n"}):
        host = HostCommands(tmp_path / "c", 2)
        assert host.capabilities == {Capability.SETS_BALLOON_SIZE}
        host.close()


@pytest.mark.parametrize(
    ("line", "answer", "said"),
    [
        ("help", b"", "ended without a line's end"),
        ("help", b"what?\n", "answered the command `help` with 'what\\?'"),
        ("balloon 1", b"error: no\n", "answered the command `balloon 1` with 'error: no'"),
        ("balloon 1", b"ok", "did not answer the command `balloon 1` within"),
        ("stats", b"ok nothing\n", "expected JSON with `statistics`"),
        ("stats", b"ok []\n", "expected JSON with `statistics`"),
        ("stats", b'ok {"statistics": {"bogus": 1}}\n', "expected JSON with `statistics`"),
    ],
)
def test_answers_that_are_none(tmp_path: Path, line: str, answer: bytes, said: str) -> None:
    with device(tmp_path / "c", {"help": HELP, line: answer}):  # noqa: SIM117 - a life
        with pytest.raises(TransportError, match=said):  # noqa: PT012
            host = HostCommands(tmp_path / "c", 0.3)
            try:
                host.set_balloon_size(1)
                host.statistics()
            finally:
                host.close()


def test_nobody_takes_commands(tmp_path: Path) -> None:
    with pytest.raises(TransportError, match="nobody takes commands at"):
        HostCommands(tmp_path / "c", 0.05)
