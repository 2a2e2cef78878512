"""Broken guests that the machines must tell from sound ones, by subject."""

from __future__ import annotations

from collections.abc import Mapping

from vhint_conformance.mutants.guest import (
    answers,
    balloon,
    beliefs,
    capture,
    halves,
    initialisation,
    more_rounds,
    packed_rings,
    queues,
    reporting,
    requests,
    rounds,
    seldom,
)
from vhint_conformance.mutants.guest.base import GuestMutant

GROUPS: Mapping[str, tuple[GuestMutant, ...]] = {
    "capture and isolation": capture.MUTANTS,
    "requests and answers": answers.MUTANTS,
    "reporting": reporting.MUTANTS,
    "free page hints": rounds.MUTANTS,
    "balloon": balloon.MUTANTS,
    "initialisation": initialisation.MUTANTS,
    "bytes of requests": requests.MUTANTS,
    "queues and statistics": queues.MUTANTS,
    "packed queues": packed_rings.MUTANTS,
    "what shows seldom": seldom.MUTANTS,
    "rounds that are disturbed": more_rounds.MUTANTS,
    "what a guest believes": beliefs.MUTANTS,
    "half looked at, or remembered": halves.MUTANTS,
}
"""Guest mutants by subject."""

GUEST_MUTANTS: Mapping[str, GuestMutant] = {
    mutant.name: mutant for group in GROUPS.values() for mutant in group
}
"""Guest mutants by name."""

__all__ = ["GUEST_MUTANTS", "GuestMutant"]
