"""What changed between two runs: what fails that did not, and the other way round."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from vhint_conformance.report.model import ExitStatus, Outcome, Report
from vhint_conformance.verdict import Verdict

SETTLED = (Verdict.PASS, Verdict.EXPECTED_FAIL, Verdict.FAIL, Verdict.NOT_APPLICABLE)


class Kind(StrEnum):
    """How a case differs between two runs."""

    NEWLY_FAILING = "newly failing"
    UNSETTLED = "no longer settled"
    NEWLY_PASSING = "newly passing"
    CHANGED = "changed"
    NEW = "new"
    GONE = "gone"


@dataclass(frozen=True, slots=True)
class Change:
    """One case that differs; `old` or `new` is None if the run did not judge it."""

    id: str
    kind: Kind
    old: Outcome | None
    new: Outcome | None

    @property
    def outcome(self) -> Outcome:
        """The newer of the two."""
        found = self.new or self.old
        assert found is not None  # noqa: S101 - a change has at least one of them
        return found


@dataclass(frozen=True, slots=True)
class Diff:
    """All changes from one run to another, in the order of `Kind`, and how many cases have none."""

    old: Report
    new: Report
    changes: tuple[Change, ...]
    same: int

    def of(self, kind: Kind) -> list[Change]:
        """Return the changes of one kind."""
        return [each for each in self.changes if each.kind is kind]

    @property
    def exit_status(self) -> ExitStatus:
        """1 if a case fails newly; 4 if one that was settled is not any more, or was lost.

        A new case that fails is no step back: nothing is known of how it was before.
        """
        if self.of(Kind.NEWLY_FAILING):
            return ExitStatus.VIOLATED
        lost = self.new.target_error or self.new.not_run
        return ExitStatus.UNSETTLED if self.of(Kind.UNSETTLED) or lost else ExitStatus.CONFORMS


def compare(old: Report, new: Report) -> Diff:
    """Return what changed from one run to the other, case by case."""
    before, after = _by_id(old), _by_id(new)
    names = dict.fromkeys([*after, *before])
    found = [
        Change(name, kind, before.get(name), after.get(name))
        for name in names
        if (kind := _kind(before.get(name), after.get(name)))
    ]
    order = list(Kind)
    found.sort(key=lambda change: order.index(change.kind))
    return Diff(old, new, tuple(found), len(names) - len(found))


def _by_id(report: Report) -> Mapping[str, Outcome]:
    return {outcome.id: outcome for outcome in report.outcomes}


def _kind(old: Outcome | None, new: Outcome | None) -> Kind | None:
    if old is None:
        return Kind.NEW
    if new is None:
        return Kind.GONE
    if old.verdict is new.verdict:
        return Kind.CHANGED if _broken(old) != _broken(new) else None
    if new.verdict is Verdict.FAIL:
        return Kind.NEWLY_FAILING
    if old.verdict in SETTLED and new.verdict not in SETTLED:
        return Kind.UNSETTLED
    return Kind.NEWLY_PASSING if new.verdict is Verdict.PASS else Kind.CHANGED


def _broken(outcome: Outcome) -> frozenset[str]:
    """Return which requirements were seen broken; how, in which bytes, is the run's own."""
    return frozenset(each.requirement for each in outcome.violations)
