"""The linter of the registers: checks each entry, and all of them against each other.

The loaders stop at the first thing wrong with a file; the linter goes on, and looks also at
what no single file shows: references that lead nowhere, clauses that nothing carries, levels
that disagree, two obligations in one entry.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vhint_spec.lint_read import Problem, read
from vhint_spec.lint_rules import RULES

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

__all__ = ["Problem", "problems", "read"]


def problems(directory: Traversable | None = None) -> list[Problem]:
    """Return all that is wrong with the registers below a directory, vhint's own by default.

    >>> problems()
    []
    """
    found = read(directory)
    return [*found.problems, *(problem for rule in RULES for problem in rule(found))]
