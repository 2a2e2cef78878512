"""Faults in the registers of a bus: virtio-pci, modern and legacy, and virtio-mmio."""

from __future__ import annotations

from typing import ClassVar

from vhint.wire.features import Feature, Features
from vhint.wire.status import DeviceStatus
from vhint.wire.virtio_pci import NO_VECTOR, StructureKind
from vhint_conformance.bus import LegacyFunction, MmioSlot, ModernFunction
from vhint_conformance.mutants.base import BusMutant

DEVICE_HALF, DRIVER_HALF = "device_feature_select", "driver_feature_select"


class OtherVendor(ModernFunction):
    """Has another vendor id once it has been found: its configuration space changes."""

    def write_common(self, size: int, offset: int, value: int) -> None:
        """Forget whose device it is at the first access."""
        self.set("device", 0x1044)
        super().write_common(size, offset, value)


class FirstHalfOnly(ModernFunction):
    """Shows the lower half of the device's features whatever is selected."""

    def half(self, selector: str) -> int:
        """Look at no selector of the device."""
        return 0 if selector == DEVICE_HALF else super().half(selector)


class FirstHalfBack(ModernFunction):
    """Shows the lower half of the driver's features whatever is selected."""

    def half(self, selector: str) -> int:
        """Look at no selector of the driver."""
        return 0 if selector == DRIVER_HALF else super().half(selector)


class HalvesWrap(ModernFunction):
    """Takes the selector of the device's features modulo 2."""

    def half(self, selector: str) -> int:
        """Keep one bit of it."""
        return super().half(selector) & 1


class NoGeneration(ModernFunction):
    """Shows one generation for ever."""

    def generation(self) -> int:
        """Return 0."""
        return 0


class GenerationOfReads(ModernFunction):
    """Counts a change of its configuration only at every second one."""

    def generation(self) -> int:
        """Halve it."""
        return self.device.config_generation() // 2


class StaysEnabled(ModernFunction):
    """Shows its first queue enabled after a reset."""

    def enabled(self, index: int) -> bool:
        """Show it."""
        return index == 0 or super().enabled(index)


class NoConfigBit(ModernFunction):
    """Sets no bit of the ISR status for a change of its configuration."""

    def signal_config(self) -> None:
        """Say nothing without messages."""
        if self.uses_messages:
            super().signal_config()


class NoQueueBit(ModernFunction):
    """Sets no bit of the ISR status for a used buffer."""

    def signal(self, index: int) -> None:
        """Say nothing without messages."""
        if self.uses_messages:
            super().signal(index)


class BitsSwapped(ModernFunction):
    """Takes the two bits of the ISR status for each other."""

    def take_isr(self) -> int:
        """Exchange them."""
        found = super().take_isr()
        return (found & 1) << 1 | found >> 1


class IsrStays(ModernFunction):
    """Leaves the ISR status as it is when it is read."""

    def take_isr(self) -> int:
        """Clear nothing."""
        return self.isr


class NoDeviceConfig(ModernFunction):
    """Has no capability for its configuration."""

    PLACES: ClassVar = {
        kind: place
        for kind, place in ModernFunction.PLACES.items()
        if kind is not StructureKind.DEVICE
    }


class ShortConfig(ModernFunction):
    """Says that its configuration is 4 bytes long."""

    PLACES: ClassVar = ModernFunction.PLACES | {StructureKind.DEVICE: (0x2000, 4)}


class FirstVector(ModernFunction):
    """Interrupts with vector 0, whatever a queue was mapped to."""

    def vector_of(self, index: int) -> int:
        """Return the first, if the queue has any."""
        return 0 if super().vector_of(index) != NO_VECTOR else NO_VECTOR


class VectorOfConfig(ModernFunction):
    """Interrupts for used buffers with the vector of configuration changes."""

    def vector_of(self, index: int) -> int:  # noqa: ARG002
        """Return the other."""
        return self.config_vector


class OtherVectorShown(ModernFunction):
    """Shows another vector than the one that an event was mapped to."""

    def shown(self, vector: int) -> int:
        """Change a bit of it."""
        return vector if vector == NO_VECTOR else vector ^ 1


class TwoVectors(ModernFunction):
    """Refuses every vector but the first two, which it has room for."""

    def mapped(self, vector: int) -> int:
        """Refuse it as one that cannot be had."""
        return vector if vector in (NO_VECTOR, 0, 1) else NO_VECTOR


