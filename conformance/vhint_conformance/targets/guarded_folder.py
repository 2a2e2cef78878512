"""A temporary directory that goes even if we are killed, and a program with its children too."""

from __future__ import annotations

import secrets
import shutil
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

GUARD = """\
while read -r word; do
    [ "$word" != done ] || exit 0
    group=$word
done
[ -z "$group" ] || kill -s KILL -- "-$group"
rm -rf -- "$0"
"""
"""Reads process groups to end, and that all is well; acts at the end of its input without that."""


PATIENCE = 5.0
"""Seconds in which the guard is expected to have ended."""


class GuardedFolder:
    """A new directory; a process of its own, there before it, sees that it does not stay.

    Close it, or use it as a context manager; calling `close` twice is harmless.
    """

    def __init__(self) -> None:
        self.path = Path(tempfile.gettempdir()) / f"vhint-{secrets.token_hex(6)}"
        self._guard = subprocess.Popen(
            ["/bin/sh", "-c", GUARD, str(self.path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # what is sent to our group is not for it
            env={},
            bufsize=0,  # what could not be written is not tried again at the close
        )
        try:
            self.path.mkdir(0o700)
        except OSError:
            self.close()
            raise

    def end_too(self, group: int) -> None:
        """Have this process group ended as well if we are killed."""
        self._tell(str(group))

    def close(self) -> None:
        """Remove the directory and let the guard go; the process group is the caller's to end."""
        if self._guard.returncode is not None:
            return
        shutil.rmtree(self.path, ignore_errors=True)
        self._tell("done")
        assert self._guard.stdin  # noqa: S101 - it is a pipe
        self._guard.stdin.close()
        try:
            self._guard.wait(PATIENCE)
        except subprocess.TimeoutExpired:  # somebody stopped it
            self._guard.kill()
            self._guard.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _tell(self, word: str) -> None:
        assert self._guard.stdin  # noqa: S101 - it is a pipe
        if self._guard.stdin.closed:  # somebody was interrupted in `close`
            return
        with suppress(BrokenPipeError):  # somebody killed the guard; we are there ourselves
            self._guard.stdin.write(f"{word}\n".encode())
