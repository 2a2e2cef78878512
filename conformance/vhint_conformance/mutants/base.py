"""What a device mutant is, and short ways to make one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from vhint.host import ALL_FEATURES, Device, DeviceFactory, DeviceOptions, PunchHoles
from vhint.host.context import Handler
from vhint.ring import GuestMemory, SplitDeviceQueue
from vhint.wire.features import Feature, Features
from vhint.wire.queues import Queue
from vhint_conformance.bus import LegacyFunction, MmioSlot, ModernFunction
from vhint_conformance.case import Role
from vhint_conformance.variants import Rings

EVERYTHING = DeviceOptions()


@dataclass(frozen=True, slots=True)
class Mutant:
    """A reference device with one fault, as real devices had them.

    `violates` are the requirements that it breaks, the one that it is about first; `bugs` are the
    faults of the register that it re-enacts, `machine` the state machine that finds it too, `rings`
    the format of rings with which it is judged.
    """

    name: str
    summary: str
    violates: tuple[str, ...]
    make_device: DeviceFactory
    bugs: tuple[str, ...] = ()
    machine: str = ""
    host_page: int = 4096
    rings: tuple[Rings, ...] = (Rings.SPLIT,)

    @property
    def role(self) -> Role:
        """The side that is broken."""
        return Role.DEVICE

    @property
    def requirement(self) -> str:
        """The requirement that it is about."""
        return self.violates[0]


@dataclass(frozen=True, slots=True)
class BusMutant:
    """A reference device with one fault in its registers; `kind` is what they are made of.

    `violates` and `bugs` are as in `Mutant`.
    """

    name: str
    summary: str
    violates: tuple[str, ...]
    kind: type[ModernFunction | LegacyFunction | MmioSlot]
    bugs: tuple[str, ...] = ()
    machine: str = ""
    rings: tuple[Rings, ...] = (Rings.SPLIT,)

    @property
    def role(self) -> Role:
        """The side that is broken."""
        return Role.DEVICE

    @property
    def requirement(self) -> str:
        """The requirement that it is about."""
        return self.violates[0]


def serving(
    queue: Queue, handler: Callable[..., Handler], options: DeviceOptions = EVERYTHING
) -> DeviceFactory:
    """Return the factory of a device with another handler on one queue."""

    class Broken(Device):
        """A device with one handler replaced."""

        def _fresh_handlers(self) -> dict[Queue, Handler]:
            handlers = super()._fresh_handlers()
            if queue in (Queue.INFLATE, Queue.DEFLATE):
                made = handler(self.context, self._partial)
            else:
                made = handler(self.context)
            return {**handlers, queue: made}

    return lambda memory: Broken(memory, options)


def reclaiming(kind: type[PunchHoles]) -> DeviceFactory:
    """Return the factory of a device that discards in another way."""

    def make(memory: GuestMemory) -> Device:
        return Device(memory, reclaim=kind(memory))

    return make


def with_options(kind: type[Device] = Device, **options: object) -> DeviceFactory:
    """Return the factory of a device with other options."""
    made = replace(EVERYTHING, **options)  # type: ignore[arg-type]
    return lambda memory: kind(memory, made)


def without(*features: Feature) -> Features:
    """Return everything that there is but these."""
    return ALL_FEATURES - Features.of(*features)


def with_ring(kind: type[SplitDeviceQueue], options: DeviceOptions = EVERYTHING) -> DeviceFactory:
    """Return the factory of a device whose queues are of another kind."""

    class Broken(Device):
        """A device with broken queues."""

        def _start(self, only: int | None = None) -> None:
            super()._start(only)
            for line in self.lines.values():
                if isinstance(line.ring, SplitDeviceQueue):  # packed rings stay sound
                    line.ring.__class__ = kind

    return lambda memory: Broken(memory, options)