class NeverUnmaps(ModernFunction):
    """Takes NO_VECTOR for a vector, and the first instead of it."""

    def mapped(self, vector: int) -> int:
        """Map it to something."""
        return 0 if vector == NO_VECTOR else vector


class MappingSurvives(ModernFunction):
    """Keeps the vectors of events over a reset."""

    def forget(self) -> None:
        """Be reset, but for them."""
        kept = dict(self.vectors), self.config_vector
        super().forget()
        self.vectors, self.config_vector = kept


class UnmappedSends(ModernFunction):
    """Sends message 1 for queues without a vector."""

    def vector_of(self, index: int) -> int:
        """Find another."""
        found = super().vector_of(index)
        return 1 if found == NO_VECTOR else found


class UnmappedConfigSends(ModernFunction):
    """Sends message 0 for changes of the configuration without a vector."""

    def vector_of_config(self) -> int:
        """Find another."""
        found = super().vector_of_config()
        return 0 if found == NO_VECTOR else found


class ResettingForEver(ModernFunction):
    """Shows the reset of a queue as going on once there was one."""

    begun = False

    def reset_queue(self, index: int) -> None:
        """Reset it, and remember."""
        super().reset_queue(index)
        self.begun = True

    def resetting(self, index: int) -> bool:  # noqa: ARG002
        """Never come to an end."""
        return self.begun

    def enable(self, index: int) -> None:
        """Be done with it."""
        self.begun = False
        super().enable(index)


class ResetFlagStays(ModernFunction):
    """Shows the reset of a queue as going on again once it was enabled anew, or reset wholly."""

    def __init__(self, *arguments: object) -> None:
        self.were: set[int] = set()
        self.shows: set[int] = set()
        super().__init__(*arguments)  # type: ignore[arg-type]

    def reset_queue(self, index: int) -> None:
        """Reset it, and remember which."""
        super().reset_queue(index)
        self.were.add(index)

    def enable(self, index: int) -> None:
        """Set the flag when it should be clear."""
        super().enable(index)
        self.shows |= self.were & {index}

    def resetting(self, index: int) -> bool:
        """Show the flag."""
        return index in self.shows


class ResetFlagSurvives(ResetFlagStays):
    """Shows the reset of a queue as going on after a reset of the device."""

    def enable(self, index: int) -> None:
        """Clear the flag when the queue is enabled."""
        self.were.discard(index)
        self.shows.discard(index)
        super().enable(index)

    def forget(self) -> None:
        """Set the flag when it should be clear."""
        super().forget()
        self.shows |= self.were


class SetsFeaturesOk(LegacyFunction):
    """Shows FEATURES_OK to legacy drivers."""

    def write_status(self, value: int) -> None:
        """Add the bit."""
        super().write_status(value)
        if value:
            self.status |= DeviceStatus.FEATURES_OK


class _Offers(LegacyFunction):
    added: Features = Features(0)
    left_out: Features = Features(0)

    @property
    def offered(self) -> Features:
        """The features, more or less."""
        return (super().offered | self.added) - self.left_out


class NoAnyLayout(_Offers):
    """Does not offer ANY_LAYOUT."""

    left_out = Features.of(Feature.ANY_LAYOUT)


class OffersReporting(_Offers):
    """Offers reporting to legacy drivers."""

    added = Features.of(Feature.PAGE_REPORTING)


class OffersHinting(_Offers):
    """Offers hinting to legacy drivers."""

    added = Features.of(Feature.HINTING)


class EarlyChainsLost(LegacyFunction):
    """Serves nothing before DRIVER_OK, and takes what is there by then for done."""

    def begin(self) -> None:
        """Begin only if the driver has said that it is ready, with what comes from now on."""
        if self.status & DeviceStatus.DRIVER_OK and not self.device.lines:
            super().begin()
            for line in self.device.lines.values():
                while line.ring.pop():
                    pass


class PacksUsedRing(LegacyFunction):
    """Looks for the used ring right behind the available ring."""

    used_align = 4


class QuietOnEmpty(LegacyFunction):
    """Does not notify of an empty queue although NOTIFY_ON_EMPTY was accepted."""

    def finished(self, queues: frozenset[int]) -> None:
        """Say nothing."""


