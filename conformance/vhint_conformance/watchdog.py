"""A deadline for one case, so that a target that never answers costs a verdict, not the run."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

GRACE = 5.0
"""Seconds that closing the target may take after the deadline, before it too is cut short."""


class DeadlineExceeded(BaseException):
    """The case took too long.

    Not an `Exception`, so that no handler in a case or a target takes it for an answer.
    """


@dataclass(slots=True)
class Watch:
    """Whether a deadline has expired, even if the exception got lost on its way."""

    expired: bool = False


@contextmanager
def deadline(seconds: float, watch: Watch) -> Iterator[None]:
    """Raise `DeadlineExceeded` in the body after `seconds`, and every `GRACE` seconds from then.

    It works with an interval timer, which only the main thread can have; elsewhere, and for 0
    seconds, there is no deadline.  (pytest-xdist runs cases in each worker's main thread.)
    """
    if seconds <= 0 or threading.current_thread() is not threading.main_thread():
        yield
        return

    def expire(_number: int, _frame: FrameType | None) -> None:
        watch.expired = True
        raise DeadlineExceeded

    before = signal.signal(signal.SIGALRM, expire)
    try:
        signal.setitimer(signal.ITIMER_REAL, seconds, GRACE)
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
