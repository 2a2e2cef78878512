"""Reading back an expectation that a saved report has in it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from vhint_conformance.expectations import Expectation


def expectation(values: Mapping[str, Any]) -> Expectation:
    """Return the expectation that these values describe."""
    return Expectation(
        slug=values["slug"],
        reason=values["reason"],
        link=values["link"],
        message=values["message"] or "",
        versions=values["versions"] or "",
        source=values["source"],
    )
