"""Mutants and sound oddities as targets: `mutant:NAME` and `sound:NAME`.

Hundreds of classes hang on them, so this is imported only where such a name is meant or listed.
"""

from __future__ import annotations

from vhint_conformance.mutants import (
    BUS_MUTANTS,
    GUEST_MUTANTS,
    MUTANTS,
    SOUND,
    BusMutant,
    GuestMutant,
    Mutant,
)
from vhint_conformance.targets.base import Target
from vhint_conformance.targets.driver import DriverTarget
from vhint_conformance.targets.on_bus import BusTarget, wiring_of
from vhint_conformance.targets.reference import LoopbackTarget
from vhint_conformance.targets.reference_driver import GuestTarget
from vhint_conformance.variants import RING_VARIANTS, Rings, Variant

MUTANT = "mutant"


def known() -> dict[str, str]:
    """Return every name with a line about it."""
    mutants: list[Mutant | BusMutant | GuestMutant] = [*MUTANTS.values(), *BUS_MUTANTS.values()]
    mutants += GUEST_MUTANTS.values()
    return {f"{MUTANT}:{mutant.name}": mutant.summary for mutant in mutants} | {
        sound.target: sound.summary for sound in SOUND.values() if not sound.own_target
    }


def device(name: str) -> Target | None:
    """Return the device of that name, if there is one."""
    family, _, rest = name.partition(":")
    if family == MUTANT and rest in MUTANTS:
        mutant = MUTANTS[rest]
        return LoopbackTarget(
            name,
            mutant.make_device,
            mutant.summary,
            host_page=mutant.host_page,
            variants=_variants(mutant.rings),
        )
    if family == MUTANT and rest in BUS_MUTANTS:
        made = BUS_MUTANTS[rest]
        return BusTarget(name, wiring_of(made.kind), made.summary, _variants(made.rings))
    sound = SOUND.get(rest)
    if family == MUTANT or sound is None or sound.make_device is None:
        return None
    return LoopbackTarget(
        name,
        sound.make_device,
        sound.summary,
        host_page=sound.host_page,
        variants=_variants(sound.rings),
    )


def driver(name: str) -> DriverTarget | None:
    """Return the driver of that name, if there is one."""
    family, _, rest = name.partition(":")
    sound = SOUND.get(rest)
    if family != MUTANT and sound is not None and sound.mutation is not None:
        return GuestTarget(name, sound.summary, sound.mutation, variants=RING_VARIANTS)
    if family != MUTANT or rest not in GUEST_MUTANTS:
        return None
    found = GUEST_MUTANTS[rest]
    return GuestTarget(name, found.summary, found.mutation, variants=_variants(found.rings))


def _variants(rings: tuple[Rings, ...]) -> tuple[Variant, ...]:
    """Return the variants of what is judged with these rings."""
    return tuple(each for each in RING_VARIANTS if each.rings in rings)
