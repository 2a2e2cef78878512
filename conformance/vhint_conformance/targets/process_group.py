"""The end of a process and of everything that it started."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

UTIME, STIME = 8, 10
"""Where the two times of a process are in its `stat`, behind the group, and the end of them."""

PATIENCE = 5.0
"""Seconds in which the kernel is expected to have ended processes that were killed."""


def living_members(group: int) -> list[int]:
    """Return the ids of a process group's processes that have not ended."""
    return [member for member, _ in _living(group)]


def processor_time(group: int) -> float:
    """Return the seconds of processor time that a group's living processes have used."""
    return sum(ticks for _, ticks in _living(group)) / os.sysconf("SC_CLK_TCK")


def _living(group: int) -> Iterator[tuple[int, int]]:
    """Yield id and processor time, in ticks, of the processes of a group."""
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            # The name is in parentheses and may hold anything, parentheses too.
            state, _, pgrp, *more = stat.read_text().rpartition(") ")[2].split()
        except OSError:
            continue
        if int(pgrp) == group and state not in "ZX":
            yield int(stat.parent.name), sum(map(int, more[UTIME:STIME]))


def end_group(process: subprocess.Popen[bytes]) -> None:
    """Kill the group that `process` leads, reap it, and wait until all its members are gone.

    A killed process ends at some later moment, and only its parent can wait for it; those that are
    not ours to reap are looked for until none is left, for at most `PATIENCE` seconds.
    """
    # The group is there as long as one of its members is, be the leader dead or not.
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    deadline = time.monotonic() + PATIENCE
    while living_members(process.pid) and time.monotonic() < deadline:
        time.sleep(0.005)
