"""What can be judged, by the name that a user types."""

from __future__ import annotations

from collections.abc import Callable
from difflib import get_close_matches

from vhint.transport.qtest import Bus
from vhint_conformance.case import Role
from vhint_conformance.mutants import MUTANTS, SOUND, BusMutant
from vhint_conformance.mutants.guest import GUEST_MUTANTS
from vhint_conformance.mutants.sound import PREFIX as SOUND_PREFIX
from vhint_conformance.targets.base import SpawnPer, Target, TargetSettings
from vhint_conformance.targets.driver import DriverTarget
from vhint_conformance.targets.linux.qemu_linux import QemuLinuxTarget
from vhint_conformance.targets.linux.target import LinuxTarget
from vhint_conformance.targets.on_bus import ON_BUSES, BusTarget, wiring_of
from vhint_conformance.targets.pair import PairTarget
from vhint_conformance.targets.python import PREFIX, python_target
from vhint_conformance.targets.qemu import BUSES, QemuTarget
from vhint_conformance.targets.reference import REFERENCES, LoopbackTarget
from vhint_conformance.targets.reference_driver import REFERENCE_GUESTS, GuestTarget
from vhint_conformance.targets.vhost_user import VhostUserTarget
from vhint_conformance.variants import RING_VARIANTS, Rings, Variant
from vhint_conformance.vhost_user_judge.target import PREFIX as LISTEN
from vhint_conformance.vhost_user_judge.target import ListenTarget

__all__ = [
    "AnyTarget",
    "SpawnPer",
    "Target",
    "TargetSettings",
    "UnknownTarget",
    "WrongSettings",
    "judged",
    "known",
    "resolve",
    "resolve_driver",
    "resolve_pair",
]

MUTANT = "mutant"
AnyTarget = Target | DriverTarget | PairTarget


class UnknownTarget(ValueError):  # noqa: N818 - the name says it
    """No target has that name; the message lists those that exist."""


class WrongSettings(ValueError):  # noqa: N818 - the name says it
    """What was said about a target does not fit it."""


def known() -> dict[str, str]:
    """Return every target's name with a line about it."""
    return (
        {name: target.summary for name, target in REFERENCE_GUESTS.items()}
        | {name: target.summary for name, target in REFERENCES.items()}
        | {name: target.summary for name, target in ON_BUSES.items()}
        | {"reference": "the reference device, everything offered, and the reference guest"}
        | {QemuTarget.kind: "the virtio-balloon device of the installed QEMU, on every bus"}
        | {f"{QemuTarget.kind}:{bus}": f"the same, {BUSES[bus]} only" for bus in Bus}
        | {f"{VhostUserTarget.kind}:PATH": "a device process that listens at the socket PATH"}
        | {LinuxTarget.name: LinuxTarget.summary}
        | {QemuLinuxTarget.name: QemuLinuxTarget.summary}
        | {f"{LISTEN}:PATH": "the driver of a vhost-user front end that connects to that socket"}
        | {f"{PREFIX}:MODULE:FACTORY": "a Python device, in a child process"}
        | {f"{MUTANT}:{mutant.name}": mutant.summary for mutant in MUTANTS.values()}
        | {f"{MUTANT}:{mutant.name}": mutant.summary for mutant in GUEST_MUTANTS.values()}
        | {sound.target: sound.summary for sound in SOUND.values() if sound.make_device}
    )


