"""A harness as a process: lines in, lines out, each with a deadline, and its last words."""

from __future__ import annotations

import os
import select
import shlex
import shutil
import signal
import subprocess
import time
from typing import IO, cast

from vhint.transport.last_output import LastOutput
from vhint.transport.leash import leashed
from vhint_conformance.targets.process_group import end_group
from vhint_conformance.verdict import HarnessFailed, TargetNotStarted

MAX_LINE = 1 << 24
"""Bytes of the longest line that is read."""

LAST_BYTES = 2000
LAST_LINES = 10
"""How much of what it printed on standard error is shown."""

END_PATIENCE = 5.0
"""Seconds in which a process that closed its streams, or was told to stop, should have ended."""

FLUSH = "does it flush its output after each line, and answer every request?"
PRINTS = "standard output is for answers only: what you want to print goes to standard error"


class HarnessProcess:
    """A program that answers a line with a line.

    Raises `TargetNotStarted` if there is no such program, `HarnessFailed` from then on; whatever
    fails, the process is ended.
    """

    def __init__(self, command: str) -> None:
        try:
            words = shlex.split(command)
        except ValueError as error:
            raise TargetNotStarted(f"the command {command!r} cannot be read: {error}") from error
        if not words:
            raise TargetNotStarted("stdio: there is no command", "write stdio:'my-harness --flag'")
        if shutil.which(words[0]) is None:
            raise TargetNotStarted(
                f"{words[0]} was not found", "is it built, and the path spelt as in a shell?"
            )
        self.command = command
        self._buffer = b""
        self._log = LastOutput()
        try:
            self._process = subprocess.Popen(
                leashed(words),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._log.fd,
                bufsize=0,
                start_new_session=True,  # Ctrl-C is ours to handle, and its children are its own
            )
        except OSError as error:
            self._log.close()
            raise TargetNotStarted(f"{words[0]}: {error.strerror}") from error
        self._log.handed_over()
        self._stdin = cast(IO[bytes], self._process.stdin)
        self._stdout = cast(IO[bytes], self._process.stdout)
        os.set_blocking(self._stdin.fileno(), False)
        os.set_blocking(self._stdout.fileno(), False)

    @property
    def alive(self) -> bool:
        """Whether the process runs and has not been given up."""
        return not self._log.closed and self._process.poll() is None

    def ask(self, line: bytes, within: float, during: str) -> bytes:
        """Write a line and return the line that answers it, without its end."""
        if not self.alive:
            raise self._ended(during)
        if self._buffer or self._says_something():
            said = self._buffer.partition(b"\n")[0][:80].decode(errors="replace")
            raise self.failed(f"it said {said!r} without being asked, before {during}", PRINTS)
        deadline = time.monotonic() + within
        waiting = memoryview(line + b"\n")
        while b"\n" not in self._buffer:
            left = deadline - time.monotonic()
            writing = [self._stdin] if waiting else []
            ready, free, _ = select.select([self._stdout], writing, [], max(left, 0))
            if not (ready or free):
                raise self.failed(f"it did not answer {during} within {within:g} s", FLUSH)
            try:
                if free:
                    waiting = waiting[os.write(self._stdin.fileno(), waiting) :]
                if ready and not self._receive():
                    raise self._ended(during)
            except BlockingIOError:
                continue
            except (BrokenPipeError, ConnectionResetError):
                raise self._ended(during) from None
            if len(self._buffer) > MAX_LINE:
                raise self.failed(
                    f"it answered {during} by {MAX_LINE >> 20} MiB without a line's end", PRINTS
                )
        answer, _, self._buffer = self._buffer.partition(b"\n")
        return answer

    def _receive(self) -> bool:
        """Take what has come; return False at the end of the stream."""
        data = os.read(self._stdout.fileno(), 1 << 16)
        self._buffer += data
        return bool(data)

    def _says_something(self) -> bool:
        return bool(select.select([self._stdout], [], [], 0)[0]) and self._receive()

    def failed(self, what: str, advice: str = "") -> HarnessFailed:
        """End the process and return the complaint about it, with what it printed last."""
        said = self.last_words()
        self.kill()
        return HarnessFailed(what, "\n".join(filter(None, (advice, said))))

    def _ended(self, during: str) -> HarnessFailed:
        try:
            code = self._process.wait(END_PATIENCE)
        except subprocess.TimeoutExpired:
            return self.failed(f"it closed its standard streams during {during}")
        return self.failed(f"it {_how(code)} during {during}")

    def last_words(self) -> str:
        """Return the end of what was printed on standard error, or nothing."""
        lines = self._log.text(LAST_BYTES).splitlines()[-LAST_LINES:]
        return "\n    ".join(["it printed:", *lines]) if lines else ""

    def end(self) -> int | None:
        """Close its input, and return the status with which it exits; None if it does not."""
        if self._log.closed:
            return self._process.returncode
        self._stdin.close()
        try:
            return self._process.wait(END_PATIENCE)
        except subprocess.TimeoutExpired:
            return None
        finally:
            self.kill()

    def kill(self) -> None:
        """End the process and whatever it started, and reap it; calling it twice is harmless."""
        if self._log.closed:
            return
        end_group(self._process)
        self._stdin.close()
        self._stdout.close()
        self._log.close()


def _how(code: int) -> str:
    if code >= 0:
        return f"exited with status {code}"
    try:
        return f"was ended by {signal.Signals(-code).name}"
    except ValueError:
        return f"was ended by signal {-code}"
