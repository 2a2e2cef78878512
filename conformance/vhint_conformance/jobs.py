"""How many processes run the cases of one run side by side."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence

from vhint_conformance.targets import AnyTarget

WORTH_WHILE = 150
"""Cases below which the other processes take longer to start than they save."""


def jobs_for(
    asked: int | None, judged: Iterable[AnyTarget], cases: int, pytest_args: Sequence[str]
) -> int:
    """Return how many jobs a run has: `asked`, or if that is None as many as are of use.

    Several are of use for many `cases` on targets that can be judged several at a time.  What the
    user says to pytest, which counts failures and processes in its own way, is not meddled with.
    """
    if asked is not None:
        return asked
    if cases < WORTH_WHILE or pytest_args or not all(target.concurrent for target in judged):
        return 1
    return len(os.sched_getaffinity(0))


def words(jobs: int) -> list[str]:
    """Return the words by which pytest, with pytest-xdist, runs so many jobs.

    No case uses pytest's folders for files, of which xdist would leave some behind.

    >>> words(2)
    ['-n2', '--dist=worksteal', '-pno:tmpdir']
    """
    return [f"-n{jobs}", "--dist=worksteal", "-pno:tmpdir"] if jobs > 1 else []
