"""Who is in the matrix: mutants of both roles, which must be killed, and sound ones."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from vhint_conformance.case import Role
from vhint_conformance.mutants import BusMutant, GuestMutant, Mutant, device, guest
from vhint_conformance.mutants.sound import SOUND, Sound
from vhint_conformance.selection import Level, level_of
from vhint_conformance.variants import Rings
from vhint_spec import registry


@dataclass(frozen=True, slots=True)
class Subject:
    """One row to be: `target` is what `vhint conform` calls it.

    `violates` is empty for what is sound; `machine` is the state machine that sees what cases
    cannot, if there is one; `rings` are the formats with which it is judged, and `concerns` globs
    of the cases that are of use for what is sound (none: all).
    """

    name: str
    summary: str
    role: Role
    group: str
    target: str
    violates: tuple[str, ...] = ()
    bugs: tuple[str, ...] = ()
    machine: str = ""
    level: Level = Level.SHOULD
    rings: tuple[Rings, ...] = (Rings.SPLIT,)
    concerns: tuple[str, ...] = ()

    @property
    def sound(self) -> bool:
        """Whether it must pass."""
        return not self.violates


def _of_mutant(mutant: Mutant | BusMutant | GuestMutant, group: str) -> Subject:
    return Subject(
        mutant.name,
        mutant.summary,
        mutant.role,
        group,
        f"mutant:{mutant.name}",
        mutant.violates,
        mutant.bugs,
        mutant.machine,
        # Who breaks a MUST has to be found by a run at the level at which most people run.
        level=level_of(mutant.violates, registry.load()),
        rings=mutant.rings,
    )


def _of_sound(sound: Sound) -> Subject:
    return Subject(
        sound.name,
        sound.summary,
        sound.role,
        "sound",
        sound.target,
        level=sound.level,
        rings=sound.rings,
        concerns=sound.concerns,
    )


def _all() -> Iterator[Subject]:
    groups: tuple[Mapping[str, tuple[Mutant | BusMutant | GuestMutant, ...]], ...] = (
        device.GROUPS,
        guest.GROUPS,
    )
    for each in groups:
        for group, mutants in each.items():
            yield from (_of_mutant(mutant, group) for mutant in mutants)
    yield from map(_of_sound, SOUND.values())


SUBJECTS: Mapping[str, Subject] = {subject.name: subject for subject in _all()}
"""Everybody by name."""
