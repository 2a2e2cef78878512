"""The vector files as a stranger reads them: from the installed folder, with nothing but json."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path
from typing import Any

FOLDER = Path(str(files("vhint_spec") / "vectors"))
MANIFEST = json.loads((FOLDER / "manifest.json").read_text())


def load(kind: str) -> dict[str, Any]:
    """All files of a kind by their id."""
    entries = [entry for entry in MANIFEST["files"] if entry["kind"] == kind]
    values = [json.loads((FOLDER / entry["path"]).read_text()) for entry in entries]
    return {value["id"]: value for value in values}


FORMATS, FUNCTIONS, HISTORIES = load("format"), load("function"), load("stateful")


def every(loaded: dict[str, Any]) -> dict[str, tuple[Any, Any]]:
    """(file, vector) of all vectors by id."""
    return {vector["id"]: (file, vector) for file in loaded.values() for vector in file["vectors"]}
