"""The end of a process and of everything that it started."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from pathlib import Path

PATIENCE = 5.0
"""Seconds in which the kernel is expected to have ended processes that were killed."""


def living_members(group: int) -> list[int]:
    """Return the ids of a process group's processes that have not ended."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            # The name is in parentheses and may hold anything, parentheses too.
            state, _, pgrp = stat.read_text().rpartition(") ")[2].split()[:3]
        except OSError:
            continue
        if int(pgrp) == group and state not in "ZX":
            found.append(int(stat.parent.name))
    return found


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
