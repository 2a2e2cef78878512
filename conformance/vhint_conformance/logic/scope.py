"""What is vhint's own where it supplies rings and registers, and so is not judged."""

from __future__ import annotations

from functools import lru_cache

from vhint_spec import load

OF_RINGS_AND_REGISTERS = ("ring.", "virtio.")

STILL_ITS_OWN = frozenset(
    {
        # What a device does with a chain that it was given ...
        "ring.device.framing-independent",
        "ring.device.writes-within-buffers",
        "ring.device.readable-never-written",
        "ring.device.descriptor-table-never-written",
        "ring.device.indirect-table-never-written",
        "ring.device.avail-ring-never-written",
        "ring.device.len-truthful",
        "ring.device.use-chain-once",
        "ring.device.use-only-available",
        "ring.device.no-processing-after-reset",
        "ring.device.queue-reset-no-processing",
        # ... what it offers and agrees to, and its config space.
        "virtio.device.version-1-offered",
        "virtio.device.offer-closed-under-dependency",
        "virtio.device.offer-only-supported",
        "virtio.device.valid-subset-accepted",
        "virtio.device.unoffered-bits-refused",
        "virtio.device.refusal-clears-features-ok",
        "virtio.device.renegotiation-not-refused",
        "virtio.device.config-before-features-ok",
        "virtio.device.config-optional-when-offered",
        "virtio.device.config-change-notified",
    }
)

SUPPLIED_TOO = frozenset(
    {
        # Queues are named and not numbered, and a chain that leaves RAM is refused by the ring.
        "balloon.device.queue-first-two",
        "balloon.device.queue-map-follows-offer",
        "balloon.device.offered-queues-exist",
        "hint.device.queue-index",
        "reporting.device.ram-only",
        "free-page-hint.device.ram-only",
    }
)


@lru_cache
def supplied() -> frozenset[str]:
    """Return the requirements that rings and registers alone keep or break.

    >>> "ring.device.idx-wrap" in supplied(), "hint.device.containment" in supplied()
    (True, False)
    """
    ours = {slug for slug in load() if slug.startswith(OF_RINGS_AND_REGISTERS)}
    return frozenset(ours - STILL_ITS_OWN | SUPPLIED_TOO)
