"""The commands of a running server, and what it says."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.vhost_user.front import REPORTING, Front, Served, ready, simulated
from vhint.spans import Span
from vhint.transport.vhost_user import CannotListen, Commander, ControlSocket, ListeningSocket
from vhint.transport.vhost_user.commands import COMMANDS, perform
from vhint.transport.vhost_user.messages import LINES, PERIOD, Messages
from vhint.wire import config
from vhint.wire.features import Feature, Features


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    with Served(tmp_path, **simulated()) as made:
        yield made


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        ("balloon 12", "ok 12 pages"),
        ("balloon 1M", "ok 256 pages"),
        ("balloon 2G", "ok 524288 pages"),
        ("balloon 1K", "ok 0 pages"),
        ("balloon", "error: usage: balloon N[K|M|G]"),
        ("balloon -1", "error: usage: balloon N[K|M|G]"),
        ("balloon 1T", "error: usage: balloon N[K|M|G]"),
        ("balloon 4294967296", "error: a balloon has at most 4294967295 pages, not 4294967296"),
        ("inhibit on", "ok on"),
        ("inhibit maybe", "error: usage: inhibit on|off"),
        ("hint start", "error: no front end is connected"),
        ("hint now", "error: usage: hint start|stop|done"),
        ("poll", "error: no front end is connected"),
        ("poll all", "error: usage: poll"),
        ("stats all", "error: usage: stats"),
        ("quit now", "error: usage: quit"),
        ("", "error: an empty line; try help"),
    ],
)
def test_answers(served: Served, line: str, answer: str) -> None:
    assert perform(served.server, line) == answer


def test_an_unknown_command_lists_the_known(served: Served) -> None:
    answer = perform(served.server, "ballon 3")
    assert answer.startswith("error: no command 'ballon'; known: balloon, hint, inhibit, poll")
    assert all(command.usage in perform(served.server, "help") for command in COMMANDS.values())


def test_figures_are_json_on_one_line(served: Served) -> None:
    answer = perform(served.server, "stats")
    assert "\n" not in answer
    figures = json.loads(answer.removeprefix("ok "))
    assert figures["connected"] is False
    assert figures["requests"] == figures["resident_bytes"] == 0


def test_a_round_is_begun_and_ended(served: Served) -> None:
    with ready(served, REPORTING | Features.of(Feature.FREE_PAGE_HINT)) as front:
        answer = perform(served.server, "hint start")
        shown = config.parse(front.config(0, 32)).free_page_hint_cmd_id
        assert answer == f"ok id {shown}"
        assert perform(served.server, "hint stop") == "ok stopped"
        assert perform(served.server, "hint done") == "ok done"
        perform(served.server, "inhibit on")
        assert perform(served.server, "hint start") == "error: discards are inhibited"
    with ready(served, REPORTING):
        perform(served.server, "inhibit off")
        assert "has not started its free page hinting queue" in perform(served.server, "hint start")
        assert "given no buffer" in perform(served.server, "poll")


def test_commands_over_a_socket(served: Served, tmp_path: Path) -> None:
    listening = ListeningSocket(tmp_path / "control")
    control = ControlSocket(served.server, listening)
    clients = []
    for _ in range(9):
        client = socket.socket(socket.AF_UNIX)
        client.settimeout(0)
        client.connect(str(listening.path))
        clients.append(client)
    served.pump()
    assert clients[8].recv(100) == b"error: 8 are connected already\n"
    clients[0].sendall(b"balloon 1\nballoon 2\nbal")
    served.pump()
    clients[0].sendall(b"loon 3\n")
    served.pump()
    assert clients[0].recv(100) == b"ok 1 pages\nok 2 pages\nok 3 pages\n"
    clients[1].sendall(b"x" * 5000)
    served.pump()
    assert clients[1].recv(100) == b"error: a command has at most 4096 bytes\n"
    assert clients[1].recv(100) == b""
    clients[2].sendall(b"quit\n")
    served.pump()
    assert clients[2].recv(100) == b"ok\n"
    served.server.run()  # which ends at once
    control.close()
    for client in clients:
        client.close()
    listening.close()


def test_commands_through_a_pipe(served: Served) -> None:
    read, write = os.pipe()
    os.set_blocking(read, False)
    answers: list[str] = []
    Commander(served.server, read, answers.append, lambda: answers.append("the end"))
    os.write(write, b"inhibit on\n\xff\n")
    served.pump()
    os.close(write)
    served.pump()
    assert answers[0] == "ok on"
    assert "no command" in answers[1]
    assert answers[2] == "the end"
    os.close(read)


def test_lines_are_counted_when_they_are_too_many() -> None:
    said: list[str] = []
    now = 0.0
    messages = Messages(said.append, lambda: now)
    for number in range(LINES + 5):
        messages.tell(f"line\n{number}")
    assert len(said) == LINES
    assert said[0] == "line 0"
    now = PERIOD
    messages.tell("later")
    assert said[LINES:] == ["5 more messages were not shown", "later"]


def test_where_a_socket_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("precious")
    long = tmp_path / ("x" * 120)
    for path, said in (
        (tmp_path / "file", "exists and is not a socket"),
        (tmp_path / "none" / "s", "its directory does not exist"),
        (tmp_path / "file" / "s", "Not a directory"),
        (long, "at most 107 bytes"),
    ):
        with pytest.raises(CannotListen, match=said):
            ListeningSocket(path)
    assert (tmp_path / "file").read_text() == "precious"
    first = ListeningSocket(tmp_path / "s")
    with pytest.raises(CannotListen, match="is in use: another process listens there"):
        ListeningSocket(tmp_path / "s")
    first.socket.close()  # as if it had been killed
    again = ListeningSocket(tmp_path / "s")
    first.close()  # which must not take the new one away
    assert again.path.exists()
    again.close()
    assert not again.path.exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may do everything")
def test_where_a_socket_may_not_be() -> None:
    with pytest.raises(CannotListen, match="not permitted"):
        ListeningSocket(Path("/s"))


def test_queue_figures_name_their_queue(served: Served) -> None:
    with ready(served) as front:
        front.report(front.start(2), Span(4 << 20, 1 << 20))
        data = served.server.figures().as_data()
        assert data["queues"][2] == {
            "queue": "reporting",
            "state": "running",
            "size": 64,
            "used": 1,
            "kicks": 1,
            "calls": 1,
        }
    with Front(served):
        assert served.server.figures().requests == 1
