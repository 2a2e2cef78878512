"""Which requirement stands behind a refusal, as the vectors say.

Each vector that a format refuses names the field, the kind of fault and the requirements that it
is about. What all vectors of one field and kind have in common is why it is refused.

>>> requirements("hint-request")["blocks[].order", "out-of-range"]
('hint.device.refuse-order-over-40',)
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

_INDEX = re.compile(r"\[\d+\]")

Refusals = Mapping[tuple[str, str], tuple[str, ...]]


@cache
def requirements(name: str) -> Refusals:
    """Give the requirements by path (indices left out) and kind, from all vectors of a format.

    A file of vectors belongs to a format if its id is the format's name, or that and a word for
    the case: ``hint-request-pfn`` and ``hint-request-bitmap`` to ``hint-request``.
    """
    common: dict[tuple[str, str], set[str]] = {}
    for vector in _vectors(name):
        if vector["result"] == "invalid":
            error = vector["error"]
            place = _INDEX.sub("[]", error["path"]), error["kind"]
            slugs = set(vector["requirements"])
            common[place] = common.get(place, slugs) & slugs
    return {place: tuple(sorted(slugs)) for place, slugs in common.items() if slugs}


def _vectors(name: str) -> list[dict[str, Any]]:
    folder = files("vhint_spec") / "vectors" / "format"
    found = []
    for path in sorted(folder.iterdir(), key=lambda path: path.name):
        stem = path.name.removesuffix(".json")
        if stem == name or stem.rpartition("-")[0] == name:
            found += json.loads(path.read_text(encoding="utf-8"))["vectors"]
    return found
