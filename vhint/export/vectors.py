"""The vectors of a format, read from their files."""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from typing import Any


@cache
def of_format(name: str) -> tuple[dict[str, Any], ...]:
    """Give all vectors of a format, in the order of files and of ids.

    A file belongs to a format if its id is the format's name, or that and a word for the case:
    ``hint-request-pfn`` and ``hint-request-bitmap`` to ``hint-request``.
    """
    folder = files("vhint_spec") / "vectors" / "format"
    found: list[dict[str, Any]] = []
    for path in sorted(folder.iterdir(), key=lambda path: path.name):
        stem = path.name.removesuffix(".json")
        if stem == name or stem.rpartition("-")[0] == name:
            found += json.loads(path.read_text(encoding="utf-8"))["vectors"]
    return tuple(found)
