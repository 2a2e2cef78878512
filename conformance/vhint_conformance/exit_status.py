"""What the exit status of the `vhint` command says."""

from __future__ import annotations

from enum import IntEnum


class ExitStatus(IntEnum):
    """What the exit status of `vhint conform` says; the other commands follow it."""

    CONFORMS = 0
    VIOLATED = 1
    USAGE = 2
    TARGET = 3
    UNSETTLED = 4
    INTERRUPTED = 130
