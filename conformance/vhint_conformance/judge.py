"""From what a case raised to its outcome."""

from __future__ import annotations

import json
import os
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from vhint.transport.interface import TransportError
from vhint_conformance import expectations as expect
from vhint_conformance.expectations import Expectation
from vhint_conformance.report.model import Fault, Outcome
from vhint_conformance.selection import Level, level_of
from vhint_conformance.verdict import (
    Failed,
    HarnessFailed,
    Inconclusive,
    NotApplicable,
    TargetDied,
    TargetError,
    TargetNotStarted,
    Verdict,
    Violation,
)
from vhint_conformance.watchdog import DeadlineExceeded
from vhint_spec import registry

DEBUG = "VHINT_DEBUG"
"""The environment variable that makes tracebacks visible."""

RECOVERS = "ring.device.recovers-by-reset"
MALFORMED = ("ring.device.malformed-", "ring.device.packed-malformed-")
"""Requirements about chains that break the rules; the first is the strongest."""


@dataclass(frozen=True, slots=True)
class Judge:
    """What is needed to judge every case of a run alike.

    At `level` MUST a SHOULD that is not kept is told, and no failure.
    """

    expectations: Sequence[Expectation]
    deadline: float
    level: Level = Level.SHOULD

    def judge(
        self, outcome: Outcome, error: BaseException | None, *, whole: bool = False
    ) -> Outcome:
        """Return `outcome`, so far without a verdict, as `error` (None: a clean end) decides it.

        `whole` says that the case itself came to its end, and what failed was seen by monitors.
        """
        if error is None:
            return self._passed(outcome)
        if isinstance(error, TargetDied) and (error.ended or error.hangs):
            slug = error.stake or broken_by_dying(outcome.requirements)
            seen = f"it {'runs without an end' if error.hangs else 'died'}: {error}"
            judged = outcome.role or "target"
            expected = f"a {judged} that lives through what the other side does wrong"
            error = Failed([Violation(slug, expected, seen)]) if slug else error
        if isinstance(error, Failed):
            return self._failed(outcome, error, whole=whole)
        text = str(error).strip()
        if isinstance(error, Inconclusive):
            return replace(outcome, verdict=Verdict.INCONCLUSIVE, message=text)
        if isinstance(error, (NotApplicable, pytest.skip.Exception)):
            return replace(outcome, verdict=Verdict.NOT_APPLICABLE, message=text)
        fault, message = self._fault(error)
        return replace(
            outcome,
            verdict=Verdict.ERROR,
            message=message,
            hint=getattr(error, "hint", "") if isinstance(error, TargetError) else "",
            fault=fault,
            traceback="".join(traceback.format_exception(error)) if os.environ.get(DEBUG) else "",
        )

    def _passed(self, outcome: Outcome) -> Outcome:
        contrary = expect.naming(self.expectations, outcome.id)
        if contrary is None:
            return replace(outcome, verdict=Verdict.PASS)
        return replace(
            outcome,
            verdict=Verdict.FAIL,
            message=f"unexpected pass: {contrary.source} expects it to fail ({contrary.reason}); "
            "remove the expectation if this is mended",
            expectations=(contrary,),
        )

    def _failed(self, outcome: Outcome, error: Failed, *, whole: bool) -> Outcome:
        excuses = expect.covering(self.expectations, outcome.id, error.violations)
        if not excuses and self.level is Level.MUST and not _must(error.violations):
            return self._advised(replace(outcome, advice=error.violations), whole=whole)
        return replace(
            outcome,
            verdict=Verdict.EXPECTED_FAIL if excuses else Verdict.FAIL,
            message=str(error),
            violations=error.violations,
            expectations=excuses,
        )

    def _advised(self, outcome: Outcome, *, whole: bool) -> Outcome:
        """Judge a case in which nothing but recommendations was not followed.

        That is no failure at level MUST.  Where it ended the case, what it would have looked at
        after that was not seen: no pass either.
        """
        if whole:
            return self._passed(outcome)
        lacking = ", ".join(dict.fromkeys(each.requirement for each in outcome.advice))
        message = f"needs what is recommended, and not done: {lacking}"
        return replace(outcome, verdict=Verdict.NOT_APPLICABLE, message=message)

    def _fault(self, error: BaseException) -> tuple[Fault, str]:
        if isinstance(error, DeadlineExceeded):
            return Fault.DEADLINE, f"no answer within {self.deadline:g} s"
        if isinstance(error, TargetNotStarted):
            return Fault.NOT_STARTED, f"the target could not be started: {error}"
        if isinstance(error, HarnessFailed):
            return Fault.HARNESS, f"the harness failed, not what is judged: {error}"
        if isinstance(error, TargetDied):
            return Fault.DIED, f"the target died: {error}"
        if isinstance(error, (TargetError, TransportError)):
            return Fault.DIED, f"the target is gone: {error}"
        return Fault.SUITE, f"fault in the suite: {_last_line(error)}"


def _must(violations: Sequence[Violation]) -> bool:
    """Whether any of them is of a MUST."""
    slugs = [each.requirement for each in violations]
    return level_of(slugs, registry.load()) is Level.MUST


def broken_by_dying(requirements: Sequence[str]) -> str | None:
    """Return the requirement that a device breaks by dying in a case for these, if there is one.

    In most cases a death says nothing about what was judged.  Where a chain is malformed it does: a
    driver must not be able to end the process that serves it.

    >>> broken_by_dying(["ring.device.malformed-contained", "ring.device.recovers-by-reset"])
    'ring.device.recovers-by-reset'
    """
    if RECOVERS in requirements:
        return RECOVERS
    answered = (slug for slug in requirements if slug.startswith(MALFORMED))
    return next(answered, None)


def plain(values: Mapping[str, object] | None) -> dict[str, object] | None:
    """Return a mapping as JSON can hold it; what JSON has no form for becomes text."""
    if values is None:
        return None
    try:
        text = json.dumps({str(key): value for key, value in values.items()}, default=str)
    except (TypeError, ValueError):
        return {str(key): repr(value) for key, value in values.items()}
    # Python writes NaN and the infinities, which JSON lacks: they too become text.
    plain_values: dict[str, object] = json.loads(text, parse_constant=str)
    return plain_values


def _last_line(error: BaseException) -> str:
    """Return the kind, the first line and the place of an exception, without a traceback."""
    first = str(error).strip().partition("\n")[0]
    kind = type(error).__name__
    frames = traceback.extract_tb(error.__traceback__)
    if not frames:
        return f"{kind}: {first}" if first else kind
    parts = Path(frames[-1].filename).parts
    ours = next((part for part in ("vhint_conformance", "vhint") if part in parts), None)
    start = parts.index(ours) if ours else len(parts) - 1
    place = f"{'/'.join(parts[start:])}:{frames[-1].lineno}"
    return f"{kind}: {first} ({place})" if first else f"{kind} ({place})"
