"""The sample device in C as a process, and front ends that connect to it."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from tests.vhost_user.front import Front, Served
from vhint.wire.vhost_user import Request


@dataclass
class Away:
    """The sample device as a process: what a `Front` needs of a server."""

    process: subprocess.Popen[bytes]
    path: Path

    @property
    def listening(self) -> Any:
        return SimpleNamespace(path=self.path)

    def pump(self) -> None:
        """Do nothing: a process goes on by itself."""

    def connect(self) -> Front:
        front = Front(cast(Served, self))
        front.socket.settimeout(60)
        return front

    def works(self) -> None:
        """Require that the next front end is served."""
        with self.connect() as front:
            assert front.ask(Request.GET_FEATURES).value >> 32 & 1
        assert self.process.poll() is None


def listening(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as first:
        return first.connect_ex(str(path)) == 0


@contextmanager
def running(program: Path, folder: Path) -> Iterator[Away]:
    """Start the program, wait until it listens, and end it."""
    path = folder / "s"
    with subprocess.Popen([program, path]) as process:
        try:
            while not listening(path):
                assert process.poll() is None
            yield Away(process, path)
        finally:
            process.kill()
