"""What a guest mutant is, and short ways to make one."""

from __future__ import annotations

from dataclasses import dataclass

from vhint.guest.guest import Guest
from vhint.guest.hinting import Generation, Hinting, HintWorker
from vhint.guest.profiles.hint_format import HintFormat
from vhint_conformance.case import Role
from vhint_conformance.model.reference_guest import Mutation
from vhint_conformance.variants import Rings


@dataclass(frozen=True, slots=True)
class GuestMutant:
    """A reference guest with one fault, as real drivers had them.

    `requirement` is what it breaks in the first place, `also` what the same fault shows as on
    other ways; `machine` names the state machine that finds it, `bugs` the faults of the register
    that it re-enacts, `rings` the format of rings with which it is judged.
    """

    name: str
    summary: str
    requirement: str
    machine: str
    mutation: Mutation
    also: tuple[str, ...] = ()
    bugs: tuple[str, ...] = ()
    rings: tuple[Rings, ...] = (Rings.SPLIT,)

    @property
    def role(self) -> Role:
        """The side that is broken."""
        return Role.DRIVER

    @property
    def violates(self) -> tuple[str, ...]:
        """Every requirement that it can be found by, the one that it is about first."""
        return (self.requirement, *self.also)

    @property
    def breaks(self) -> frozenset[str]:
        """Every requirement that it can be found by."""
        return frozenset((self.requirement, *self.also))


def hinting(kind: type[Hinting]) -> Mutation:
    """Replace the hinting of a guest."""

    class Broken(Guest):
        """A guest with other hinting."""

        def make_hinting(
            self, generation: Generation | None, hint_format: HintFormat | None
        ) -> Hinting:
            """Make the broken one."""
            settings = self.options.hinting
            return kind(self.memory, self.port, settings, generation, hint_format, self.counters)

    return Mutation(guest_kind=Broken)


def worker(kind: type[HintWorker]) -> Mutation:
    """Replace the workers of a guest."""
    return hinting(type(kind.__name__, (Hinting,), {"worker_kind": kind}))


def guest(**kinds: type) -> Mutation:
    """Replace a half of a guest: `reporting_kind`, `rounds_kind`, `balloon_kind`."""
    return Mutation(guest_kind=type("Broken", (Guest,), kinds))
