"""How much is told to a person."""

from __future__ import annotations

from enum import IntEnum


class Verbosity(IntEnum):
    """How much is told beside the result."""

    QUIET = -1
    """The result, and what is wrong."""
    NORMAL = 0
    VERBOSE = 1
    """Everything that was done, and which files took part."""
