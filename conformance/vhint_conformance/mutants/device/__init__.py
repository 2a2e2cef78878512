"""Reference devices with one fault each, by subject."""

from __future__ import annotations

from collections.abc import Mapping

from vhint_conformance.mutants.base import BusMutant, Mutant
from vhint_conformance.mutants.device import (
    balloon,
    bus,
    config,
    hint_answers,
    hint_blocks,
    hint_limits,
    hint_refusals,
    in_order,
    malformed,
    notifications,
    offers,
    packed_rings,
    poison,
    queue_reset,
    queues,
    reporting,
    rings,
    rounds,
    seldom,
    statistics,
    status,
    used_ring,
)

GROUPS: Mapping[str, tuple[Mutant | BusMutant, ...]] = {
    "rings": rings.MUTANTS,
    "used ring": used_ring.MUTANTS,
    "order of use": in_order.MUTANTS,
    "packed rings": packed_rings.MUTANTS,
    "notifications": notifications.MUTANTS,
    "malformed chains": malformed.MUTANTS,
    "status and features": status.MUTANTS,
    "queue numbers and sizes": queues.MUTANTS,
    "reset of a queue": queue_reset.MUTANTS,
    "config space": config.MUTANTS,
    "identity, offers and units": offers.MUTANTS,
    "inflate and deflate": balloon.MUTANTS,
    "statistics": statistics.MUTANTS,
    "reporting": reporting.MUTANTS,
    "poison": poison.MUTANTS,
    "free page hints": rounds.MUTANTS,
    "hinting: blocks": hint_blocks.MUTANTS,
    "hinting: answers": hint_answers.MUTANTS,
    "hinting: refusals": hint_refusals.MUTANTS,
    "hinting: limits": hint_limits.MUTANTS,
    "registers of a bus": bus.MUTANTS,
    "what shows seldom": seldom.MUTANTS,
}
"""Device mutants by subject."""

MUTANTS: Mapping[str, Mutant] = {
    mutant.name: mutant
    for group in GROUPS.values()
    for mutant in group
    if isinstance(mutant, Mutant)
}
"""Device mutants by name; any transport can stand before them."""

BUS_MUTANTS: Mapping[str, BusMutant] = {
    mutant.name: mutant
    for group in GROUPS.values()
    for mutant in group
    if isinstance(mutant, BusMutant)
}
"""Mutants of the registers of a bus, by name."""
