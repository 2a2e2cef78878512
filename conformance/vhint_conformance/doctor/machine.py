"""The machine: what the suite's way of looking at memory needs, and what makes it slow."""

from __future__ import annotations

import mmap
import os
import platform
import re
import shutil
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

from vhint_conformance.doctor.finding import Finding, Health

GROUP = "machine"
MIB = 1 << 20
ROOM = 256 * MIB
"""Bytes that a guest's memory and its files take at most, where one is started."""


def findings() -> Iterator[Finding]:
    """Yield what concerns the machine."""
    system, kernel = platform.system(), platform.release()
    linux = system == "Linux"
    yield Finding(
        GROUP,
        "operating system",
        Health.OK if linux else Health.BROKEN,
        f"{system} {kernel}, {platform.machine()}",
        "everything but the codecs",
        "" if linux else "use Linux",
    )
    if not linux:
        return
    yield _holes()
    yield _room()
    yield _memory()
    cores = len(os.sched_getaffinity(0))
    yield Finding(GROUP, "processors", Health.OK, f"{cores} to use; pages of {_page()} bytes")
    yield _sockets()
    yield _kvm()
    yield _huge_pages()


def _page() -> int:
    return os.sysconf("SC_PAGE_SIZE")


def _holes() -> Finding:
    """Punch a hole into a memfd and look for it, as every judgement of a discard does."""
    name, needed = "holes in memory", "seeing what a device discards"
    try:
        seen = _punched()
    except (OSError, AttributeError, ValueError) as error:
        return Finding(GROUP, name, Health.BROKEN, str(error), needed, "use Linux 3.17 or later")
    if not seen:
        what = "a discarded page is not shown as a hole (SEEK_DATA)"
        return Finding(GROUP, name, Health.BROKEN, what, needed, "use another kernel")
    return Finding(GROUP, name, Health.OK, "memfd, MADV_REMOVE and SEEK_DATA work", needed)


def _punched() -> bool:
    page = _page()
    descriptor = os.memfd_create("vhint-doctor")
    try:
        os.ftruncate(descriptor, 2 * page)
        with mmap.mmap(descriptor, 2 * page) as memory:
            memory[:] = bytes([1]) * (2 * page)
            memory.madvise(mmap.MADV_REMOVE, 0, page)
        return os.lseek(descriptor, 0, os.SEEK_DATA) == page
    finally:
        os.close(descriptor)


def _room() -> Finding:
    folder = Path(os.environ.get("TMPDIR") or "/dev/shm")  # noqa: S108 - as User-Mode Linux does it
    name, needed = str(folder), "the memory of guests in User-Mode Linux (linux, demo)"
    try:
        free = shutil.disk_usage(folder).free
    except OSError as error:
        remedy = "mount a tmpfs there, or set TMPDIR"
        return Finding(GROUP, name, Health.DEGRADED, error.strerror or str(error), needed, remedy)
    enough = free >= ROOM
    remedy = "" if enough else f"free {ROOM // MIB} MiB (docker run --shm-size=1g), or set TMPDIR"
    health = Health.OK if enough else Health.DEGRADED
    return Finding(GROUP, name, health, f"{free // MIB} MiB free", needed, remedy)


def _memory() -> Finding:
    needed = "guests; at least 512 MiB"
    said = re.search(r"^MemAvailable:\s+(\d+) kB", _read("/proc/meminfo"), re.MULTILINE)
    if said is None:
        return Finding(GROUP, "memory", Health.OK, "not told", needed)
    available = int(said[1]) >> 10
    enough = available >= 2 * ROOM // MIB
    health = Health.OK if enough else Health.DEGRADED
    remedy = "" if enough else "close what else runs"
    return Finding(GROUP, "memory", health, f"{available} MiB available", needed, remedy)


def _sockets() -> Finding:
    needed = "vhost-user"
    try:
        with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX) as listener:
            listener.bind(f"{folder}/socket")
    except OSError as error:
        remedy = "set TMPDIR to a short path where sockets can be made"
        return Finding(
            GROUP, "Unix sockets", Health.DEGRADED, error.strerror or str(error), needed, remedy
        )
    return Finding(GROUP, "Unix sockets", Health.OK, "can be made", needed)


def _kvm() -> Finding:
    usable = os.access("/dev/kvm", os.R_OK | os.W_OK)
    there = Path("/dev/kvm").exists()
    found = "usable" if usable else "there, and not for this user" if there else "not there"
    needed = "nothing: no target needs it"
    return Finding(GROUP, "KVM", Health.OK if usable else Health.ABSENT, found, needed)


def _huge_pages() -> Finding:
    said = re.search(r"^HugePages_Free:\s+(\d+)", _read("/proc/meminfo"), re.MULTILINE)
    free = int(said[1]) if said else 0
    health = Health.OK if free else Health.ABSENT
    needed = "nothing here; your own device, if it backs guests with them"
    return Finding(GROUP, "huge pages", health, f"{free} free", needed)


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="ascii", errors="replace")
    except OSError:
        return ""
