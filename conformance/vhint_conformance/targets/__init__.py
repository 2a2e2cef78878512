"""What can be judged, by the name that a user types."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from difflib import get_close_matches

from vhint.transport.qtest import Bus
from vhint_conformance.case import Role
from vhint_conformance.targets import plugins
from vhint_conformance.targets.base import (
    Control,
    Limits,
    Session,
    SpawnPer,
    Target,
    TargetSettings,
)
from vhint_conformance.targets.driver import DriverTarget
from vhint_conformance.targets.linux.qemu_linux import QemuLinuxTarget
from vhint_conformance.targets.linux.target import LinuxTarget
from vhint_conformance.targets.on_bus import ON_BUSES
from vhint_conformance.targets.pair import PairTarget
from vhint_conformance.targets.python import PREFIX, PythonTarget, python_target
from vhint_conformance.targets.qemu import BUSES, QemuTarget
from vhint_conformance.targets.reference import REFERENCES
from vhint_conformance.targets.reference_driver import REFERENCE_GUESTS
from vhint_conformance.targets.stdio import KIND as STDIO
from vhint_conformance.targets.stdio import StdioTarget
from vhint_conformance.targets.vhost_user import VhostUserTarget
from vhint_conformance.vhost_user_judge.target import PREFIX as LISTEN
from vhint_conformance.vhost_user_judge.target import ListenTarget

__all__ = [
    "AnyTarget",
    "Control",
    "DriverTarget",
    "Limits",
    "PairTarget",
    "PythonTarget",
    "Session",
    "SpawnPer",
    "StdioTarget",
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

PLANTED = ("mutant:", "sound:")
AnyTarget = Target | DriverTarget | PairTarget


class UnknownTarget(ValueError):  # noqa: N818 - the name says it
    """No target has that name; the message lists those that exist."""


class WrongSettings(ValueError):  # noqa: N818 - the name says it
    """What was said about a target does not fit it."""


def known() -> dict[str, str]:
    """Return every target's name with a line about it."""
    from vhint_conformance.targets import planted

    return (
        plugins.offered()
        | {name: target.summary for name, target in REFERENCE_GUESTS.items()}
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
        | {f"{STDIO}:COMMAND": "a device in any language, behind a harness that speaks JSON"}
        | planted.known()
    )


def resolve(name: str, settings: TargetSettings | None = None) -> Target:
    """Return the device that `name` means, or raise `UnknownTarget` or `WrongSettings`."""
    kind, _, rest = name.partition(":")
    if kind == VhostUserTarget.kind and not (settings and settings.of_harness):
        try:
            return VhostUserTarget(rest, settings or TargetSettings())
        except ValueError as error:
            raise WrongSettings(str(error)) from error
    if kind == STDIO:
        return _stdio(name, rest, settings or TargetSettings())
    if settings is not None and settings != TargetSettings():
        option = settings.words()[0]
        takes = f"{STDIO}:COMMAND" if settings.of_harness else f"{VhostUserTarget.kind}:PATH"
        raise WrongSettings(f"{option}: only {takes} takes this, not {name}")
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
    if name.startswith(PLANTED):
        from vhint_conformance.targets import planted

        if device := planted.device(name):
            return device
    if isinstance(found_target := _plugged_in(name), Target):
        return found_target
    raise _unknown(name)


def _plugged_in(name: str) -> AnyTarget | None:
    try:
        return plugins.find(name)
    except plugins.BrokenPlugin as error:
        raise UnknownTarget(str(error)) from error


def _stdio(name: str, command: str, settings: TargetSettings) -> StdioTarget:
    if not command.strip():
        raise UnknownTarget(f"{name}: write {STDIO}:COMMAND, such as {STDIO}:./my-harness")
    foreign = replace(settings, validate=False, answer_within=None).words()
    if foreign:
        raise WrongSettings(f"{foreign[0]}: {VhostUserTarget.kind}:PATH takes this, not {name}")
    return StdioTarget(command, settings)


def resolve_driver(name: str) -> DriverTarget:
    """Return the driver that `name` means, or raise `UnknownTarget`."""
    if name == LinuxTarget.name:
        return LinuxTarget()
    if name.startswith(f"{LISTEN}:") and name.partition(":")[2]:
        return ListenTarget(name)
    if name in REFERENCE_GUESTS:
        return REFERENCE_GUESTS[name]
    if name.startswith(PLANTED):
        from vhint_conformance.targets import planted

        if driver := planted.driver(name):
            return driver
    if isinstance(found_target := _plugged_in(name), DriverTarget):
        return found_target
    raise _unknown(name)


def resolve_pair(name: str) -> PairTarget:
    """Return the driver with its device that `name` means, or raise `UnknownTarget`."""
    if name == QemuLinuxTarget.name:
        return QemuLinuxTarget()
    if isinstance(found_target := _plugged_in(name), PairTarget):
        return found_target
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


def _unknown(name: str) -> UnknownTarget:
    close = get_close_matches(name, known(), n=1)
    guess = f"Did you mean {close[0]}? " if close else ""
    return UnknownTarget(f"there is no target {name!r}. {guess}Known: {', '.join(shown())}")


def shown() -> list[str]:
    """Return the names of targets as a person can read them: mutants in one word."""
    named = [name for name in known() if not name.startswith(PLANTED)]
    return [*named, *(f"{family}NAME (vhint mutants --list)" for family in PLANTED)]
