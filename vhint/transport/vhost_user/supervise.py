"""Serving in a child process, so that a front end which takes its memory away ends only that child.

A mapped file that is cut short kills whoever touches what is gone (SIGBUS), and nothing in this
language can stand in the way.  Memory that can be sealed is, and lengths are looked at before every
use; for what is left between the look and the use, the server is a child that is started again.
"""

from __future__ import annotations

import ctypes
import os
import selectors
import signal
import socket
import sys
import time
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

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
    asked = False

    def hand_on(*_: object) -> None:
        nonlocal asked
        asked = True
        if child:
            os.kill(child, signal.SIGTERM)

    with _signals_to(hand_on) as woken:
        while True:
            began = time.monotonic()
            child = _fork(serve)
            if asked:  # it came before there was a child to hand it on to
                os.kill(child, signal.SIGTERM)
            status = _wait_for(child, woken)
            child = 0
            if os.WIFEXITED(status):
                return os.WEXITSTATUS(status)
            if asked:
                return 0
            say(_why(os.WTERMSIG(status)))
            time.sleep(max(0.0, began + LEAST_LIFE - time.monotonic()))


@contextmanager
def _signals_to(handler: Callable[[int, FrameType | None], None]) -> Iterator[socket.socket]:
    """Have a handler for the forwarded signals, and a socket to read of each that came."""
    read, write = socket.socketpair()
    with read, write:
        read.setblocking(False)
        write.setblocking(False)
        woken = signal.set_wakeup_fd(write.fileno(), warn_on_full_buffer=False)
        before = {number: signal.signal(number, handler) for number in FORWARDED}
        try:
            yield read
        finally:
            for number, restored in before.items():
                signal.signal(number, restored)
            signal.set_wakeup_fd(woken)


def _wait_for(child: int, woken: socket.socket) -> int:
    """Return the status of a child that has ended.

    `os.waitpid` alone can sleep through a signal that comes just before the call: its handler runs
    in between two steps of the interpreter only.
    """
    ended = os.pidfd_open(child)
    try:
        with selectors.DefaultSelector() as selector:
            selector.register(ended, selectors.EVENT_READ)
            selector.register(woken, selectors.EVENT_READ)
            while True:
                ready = [key.fd for key, _ in selector.select()]
                if ended in ready:
                    return os.waitpid(child, 0)[1]
                woken.recv(64)
    finally:
        os.close(ended)


def _why(number: int) -> str:
    if number == signal.SIGBUS:
        return (
            "a front end cut its memory short while it was in use: it was disconnected, "
            "and the server starts again"
        )
    return f"the server was ended by {signal.Signals(number).name} and starts again"


def _fork(serve: Callable[[], int]) -> int:
    parent = os.getpid()
    # The child keeps what comes until the handlers that it has from its parent are gone.
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, FORWARDED)
    with warnings.catch_warnings():
        # numpy's idle threads are not ours, and the child never uses them.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        return child
    status = 70
    try:
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        signal.set_wakeup_fd(-1)
        for number in FORWARDED:
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        if os.getppid() == parent:
            status = serve()
    except BaseException:  # noqa: BLE001 - nothing of the parent may run in the child
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
    raise AssertionError  # pragma: no cover
