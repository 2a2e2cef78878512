"""Where a modern virtio device has its structures, as its PCI capabilities say.

A device may say anything: each structure is held against the register behind which it is said to
lie, and against the others.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations

from vhint.transport.interface import TransportError
from vhint.transport.qtest.pci_config import ConfigSpace
from vhint.transport.qtest.window import Window
from vhint.wire import pci, virtio_pci
from vhint.wire.virtio_pci import StructureKind, VirtioCapability

SMALLEST = {
    StructureKind.COMMON: virtio_pci.COMMON_SIZE,
    StructureKind.NOTIFY: 2,
    StructureKind.ISR: 1,
    StructureKind.DEVICE: 0,
}
"""Bytes that a structure must at least have."""

ALIGNMENT = {
    StructureKind.COMMON: 4,
    StructureKind.NOTIFY: 2,
    StructureKind.ISR: 1,
    StructureKind.DEVICE: 4,
}
"""What the offset of a structure must be a multiple of (4.1.4.3 to 4.1.4.6)."""


@dataclass(frozen=True, slots=True)
class Structures:
    """The windows of a modern device; `device` is None if it has no configuration of its own.

    `multiplier` times a queue's `queue_notify_off` is where in `notify` that queue is notified.
    """

    common: Window
    notify: Window
    multiplier: int
    isr: Window
    device: Window | None


def find_structures(config: ConfigSpace, bars: Mapping[int, Window]) -> Structures:
    """Read the list of capabilities, or raise `TransportError`: what is missing or out of place.

    Kinds and registers that are reserved are passed over, and of several structures of one kind
    the first counts (virtio.driver: PCI capabilities).
    """
    windows: dict[StructureKind, Window] = {}
    multiplier = 0
    taken: dict[int, int] = {}
    for entry in config.capabilities():
        if entry.id != pci.CapabilityId.VENDOR:
            continue
        capability = _read(config, entry.offset)
        kind = _wanted(capability)
        taken[entry.offset] = capability.size
        if kind is None or kind in windows:
            continue
        windows[kind] = _window(config, bars, kind, capability)
        if kind is StructureKind.NOTIFY:
            multiplier = _multiplier(config, entry.offset, capability)
    _check_entries(config, taken)
    _check_overlap(config, windows)
    for kind in (StructureKind.COMMON, StructureKind.NOTIFY, StructureKind.ISR):
        if kind not in windows:
            raise TransportError(f"{config.name}: there is no capability for {_named(kind)}")
    return Structures(
        common=windows[StructureKind.COMMON],
        notify=windows[StructureKind.NOTIFY],
        multiplier=multiplier,
        isr=windows[StructureKind.ISR],
        device=windows.get(StructureKind.DEVICE),
    )


def _read(config: ConfigSpace, offset: int) -> VirtioCapability:
    _fits(config, offset, virtio_pci.SIZE)
    capability = virtio_pci.parse(config.read_bytes(offset, virtio_pci.SIZE))
    if capability.size < virtio_pci.SIZE:
        raise TransportError(
            f"{config.name}: the capability at {offset:#x} has {capability.size} bytes, expected "
            f"at least {virtio_pci.SIZE}"
        )
    _fits(config, offset, capability.size)
    return capability


def _fits(config: ConfigSpace, offset: int, size: int) -> None:
    if offset + size > pci.CONFIG_SIZE:
        raise TransportError(
            f"{config.name}: {size} bytes of a capability at {offset:#x} are more than are left of "
            f"its {pci.CONFIG_SIZE} bytes of configuration"
        )


def _wanted(capability: VirtioCapability) -> StructureKind | None:
    if capability.bar >= pci.BAR_COUNT:
        return None
    return next((kind for kind in SMALLEST if kind == capability.kind), None)


def _window(
    config: ConfigSpace,
    bars: Mapping[int, Window],
    kind: StructureKind,
    capability: VirtioCapability,
) -> Window:
    name = f"{config.name}, {_named(kind)}"
    bar = bars.get(capability.bar)
    if bar is None:
        raise TransportError(f"{name}: said to lie behind BAR {capability.bar}, which is empty")
    if capability.offset % ALIGNMENT[kind]:
        raise TransportError(
            f"{name}: at {capability.offset:#x}, expected a multiple of {ALIGNMENT[kind]}"
        )
    if capability.length < SMALLEST[kind]:
        raise TransportError(
            f"{name}: {capability.length} bytes long, expected at least {SMALLEST[kind]}"
        )
    return bar.part(name, capability.offset, capability.length)


def _multiplier(config: ConfigSpace, offset: int, capability: VirtioCapability) -> int:
    if capability.size < virtio_pci.NOTIFY_SIZE:
        raise TransportError(
            f"{config.name}: the capability about notifications has {capability.size} bytes, "
            f"expected at least {virtio_pci.NOTIFY_SIZE}"
        )
    at, size = virtio_pci.NOTIFY_FIELDS["multiplier"]
    value = config.read(size, offset + at)
    if value and (value % 2 or value & (value - 1)):
        raise TransportError(
            f"{config.name}: notify_off_multiplier {value}, expected 0 or an even power of two"
        )
    return value


def _check_entries(config: ConfigSpace, taken: Mapping[int, int]) -> None:
    for (one, size), (other, _) in combinations(sorted(taken.items()), 2):
        if one + size > other:
            raise TransportError(
                f"{config.name}: the capability at {one:#x} has {size} bytes and runs into the one "
                f"at {other:#x}"
            )


def _check_overlap(config: ConfigSpace, windows: Mapping[StructureKind, Window]) -> None:
    for (one, first), (other, second) in combinations(windows.items(), 2):
        apart = (
            first.ports != second.ports
            or first.address + first.length <= second.address
            or second.address + second.length <= first.address
        )
        if not apart:
            raise TransportError(f"{config.name}: {_named(one)} and {_named(other)} overlap")


def _named(kind: StructureKind) -> str:
    return {
        StructureKind.COMMON: "the common configuration",
        StructureKind.NOTIFY: "the notifications",
        StructureKind.ISR: "the ISR status",
        StructureKind.DEVICE: "the device configuration",
    }.get(kind, kind.name)
