"""Hypothesis state machines: small and focused, one subject a file.

Each lets Hypothesis choose every step of a guest and a host, and judges after each.
"""

from vhint_conformance.model.machines.answers import BadAnswers
from vhint_conformance.model.machines.balloon import BalloonPages
from vhint_conformance.model.machines.base import GuestMachine, RequirementBroken, factories
from vhint_conformance.model.machines.cache import CachedPages
from vhint_conformance.model.machines.cpus_and_zones import CpusAndZones
from vhint_conformance.model.machines.exhaustion import FullRing
from vhint_conformance.model.machines.hinting import HintBitmaps, HintPages
from vhint_conformance.model.machines.packed_rings import PackedRings
from vhint_conformance.model.machines.plain import PlainPages
from vhint_conformance.model.machines.reporting import ReportedPages
from vhint_conformance.model.machines.resets import HintResets, ResetsAnywhere
from vhint_conformance.model.machines.rounds import HintRounds

MACHINES: dict[str, type[GuestMachine]] = {
    kind.__name__: kind
    for kind in (
        PlainPages,
        HintPages,
        HintBitmaps,
        ReportedPages,
        HintRounds,
        BalloonPages,
        ResetsAnywhere,
        HintResets,
        CpusAndZones,
        CachedPages,
        FullRing,
        PackedRings,
        BadAnswers,
    )
}
"""Machines by name."""

__all__ = [
    "MACHINES",
    "BadAnswers",
    "BalloonPages",
    "CachedPages",
    "CpusAndZones",
    "FullRing",
    "GuestMachine",
    "HintBitmaps",
    "HintPages",
    "HintResets",
    "HintRounds",
    "PackedRings",
    "PlainPages",
    "ReportedPages",
    "RequirementBroken",
    "ResetsAnywhere",
    "factories",
]
