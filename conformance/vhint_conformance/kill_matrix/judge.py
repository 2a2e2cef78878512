"""Judging one subject: the cases that are likeliest to tell first, then the rest, then a machine.

It runs in a process of its own, so that nothing of one mutant reaches the next.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from vhint_conformance import runner
from vhint_conformance.case import Role
from vhint_conformance.kill_matrix.result import Kill, Row, Verdict
from vhint_conformance.kill_matrix.subjects import Subject
from vhint_conformance.report.model import Outcome
from vhint_conformance.runner import RunOptions
from vhint_conformance.variants import ANY_RINGS, Rings
from vhint_conformance.verdict import Verdict as CaseVerdict

CASE_DEADLINE = 60.0
"""Seconds after which a case is given up."""

PACKED = f"@{Rings.PACKED}"
"""How the ids of cases end that run once more with packed rings."""

Cases = Mapping[str, tuple[str, ...]]
"""The requirements of each case of the subject's role, by its id."""


@dataclass
class _Findings:
    """What was found so far."""

    subject: Subject
    full: bool
    kills: list[Kill] = field(default_factory=list)
    troubles: list[str] = field(default_factory=list)
    judged: int = 0

    @property
    def right(self) -> Kill | None:
        """The first kill that names a requirement of the mutant's."""
        return next((kill for kill in self.kills if self._own(kill)), None)

    @property
    def settled(self) -> bool:
        """Whether nothing more need be run."""
        return bool(self.right or (self.subject.sound and self.kills)) and not self.full

    def take(self, outcome: Outcome) -> bool:
        """Note what a case found; return whether that is enough."""
        self.judged += 1
        if outcome.verdict is CaseVerdict.FAIL:
            self.kills += [Kill(outcome.id, each.requirement) for each in outcome.violations]
            if self.subject.sound:
                self.troubles.append(f"{outcome.id}: {outcome.message}")
        elif outcome.verdict in (CaseVerdict.ERROR, CaseVerdict.INCONCLUSIVE):
            self.troubles.append(f"{outcome.id}: {outcome.message}")
        return self.settled

    def _own(self, kill: Kill) -> bool:
        return kill.requirement in self.subject.violates


def likeliest(subject: Subject, cases: Cases) -> tuple[list[str], list[str]]:
    """Split a role's cases: those that check what the mutant violates, and the others."""
    wanted = set(subject.violates)
    first = [name for name, slugs in cases.items() if wanted & set(slugs)]
    return first, [name for name in cases if name not in first]


def judge(subject: Subject, cases: Cases, full: bool = False) -> Row:
    """Hold the subject against the suite and return its row."""
    begun = time.monotonic()
    found = _Findings(subject, full)
    if not subject.sound:  # the fault is the same behind either format of ring
        cases = {name: slugs for name, slugs in cases.items() if not name.endswith(PACKED)}
    first, rest = likeliest(subject, cases)
    for names in ([*first, *rest],) if full else (first, rest):
        if names and not found.settled:
            _run(subject, names, found.take)
    if subject.machine and not found.right and not subject.sound:
        _run_machine(subject, found)
    return Row(
        name=subject.name,
        role=subject.role,
        group=subject.group,
        verdict=_verdict(found),
        violates=subject.violates,
        kill=found.right or next(iter(found.kills), None),
        named=tuple(dict.fromkeys(kill.requirement for kill in found.kills)),
        judged=found.judged,
        seconds=round(time.monotonic() - begun, 1),
        note="" if found.right else _note(found),
    )


def _run(subject: Subject, names: list[str], enough: Callable[[Outcome], bool]) -> None:
    options = RunOptions(
        subject.target,
        role=Role(subject.role),
        # A name without its variant stands for every format of ring that is asked for.
        select=tuple(dict.fromkeys(name.partition("@")[0] for name in names)),
        rings=ANY_RINGS if subject.sound else (Rings.SPLIT,),
        level=subject.level,
        deadline=CASE_DEADLINE,
    )
    report = runner.run(options, until=enough)
    if report.target_error:
        raise RuntimeError(f"{subject.target} could not be started: {report.target_error}")


def _run_machine(subject: Subject, found: _Findings) -> None:
    # They bring Hypothesis in, which takes time that no other command should wait for.
    from vhint_conformance.model.campaign import broken_machine
    from vhint_conformance.model.run import run_machine

    result = run_machine(broken_machine(subject.name), shrink=False)
    if result.violation:
        found.kills.append(Kill(f"machine {result.machine}", result.violation.requirement))
    elif result.error:
        found.troubles.append(f"machine {result.machine}: {result.error}")


def _verdict(found: _Findings) -> Verdict:
    if found.subject.sound:
        if found.kills:
            return Verdict.FALSE_ALARM
        return Verdict.BROKEN if found.troubles or not found.judged else Verdict.PASSED
    if found.right:
        return Verdict.KILLED
    if found.kills:
        return Verdict.MISATTRIBUTED
    return Verdict.BROKEN if found.troubles else Verdict.SURVIVED


def _note(found: _Findings) -> str:
    return found.troubles[0].partition("\n")[0][:300] if found.troubles else ""
