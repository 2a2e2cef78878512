"""What every monitor is: a listener on a trace that reports what no sound peer would do."""

from __future__ import annotations

from abc import ABC, abstractmethod

from vhint.trace.events import Event
from vhint_conformance.verdict import Violation


class Monitor(ABC):
    """Reads events in order and collects violations.

    A monitor reports only what breaks a requirement in every order of events that the bounds of
    the observed ones allow: it never raises a false alarm, and `finish` is where "never
    happened" can be said.
    """

    def __init__(self) -> None:
        self.violations: list[Violation] = []

    @abstractmethod
    def see(self, place: int, event: Event) -> None:
        """Take the event at `place` in the trace."""

    def finish(self) -> None:  # noqa: B027 - most monitors have nothing left to say
        """Judge what is still open at the end of the trace."""

    def report(self, requirement: str, expected: str, seen: str, where: str = "") -> None:
        """Record a violation, once."""
        violation = Violation(requirement, expected, seen, where)
        if violation not in self.violations:
            self.violations.append(violation)
