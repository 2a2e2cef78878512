"""Sockets in the file system that are listened on, and removed again."""

from __future__ import annotations

import errno
import os
import socket
import stat
from contextlib import suppress
from pathlib import Path

MAX_PATH = 107
"""Bytes of the longest path that a Unix socket can have."""


class CannotListen(Exception):  # noqa: N818 - it says what
    """A socket cannot be made there; the text says why, and what to do."""


class ListeningSocket:
    """A Unix socket at a path, which is removed when this is closed.

    A socket that nobody listens on any more is replaced.  Raises `CannotListen`.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        if len(os.fsencode(path)) > MAX_PATH:
            raise CannotListen(
                f"{path}: the path of a socket has at most {MAX_PATH} bytes, this one has "
                f"{len(os.fsencode(path))}"
            )
        _remove_stale(path)
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self.socket.bind(str(path))
            self._made = _identity(path)
            self.socket.listen(8)
            self.socket.setblocking(False)
        except OSError as error:
            self.socket.close()
            raise CannotListen(f"{path}: {_why(error)}") from None

    def accept(self) -> socket.socket | None:
        """Return who has connected, or None if nobody is waiting any more."""
        try:
            return self.socket.accept()[0]
        except (BlockingIOError, ConnectionError):
            return None

    def close(self) -> None:
        """Close, and remove the path unless somebody else has put something there."""
        self.socket.close()
        with suppress(OSError):
            if _identity(self.path) == self._made:
                self.path.unlink()


def _identity(path: Path) -> tuple[int, int]:
    """Tell one file from another that has its path, and perhaps its inode, later."""
    state = path.lstat()
    return state.st_ino, state.st_ctime_ns


def _remove_stale(path: Path) -> None:
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    except OSError as error:
        raise CannotListen(f"{path}: {_why(error)}") from None
    if not stat.S_ISSOCK(mode):
        raise CannotListen(f"{path} exists and is not a socket: choose another path")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1)
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            with suppress(FileNotFoundError):
                path.unlink()
        except OSError as error:
            raise CannotListen(f"{path}: {_why(error)}") from None
        else:
            raise CannotListen(f"{path} is in use: another process listens there")


def _why(error: OSError) -> str:
    if error.errno == errno.ENOENT:
        return "its directory does not exist"
    if error.errno in (errno.EACCES, errno.EPERM):
        return "not permitted"
    return str(error.strerror or error)