class ActualByBytes(LegacyFunction):
    """Takes `actual` before all of it was written."""

    def completes_actual(self, size: int, offset: int) -> bool:  # noqa: ARG002
        """Take every byte as it comes."""
        return True


class EarlyWriterIsModern(LegacyFunction):
    """Takes a driver that writes to its configuration early for one that knows VERSION_1."""

    def write_device(self, size: int, offset: int, value: int) -> None:
        """Expect rings as that driver lays them out."""
        if not self.device.read_status() & DeviceStatus.DRIVER_OK:
            self.used_align = 4
        super().write_device(size, offset, value)


class BigEndianStatistics(LegacyFunction):
    """Reads the statistics of a legacy driver most significant byte first."""

    def shown_statistics(self, found: dict[int, int], polled: bool) -> dict[int, int]:
        """Turn the figures round."""
        shown = super().shown_statistics(found, polled)
        return {
            tag: int.from_bytes(value.to_bytes(8, "big"), "little") for tag, value in shown.items()
        }


class FirstStatisticsCount(LegacyFunction):
    """Shows the figures that a legacy driver sent before it was asked for any."""

    def shown_statistics(self, found: dict[int, int], polled: bool) -> dict[int, int]:  # noqa: ARG002
        """Show all."""
        return found


class OldVersion(MmioSlot):
    """Shows the version of the legacy interface once it is live."""

    def read_register(self, offset: int) -> int:
        """Change with the status."""
        live = self.device.read_status() & DeviceStatus.DRIVER_OK
        return 1 if live and offset == 0x004 else super().read_register(offset)


class MagicTurned(MmioSlot):
    """Shows its magic value the other way round once it is live."""

    def read_register(self, offset: int) -> int:
        """Change with the status."""
        found = super().read_register(offset)
        live = self.device.read_status() & DeviceStatus.DRIVER_OK
        return int.from_bytes(found.to_bytes(4, "big"), "little") if live and not offset else found


PCI = "virtio.device.pci-"
RESET = "ring.device.queue-reset-"


def _bus(
    name: str, summary: str, violates: tuple[str, ...], kind: type, bugs: tuple[str, ...] = ()
) -> BusMutant:
    return BusMutant(name, summary, violates, kind, bugs)


