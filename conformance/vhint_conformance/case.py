"""The `@case` mark: what a conformance case is called, what it checks and what it needs."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar

import pytest

from vhint.wire.features import Feature
from vhint_conformance.variants import ANY_RINGS, SPLIT, Rings, Variant


class Role(StrEnum):
    """The side of the virtqueue that a case judges, or both."""

    DEVICE = "device"
    DRIVER = "driver"
    PAIR = "pair"  # both together, looked at from outside


class Capability(StrEnum):
    """Something that a target may let the suite do or see, and another target may not.

    The host's side is beyond the virtio interface; the rest is of it, but not every transport
    carries it.
    """

    SEES_DISCARDS = "sees-discards"  # holes in guest memory tell what was discarded
    SETS_BALLOON_SIZE = "sets-balloon-size"  # the host can be told to change num_pages
    POLLS_STATISTICS = "polls-statistics"  # the host can be told to ask for statistics
    READS_STATISTICS = "reads-statistics"  # and what it understood can be read back
    READS_BALLOON_SIZE = "reads-balloon-size"  # the host says how large it takes the balloon to be
    STARTS_ROUNDS = "starts-rounds"  # the host can be told to ask for hints, and to be done
    REPEATS_ROUNDS = "repeats-rounds"  # and to ask again before it is done
    STOPS_ROUNDS = "stops-rounds"  # and to want no more, before it is done with those it has
    CANCELS_ROUNDS = "cancels-rounds"  # and what the hints are for can be made to fail
    INHIBITS_ROUNDS = "inhibits-rounds"  # the host can be brought to where hints are of no use
    SHOWS_DESTINATION = "shows-destination"  # what a migration brought over can be read
    SHOWS_IDENTITY = "shows-identity"  # the device id can be read
    SHOWS_STATUS = "shows-status"  # the device keeps the status itself
    ASKS_FOR_RESET = "asks-for-reset"  # the device can set DEVICE_NEEDS_RESET in it
    ANSWERS_FEATURES = "answers-features"  # the device says whether it agrees to the features
    SHOWS_CONFIG = "shows-config"  # the device has a config space that can be read and written
    SHOWS_QUEUE_SIZES = "shows-queue-sizes"  # the device says which queues it has, and how large
    SHOWS_QUEUE_READY = "shows-queue-ready"  # the device says whether a queue is enabled
    SHOWS_INTERRUPT_STATUS = "shows-interrupt-status"  # there is a register of pending interrupts
    HEARS_RESETS = "hears-resets"  # a reset reaches the device itself and not its queues alone
    STOPS_QUEUES = "stops-queues"  # queues can be stopped and the device left as it is
    BEGINS_ANYWHERE = "begins-anywhere"  # a split queue can go on where another has left off
    CHANGES_MEMORY = "changes-memory"  # guest RAM can be taken away and added while queues run
    NOTIFIES_EARLY = "notifies-early"  # a queue can be notified before DRIVER_OK, and must wait
    NOTIFIES_ANY_QUEUE = "notifies-any-queue"  # a queue that was never set up can be notified
    CHOOSES_QUEUE_SIZES = "chooses-queue-sizes"  # a queue can be made shorter than it could be
    PLACES_QUEUE_PARTS = "places-queue-parts"  # each part of a queue can be put anywhere
    SETS_64_FEATURES = "sets-64-features"  # all feature bits can be read and written

    # Of one interface or transport only.
    LEGACY_INTERFACE = "legacy-interface"  # the device is driven by its legacy interface
    RESETS_QUEUES = "resets-queues"  # there is a register that resets one queue
    OVER_MMIO = "over-mmio"  # the device is reached over virtio-mmio
    OVER_PCI = "over-pci"  # the device is reached over virtio-pci
    HAS_MSIX = "has-msix"  # the device sends its interrupts as messages, to a table of vectors

    # Of a driver and its guest.
    SEES_STATUS = "sees-status"  # the driver's writes to the device status, and resets, are seen
    SEES_QUEUE_SIZE = "sees-queue-size"  # the driver is shown, and chooses, the size of a queue
    RELOADS_DRIVER = "reloads-driver"  # the driver can be removed and loaded again
    ALLOCATES = "allocates"  # memory of the guest can be allocated, freed and verified
    FILLS_MEMORY = "fills-memory"  # all memory that the guest has left can be allocated
    DROPS_CACHES = "drops-caches"  # the guest can be told to drop its page cache
    SETS_REPORT_ORDER = "sets-report-order"  # the smallest order of a reported block can be set
    FILLS_FREE_PAGES = "fills-free-pages"  # the guest fills free pages with a value of its own
    CONFESSES = "confesses"  # the guest says what it found wrong with itself


REGISTERS = frozenset(
    {
        Capability.SHOWS_IDENTITY,
        Capability.SHOWS_STATUS,
        Capability.ASKS_FOR_RESET,
        Capability.ANSWERS_FEATURES,
        Capability.SHOWS_CONFIG,
        Capability.SHOWS_QUEUE_SIZES,
        Capability.SHOWS_QUEUE_READY,
        Capability.SHOWS_INTERRUPT_STATUS,
        Capability.HEARS_RESETS,
        Capability.NOTIFIES_EARLY,
        Capability.NOTIFIES_ANY_QUEUE,
        Capability.CHOOSES_QUEUE_SIZES,
        Capability.PLACES_QUEUE_PARTS,
        Capability.SETS_64_FEATURES,
    }
)
"""What a transport shows that carries all registers of a virtio device."""

PECULIAR = {
    Capability.STOPS_QUEUES: "only vhost-user stops queues without a reset",
    Capability.BEGINS_ANYWHERE: "the transport begins every queue at index 0",
    Capability.CHANGES_MEMORY: "only vhost-user tells a device anew what guest memory is",
    Capability.LEGACY_INTERFACE: "the device is driven by its modern interface",
    Capability.RESETS_QUEUES: "the transport has no register that resets one queue",
    Capability.OVER_MMIO: "the device is not reached over virtio-mmio",
    Capability.OVER_PCI: "the device is not reached over virtio-pci",
    Capability.HAS_MSIX: "the device has no MSI-X",
}
"""What is there on one interface or transport only, and why it is missing on the others."""


ABOUT_A_BUS = frozenset(
    {
        Capability.LEGACY_INTERFACE,
        Capability.OVER_MMIO,
        Capability.OVER_PCI,
        Capability.HAS_MSIX,
    }
)
"""What a case needs that is about the way to the device and not about its rings."""


@dataclass(frozen=True, slots=True)
class Case:
    """The metadata of one case.

    `id` is a permanent slug, `requirements` registry slugs, `features` must all be offered and
    `capabilities` all be had, or else the case is not applicable.  `title` is one sentence.
    `rings` are the formats of virtqueues that it can be run with, none if it uses no queue;
    `buses` is whether it runs on every bus that the target can be on, or on the first alone, as the
    bus has no part in it; `variant` is the one in which it runs.
    """

    id: str
    title: str
    requirements: tuple[str, ...]
    role: Role = Role.DEVICE
    features: tuple[Feature, ...] = ()
    capabilities: tuple[Capability, ...] = ()
    rings: tuple[Rings, ...] = ANY_RINGS
    buses: bool = True
    variant: Variant = SPLIT


F = TypeVar("F", bound=Callable[..., object])
MARK = "vhint_case"


def case(
    *requirements: str,
    id: str,  # noqa: A002 - the word that users know it by
    role: Role = Role.DEVICE,
    features: Iterable[Feature] = (),
    capabilities: Iterable[Capability] = (),
    rings: Iterable[Rings] = ANY_RINGS,
    buses: bool = True,
) -> Callable[[F], F]:
    """Mark a pytest function as a conformance case; its docstring's first line is the title.

    A parametrised case is several cases, each called `id[param]`.  Of each there is one for every
    variant of the target in which it can run; see `vhint_conformance.variants`.
    """

    def mark(function: F) -> F:
        title = (function.__doc__ or "").strip().partition("\n")[0].rstrip(".")
        if not title:
            raise ValueError(f"case {id}: a docstring with a title is needed")
        if not requirements:
            raise ValueError(f"case {id}: a case checks at least one requirement")
        needed = (tuple(features), tuple(capabilities))
        info = Case(id, title, requirements, role, *needed, tuple(rings), buses)
        marked: F = pytest.mark.vhint_case(info)(function)
        return marked

    return mark
