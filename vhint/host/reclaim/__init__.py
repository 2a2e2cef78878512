"""How the host takes memory back: one back end for each kind of memory, and two that take none."""

from vhint.host.reclaim.base import Discarded, Failure, Reclaimer
from vhint.host.reclaim.choose import reclaimer_for
from vhint.host.reclaim.kernel import DropAnonymous, PunchHoles
from vhint.host.reclaim.pretended import KeepEverything, Simulated

__all__ = [
    "Discarded",
    "DropAnonymous",
    "Failure",
    "KeepEverything",
    "PunchHoles",
    "Reclaimer",
    "Simulated",
    "reclaimer_for",
]
