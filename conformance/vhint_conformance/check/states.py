"""The set of states that a trace leaves possible.

Where a trace does not tell something, or the standard leaves a choice, there is a state for each
possibility. All of them are shown every event; one in which a monitor finds something broken is
dead. What is left in the end is the verdict:

- a *fact* that the trace does not tell (was the legacy interface used? what was negotiated before
  the trace begins?) is as it is, whether we know it or not: only if every possibility is dead is
  something broken, and only if none is, everything holds;
- a *choice* that an implementation has may be made either way: one possibility that is alive is
  enough.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from vhint.trace.events import Event
from vhint_conformance.check.result import Doubt, Finding
from vhint_conformance.oracle.monitor import Monitor

Told = tuple[tuple[str, str], ...]
"""What is assumed, by its name."""


@dataclass(frozen=True, slots=True)
class Guess:
    """What one state assumes: facts that the trace does not tell, and choices."""

    facts: Told = ()
    choices: Told = ()

    def __getitem__(self, name: str) -> str:
        return dict((*self.facts, *self.choices))[name]

    def __str__(self) -> str:
        return ", ".join(f"{name} {value}" for name, value in (*self.facts, *self.choices))


Placed = tuple[int, Event]
"""An event and its place in the trace."""


@dataclass(slots=True)
class State:
    """One possibility: its monitors, and what they found, if it is dead."""

    guess: Guess
    monitors: Sequence[Monitor]
    findings: list[Finding] = field(default_factory=list)
    seen: int = 0

    def see(self, line: int, events: Iterable[Placed], counts: Callable[[str], bool]) -> None:
        """Show events that a line of the trace stands for."""
        for place, event in events:
            for monitor in self.monitors:
                monitor.see(place, event)
            self._collect(line, str(event), counts)

    def finish(self, line: int, counts: Callable[[str], bool]) -> None:
        """Let the monitors judge what is still open."""
        for monitor in self.monitors:
            monitor.finish()
        self._collect(line, "the end of the trace", counts)

    def _collect(self, line: int, event: str, counts: Callable[[str], bool]) -> None:
        known = sum(len(monitor.violations) for monitor in self.monitors)
        if known == self.seen:
            return
        self.seen = known
        noted = {finding.violation for finding in self.findings}
        for monitor in self.monitors:
            for violation in monitor.violations:
                if violation not in noted and counts(violation.requirement):
                    self.findings.append(Finding(violation, line, event))


class StateSet:
    """All states that are still possible.

    `counts` says of a requirement whether breaking it is a violation here; what does not count is
    not collected.
    """

    def __init__(
        self,
        guesses: Iterable[Guess],
        monitors: Callable[[Guess], Sequence[Monitor]],
        counts: Callable[[str], bool],
    ) -> None:
        self.states = [State(guess, monitors(guess)) for guess in guesses]
        self._counts = counts

    def step(self, line: int, events: Callable[[Guess], Iterable[Placed] | None]) -> None:
        """Show each state what the line means under its guess; None refutes the guess."""
        kept = []
        for state in self.states:
            meaning = events(state.guess)
            if meaning is not None:
                state.see(line, meaning, self._counts)
                kept.append(state)
        self.states = kept or self.states

    def finish(self, line: int, *, settled: bool) -> list[Doubt]:
        """Judge what is still open; unless the trace is `settled`, that is no more than a doubt."""
        doubts: dict[str, Doubt] = {}
        for state in self.states:
            before = len(state.findings)
            state.finish(line, self._counts)
            if settled:
                continue
            for finding in state.findings[before:]:
                slug = finding.violation.requirement
                reason = f"{finding.violation.where}: {finding.violation.seen}; it may come later"
                doubts.setdefault(slug, Doubt(reason, (slug,), line))
            del state.findings[before:]
        return list(doubts.values())

    def by_fact(self) -> Iterator[tuple[Told, list[State]]]:
        """Yield the states of each possibility of the facts."""
        found: dict[Told, list[State]] = {}
        for state in self.states:
            found.setdefault(state.guess.facts, []).append(state)
        yield from found.items()
