"""Which virtqueue has which index: three rules that are in use, as one function.

The standard's list is fixed (VIRTIO 1.4, 5.5.2 Virtqueues). QEMU, Firecracker and crosvm number
only the queues whose feature they offer, Linux only those whose feature it accepts; so index 3 may
be three different queues. See vhint, Queue numbers.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from vhint.wire.features import Feature, Features


class Queue(StrEnum):
    """A virtqueue of the balloon device, in the order in which queues are numbered."""

    INFLATE = "inflate"
    DEFLATE = "deflate"
    STATS = "stats"
    FREE_PAGE = "free_page"
    REPORTING = "reporting"
    HINTING = "hinting"


class QueueMode(StrEnum):
    """A rule that gives queues their indices."""

    SPEC_FIXED = "spec-fixed"
    """Every queue has its place (0 to 5), whether or not the others exist."""
    COMPACT_OFFERED = "compact-offered"
    """Queues of the *offered* features are numbered without gaps."""
    COMPACT_ACCEPTED = "compact-accepted"
    """Queues of the *accepted* features are numbered without gaps."""


QUEUE_FEATURE: Final[dict[Queue, Feature | None]] = {
    Queue.INFLATE: None,
    Queue.DEFLATE: None,
    Queue.STATS: Feature.STATS_VQ,
    Queue.FREE_PAGE: Feature.FREE_PAGE_HINT,
    Queue.REPORTING: Feature.PAGE_REPORTING,
    Queue.HINTING: Feature.HINTING,
}
"""The feature that makes a queue exist; None: it always does."""


def queue_map(mode: QueueMode, offered: Features, accepted: Features) -> dict[Queue, int]:
    """Give the index of every queue that exists, in ascending order.

    A queue exists if its feature is accepted; inflate and deflate always exist. Raises
    `ValueError` if a feature is accepted that was not offered.

    >>> offered = Features.of(Feature.STATS_VQ, Feature.FREE_PAGE_HINT, Feature.PAGE_REPORTING)
    >>> accepted = Features.of(Feature.PAGE_REPORTING)
    >>> [queue_map(mode, offered, accepted)[Queue.REPORTING] for mode in QueueMode]
    [4, 4, 2]
    """
    if accepted - offered:
        raise ValueError(f"{accepted - offered!r} accepted but not offered")
    existing = _queues_of(accepted)
    match QueueMode(mode):
        case QueueMode.SPEC_FIXED:
            numbered = list(Queue)
        case QueueMode.COMPACT_OFFERED:
            numbered = _queues_of(offered)
        case QueueMode.COMPACT_ACCEPTED:
            numbered = existing
    return {queue: index for index, queue in enumerate(numbered) if queue in existing}


def _queues_of(features: Features) -> list[Queue]:
    return [
        queue for queue, feature in QUEUE_FEATURE.items() if feature is None or feature in features
    ]
