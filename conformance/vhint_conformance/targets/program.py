"""A program that the suite starts and ends: watched over, heard, and leaving nothing behind."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Sequence

from vhint.transport.last_output import LastOutput
from vhint.transport.leash import leashed
from vhint_conformance.targets.process_group import end_group, processor_time
from vhint_conformance.verdict import TargetNotStarted

LAST_BYTES = 2000
LAST_LINES = 10
"""How much of what a program printed is shown when it dies."""

LOOPING, LOOPING_WITHIN = 0.3, 10.0
"""Seconds of processor time, within some seconds, that no answer takes."""

GRACE = 0.5
"""Seconds in which a program that let go of its socket is expected to have ended."""


class Program:
    """A running program and its children, in a process group of their own.

    Raises `TargetNotStarted` if there is no such program.
    """

    def __init__(self, command: Sequence[str]) -> None:
        self.name = os.path.basename(command[0])  # noqa: PTH119 - a word, not a path
        self._output = LastOutput()
        if shutil.which(command[0]) is None:
            self._output.close()
            raise TargetNotStarted(
                f"{command[0]} was not found", "is the command in --spawn spelt as in a shell?"
            )
        try:
            self._process = subprocess.Popen(
                leashed(command),
                stdin=subprocess.DEVNULL,
                stdout=self._output.fd,
                stderr=self._output.fd,
                start_new_session=True,  # Ctrl-C is ours to handle, and its children are its own
            )
        except OSError as error:
            self._output.close()
            raise TargetNotStarted(f"{command[0]}: {error.strerror}") from error
        self._output.handed_over()

    def death(self, grace: float = 0.0) -> str | None:
        """Say how the program ended and what it printed last, or None if it runs.

        `grace`: seconds to wait for its end.
        """
        try:
            code = self._process.wait(grace)
        except subprocess.TimeoutExpired:
            return None
        how = f"by {_signal_name(-code)}" if code < 0 else f"with status {code}"
        return f"{self.name} ended {how}{self.last_words()}"

    def describe(self, what: str) -> str:
        """Add to a complaint how the program ended, if it has, and what it printed last."""
        death = self.death(GRACE)
        return f"{what}: {death}" if death else what + self.last_words()

    def last_words(self) -> str:
        """Return what the program printed last, as the end of a sentence, or nothing."""
        lines = self._output.text(LAST_BYTES).splitlines()[-LAST_LINES:]
        return "\n    ".join(["; it printed last:", *lines]) if lines else ""

    @property
    def printed(self) -> int:
        """How many bytes the program has printed."""
        return self._output.total

    def runs_on(self, answered: Callable[[], bool]) -> bool:
        """Whether the program works and works without an answer, as it does in an endless loop.

        One that waits for its turn on a busy machine gets little done in the time, or answers.
        """
        begun, until = processor_time(self.pid), time.monotonic() + LOOPING_WITHIN
        while time.monotonic() < until and not answered() and self._process.poll() is None:
            if processor_time(self.pid) - begun >= LOOPING:
                return not answered()
            time.sleep(0.02)
        return False

    def close(self) -> None:
        """Kill the program with its children; calling it twice is harmless."""
        if self._output.closed:
            return
        end_group(self._process)
        self._output.close()

    @property
    def succeeded(self) -> bool:
        """Whether the program has ended, and says that all went well."""
        return self._process.returncode == 0

    @property
    def pid(self) -> int:
        """The process id, which is the group's id too."""
        return self._process.pid


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
