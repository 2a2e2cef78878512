"""What a guest has to be for a machine to walk it, and what it is given."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from vhint.ring import GuestMemory
from vhint.spans import PAGE, Span
from vhint.transport.interface import Transport
from vhint.wire.features import Features
from vhint_conformance.model.setup import FIRST_PAGE, STRUCTURES, Setup


@dataclass(frozen=True, slots=True)
class GuestPlace:
    """Where a guest lives.

    `transport` is its device, `memory` its RAM; it keeps rings and requests in `structures`, and
    hands out the pages of `zones` and no others.  Of the offered features it accepts those of
    `features` that it knows.  `setup` has more: sizes of queues, CPUs, a poison value, thresholds.
    """

    transport: Transport
    memory: GuestMemory
    structures: Span
    zones: tuple[Span, ...]
    features: Features
    setup: Setup

    @classmethod
    def of(cls, setup: Setup, transport: Transport) -> GuestPlace:
        """Return the place that a setup and a transport make."""
        first, zones = FIRST_PAGE, []
        for pages in setup.zones:
            zones.append(Span(first * PAGE, pages * PAGE))
            first += pages
        return cls(transport, transport.memory, STRUCTURES, tuple(zones), setup.features, setup)


@runtime_checkable
class GuestUnderTest(Protocol):
    """A guest that is stepped: an allocator, and a driver of a balloon device.

    Nothing happens by itself.  The machine plays the applications, the clock and the device; the
    kernel's own work comes in steps, each as small as the points at which something else can come
    between.  `vhint_conformance.model.reference_guest` is one.
    """

    def start(self) -> None:
        """Initialise the device, up to DRIVER_OK."""

    def allocate(self, cpu: int, order: int) -> int | None:
        """Hand out 2^order pages; return the first PFN, or None if that has to wait or fails."""

    def free(self, cpu: int, pfn: int) -> bool:
        """Take a block back that `allocate` handed out; return False if that has to wait."""

    def steps(self) -> Sequence[tuple[str, str]]:
        """Return what the kernel can do next, as (actor, action), always in the same order."""

    def do(self, actor: str, action: str) -> str | None:
        """Do one of `steps`; return words about it for the scenario, or None."""

    def interrupted(self, *, config: bool) -> None:
        """Take an interrupt; `config` says that config space may have changed."""

    def tick(self, now: int) -> None:
        """Let it be that time."""

    def begin_reset(self) -> bool:
        """Write 0 to the device status if the device is live; return whether it was."""


GuestFactory = Callable[[GuestPlace], GuestUnderTest]
"""Makes a guest; called for every example."""
