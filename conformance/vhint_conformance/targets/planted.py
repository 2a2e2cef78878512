"""Mutants and sound oddities as targets: `mutant:NAME` and `sound:NAME`.

Hundreds of classes hang on them, so this is imported only where such a name is meant or listed.
"""

from __future__ import annotations

from vhint_conformance.mutants import MUTANTS, SOUND
from vhint_conformance.mutants.guest import GUEST_MUTANTS
from vhint_conformance.targets.base import Target
from vhint_conformance.targets.driver import DriverTarget
from vhint_conformance.targets.reference import LoopbackTarget
from vhint_conformance.targets.reference_driver import GuestTarget

MUTANT = "mutant"


def known() -> dict[str, str]:
    """Return every name with a line about it."""
    return {
        f"{MUTANT}:{mutant.name}": mutant.summary
        for family in (MUTANTS, GUEST_MUTANTS)
        for mutant in family.values()
    } | {sound.target: sound.summary for sound in SOUND.values() if sound.make_device}


def device(name: str) -> Target | None:
    """Return the device of that name, if there is one."""
    family, _, rest = name.partition(":")
    planted = MUTANTS.get(rest) if family == MUTANT else SOUND.get(rest)
    if planted is None or planted.make_device is None:
        return None
    page = planted.host_page
    return LoopbackTarget(name, planted.make_device, planted.summary, host_page=page)


def driver(name: str) -> DriverTarget | None:
    """Return the driver of that name, if there is one."""
    family, _, rest = name.partition(":")
    if family != MUTANT or rest not in GUEST_MUTANTS:
        return None
    found = GUEST_MUTANTS[rest]
    return GuestTarget(name, found.summary, found.mutation)
