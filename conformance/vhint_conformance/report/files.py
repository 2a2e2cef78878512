"""Write report files whole or not at all, and know beforehand that they can be written."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

from vhint_conformance.report.console import own_stream


class Unwritable(Exception):  # noqa: N818 - what is wrong with the path
    """A report cannot be written there; the text says why."""


def check_file(path: Path) -> None:
    """Raise `Unwritable` if a report could not be written to `path`; leaves nothing behind."""
    if path.is_dir():
        raise Unwritable(f"{path}: is a directory; expected the name of a file")
    try:
        if _in_place(path):
            path.open("a").close()
        else:
            with tempfile.NamedTemporaryFile(dir=path.resolve().parent):
                pass
    except OSError as error:
        raise Unwritable(f"{path}: cannot be written: {_why(path, error)}") from error


def check_directory(path: Path) -> None:
    """Make the directory if need be; raise `Unwritable` if no file could be made in it."""
    if path.exists() and not path.is_dir():
        raise Unwritable(f"{path}: cannot be used for traces: it is not a directory")
    try:
        path.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path):
            pass
    except OSError as error:
        raise Unwritable(f"{path}: cannot be used for traces: {error.strerror}") from error


def write(path: Path, text: str) -> None:
    """Put `text` into the file, by way of a new file beside it; raises `Unwritable`.

    A device or a pipe is written in place: it must not be replaced.  So is `-`, standard output.
    """
    if str(path) == "-":
        own_stream(sys.stdout).write(text)
        return
    try:
        if _in_place(path):
            path.write_text(text, encoding="utf-8")
        else:
            _replace(path.resolve(), text)
    except OSError as error:
        raise Unwritable(f"{path}: could not be written: {_why(path, error)}") from error


def append(path: Path, text: str) -> None:
    """Add `text` to the end of the file; raises `Unwritable`."""
    try:
        with path.open("a", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise Unwritable(f"{path}: could not be written: {_why(path, error)}") from error


def _replace(path: Path, text: str) -> None:
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        # mkstemp makes private files; a report has the rights of any other new file.
        mask = os.umask(0)
        os.umask(mask)
        Path(name).chmod(0o666 & ~mask)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _in_place(path: Path) -> bool:
    return path.exists() and not path.is_file()


def _why(path: Path, error: OSError) -> str:
    if not path.resolve().parent.is_dir():
        return f"there is no directory {path.parent}"
    return error.strerror or str(error)
