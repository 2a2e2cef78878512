"""What a device may offer, and what may happen on a queue at all (invariants I11, I13)."""

from __future__ import annotations

from vhint.trace.events import Event, FeaturesAccepted, FeaturesOffered, Used
from vhint.wire.features import Feature, Features
from vhint.wire.queues import QUEUE_FEATURE, Queue
from vhint_conformance.oracle.monitor import Monitor

OFFER_RULES: tuple[tuple[str, Feature, tuple[Feature, ...], tuple[Feature, ...]], ...] = (
    ("hint-bitmap.device.offer-needs-hinting", Feature.HINTING_BITMAP, (Feature.HINTING,), ()),
    ("hint.device.offer-needs-version-1", Feature.HINTING, (Feature.VERSION_1,), ()),
    ("hint.device.offer-excludes-access-platform", Feature.HINTING, (), (Feature.ACCESS_PLATFORM,)),
)
"""(requirement, a feature that is offered, what it needs beside it, what it excludes)."""


class FeatureMonitor(Monitor):
    """Holds offers against their dependencies, and used buffers against what was accepted."""

    def __init__(self) -> None:
        super().__init__()
        self._offered: Features | None = None
        self._accepted = Features(0)

    def see(self, place: int, event: Event) -> None:  # noqa: ARG002
        """Judge every offer and every use."""
        match event:
            case FeaturesOffered(bits):
                self._offer(Features(bits))
            case FeaturesAccepted(bits):
                self._accepted = Features(bits)
            case Used(queue=queue):
                feature = QUEUE_FEATURE[Queue(queue)]
                if feature is not None and feature not in self._accepted:
                    self.report(
                        "balloon.device.unaccepted-queue-idle",
                        f"a queue whose feature {feature.name} was not accepted to stay idle",
                        "a used element",
                        f"{queue} queue",
                    )
            case _:
                pass

    def _offer(self, offered: Features) -> None:
        for slug, feature, needs, excludes in OFFER_RULES:
            if feature not in offered:
                continue
            for need in needs:
                if need not in offered:
                    self.report(slug, f"{feature.name} only with {need.name}", repr(offered))
            for other in excludes:
                if other in offered:
                    self.report(slug, f"{feature.name} never with {other.name}", repr(offered))
        if self._offered is not None and offered != self._offered:
            self.report("virtio.device.offer-stable", repr(self._offered), repr(offered))
        self._offered = offered
