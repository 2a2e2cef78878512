"""Judging one subject: what is likeliest to tell it from a sound one first, the rest after it.

First comes what killed it the last time, then the cases that check what it violates, then its
machine, then every other case: the first kill by the right name ends it.  It runs in a process of
its own, so that nothing of one mutant reaches the next.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from types import ModuleType

from vhint_conformance import runner
from vhint_conformance.case import Case
from vhint_conformance.collection import Collection
from vhint_conformance.kill_matrix.result import Kill, Row, Verdict
from vhint_conformance.kill_matrix.subjects import Subject
from vhint_conformance.report.model import Outcome
from vhint_conformance.runner import RunOptions
from vhint_conformance.selection import Level, level_of, matches
from vhint_conformance.variants import ANY_RINGS, Rings, variant_in
from vhint_conformance.verdict import Verdict as CaseVerdict
from vhint_spec import registry

CASE_DEADLINE = 60.0
"""Seconds after which a case is given up."""

MACHINE = "machine "
"""What the name of a machine follows where it says who killed a mutant."""


LAST = frozenset({"ring.index-wrap"})
"""Cases that take seconds and see what shorter ones see, of a device that may begin anywhere.

They are tried last, and of what is sound only when everything is wanted.
"""


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
        """The first kill that names a requirement of the mutant's, and counts at its level."""
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
        own = kill.requirement in self.subject.violates
        return own and _counts(self.subject.level, (kill.requirement,))


def stages(subject: Subject, cases: Iterable[Case], killer: str = "") -> list[list[str]]:
    """Split a role's cases: what killed it before, what checks what it violates, the others."""
    wanted = set(subject.violates)
    before: list[str] = []
    first: list[str] = []
    rest: list[str] = []
    for case in sorted(cases, key=lambda case: case.id in LAST):
        if case.id == killer and case.id not in LAST:
            before.append(case.id)
        else:
            (first if wanted.intersection(case.requirements) else rest).append(case.id)
    return [before, first, rest]


def judge(subject: Subject, suite: Collection, full: bool = False, killer: str = "") -> Row:
    """Hold the subject against the suite, of which only its role's cases count; return its row.

    `killer` is the case, or `machine NAME`, that killed it the last time, if that is known: it is
    tried first, and everything else follows if it does not do it again.
    """
    begun = time.monotonic()
    found = _Findings(subject, full)
    if subject.sound and full:
        subject = replace(subject, rings=ANY_RINGS, concerns=())
    cases = [case for case in suite.cases.values() if _concerns(subject, case)]
    if subject.sound and not full:
        cases = [case for case in cases if case.id not in LAST]
    before, first, rest = stages(subject, cases, killer)
    if subject.sound or full:
        before, first, rest = [], [], [*before, *first, *rest]
    machine_first = bool(killer) and killer == f"{MACHINE}{subject.machine}"
    steps: list[Callable[[], None]] = [
        lambda: _run(subject, before, suite, found.take),
        lambda: _run(subject, first, suite, found.take),
        lambda: _run(subject, rest, suite, found.take),
    ]
    steps.insert(0 if machine_first else 2, lambda: _run_machine(subject, found))
    for step in steps:
        if not found.settled:
            step()
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


def _counts(level: Level, requirements: Sequence[str]) -> bool:
    """Whether a violation of these is one at a level."""
    return level is not Level.MUST or level_of(requirements, registry.load()) is not Level.SHOULD


def _concerns(subject: Subject, case: Case) -> bool:
    """Whether the subject is judged by a case: by its role, its rings, its level and its theme."""
    rings = Rings.PACKED if variant_in(case.id) == Rings.PACKED else Rings.SPLIT
    return (
        case.role is subject.role
        and rings in subject.rings
        and _counts(subject.level, case.requirements)
        and (not subject.concerns or any(matches(glob, case.id) for glob in subject.concerns))
    )


def _run(
    subject: Subject, names: list[str], suite: Collection, enough: Callable[[Outcome], bool]
) -> None:
    if not names:
        return
    wanted = set(names)
    nodes = [node for node, case in suite.cases.items() if case.id in wanted]
    collection = replace(suite, selected=tuple(nodes))
    options = RunOptions(
        subject.target,
        role=subject.role,
        # A name without its variant stands for every format of ring that is asked for.
        select=tuple(dict.fromkeys(name.partition("@")[0] for name in names)),
        rings=subject.rings,
        level=subject.level,
        deadline=CASE_DEADLINE,
    )
    report = runner.run(options, until=enough, collection=collection)
    if report.target_error:
        raise RuntimeError(f"{subject.target} could not be started: {report.target_error}")


def _run_machine(subject: Subject, found: _Findings) -> None:
    if subject.sound or not subject.machine:
        return
    campaign, run = import_machines()
    result = run.run_machine(campaign.broken_machine(subject.name), shrink=False)
    if result.violation:
        found.kills.append(Kill(f"{MACHINE}{result.machine}", result.violation.requirement))
    elif result.error:
        found.troubles.append(f"{MACHINE}{result.machine}: {result.error}")


def import_machines() -> tuple[ModuleType, ModuleType]:
    """Import what runs the machines.

    It brings Hypothesis in, which takes time that no other command should wait for.
    """
    from vhint_conformance.model import campaign, run

    return campaign, run


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
