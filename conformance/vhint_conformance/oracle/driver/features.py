"""Which features a driver may accept, and when."""

from __future__ import annotations

from vhint.trace.events import Event, FeaturesAccepted, FeaturesOffered, ResetDone, StatusWritten
from vhint.wire.features import Feature, Features
from vhint.wire.status import DeviceStatus
from vhint_conformance.oracle.monitor import Monitor

PREREQUISITES: tuple[tuple[str, Feature, Feature], ...] = (
    ("hint-bitmap.driver.accept-needs-hinting", Feature.HINTING_BITMAP, Feature.HINTING),
    ("hint.driver.accept-needs-version-1", Feature.HINTING, Feature.VERSION_1),
    ("virtio.driver.accept-with-prerequisites", Feature.RING_RESET, Feature.VERSION_1),
)
"""(requirement, a feature that is accepted, what it needs beside it)."""


class AcceptRules(Monitor):
    """Holds what is accepted against what was offered."""

    def __init__(self) -> None:
        super().__init__()
        self._offered = Features(0)
        self._accepted = Features(0)
        self._agreed = False

    def see(self, place: int, event: Event) -> None:  # noqa: ARG002
        """Judge every acceptance."""
        match event:
            case FeaturesOffered(bits):
                self._offered = Features(bits)
            case FeaturesAccepted(bits):
                self._accept(Features(bits))
            case StatusWritten(value):
                self._agreed = bool(value & DeviceStatus.FEATURES_OK)
            case ResetDone():
                self._agreed = False
                self._accepted = Features(0)
            case _:
                pass

    def _accept(self, accepted: Features) -> None:
        offered = self._offered
        extra = accepted - offered
        if extra:
            self.report("virtio.driver.accept-only-offered", f"at most {offered!r}", repr(extra))
        if (accepted & offered).unknown:
            self.report(
                "virtio.driver.undefined-features-not-accepted",
                "no bit that is undefined for a balloon",
                repr(Features((accepted & offered).unknown)),
            )
        if Feature.SR_IOV in accepted:
            slug = "virtio.driver.no-sr-iov-without-capability"
            self.report(slug, "SR_IOV left alone", "accepted")
        for slug, feature, needed in PREREQUISITES:
            if feature in accepted and needed not in accepted:
                self.report(slug, f"{feature.name} only with {needed.name}", repr(accepted))
        if Feature.HINTING in accepted and Feature.ACCESS_PLATFORM in accepted:
            slug = "hint.driver.accept-excludes-access-platform"
            self.report(slug, "HINTING without ACCESS_PLATFORM", repr(accepted))
        if Feature.VERSION_1 in offered and Feature.VERSION_1 not in accepted:
            self.report("virtio.driver.version-1-accepted", "VERSION_1 accepted", repr(accepted))
        if Feature.MUST_TELL_HOST in offered and Feature.MUST_TELL_HOST not in accepted:
            slug = "balloon.driver.accept-must-tell-host"
            self.report(slug, "MUST_TELL_HOST accepted", repr(accepted))
        if self._agreed and accepted - self._accepted:
            slug = "virtio.driver.features-final"
            self.report(slug, "no more features after FEATURES_OK", repr(accepted))
        self._accepted = accepted
