"""Virtqueues of either format: what both have in common, and how to make one.

Guests, hosts and benches work on these; only who writes raw structures needs to know the format.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from vhint.ring.chain import Chain
from vhint.ring.layout import SplitLayout
from vhint.ring.memory import GuestMemory
from vhint.ring.packed_device import PackedDeviceQueue
from vhint.ring.packed_driver import PackedDriverQueue
from vhint.ring.packed_layout import PackedLayout
from vhint.ring.split_device import SplitDeviceQueue
from vhint.ring.split_driver import Completion, SplitDriverQueue
from vhint.spans import Span

Layout = SplitLayout | PackedLayout
"""Where a virtqueue lies, of either format."""


class DriverRing(Protocol):
    """The driver half of a virtqueue; see `SplitDriverQueue`."""

    memory: GuestMemory
    event_idx: bool

    @property
    def layout(self) -> Layout:
        """Where it lies."""

    @property
    def outstanding(self) -> frozenset[int]:
        """The ids of what was added and has not come back."""

    @property
    def free(self) -> int:
        """How many descriptors can still be used."""

    @property
    def waits(self) -> bool:
        """Whether something used waits to be collected."""

    @property
    def pending(self) -> int:
        """How many used elements wait to be collected."""

    @property
    def used_index(self) -> int:
        """How many chains were used, modulo 2^16, as it stands in memory now."""

    def add(
        self,
        readable: Sequence[Span],
        writable: Sequence[Span],
        *,
        indirect_at: int | None = None,
    ) -> int:
        """Write a chain; return its id."""

    def publish(self) -> None:
        """Make what was added visible."""

    def suppress_interrupts(self, suppress: bool) -> None:
        """Ask for no interrupts, or for all, by flags."""

    def kick_needed(self) -> bool:
        """Whether the device asked to be notified of what was published."""

    def collect(self) -> Completion | None:
        """Take the next used element."""


class DeviceRing(Protocol):
    """The device half of a virtqueue; see `SplitDeviceQueue`."""

    memory: GuestMemory
    event_idx: bool

    @property
    def layout(self) -> Layout:
        """Where it lies."""

    @property
    def pending(self) -> int:
        """How many chains wait: at least, and 0 only if none does."""

    @property
    def base(self) -> int:
        """Where to begin again if the queue stops now."""

    def pop(self) -> Chain | None:
        """Take the next chain."""

    def push(self, head: int, length: int) -> None:
        """Use the chain with that id."""

    def interrupt_needed(self) -> bool:
        """Whether the driver asked to hear of what was used."""

    def suppress_kicks(self, suppress: bool) -> None:
        """Ask for no notifications, or for all, by flags."""


def layout_at(address: int, size: int, *, packed: bool) -> Layout:
    """Lay a queue out from an address that is a multiple of 16."""
    return PackedLayout.at(address, size) if packed else SplitLayout.at(address, size)


def layout_of(size: int, descriptors: int, available: int, used: int, *, packed: bool) -> Layout:
    """Return the layout with these addresses, which every transport has for both formats."""
    kind = PackedLayout if packed else SplitLayout
    return kind(size, descriptors, available, used)


def in_format(layout: Layout, *, packed: bool) -> Layout:
    """Return the same addresses as a queue of the format that was negotiated."""
    if isinstance(layout, PackedLayout) is packed:
        return layout
    at = (layout.descriptors, layout.available, layout.used)
    return layout_of(layout.size, *at, packed=packed)


def driver_ring(memory: GuestMemory, layout: Layout, *, event_idx: bool) -> DriverRing:
    """Return an empty queue at a layout."""
    if isinstance(layout, PackedLayout):
        return PackedDriverQueue(memory, layout, event_idx=event_idx)
    return SplitDriverQueue(memory, layout, event_idx=event_idx)


def device_ring(
    memory: GuestMemory,
    layout: Layout,
    *,
    event_idx: bool,
    indirect: bool,
    base: int | None = None,
) -> DeviceRing:
    """Return the device's half of a queue at a layout; raises `RingError` as that does."""
    if isinstance(layout, PackedLayout):
        return PackedDeviceQueue(memory, layout, event_idx=event_idx, indirect=indirect, base=base)
    return SplitDeviceQueue(memory, layout, event_idx=event_idx, indirect=indirect, base=base)
