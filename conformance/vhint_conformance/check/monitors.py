"""Which monitors judge which role, when there is nothing but a trace."""

from __future__ import annotations

from collections.abc import Sequence

from vhint.trace.events import Event, FeaturesOffered
from vhint.wire.features import Features
from vhint.wire.vring import MAX_QUEUE_SIZE
from vhint_conformance.case import Role
from vhint_conformance.check.result import Doubt
from vhint_conformance.driver_bench.offer import Offer
from vhint_conformance.oracle import Monitor, device_monitors
from vhint_conformance.oracle.driver.balloon import BalloonRules
from vhint_conformance.oracle.driver.features import AcceptRules
from vhint_conformance.oracle.driver.initialisation import InitialisationRules

EARLIEST = 1000
"""Events before the first reading of the features that are kept."""

OF_MEMORY = Doubt(
    "a trace does not hold the bytes of requests, by which most rules for drivers are judged",
    (
        "hint*.driver.*",
        "reporting.driver.*",
        "free-page-hint.driver.*",
        "balloon.driver.*",
        "ring.driver.*",
    ),
)
"""Why a driver is never wholly judged by a trace."""


class OfferedRules(Monitor):
    """`InitialisationRules` for a device whose offer is found in the trace."""

    def __init__(self) -> None:
        super().__init__()
        self._early: list[tuple[int, Event]] = []
        self._rules: InitialisationRules | None = None

    def see(self, place: int, event: Event) -> None:
        """Judge an event, or keep it until the offer is known."""
        if self._rules is None and isinstance(event, FeaturesOffered):
            offer = Offer("trace", Features(event.bits), queue_size=MAX_QUEUE_SIZE)
            self._rules = InitialisationRules(offer)
            self.violations = self._rules.violations
            for early in self._early:
                self._rules.see(*early)
        if self._rules is not None:
            self._rules.see(place, event)
        elif len(self._early) < EARLIEST:
            self._early.append((place, event))


def monitors(role: Role, *, legacy: bool, names_pages: bool) -> Sequence[Monitor]:
    """Return fresh monitors of a role that need nothing but the trace.

    `names_pages` says whether the trace tells which pages a request names.
    """
    if role is Role.DEVICE:
        return device_monitors(legacy=legacy)
    rules: list[Monitor] = [AcceptRules(), OfferedRules()]
    return [*rules, BalloonRules()] if names_pages else rules
