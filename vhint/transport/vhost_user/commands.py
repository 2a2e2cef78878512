"""The commands that a server takes while it runs: one a line, each answered with one line.

An answer is ``ok``, perhaps with more behind it, or ``error:`` and what is wrong.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass

from vhint.spans import PAGE
from vhint.transport.vhost_user.server import Server

MAX_PAGES = (1 << 32) - 1
"""The largest balloon that config space can say."""

_SIZE = re.compile(r"(\d+)([KMG]?)")
_UNITS = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}


class BadCommand(Exception):  # noqa: N818 - it says what
    """A command that cannot be carried out, or not now."""


@dataclass(frozen=True, slots=True)
class Command:
    """One command: how it is written, what it does, and the function that does it."""

    usage: str
    help: str
    run: Callable[[Server, list[str]], str]


def perform(server: Server, line: str) -> str:
    """Carry out a line and return the answer to it."""
    words = line.split()
    if not words:
        return "error: an empty line; try help"
    command = COMMANDS.get(words[0])
    if command is None:
        return f"error: no command {words[0]!r}; known: {', '.join(COMMANDS)}"
    try:
        said = command.run(server, words[1:])
    except BadCommand as error:
        return f"error: {error}"
    server.tell()
    return f"ok {said}".rstrip()


def _balloon(server: Server, words: list[str]) -> str:
    match = _SIZE.fullmatch(words[0]) if len(words) == 1 else None
    if match is None:
        raise BadCommand(f"usage: {COMMANDS['balloon'].usage}")
    pages = int(match[1])
    if match[2]:
        pages = pages * _UNITS[match[2]] // PAGE
    if pages > MAX_PAGES:
        raise BadCommand(f"a balloon has at most {MAX_PAGES} pages, not {pages}")
    server.set_balloon_target(pages)
    return f"{pages} pages"


def _hint(server: Server, words: list[str]) -> str:
    if words not in (["start"], ["stop"], ["done"]):
        raise BadCommand(f"usage: {COMMANDS['hint'].usage}")
    if server.peer is None:
        raise BadCommand("no front end is connected")
    device = server.peer.device
    if words == ["start"]:
        number = device.start_round()
        if number is None:
            raise BadCommand(
                "discards are inhibited"
                if device.inhibited
                else "the driver has not started its free page hinting queue"
            )
        return f"id {number}"
    if words == ["stop"]:
        device.stop_round()
    else:
        device.finish_round()
    return str(device.round.name.lower())


def _inhibit(server: Server, words: list[str]) -> str:
    if words not in (["on"], ["off"]):
        raise BadCommand(f"usage: {COMMANDS['inhibit'].usage}")
    server.set_inhibited(words == ["on"])
    return words[0]


def _poll(server: Server, words: list[str]) -> str:
    if words:
        raise BadCommand(f"usage: {COMMANDS['poll'].usage}")
    if server.peer is None:
        raise BadCommand("no front end is connected")
    if not server.peer.device.poll_statistics():
        raise BadCommand("the driver has given no buffer for statistics")
    return ""


def _stats(server: Server, words: list[str]) -> str:
    if words:
        raise BadCommand(f"usage: {COMMANDS['stats'].usage}")
    return json.dumps(server.figures().as_data())


def _quit(server: Server, words: list[str]) -> str:
    if words:
        raise BadCommand(f"usage: {COMMANDS['quit'].usage}")
    server.stop()
    return ""


def _help(_: Server, __: list[str]) -> str:
    return "; ".join(f"{command.usage}: {command.help}" for command in COMMANDS.values())


COMMANDS: dict[str, Command] = {
    "balloon": Command(
        "balloon N[K|M|G]", "ask for a balloon of N pages of 4 KiB, or of so many bytes", _balloon
    ),
    "hint": Command(
        "hint start|stop|done", "begin, end, or let go of a round of free page hinting", _hint
    ),
    "inhibit": Command("inhibit on|off", "keep all memory, or give it back again", _inhibit),
    "poll": Command("poll", "ask the driver for new memory statistics", _poll),
    "stats": Command("stats", "show the figures as JSON", _stats),
    "quit": Command("quit", "end the server", _quit),
    "help": Command("help", "show this", _help),
}
