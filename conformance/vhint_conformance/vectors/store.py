"""The vector files as they are installed."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path

from vhint_conformance.vectors.model import Json


def directory() -> Path:
    """Return the folder of the installed vector files.

    They are files, not entries of an archive, because other languages read them.
    """
    folder = files("vhint_spec") / "vectors"
    if not isinstance(folder, Path):
        raise FileNotFoundError("vhint is imported from an archive: unpack it to use the vectors")
    return folder


def schema(name: str) -> Json:
    """Return the schema of a kind of file, of the ``manifest``, or what is ``common``."""
    path = files("vhint_spec") / "schemas" / f"vector-{name}.schema.json"
    return json.loads(path.read_text(encoding="utf-8"))


def load(path: Path) -> Json:
    """Return the value of a JSON file."""
    return json.loads(path.read_text(encoding="utf-8"))
