"""What the judging device offers to a driver in one of its lives."""

from __future__ import annotations

from dataclasses import dataclass, replace

from vhint.wire.config import BalloonConfig
from vhint.wire.features import Feature, Features

RING = (Feature.VERSION_1, Feature.INDIRECT_DESC, Feature.EVENT_IDX)
BALLOON = (
    Feature.MUST_TELL_HOST,
    Feature.STATS_VQ,
    Feature.DEFLATE_ON_OOM,
    Feature.FREE_PAGE_HINT,
    Feature.PAGE_POISON,
    Feature.PAGE_REPORTING,
)
HINTING = (Feature.HINTING, Feature.HINTING_BITMAP)


@dataclass(frozen=True, slots=True)
class Offer:
    """A device as its driver finds it.

    `queue_size` is the largest size of every queue; `refuses` makes it clear FEATURES_OK;
    `hint_max_count` and `hint_min_order` are shown when HINTING is offered.  `name` says to a
    target that has to be started with its devices which of them is meant; `fills` that the guest
    behind the driver is one that fills free pages and counts on what it filled them with.
    """

    name: str
    features: Features
    queue_size: int = 128
    refuses: bool = False
    hint_max_count: int = 64
    hint_min_order: int = 0
    fills: bool = False

    def without(self, name: str, *features: Feature) -> Offer:
        """Return the offer less some features."""
        return replace(self, name=name, features=self.features - Features.of(*features))

    def with_packed_rings(self) -> Offer:
        """Return the offer with RING_PACKED beside it, under a name of its own."""
        features = self.features | Features.of(Feature.RING_PACKED)
        return replace(self, name=f"{self.name}-packed", features=features)

    def config(self) -> BalloonConfig:
        """Return the whole of config space; fields of features that are not offered read 0."""
        hinting = Feature.HINTING in self.features
        return BalloonConfig(
            num_pages=0,
            actual=0,
            free_page_hint_cmd_id=0,
            poison_val=0,
            ws_num_bins=0 if hinting else None,
            unassigned=0 if hinting else None,
            hint_max_count=self.hint_max_count if hinting else None,
            hint_min_order=self.hint_min_order if hinting else None,
        )


FULL = Offer("full", Features.of(*RING, *BALLOON, *HINTING))
"""Everything."""
STANDARD = FULL.without("standard", *HINTING)
"""Everything that the standard has."""
PLAIN = Offer("plain", Features.of(*RING))
"""A balloon with no optional feature."""
HINTS = Offer("hints", Features.of(*RING, *HINTING))
"""The hinting virtqueue, both formats."""
PFN_HINTS = HINTS.without("pfn-hints", Feature.HINTING_BITMAP)
"""The hinting virtqueue without bitmaps."""
REPORTS = Offer("reports", Features.of(*RING, Feature.PAGE_REPORTING))
"""Free page reporting, with queue 2."""
ROUNDS = Offer("rounds", Features.of(*RING, Feature.FREE_PAGE_HINT))
"""Free page hinting by rounds, with queue 2."""
STATISTICS = Offer("statistics", Features.of(*RING, Feature.STATS_VQ))
"""Statistics beside the balloon."""
TELL_HOST = Offer("tell-host", Features.of(*RING, Feature.MUST_TELL_HOST))
"""A balloon whose pages wait for the answer to a deflate request."""
OOM = Offer("oom", Features.of(*RING, Feature.DEFLATE_ON_OOM, Feature.MUST_TELL_HOST))
"""A balloon that deflates when memory is short."""
POISONED = Offer(
    "poisoned",
    Features.of(*RING, Feature.MUST_TELL_HOST, Feature.PAGE_POISON, Feature.PAGE_REPORTING),
    fills=True,
)
"""Reporting beside PAGE_POISON."""
POISONED_HINTS = replace(
    POISONED, name="poisoned-hints", features=Features.of(*RING, Feature.PAGE_POISON, *HINTING)
)
"""The hinting virtqueue beside PAGE_POISON."""
POISONED_BALLOON = replace(
    POISONED,
    name="poisoned-balloon",
    features=Features.of(*RING, Feature.MUST_TELL_HOST, Feature.PAGE_POISON),
)
"""A balloon beside PAGE_POISON, and nothing else that would fill pages."""
NO_POISON = replace(
    POISONED, name="no-poison", features=Features.of(*RING, Feature.PAGE_REPORTING, *HINTING)
)
"""Reporting and hinting without PAGE_POISON, for a guest that counts on its fill."""
NO_EVENT_IDX = STANDARD.without("no-event-idx", Feature.EVENT_IDX)
NO_INDIRECT = STANDARD.without("no-indirect", Feature.INDIRECT_DESC)
GAP = STANDARD.without("gap", Feature.STATS_VQ, Feature.FREE_PAGE_HINT)
"""Reporting with nothing between it and the balloon, so that its number differs by the rules."""
UNKNOWN = replace(
    STANDARD,
    name="unknown",
    features=STANDARD.features | Features.of(10, 15, 20, 48, 60, Feature.SR_IOV),
)
"""Bits that are no feature of a balloon, or of no transport that carries it."""

OFFERS = {
    offer.name: offer
    for offer in (
        FULL, STANDARD, PLAIN, HINTS, PFN_HINTS, REPORTS, ROUNDS, STATISTICS, TELL_HOST, OOM,
        POISONED, POISONED_HINTS, POISONED_BALLOON, NO_POISON, NO_EVENT_IDX, NO_INDIRECT, GAP,
        UNKNOWN,
    )
}  # fmt: skip
"""Every offer that a case makes, by name."""
