"""How long to search; apart from the search, so that the command starts without Hypothesis."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vhint_conformance.expectations import Expectation


@dataclass(frozen=True, slots=True)
class Options:
    """How long to search: at most so many programs of so many moves, in so many seconds.

    Shrinking may take the same time again; without `shrink` the first failure is good enough.
    What `expectations` cover is not looked for.
    """

    seed: int = 0
    examples: int = 200
    steps: int = 30
    seconds: float = 60.0
    shrink: bool = True
    expectations: tuple[Expectation, ...] = ()
