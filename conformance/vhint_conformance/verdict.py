"""What a case can conclude, and the exceptions by which it says so.

A case that returns has passed.  It fails by raising `Failed` (one or more `Violation`), and
leaves the question open by raising `Inconclusive` or `NotApplicable`.  `TargetError` means that
the implementation under test could not be started, or went away: no verdict on a requirement.
Any other exception is a fault of the suite and becomes `Verdict.ERROR`, never a pass.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """The result of one case."""

    PASS = "pass"  # noqa: S105 - not a password
    FAIL = "fail"
    INCONCLUSIVE = "inconclusive"
    NOT_APPLICABLE = "not_applicable"
    EXPECTED_FAIL = "expected_fail"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Violation:
    """One requirement seen broken.

    `requirement` is a registry slug; `where` names the page, descriptor or field; `expected` and
    `seen` are short phrases that complete "expected ..., seen ...".
    """

    requirement: str
    expected: str
    seen: str
    where: str = ""

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where else ""
        return f"{self.requirement}: {place}expected {self.expected}; seen {self.seen}"


class Failed(Exception):  # noqa: N818 - a verdict, not a fault
    """The implementation under test broke one or more requirements."""

    def __init__(self, violations: Sequence[Violation]) -> None:
        if not violations:
            raise ValueError("a failure needs at least one violation")
        self.violations = tuple(violations)
        super().__init__("\n".join(map(str, self.violations)))


class Inconclusive(Exception):  # noqa: N818 - a verdict, not a fault
    """What was observed does not settle the question."""


class NotApplicable(Exception):  # noqa: N818 - a verdict, not a fault
    """The target does not offer, or does not let us see, what the case is about."""


class Skipped(NotApplicable):
    """The implementation says that it is known not to do what was asked of it.

    The case ends there, and what it left undone is not judged.
    """


class TargetError(Exception):
    """The target could not be started, or died while a case ran.

    `hint` says what the user can do about it.
    """

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class TargetNotStarted(TargetError):  # noqa: N818
    """The target could not be started: no case can run."""


class TargetDied(TargetError):  # noqa: N818
    """The target went away while a case ran.

    `ended` says that its process has, and `hangs` that it runs and runs: others may have hung up
    for a good reason, or wait for their turn on a busy machine.
    """

    def __init__(
        self, message: str, hint: str = "", *, ended: bool = False, hangs: bool = False
    ) -> None:
        super().__init__(message, hint)
        self.ended = ended
        self.hangs = hangs
        self.stake = ""
        """The requirement that was looked at, if the case has said so."""


class HarnessFailed(TargetDied):
    """The harness between the suite and the implementation failed: nothing was judged."""


def fail(requirement: str, *, expected: str, seen: str, where: str = "") -> Failed:
    """Return the exception that reports one violation, to be raised."""
    return Failed([Violation(requirement, expected, seen, where)])
