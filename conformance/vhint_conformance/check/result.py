"""What is found in a trace: a verdict, findings, and what the trace does not tell."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from vhint_conformance.report.model import ExitStatus
from vhint_conformance.verdict import Violation


class TraceVerdict(StrEnum):
    """What a trace says of the implementation."""

    HOLDS = "holds"
    """Nothing that the monitors look at was broken, and the trace tells all that they need."""
    VIOLATED = "violated"
    """No state of a sound implementation explains the trace."""
    UNDETERMINED = "undetermined"
    """The trace does not tell; never a pass."""


STATUS = {
    TraceVerdict.HOLDS: ExitStatus.CONFORMS,
    TraceVerdict.VIOLATED: ExitStatus.VIOLATED,
    TraceVerdict.UNDETERMINED: ExitStatus.UNSETTLED,
}
"""The exit status of each verdict."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A requirement seen broken: in which line of the trace, by which event."""

    violation: Violation
    line: int
    event: str


@dataclass(frozen=True, slots=True)
class Doubt:
    """Something that the trace does not tell.

    `about` are globs of the requirements that can therefore not be judged; `line` is 0 for the
    trace as a whole.
    """

    reason: str
    about: tuple[str, ...] = ("*",)
    line: int = 0


@dataclass(frozen=True, slots=True)
class Result:
    """The verdict on a trace.

    `findings` are what was broken, the first offending event first; `remarks` what only should not
    be. If the verdict is undetermined, `findings` holds under some guesses only, which `doubts`
    tells. `events` is the number of events judged, `role` whose they are.
    """

    verdict: TraceVerdict
    kind: str
    role: str
    events: int
    findings: tuple[Finding, ...] = ()
    remarks: tuple[Finding, ...] = ()
    doubts: tuple[Doubt, ...] = ()