def resolve(name: str, settings: TargetSettings | None = None) -> Target:
    """Return the device that `name` means, or raise `UnknownTarget` or `WrongSettings`."""
    kind, _, rest = name.partition(":")
    if kind == VhostUserTarget.kind:
        try:
            return VhostUserTarget(rest, settings or TargetSettings())
        except ValueError as error:
            raise WrongSettings(str(error)) from error
    if settings is not None and settings != TargetSettings():
        option = settings.words()[0]
        raise WrongSettings(f"{option}: only {VhostUserTarget.kind}:PATH takes this, not {name}")
    if kind == QemuTarget.kind and (not rest or rest in tuple(Bus)):
        return QemuTarget(bus=Bus(rest) if rest else None)
    if name in REFERENCES:
        return REFERENCES[name]
    if name in ON_BUSES:
        return ON_BUSES[name]
    if kind == PREFIX:
        try:
            return python_target(name)
        except ValueError as error:
            raise UnknownTarget(str(error)) from None
    if kind == MUTANT and rest in MUTANTS:
        found = MUTANTS[rest]
        if isinstance(found, BusMutant):
            return BusTarget(name, wiring_of(found.kind), found.summary, _variants(found.rings))
        return LoopbackTarget(
            name,
            found.make_device,
            found.summary,
            host_page=found.host_page,
            variants=_variants(found.rings),
        )
    if kind == SOUND_PREFIX and rest in SOUND:
        sound = SOUND[rest]
        if sound.make_device:
            page = sound.host_page
            return LoopbackTarget(name, sound.make_device, sound.summary, host_page=page)
    raise _unknown(name)


def resolve_driver(name: str) -> DriverTarget:
    """Return the driver that `name` means, or raise `UnknownTarget`."""
    if name == LinuxTarget.name:
        return LinuxTarget()
    if name.startswith(f"{LISTEN}:") and name.partition(":")[2]:
        return ListenTarget(name)
    if name in REFERENCE_GUESTS:
        return REFERENCE_GUESTS[name]
    kind, _, mutant = name.partition(":")
    if kind == MUTANT and mutant in GUEST_MUTANTS:
        found = GUEST_MUTANTS[mutant]
        return GuestTarget(name, found.summary, found.mutation, variants=_variants(found.rings))
    raise _unknown(name)


def resolve_pair(name: str) -> PairTarget:
    """Return the driver with its device that `name` means, or raise `UnknownTarget`."""
    if name == QemuLinuxTarget.name:
        return QemuLinuxTarget()
    raise _unknown(name)


def judged(
    name: str, role: Role | None = None, settings: TargetSettings | None = None
) -> dict[Role, AnyTarget]:
    """Return what `name` means in each role, or in the one that is asked for.

    Raises `UnknownTarget` if it means nothing, `WrongSettings` for settings that are not for it.
    """
    found: dict[Role, AnyTarget] = {}
    problem: UnknownTarget | None = None
    finders: dict[Role, Callable[[str], AnyTarget]] = {
        Role.DEVICE: lambda name: resolve(name, settings),
        Role.DRIVER: resolve_driver,
        Role.PAIR: resolve_pair,
    }
    for each in sorted(finders, key=lambda each: each is not role):  # what is asked for, first
        if role in found:
            break
        try:
            found[each] = finders[each](name)
        except UnknownTarget as error:
            problem = problem or error
    if role in found:
        return {role: found[role]}
    if found and role is not None:
        others = " or a ".join(found)
        raise UnknownTarget(f"{name} can be judged as a {others} only, not as a {role}")
    if not found and problem is not None:
        raise problem
    return found


def _variants(rings: tuple[Rings, ...]) -> tuple[Variant, ...]:
    """Return the variants of a mutant that is judged with these rings."""
    return tuple(each for each in RING_VARIANTS if each.rings in rings)


def _unknown(name: str) -> UnknownTarget:
    close = get_close_matches(name, known(), n=1)
    guess = f"Did you mean {close[0]}? " if close else ""
    return UnknownTarget(f"there is no target {name!r}. {guess}Known: {', '.join(shown())}")


def shown() -> list[str]:
    """Return the names of targets as a person can read them: mutants in one word."""
    families = (f"{MUTANT}:", f"{SOUND_PREFIX}:")
    named = [name for name in known() if not name.startswith(families)]
    return [*named, *(f"{family}NAME (vhint mutants --list)" for family in families)]
