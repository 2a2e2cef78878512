"""A root file system for a guest, as the cpio archive that the kernel unpacks when it starts.

The format is the kernel's "newc" (Documentation/driver-api/early-userspace/buffer-format.rst):
a header of 13 hexadecimal numbers, the name, the content, each padded to 4 bytes.
"""

from __future__ import annotations

import stat
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

MAGIC = b"070701"
TRAILER = "TRAILER!!!"


@dataclass(frozen=True, slots=True)
class Entry:
    """One file of an archive: `mode` holds its type too, `device` is (major, minor) of a node."""

    name: str
    mode: int
    data: bytes = b""
    device: tuple[int, int] = (0, 0)

    @classmethod
    def file(cls, name: str, data: bytes, *, executable: bool = False) -> Entry:
        """Describe a regular file."""
        return cls(name, stat.S_IFREG | (0o755 if executable else 0o644), data)

    @classmethod
    def directory(cls, name: str) -> Entry:
        """Describe a directory."""
        return cls(name, stat.S_IFDIR | 0o755)

    @classmethod
    def node(cls, name: str, major: int, minor: int) -> Entry:
        """Describe a character device."""
        return cls(name, stat.S_IFCHR | 0o600, device=(major, minor))


def newc(entries: Iterable[Entry]) -> bytes:
    """Return the archive; directories have to come before what is in them.

    >>> newc([])[:6], len(newc([Entry.file("x", b"12345")])) % 4
    (b'070701', 0)
    """
    parts = [_member(number, entry) for number, entry in enumerate(entries, start=1)]
    return b"".join([*parts, _member(0, Entry(TRAILER, 0))])


def _member(number: int, entry: Entry) -> bytes:
    name = entry.name.encode() + b"\0"
    fields = (
        number,
        entry.mode,
        0,  # owner
        0,  # group
        2 if stat.S_ISDIR(entry.mode) else 1,  # links
        0,  # time of modification
        len(entry.data),
        0,  # the device that holds the file
        0,
        *entry.device,
        len(name),
        0,  # checksum, which newc does not have
    )
    head = MAGIC + b"".join(b"%08x" % field for field in fields) + name
    return _padded(head) + _padded(entry.data)


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)


def root(init: str, busybox: Path, files: Mapping[str, bytes] | None = None) -> bytes:
    """Return the archive of a guest whose first process is the shell script `init`.

    `busybox` is a static one; /bin has it and its shell, and a script gets the other commands by
    ``busybox --install -s /bin``.  `files` are absolute paths and contents; directories that they
    need are made.
    """
    given = {PurePosixPath(name).relative_to("/"): data for name, data in (files or {}).items()}
    folders = {PurePosixPath(name) for name in ("bin", "dev", "proc", "sys", "tmp")}
    folders.update(parent for path in given for parent in path.parents if parent.name)
    return newc(
        [
            *(Entry.directory(str(folder)) for folder in sorted(folders)),
            Entry.node("dev/console", 5, 1),
            Entry.node("dev/null", 1, 3),
            Entry.file("bin/busybox", busybox.read_bytes(), executable=True),
            Entry("bin/sh", stat.S_IFLNK | 0o777, b"busybox"),
            Entry.file("init", init.encode(), executable=True),
            *(Entry.file(str(path), data) for path, data in given.items()),
        ]
    )
