"""Serving in a child process, so that a front end which takes its memory away ends only that child.

A mapped file that is cut short kills whoever touches what is gone (SIGBUS), and nothing in this
language can stand in the way.  Memory that can be sealed is, and lengths are looked at before every
use; for what is left between the look and the use, the server is a child that is started again.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import time
import traceback
import warnings
from collections.abc import Callable

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)

LEAST_LIFE = 0.2
"""Seconds that a child should live; after one that does not, the next start is waited for."""

FORWARDED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def supervise(serve: Callable[[], int], say: Callable[[str], None]) -> int:
    """Run `serve` in a child, again and again while it is killed; return its exit status.

    SIGINT, SIGTERM and SIGHUP are handed on to the child, which is to end by itself.  A child does
    not outlive its parent.
    """
    child = 0
    asked = 0

    def hand_on(number: int, _: object) -> None:
        nonlocal asked
        asked = number
        if child:
            os.kill(child, signal.SIGTERM)

    before = {number: signal.signal(number, hand_on) for number in FORWARDED}
    try:
        while True:
            began = time.monotonic()
            child = _fork(serve)
            if asked:  # it came before there was a child to hand it on to
                os.kill(child, signal.SIGTERM)
            _, status = os.waitpid(child, 0)
            child = 0
            if os.WIFEXITED(status):
                return os.WEXITSTATUS(status)
            if asked:
                return 0
            say(_why(os.WTERMSIG(status)))
            time.sleep(max(0.0, began + LEAST_LIFE - time.monotonic()))
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _why(number: int) -> str:
    if number == signal.SIGBUS:
        return (
            "a front end cut its memory short while it was in use: it was disconnected, "
            "and the server starts again"
        )
    return f"the server was ended by {signal.Signals(number).name} and starts again"


def _fork(serve: Callable[[], int]) -> int:
    parent = os.getpid()
    with warnings.catch_warnings():
        # numpy's idle threads are not ours, and the child never uses them.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child:
        return child
    status = 70
    try:
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        for number in FORWARDED:
            signal.signal(number, signal.SIG_DFL)
        if os.getppid() == parent:
            status = serve()
    except BaseException:  # noqa: BLE001 - nothing of the parent may run in the child
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
    raise AssertionError  # pragma: no cover
