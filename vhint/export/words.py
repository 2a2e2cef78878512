"""Names as words, and words as the names of each language."""

from __future__ import annotations

import re

_WORD = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z0-9]+|[A-Z0-9]+")


def words(name: str) -> tuple[str, ...]:
    """Take a name in any style apart.

    >>> words("RequestType"), words("hint-request"), words("HTLB_PGFAIL"), words("VIRTIOFlag")
    (('request', 'type'), ('hint', 'request'), ('htlb', 'pgfail'), ('virtio', 'flag'))
    """
    return tuple(word.lower() for word in _WORD.findall(name))


def snake(*names: str) -> str:
    """Join names as in ``hint_request``."""
    return "_".join(word for name in names for word in words(name))


def capitals(*names: str) -> str:
    """Join names as in ``HINT_REQUEST``."""
    return snake(*names).upper()


def camel(*names: str) -> str:
    """Join names as in ``HintRequest``."""
    return "".join(word.capitalize() for name in names for word in words(name))