MUTANTS = (
    _bus("pci-other-device", "shows another PCI device id once it is driven",
         (f"{PCI}vendor",), OtherVendor),
    _bus("pci-device-features-low", "shows the lower half of its features whatever is selected",
         (f"{PCI}device-features-selected", "virtio.device.version-1-offered"), FirstHalfOnly),
    _bus("pci-driver-features-low", "shows the lower half of the driver's features only",
         (f"{PCI}driver-features-selected",), FirstHalfBack),
    _bus("pci-feature-selector-wraps", "takes the selector of its features modulo 2",
         (f"{PCI}device-features-selected",), HalvesWrap),
    _bus("pci-generation-constant", "shows one generation of its configuration for ever",
         (f"{PCI}config-generation", "virtio.device.config-generation"), NoGeneration, ("F3",)),
    _bus("pci-generation-halved", "counts every second change of its configuration",
         (f"{PCI}config-generation", "virtio.device.config-generation"), GenerationOfReads),
    _bus("pci-queue-enabled-after-reset", "shows a queue enabled after a reset",
         (f"{PCI}reset-disables-queues", "virtio.device.reset-disables-queues",
          f"{RESET}performed"), StaysEnabled),
    _bus("pci-isr-without-config", "sets no ISR bit for a change of its configuration",
         (f"{PCI}isr-configuration-bit", "virtio.device.config-change-notified",
          "free-page-hint.device.id-change-notified"), NoConfigBit),
    _bus("pci-isr-without-queue", "sets no ISR bit for a used buffer",
         (f"{PCI}isr-queue-bit", "ring.device.flags-zero-notifies",
          "ring.device.event-idx-notifies"), NoQueueBit),
    _bus("pci-isr-bits-swapped", "takes the bits of the ISR status for each other",
         (f"{PCI}isr-queue-bit", f"{PCI}isr-configuration-bit",
          "ring.device.flags-zero-notifies", "virtio.device.config-change-notified"), BitsSwapped),
    _bus("pci-isr-never-clears", "leaves the ISR status as it is when it is read",
         (f"{PCI}isr-cleared-by-read",), IsrStays),
    _bus("pci-no-device-config", "has no capability for its configuration",
         (f"{PCI}config-capability",), NoDeviceConfig),
    _bus("pci-device-config-short", "says that its configuration has 4 bytes",
         (f"{PCI}config-capability",), ShortConfig, ("Q15",)),
    _bus("pci-vector-0-always", "interrupts with the first vector whatever was mapped",
         (f"{PCI}any-vector",), FirstVector),
    _bus("pci-vector-of-config", "interrupts for buffers with the vector of the configuration",
         (f"{PCI}any-vector", f"{PCI}no-vector-no-interrupt"), VectorOfConfig),
    _bus("pci-other-vector-shown", "shows another vector than the one that was mapped",
         (f"{PCI}vector-shown",), OtherVectorShown),
    _bus("pci-vectors-refused", "refuses every vector but the first two",
         (f"{PCI}mapping-not-refused",), TwoVectors),
    _bus("pci-never-unmaps", "maps an event to the first vector when it is unmapped",
         (f"{PCI}vector-unmapped",), NeverUnmaps),
    _bus("pci-mapping-survives-reset", "keeps the vectors of events over a reset",
         (f"{PCI}reset-unmaps-vectors",), MappingSurvives),
    _bus("pci-unmapped-queue-sends", "sends a message for a queue without a vector",
         (f"{PCI}no-vector-no-interrupt",), UnmappedSends),
    _bus("pci-unmapped-config-sends", "sends a message for its configuration without a vector",
         (f"{PCI}no-vector-no-config-interrupt",), UnmappedConfigSends),
    _bus("pci-queue-resetting-for-ever", "never says that the reset of a queue is done",
         (f"{RESET}end-shown", f"{RESET}performed"), ResettingForEver),
    _bus("pci-reset-flag-after-enable", "shows a queue as being reset once it is enabled anew",
         (f"{RESET}flag-clear-after-enable",), ResetFlagStays),
    _bus("pci-reset-flag-survives", "shows a queue as being reset after a reset of the device",
         (f"{RESET}flag-clear-after-reset",), ResetFlagSurvives),
    _bus("legacy-features-ok", "shows FEATURES_OK to legacy drivers",
         ("virtio.device.legacy-detected",), SetsFeaturesOk),
    _bus("legacy-no-any-layout", "does not offer ANY_LAYOUT to legacy drivers",
         ("virtio.device.legacy-any-layout",), NoAnyLayout),
    _bus("legacy-offers-reporting", "offers reporting to legacy drivers",
         ("reporting.device.legacy-not-offered",), OffersReporting),
    _bus("legacy-offers-hinting", "offers hinting to legacy drivers",
         ("hint.device.not-on-legacy", "hint.device.offer-needs-version-1"), OffersHinting),
    _bus("legacy-early-chains-lost", "takes chains that came before DRIVER_OK for done",
         ("virtio.device.legacy-early-use",), EarlyChainsLost),
    _bus("legacy-used-ring-packed", "looks for the used ring right behind the available ring",
         ("ring.device.legacy-layout",), PacksUsedRing),
    _bus("legacy-quiet-on-empty", "does not notify of an empty queue as was agreed",
         ("ring.device.legacy-notify-on-empty",), QuietOnEmpty),
    _bus("legacy-actual-by-bytes", "takes `actual` before all of it was written",
         ("balloon.device.legacy-actual-complete",), ActualByBytes),
    _bus("legacy-early-writer-is-modern", "takes a driver that writes early for a modern one",
         ("virtio.device.legacy-early-config-write",), EarlyWriterIsModern),
    _bus("legacy-statistics-big-endian", "reads statistics most significant byte first",
         ("balloon.device.stats-legacy-native-endian",), BigEndianStatistics),
    _bus("legacy-first-statistics-count", "shows the figures that nobody asked for",
         ("balloon.device.stats-legacy-first-ignored",), FirstStatisticsCount),
    _bus("mmio-version-1", "shows the version of the legacy interface once it is live",
         ("virtio.device.mmio-version",), OldVersion),
    _bus("mmio-magic-turned", "shows its magic value the other way round once it is live",
         ("virtio.device.mmio-magic",), MagicTurned),
)  # fmt: skip
"""Mutants whose registers are wrong."""
