"""Traces of cases as files: no verdict hangs on whether one could be written."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from vhint.trace import Recorder

NOT_WRITTEN = "trace not written"
"""The observation that tells why there is no trace."""


def write_trace(recorder: Recorder, file: Path | None, observations: dict[str, object]) -> None:
    """Write a whole trace, if a file is named; note in the observations why there is none."""
    if file is None:
        return
    try:
        recorder.write(file)
    except OSError as error:
        observations[NOT_WRITTEN] = error.strerror or str(error)
        with suppress(OSError):  # half of a trace would say what did not happen
            file.unlink()
