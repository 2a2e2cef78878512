"""What a run found: one `Outcome` per case, and the `Report` that holds them all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Self

import vhint
from vhint_conformance.exit_status import ExitStatus
from vhint_conformance.expectations import Expectation
from vhint_conformance.selection import Level
from vhint_conformance.verdict import Verdict, Violation

if TYPE_CHECKING:
    from vhint_conformance.statement import Statement
    from vhint_conformance.statement.comparison import Comparison

__all__ = ["ExitStatus", "Fault", "Outcome", "Report"]


class Fault(StrEnum):
    """Why a case has the verdict `error`."""

    NOT_STARTED = "target-not-started"
    DIED = "target-died"
    HARNESS = "harness"
    DEADLINE = "no-answer"
    SUITE = "suite"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one case found.

    `repro` is a shell command that reruns just this case.  `expectations` are those that apply:
    they excuse an expected failure, or are out of date when the case passed against them.
    `role` is the side that was judged, empty if that is unknown.  `evidence` are the values of an
    `Evidence`, for a case that did not end well.  `advice` is where the target did not do what is
    only recommended, in a run at level MUST, where that is no failure.  `traceback` is kept only
    while debugging.
    """

    id: str
    requirements: tuple[str, ...]
    verdict: Verdict
    title: str = ""
    level: Level = Level.MUST
    message: str = ""
    hint: str = ""
    duration_s: float = 0.0
    repro: str = ""
    observations: Mapping[str, object] = field(default_factory=dict)
    effectiveness: Mapping[str, object] | None = None
    violations: tuple[Violation, ...] = ()
    expectations: tuple[Expectation, ...] = ()
    fault: Fault | None = None
    traceback: str = ""
    role: str = ""
    evidence: Mapping[str, Any] | None = None
    advice: tuple[Violation, ...] = ()

    @property
    def seen_broken(self) -> tuple[Violation, ...]:
        """Everything that was seen, whether or not it counts at the level of the run."""
        return (*self.violations, *self.advice)

    @property
    def profile(self) -> str:
        """The profile that the case belongs to: that of its first requirement."""
        return (self.requirements[0] if self.requirements else self.id).partition(".")[0]

    def as_json(self) -> dict[str, Any]:
        """Return plain values, for `from_json` in another process."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """Return the outcome that `as_json` described."""
        typed = dict(values)
        typed["requirements"] = tuple(values["requirements"])
        typed["verdict"] = Verdict(values["verdict"])
        typed["level"] = Level(values["level"])
        typed["violations"] = tuple(Violation(**item) for item in values["violations"])
        typed["advice"] = tuple(Violation(**item) for item in values["advice"])
        typed["expectations"] = tuple(Expectation(**item) for item in values["expectations"])
        typed["fault"] = Fault(values["fault"]) if values["fault"] else None
        return cls(**typed)


@dataclass(frozen=True, slots=True)
class Report:
    """What a run found.

    `not_run` are cases that were selected and not reached, because of an interrupt, a target that
    cannot be started or a limit that the user set; `stopped` says which.  `target_error` and its
    hint are set if the target could not be started at all.  `out_of_date` are expectations that
    the run as a whole refuted.  `expectations` are those that applied to this target.  `created`
    is when, in ISO 8601 and UTC, and `suite` the version of vhint that judged; both are empty in a
    report of a version that did not say.
    `statement` is what the target was held to, if it was to one, `comparison` how that compares
    with what it offers, and `not_claimed` maps each case that it leaves out to the reason.
    """

    target: str
    versions: Mapping[str, str]
    outcomes: tuple[Outcome, ...]
    seed: int = 0
    level: Level = Level.MUST
    role: str = "all"
    expectations: tuple[Expectation, ...] = ()
    out_of_date: tuple[Expectation, ...] = ()
    deselected: int = 0
    statement: Statement | None = None
    comparison: Comparison | None = None
    not_claimed: Mapping[str, str] = field(default_factory=dict)
    not_run: tuple[str, ...] = ()
    stopped: str = ""
    interrupted: bool = False
    target_error: str = ""
    target_hint: str = ""
    duration_s: float = 0.0
    created: str = ""
    suite: str = vhint.__version__

    @property
    def summary(self) -> dict[str, int]:
        """The number of cases per verdict, all verdicts present."""
        counts = Counter(outcome.verdict for outcome in self.outcomes)
        return {verdict.value: counts[verdict] for verdict in Verdict}

    def having(self, *verdicts: Verdict) -> list[Outcome]:
        """Return the outcomes with one of these verdicts, in the order they came."""
        return [outcome for outcome in self.outcomes if outcome.verdict in verdicts]

    @property
    def target_lost(self) -> list[Outcome]:
        """The outcomes of cases in which the target did not start, or died, or its harness did."""
        gone = (Fault.NOT_STARTED, Fault.DIED, Fault.HARNESS)
        return [outcome for outcome in self.outcomes if outcome.fault in gone]

    @property
    def unsettled(self) -> list[Outcome]:
        """The cases for which no verdict is known and one is needed to say "conforms"."""
        return [
            outcome
            for outcome in self.outcomes
            if outcome.verdict is Verdict.ERROR
            or (outcome.verdict is Verdict.INCONCLUSIVE and outcome.level is Level.MUST)
        ]

    @property
    def claims_too_much(self) -> tuple[str, ...]:
        """What the statement claims and the target does not offer."""
        return self.comparison.too_much if self.comparison else ()

    @property
    def exit_status(self) -> ExitStatus:
        """The exit status that `vhint conform` owes.

        A run in which no case had anything to say about the target settles nothing either.
        """
        if self.interrupted:
            return ExitStatus.INTERRUPTED
        if self.target_error or self.target_lost:
            return ExitStatus.TARGET
        if self.out_of_date or self.claims_too_much or self.having(Verdict.FAIL):
            return ExitStatus.VIOLATED
        judged = self.having(Verdict.PASS, Verdict.EXPECTED_FAIL)
        not_compared = self.comparison is not None and self.comparison.unknown
        if self.unsettled or self.not_run or not judged or not_compared:
            return ExitStatus.UNSETTLED
        return ExitStatus.CONFORMS


def now() -> str:
    """Return the time as a report gives it.

    >>> len(now()), now()[-1]
    (20, 'Z')
    """
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
