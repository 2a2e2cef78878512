"""Monitors of everything that a driver can do wrong, as its device sees it.

They know what a device knows: registers, rings, and the memory behind them.  `OwnershipRules`,
`RequestRules` and `RoundRules` are shared with the state machines, which see more.
"""

from __future__ import annotations

from vhint.ring import GuestMemory
from vhint.trace.events import Event, Offered
from vhint.wire.queues import Queue
from vhint_conformance.driver_bench.offer import Offer
from vhint_conformance.model.driver_rules import OwnershipRules, RequestRules
from vhint_conformance.oracle.driver.balloon import BalloonRules
from vhint_conformance.oracle.driver.features import AcceptRules
from vhint_conformance.oracle.driver.initialisation import InitialisationRules
from vhint_conformance.oracle.driver.rounds import CommandRules
from vhint_conformance.oracle.driver.shapes import ShapeRules
from vhint_conformance.oracle.driver.statistics import StatisticsRules
from vhint_conformance.oracle.monitor import Monitor

__all__ = ["driver_monitors"]


class SeenOwnership(OwnershipRules):
    """Ownership as a device sees it: it is not told when a hinted page is taken back."""

    def see(self, place: int, event: Event) -> None:
        """Judge one event; pages of free page hinting have rules of their own."""
        if not (isinstance(event, Offered) and event.queue == Queue.FREE_PAGE):
            super().see(place, event)


class SeenRequests(RequestRules):
    """Requests as a device sees them: those made before DRIVER_OK it takes only after it."""

    def _started(self) -> None:
        """Find nothing wrong with buffers that wait: queues may be filled during set-up."""


def driver_monitors(memory: GuestMemory, offer: Offer) -> list[Monitor]:
    """Return fresh monitors of a driver that finds a device with this offer."""
    return [
        AcceptRules(),
        InitialisationRules(offer),
        ShapeRules(memory, offer),
        SeenRequests(memory),
        SeenOwnership(memory),
        BalloonRules(),
        StatisticsRules(memory),
        CommandRules(memory),
    ]
