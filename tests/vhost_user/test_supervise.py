"""The server in a child: started again when it is killed, ended when it is asked to."""

from __future__ import annotations

import faulthandler
import mmap
import os
import signal
from pathlib import Path

import pytest

from vhint.transport.vhost_user import supervise


def test_a_child_that_ends_gives_its_status() -> None:
    said: list[str] = []
    assert supervise(lambda: 7, said.append) == 7
    assert said == []


def test_a_child_that_touches_memory_that_was_taken_away_is_started_again(tmp_path: Path) -> None:
    lives = tmp_path / "lives"
    lives.write_text("")

    def serve() -> int:
        lives.write_text(lives.read_text() + "x")
        if len(lives.read_text()) == 1:
            faulthandler.disable()  # pytest's would print where
            fd = os.memfd_create("ram")
            os.ftruncate(fd, 4096)
            mapped = mmap.mmap(fd, 4096)
            os.ftruncate(fd, 0)
            mapped[0]
        return 0

    said: list[str] = []
    assert supervise(serve, said.append) == 0
    assert lives.read_text() == "xx"
    assert "cut its memory short" in said[0]


def test_another_death_is_named() -> None:
    marks = os.pipe()
    os.set_blocking(marks[0], False)

    def serve() -> int:
        try:
            os.read(marks[0], 1)
        except BlockingIOError:
            os.write(marks[1], b"xx")
            os.kill(os.getpid(), signal.SIGKILL)
        return 3

    said: list[str] = []
    assert supervise(serve, said.append) == 3
    assert said == ["the server was ended by SIGKILL and starts again"]
    for fd in marks:
        os.close(fd)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_is_handed_on_and_ends_it(number: int) -> None:
    parent = os.getpid()

    def serve() -> int:
        os.kill(parent, number)
        signal.pause()
        return 5

    before = signal.getsignal(number)
    assert supervise(serve, lambda _: None) == 0
    assert signal.getsignal(number) is before


def test_a_signal_at_any_moment_of_the_start_is_not_lost() -> None:
    parent = os.getpid()

    def serve() -> int:
        os.kill(parent, signal.SIGTERM)
        signal.pause()
        return 5

    for _ in range(60):
        assert supervise(serve, lambda _: None) == 0


def test_a_child_that_raises_is_not_started_again(capfd: pytest.CaptureFixture[str]) -> None:
    def serve() -> int:
        raise RuntimeError("a fault of ours")

    assert supervise(serve, lambda _: None) == 70
    assert "a fault of ours" in capfd.readouterr().err
