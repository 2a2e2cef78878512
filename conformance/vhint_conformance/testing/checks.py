"""Putting somebody's driver or device in the place of the reference."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from vhint.host import ALL_FEATURES
from vhint.ring import GuestMemory
from vhint.wire.features import Features
from vhint_conformance.logic import ProtocolLogic, as_device
from vhint_conformance.model.guest_protocol import GuestFactory
from vhint_conformance.model.machines import (
    BalloonPages,
    GuestMachine,
    HintBitmaps,
    HintPages,
    HintRounds,
    PlainPages,
    ReportedPages,
    ResetsAnywhere,
)
from vhint_conformance.model.machines.base import factories
from vhint_conformance.model.observed import foreign
from vhint_conformance.model.run import EXAMPLES, Result, run_machine
from vhint_conformance.targets.device_protocol import DeviceUnderTest

DeviceFactory = Callable[[GuestMemory], DeviceUnderTest | ProtocolLogic]
"""Makes a device, or protocol logic, over guest memory; called for every example."""

DEVICE_MACHINES = (
    PlainPages,
    HintPages,
    HintBitmaps,
    ReportedPages,
    HintRounds,
    BalloonPages,
    ResetsAnywhere,
)
GUEST_MACHINES = (PlainPages, HintPages, ReportedPages, ResetsAnywhere)


def with_device(machine: type[GuestMachine], make_device: DeviceFactory) -> type[GuestMachine]:
    """Return the machine with the reference guest on your device.

    Rules that need a method of the host's side which your device has not (see
    `vhint_conformance.targets.device_protocol.OPTIONAL`) do nothing.
    """

    def make(memory: GuestMemory) -> DeviceUnderTest:
        device: DeviceUnderTest = as_device(memory, make_device(memory))
        return device

    return factories(machine, make_device=staticmethod(make))


def with_guest(
    machine: type[GuestMachine],
    make_guest: GuestFactory,
    features: Features = ALL_FEATURES,
) -> type[GuestMachine]:
    """Return the machine with your guest on the reference device.

    `features` are those that your guest knows: of what a machine negotiates it sees those alone.
    """
    return factories(machine, make_guest=staticmethod(foreign(make_guest)), known_features=features)


def check_device(
    make_device: DeviceFactory,
    machines: Iterable[type[GuestMachine]] = DEVICE_MACHINES,
    *,
    examples: int = EXAMPLES,
    seeded: int | None = None,
) -> list[Result]:
    """Run machines on a device, and return a result for each; see `run_machine`."""
    return [
        run_machine(with_device(machine, make_device), examples=examples, seeded=seeded)
        for machine in machines
    ]


def check_guest(
    make_guest: GuestFactory,
    machines: Iterable[type[GuestMachine]] = GUEST_MACHINES,
    *,
    features: Features = ALL_FEATURES,
    examples: int = EXAMPLES,
    seeded: int | None = None,
) -> list[Result]:
    """Run machines on a guest, and return a result for each; see `run_machine`."""
    return [
        run_machine(with_guest(machine, make_guest, features), examples=examples, seeded=seeded)
        for machine in machines
    ]
