"""Faults in the device status, in negotiation and in resets."""

from __future__ import annotations

from vhint.host import ALL_FEATURES, Device, DeviceFactory
from vhint.host.status import Phase
from vhint.ring import GuestMemory
from vhint.wire.features import Feature, Features
from vhint.wire.status import DeviceStatus
from vhint_conformance.mutants.base import Mutant, with_options, without

FEATURES_OK = DeviceStatus.FEATURES_OK


class StatusSurvivesReset(Device):
    """Keeps ACKNOWLEDGE and DRIVER over a reset."""

    def _reset(self) -> None:
        kept = self._status & (DeviceStatus.ACKNOWLEDGE | DeviceStatus.DRIVER)
        super()._reset()
        self._status = kept


class TakesEverything(Device):
    """Agrees to features that it never offered."""

    def _features_acceptable(self) -> bool:
        offered = self.options.offered
        self._written_features = self._written_features & offered
        return True


class WantsEverything(Device):
    """Agrees only to a driver that accepts everything on offer."""

    def _features_acceptable(self) -> bool:
        return super()._features_acceptable() and self._written_features == self.options.offered


class WantsReporting(Device):
    """Refuses free page hinting without reporting, as if they were one feature."""

    def _features_acceptable(self) -> bool:
        written = self._written_features
        odd = (Feature.PAGE_REPORTING in written) != (Feature.FREE_PAGE_HINT in written)
        return super()._features_acceptable() and not odd


class FirstDriverOnly(Device):
    """Keeps to the features of its first driver for ever."""

    first: Features | None = None

    def _features_acceptable(self) -> bool:
        if not super()._features_acceptable():
            return False
        if self.first is None:
            self.first = self._written_features
        return self._written_features == self.first


class ForgetsToRefuse(Device):
    """Agrees to HINTING_BITMAP without HINTING."""

    def _features_acceptable(self) -> bool:
        written = self._written_features
        if Feature.HINTING_BITMAP in written and Feature.HINTING not in written:
            return True
        return super()._features_acceptable()


class ShrinkingOffer(Device):
    """Offers, after a reset, only what the driver accepted before it."""

    offer: Features = ALL_FEATURES

    def _reset(self) -> None:
        if self.context.accepted:
            self.offer = self.context.accepted
        super()._reset()

    def read_features(self) -> int:
        """Return what is left."""
        return self.offer.bits


class RestartsOnDriverOk(Device):
    """Starts its queues afresh whenever DRIVER_OK is written."""

    def write_status(self, value: int) -> None:
        """Start again at a second DRIVER_OK."""
        again = self._phase is Phase.LIVE and value & DeviceStatus.DRIVER_OK
        super().write_status(value)
        if again:
            self.lines.clear()
            self._start()


class NegotiatesLate(Device):
    """Goes by features that were written after FEATURES_OK."""

    def write_features(self, bits: int) -> None:
        """Take them whenever they come."""
        self._written_features = Features(bits)
        if self._phase in (Phase.FEATURES_OK, Phase.LIVE):
            self.context.accepted = self._written_features & self.options.offered


class ConfigAfterFeatures(Device):
    """Shows its config space only to a driver whose features it has agreed to."""

    def read_config(self, offset: int, length: int) -> bytes:
        """Return zeros before FEATURES_OK."""
        if self._status & FEATURES_OK:
            return super().read_config(offset, length)
        return bytes(length)


class _Shows(Device):
    def __init__(self, memory: GuestMemory, offered: Features) -> None:
        super().__init__(memory)
        self._shown = offered

    def read_features(self) -> int:
        """Return an offer that cannot be."""
        return self._shown.bits


def _shown(offered: Features) -> DeviceFactory:
    return lambda memory: _Shows(memory, offered)


MUTANTS = (
    Mutant(
        "status-survives-reset",
        "shows ACKNOWLEDGE and DRIVER after a reset",
        ("virtio.device.status-zero-after-reset",),
        StatusSurvivesReset,
    ),
    Mutant(
        "unoffered-bits-taken",
        "agrees to features that it never offered",
        ("virtio.device.unoffered-bits-refused",),
        TakesEverything,
    ),
    Mutant(
        "all-or-nothing",
        "agrees only to a driver that accepts everything on offer",
        ("virtio.device.valid-subset-accepted",),
        WantsEverything,
        bugs=("N20",),
    ),
    Mutant(
        "hints-need-reports",
        "refuses free page hints without reporting, as if they were one feature",
        ("virtio.device.valid-subset-accepted",),
        WantsReporting,
        bugs=("N16",),
    ),
    Mutant(
        "first-negotiation-counts",
        "refuses other features after a reset than before it",
        ("virtio.device.renegotiation-not-refused", "virtio.device.valid-subset-accepted"),
        FirstDriverOnly,
    ),
    Mutant(
        "bitmap-alone-accepted",
        "agrees to HINTING_BITMAP without HINTING",
        ("hint-bitmap.device.refuse-bitmap-alone",),
        ForgetsToRefuse,
    ),
    Mutant(
        "offer-shrinks",
        "offers after a reset only what was accepted before it",
        ("virtio.device.offer-stable",),
        ShrinkingOffer,
    ),
    Mutant(
        "activated-twice",
        "starts its queues afresh when DRIVER_OK is written again",
        ("virtio.device.double-activation-survived",),
        RestartsOnDriverOk,
        bugs=("F9",),
    ),
    Mutant(
        "no-version-1",
        "does not offer VERSION_1",
        ("virtio.device.version-1-offered",),
        with_options(
            offered=without(Feature.VERSION_1, Feature.HINTING, Feature.HINTING_BITMAP)
        ),
    ),
    Mutant(
        "hinting-without-version-1",
        "offers HINTING without VERSION_1",
        ("hint.device.offer-needs-version-1",),
        _shown(without(Feature.VERSION_1)),
        bugs=("L3",),
    ),
    Mutant(
        "hinting-with-access-platform",
        "offers HINTING together with ACCESS_PLATFORM",
        ("hint.device.offer-excludes-access-platform",),
        _shown(ALL_FEATURES | Features.of(Feature.ACCESS_PLATFORM)),
    ),
    Mutant(
        "bitmap-without-hinting",
        "offers HINTING_BITMAP without HINTING",
        ("hint-bitmap.device.offer-needs-hinting",),
        _shown(without(Feature.HINTING)),
    ),
    Mutant(
        "sr-iov-offered",
        "offers SR_IOV where there is no PCI",
        ("virtio.device.no-sr-iov-without-pci",),
        _shown(ALL_FEATURES | Features.of(Feature.SR_IOV)),
    ),
    Mutant(
        "config-hidden-before-features-ok",
        "shows its config space only once features are agreed",
        ("virtio.device.config-before-features-ok",),
        ConfigAfterFeatures,
    ),
)  # fmt: skip
"""Mutants that negotiate or reset wrongly."""
