"""The host's side of a device process: commands, one a line, over a socket of their own.

vhost-user has no message by which a host would set the balloon's size or ask for statistics; this
is for a device that lets itself be told.  It listens at a second Unix socket and answers each line
with one line that begins with ``ok`` or ``error``:

    help        name the commands that there are
    balloon N   ask the guest for a balloon of N pages of 4 KiB
    poll        use the statistics buffer, which asks the driver for new figures
    stats       ``ok`` and a JSON object, in which `statistics` maps the standard's tags to figures
    hint start  ask the guest for hints under a new id, which may follow ``ok``; ``error`` if it
                cannot be asked
    hint stop   want no more, and go on using those that came
    hint done   be done with all of them
    inhibit on  make no use of hints from now on; ``inhibit off`` ends that
"""

from __future__ import annotations

import json
import re
import socket
import time
from pathlib import Path

from vhint.transport.interface import TransportError
from vhint.wire.statistics import StatisticTag
from vhint_conformance.case import Capability
from vhint_conformance.targets.base import Control

COMMANDS = {
    "balloon": (Capability.SETS_BALLOON_SIZE,),
    "poll": (Capability.POLLS_STATISTICS,),
    "stats": (Capability.READS_STATISTICS,),
    "hint": (Capability.STARTS_ROUNDS, Capability.REPEATS_ROUNDS, Capability.STOPS_ROUNDS),
    "inhibit": (Capability.INHIBITS_ROUNDS,),
}
"""A command to what the suite can do with it."""

MAX_LINE = 1 << 16


class HostCommands(Control):
    """A connection to a device that takes commands; `capabilities` are what it can be told.

    Every answer may take `seconds`.  Raises `TransportError` if the device does not listen, does
    not answer, or answers nonsense.
    """

    def __init__(self, path: Path, seconds: float) -> None:
        self._seconds = seconds
        self._socket = socket.socket(socket.AF_UNIX)
        self._rest = b""
        try:
            self._connect(path)
            words = set(re.findall(r"[a-z]+", self._command("help")))
        except TransportError:
            self.close()
            raise
        self.capabilities = frozenset(
            each for name, able in COMMANDS.items() if name in words for each in able
        )

    def set_balloon_size(self, pages: int) -> None:
        """Ask the guest for so many pages."""
        self._command(f"balloon {pages}")

    def poll_statistics(self) -> None:
        """Have the buffer used; that there is none is for the case to find out."""
        self._command("poll", may_fail=True)

    def start_round(self) -> int | None:
        """Ask for hints; return the id if the answer has one."""
        id_there = re.search(r"\bid (\d+)", self._command("hint start", may_fail=True))
        return int(id_there[1]) if id_there else None

    def stop_round(self) -> None:
        """Want no more hints."""
        self._command("hint stop")

    def finish_round(self) -> None:
        """Be done with all hints."""
        self._command("hint done")

    def inhibit(self, on: bool) -> None:
        """Make no use of hints from now on, or use of them again."""
        self._command(f"inhibit {'on' if on else 'off'}")

    def statistics(self) -> dict[int, int]:
        """Return the figures that the device has; those of tags without a name are not told."""
        answer = self._command("stats")
        try:
            found = json.loads(answer)["statistics"]
            return {_tag(name): int(value) for name, value in found.items()}
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise TransportError(
                f"the device's answer to `stats`: expected JSON with `statistics`, "
                f"seen {answer[:80]!r}"
            ) from error

    def close(self) -> None:
        """Hang up."""
        self._socket.close()

    def _connect(self, path: Path) -> None:
        until = time.monotonic() + self._seconds
        self._socket.settimeout(self._seconds)
        while True:
            try:
                self._socket.connect(str(path))
            except (FileNotFoundError, ConnectionRefusedError) as error:
                if time.monotonic() > until:
                    raise TransportError(f"nobody takes commands at {path}") from error
                time.sleep(0.005)
            except OSError as error:
                raise TransportError(f"{path}: {error.strerror or error}") from error
            else:
                return

    def _command(self, line: str, *, may_fail: bool = False) -> str:
        """Send a command and return what its answer says after `ok`."""
        try:
            self._socket.sendall(line.encode() + b"\n")
            answer = self._line()
        except TimeoutError:
            raise TransportError(
                f"the device did not answer the command `{line}` within {self._seconds:g} s"
            ) from None
        except OSError as error:
            raise TransportError(f"the device's commands: {error.strerror or error}") from error
        word, _, rest = answer.partition(" ")
        if word != "ok" and not (may_fail and word.startswith("error")):
            raise TransportError(f"the device answered the command `{line}` with {answer[:200]!r}")
        return rest

    def _line(self) -> str:
        until = time.monotonic() + self._seconds
        while b"\n" not in self._rest:
            left = until - time.monotonic()
            if left <= 0:  # a byte now and then is no answer
                raise TimeoutError
            self._socket.settimeout(left)
            piece = self._socket.recv(4096)
            if not piece or len(self._rest) > MAX_LINE:
                raise TransportError("the device's commands: an answer ended without a line's end")
            self._rest += piece
        line, _, self._rest = self._rest.partition(b"\n")
        return line.decode(errors="replace")


def _tag(name: str) -> int:
    """Return a tag by its number or by the standard's name for it."""
    return int(name) if name.isdigit() else StatisticTag[name.upper().replace("-", "_")]
