"""Broken devices and guests that the suite must tell from sound ones, and unusual sound ones."""

from vhint_conformance.mutants.base import BusMutant, Mutant
from vhint_conformance.mutants.device import BUS_MUTANTS, MUTANTS
from vhint_conformance.mutants.guest import GUEST_MUTANTS, GuestMutant
from vhint_conformance.mutants.sound import SOUND, Sound

__all__ = [
    "BUS_MUTANTS",
    "GUEST_MUTANTS",
    "MUTANTS",
    "SOUND",
    "BusMutant",
    "GuestMutant",
    "Mutant",
    "Sound",
]
