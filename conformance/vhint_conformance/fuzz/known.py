"""What a target is known to do against the standard: random traffic that meets it goes on."""

from __future__ import annotations

from collections.abc import Sequence

from vhint.wire.features import Feature
from vhint_conformance.expectations import Expectation
from vhint_conformance.selection import matches
from vhint_conformance.variants import PACKED, SPLIT
from vhint_conformance.vectors.steps import Step
from vhint_conformance.verdict import Failed, TargetDied, Violation
from vhint_spec import load

DIED = "it died"
"""How an expectation says that the target ends."""

CASE = "ring.malformed-harmless"
"""The case that has each malformed chain by itself."""


def serious(violations: Sequence[Violation]) -> list[Violation]:
    """Return those that break more than a SHOULD, which is for cases of its own to judge."""
    registry = load()
    return [v for v in violations if not registry[v.requirement].level.startswith("SHOULD")]


def is_known(error: Exception, steps: Sequence[Step], expectations: Sequence[Expectation]) -> bool:
    """Whether all that a program led to is expected of the target.

    An expectation of a violation names its requirement, as slug or in its message; one of a death
    names the case of the malformed chain that was the last to be offered.
    """
    if isinstance(error, Failed):
        return all(
            any(_covers(item, violation) for item in expectations)
            for violation in serious(error.violations)
        )
    if isinstance(error, TargetDied):
        name = _chain_case(steps)
        return any(item.message == DIED and matches(item.slug, name) for item in expectations)
    return False


def _covers(item: Expectation, violation: Violation) -> bool:
    named = item.message.endswith(violation.requirement)
    return named or item.covers(violation.requirement, violation)


def _chain_case(steps: Sequence[Step]) -> str:
    """Return the id of the case with the last malformed chain of a program, empty without one."""
    variant, found = SPLIT, ""
    for step in steps:
        if step["step"] == "negotiate":
            variant = PACKED if Feature.RING_PACKED in step["accepted"] else SPLIT
        elif "chain" in step:
            found = variant.names(f"{CASE}[{step['chain']}]")
    return found
