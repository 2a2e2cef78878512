"""What every queue handler of the reference device shares."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Generator, Iterable
from dataclasses import dataclass, field

from vhint.host.command_ids import FIRST_ID
from vhint.host.reclaim import Discarded, Failure, Reclaimer
from vhint.ring import Chain, GuestMemory
from vhint.spans import PAGE, Span, total, whole_pages
from vhint.wire.config import BalloonConfig
from vhint.wire.features import Feature, Features
from vhint.wire.queues import QueueMode

ALL_FEATURES = Features.of(
    Feature.MUST_TELL_HOST,
    Feature.STATS_VQ,
    Feature.DEFLATE_ON_OOM,
    Feature.FREE_PAGE_HINT,
    Feature.PAGE_POISON,
    Feature.PAGE_REPORTING,
    Feature.HINTING,
    Feature.HINTING_BITMAP,
    Feature.INDIRECT_DESC,
    Feature.EVENT_IDX,
    Feature.VERSION_1,
)
"""Everything that the reference device can do.

DEFLATE_ON_OOM asks nothing of it: the driver may deflate at any time anyway.  RING_RESET may be
offered too, over a transport that has a register for it (`Device.reset_queue`).  RING_PACKED is
another format of all queues, which a driver has to know: see `EVERY_FEATURE`.
"""

EVERY_FEATURE = ALL_FEATURES | Features.of(Feature.RING_PACKED)
"""`ALL_FEATURES`, with rings of either format; what a device offers unless told otherwise."""

LARGEST_HOST_PAGE = 2 << 20
"""Bytes of the largest host page that the device discards by."""


@dataclass(frozen=True, slots=True)
class DeviceOptions:
    """How a reference device is made.

    `queue_size` is the largest size of every queue, `host_page` the unit of discarding in bytes
    (a power of two from 4 KiB to 2 MiB), `hint_max_count` and `hint_min_order` are what its
    config space says about hinting requests (vhint, The hinting virtqueue), `first_hint_id` is
    the first command id of free page hinting.  Raises `ValueError` for options that contradict
    the specification or each other.
    """

    offered: Features = EVERY_FEATURE
    queue_mode: QueueMode = QueueMode.COMPACT_OFFERED
    queue_size: int = 256
    host_page: int = PAGE
    hint_max_count: int = 1024
    hint_min_order: int = 0
    first_hint_id: int = FIRST_ID

    def __post_init__(self) -> None:
        page = self.host_page
        if not PAGE <= page <= LARGEST_HOST_PAGE or page & (page - 1):
            raise ValueError(
                f"host_page is a power of two from {PAGE} to {LARGEST_HOST_PAGE} bytes, not {page}"
            )
        if Feature.HINTING in self.offered and PAGE << self.hint_min_order < page:
            raise ValueError(
                f"hint_min_order {self.hint_min_order} is smaller than a host page of {page} bytes"
            )


@dataclass(slots=True)
class Tally:
    """How much memory a device has given back, in bytes, and what went wrong lately.

    `offered` is what drivers named, whatever was done about it.
    """

    offered: int = 0
    discarded: int = 0
    failed: int = 0
    failures: deque[Failure] = field(default_factory=lambda: deque(maxlen=16))

    def add(self, result: Discarded) -> None:
        """Count what came of one discard."""
        self.discarded += total(result.spans)
        self.failed += total(failure.span for failure in result.failures)
        self.failures.extend(result.failures)


@dataclass(slots=True)
class Context:
    """The state of one device that its handlers see.

    `accepted` and `config` change; `inhibited` is the host's switch: while it is on nothing is
    discarded, whatever the driver offers.
    """

    memory: GuestMemory
    options: DeviceOptions
    reclaim: Reclaimer
    config: BalloonConfig
    accepted: Features = field(default_factory=lambda: Features(0))
    inhibited: bool = False
    tally: Tally = field(default_factory=Tally)

    @property
    def keeps_poison(self) -> bool:
        """Whether pages must read as a value that a discarded page would not have."""
        return Feature.PAGE_POISON in self.accepted and bool(self.config.poison_val)

    def discard(self, spans: Iterable[Span]) -> Discarded:
        """Discard the whole host pages inside each span, unless the host inhibits it.

        What failed may be lost all the same, so the caller must take every span for touched.
        """
        spans = list(spans)
        self.tally.offered += total(spans)
        whole = whole_pages(spans, self.options.host_page)
        if self.inhibited or not whole:
            return Discarded()
        result = self.reclaim.discard(whole)
        self.tally.add(result)
        return result


class Handler(ABC):
    """What the device does with the chains of one queue."""

    def __init__(self, context: Context) -> None:
        self.context = context

    @abstractmethod
    def handle(self, chain: Chain) -> Generator[None, None, int | None]:
        """Process a chain; yield where the driver may run in between.

        Return the used length, or None to hold the chain for later.
        """
