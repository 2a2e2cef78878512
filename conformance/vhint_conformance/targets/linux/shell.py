"""A shell in a guest, worked over its console: one command a line, and what it printed.

What it takes in the guest is `INIT` as its first process.  How the console is reached is for the
kind of guest to say: a pipe, a serial port.
"""

from __future__ import annotations

import os
import select
import time
from abc import ABC, abstractmethod
from types import TracebackType
from typing import Self

MAX_COMMAND = 4000
"""Bytes of the longest command: a terminal takes no longer line."""
MAX_OUTPUT = 1 << 20
"""Bytes of console output that are kept; older ones go."""
PROMPT = "vhint-guest"

INIT = f"""#!/bin/busybox sh
export PATH=/bin
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mount -t tmpfs -o size=95% tmp /tmp
@CONSOLE@
stty -echo -onlcr
echo "{PROMPT}: ready $(uname -r)"
while read -r number command; do
    eval "$command" 2>&1
    printf '\\n{PROMPT}: %s done %s\\n' "$number" "$?"
done
"""
"""The guest's first process: it carries out commands of the console, one a line."""


def init(console: str = "") -> str:
    """Return the script of the first process, which talks over the device `console` of the guest.

    Without a name it is the console that the kernel has given it.
    """
    return INIT.replace("@CONSOLE@", f"exec <{console} >{console} 2>&1" if console else "")


class GuestError(Exception):
    """The guest did not start, died, hung, or a command in it failed; has the console's end."""


class Shell(ABC):
    """A guest that carries out commands.

    Attributes:
        release: the kernel's version, as ``uname -r`` says it; set once the guest is up.

    """

    release: str

    def __init__(self) -> None:
        self._number = 0
        self._console = bytearray()

    @property
    @abstractmethod
    def alive(self) -> bool:
        """Whether the guest still runs."""

    @abstractmethod
    def close(self) -> None:
        """End the guest; calling it twice is harmless."""

    @abstractmethod
    def _output(self) -> int:
        """Return the descriptor from which the console is read."""

    @abstractmethod
    def _input(self) -> int:
        """Return the descriptor to which commands are written."""

    def run(self, command: str, seconds: float = 10.0, *, check: bool = True) -> str:
        """Run one line of shell in the guest and return what it printed.

        Raises `GuestError` if it takes longer than `seconds`, if the guest dies, or, with `check`,
        if the command fails; `ValueError` for a command that is not one line of at most 4000 bytes.
        """
        if "\n" in command or len(command.encode()) > MAX_COMMAND:
            raise ValueError(f"a command is one line of at most {MAX_COMMAND} bytes")
        self._number += 1
        self._console.clear()
        self._write(f"{self._number} {command}\n".encode())
        done = self._until(f"{PROMPT}: {self._number} done ", seconds, doing=command)
        status = done.rpartition(" ")[2]
        output = self.console.partition(f"{PROMPT}: {self._number} done ")[0].strip()
        if check and status != "0":
            raise GuestError(f"{command!r} ended with status {status} in the guest: {output}")
        return output

    @property
    def console(self) -> str:
        """What the console showed since the last command was given."""
        return self._console.decode(errors="replace").replace("\r", "")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _wait_until_ready(self, seconds: float) -> None:
        self.release = self._until(f"{PROMPT}: ready ", seconds).rpartition(" ")[2]

    def _until(self, start: str, seconds: float, doing: str = "starting") -> str:
        """Read the console until a whole line begins with `start`; return that line."""
        deadline = time.monotonic() + seconds
        while (line := self._line(start)) is None:
            data = self._more(deadline)
            if data is None:
                raise GuestError(
                    f"{doing}: no answer within {seconds:g} s.{self._end_of_console()}"
                )
            if not data:
                raise GuestError(f"{doing}: the guest died.{self._end_of_console()}")
            self._console += data
            del self._console[:-MAX_OUTPUT]
        return line

    def _more(self, deadline: float) -> bytes | None:
        """Wait for console output; return it, or None if none comes in time, or nothing at its end.

        `deadline` is of the monotonic clock.
        """
        output = self._output()
        left = max(0.0, deadline - time.monotonic())
        return os.read(output, 1 << 16) if select.select([output], [], [], left)[0] else None

    def _line(self, start: str) -> str | None:
        """Return the whole line of the console that begins so, if it is there."""
        whole = self.console.split("\n")[:-1]
        return next((line for line in whole if line.startswith(start)), None)

    def _write(self, data: bytes) -> None:
        try:
            os.write(self._input(), data)
        except (BrokenPipeError, ConnectionResetError):
            raise GuestError(f"the guest is gone.{self._end_of_console()}") from None

    def _end_of_console(self) -> str:
        lines = self.console.strip().split("\n")[-12:]
        return "" if lines == [""] else " The console ends with:\n  " + "\n  ".join(lines)
