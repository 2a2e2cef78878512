"""Which requirement stands behind a refusal, as the vectors say.

Each vector that a format refuses names the field, the kind of fault and the requirements that it
is about. What all vectors of one field and kind have in common is why it is refused.

>>> requirements("hint-request")["blocks[].order", "out-of-range"]
('hint.device.refuse-order-over-40',)
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache

from vhint.export import vectors

_INDEX = re.compile(r"\[\d+\]")

Refusals = Mapping[tuple[str, str], tuple[str, ...]]


@cache
def requirements(name: str) -> Refusals:
    """Give the requirements by path (indices left out) and kind, from all vectors of a format."""
    common: dict[tuple[str, str], set[str]] = {}
    for vector in vectors.of_format(name):
        if vector["result"] == "invalid":
            error = vector["error"]
            place = _INDEX.sub("[]", error["path"]), error["kind"]
            slugs = set(vector["requirements"])
            common[place] = common.get(place, slugs) & slugs
    return {place: tuple(sorted(slugs)) for place, slugs in common.items() if slugs}
