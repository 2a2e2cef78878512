"""What a requirement about split virtqueues is called where the rings are packed.

The standard says most things twice, once for each format.  Cases and monitors use the words of
split rings; in the packed variant they are translated.  What is not named here holds for both.
"""

from __future__ import annotations

from collections.abc import Iterable

_DEVICE = {
    "avail-ring-never-written": "driver-area-never-written",
    "event-idx-notifies": "notifies-at-event",
    "flags-zero-notifies": "notifies-when-enabled",
    "id-before-idx": "fields-before-flags",
    "idx-wrap": "wraps",
    "len-before-idx": "fields-before-flags",
    "len-truthful": "len-truthful",
    "malformed-indirect-length-answered": "malformed-answered",
    "malformed-indirect-nested-answered": "malformed-answered",
    "malformed-indirect-next-answered": "malformed-answered",
    "malformed-loop-answered": "malformed-answered",
    "malformed-next-answered": "malformed-answered",
    "malformed-readable-after-writable-answered": "malformed-answered",
    "malformed-region-answered": "malformed-answered",
    "malformed-zero-length-answered": "malformed-answered",
    "reset-clears-indices": "reset-state",
    "slot-modulo-queue-size": "list-skipped",
    "use-chain-once": "use-once",
    "use-only-available": "use-only-available",
    "used-id-is-head": "used-id",
    "used-idx-counts-chains": "one-used-per-list",
}

_DRIVER = {
    "avail-idx-never-back": "wrap-counter",
    "chain-within-queue-size": "list-within-queue-size",
    "indirect-not-chained": "indirect-not-chained",
    "indirect-not-nested": "indirect-flags",
    "kick-at-avail-event": "kick-at-event",
    "kick-when-flags-zero": "kick-when-enabled",
    "no-alter-exposed": "no-change-before-used",
    "no-loop": "list-within-queue-size",
    "parts-aligned": "parts-aligned",
    "used-id-checked": "used-id-checked",
}

IN_PACKED = {f"ring.device.{split}": f"ring.device.packed-{it}" for split, it in _DEVICE.items()}
IN_PACKED |= {f"ring.driver.{split}": f"ring.driver.packed-{it}" for split, it in _DRIVER.items()}
"""The slug of a requirement on split rings to that of the same on packed rings."""

SPLIT_ONLY = frozenset(
    {
        "ring.device.descriptor-table-never-written",
        "ring.device.event-idx-flag-ignored",
        "ring.device.event-idx-quiet",
        "ring.device.event-idx-used-flags-zero",
        "ring.device.flags-one-quiet",
        "ring.device.indirect-after-direct",
        "ring.device.malformed-avail-jump-survived",
        "ring.device.malformed-head-answered",
        "ring.device.used-event-ignored",
        "ring.device.used-flags-valid",
        "ring.driver.avail-event-ignored",
        "ring.driver.avail-flags-valid",
        "ring.driver.event-idx-avail-flags-zero",
        "ring.driver.event-idx-flag-ignored",
        "ring.driver.queue-size-power-of-two",
        "ring.driver.quiet-when-flags-one",
        "ring.driver.used-flags-start-zero",
    }
)
"""Requirements that are about something that packed rings have not got."""


def in_packed(requirement: str) -> str:
    """Return what a requirement is called where the rings are packed.

    >>> in_packed("ring.device.use-chain-once"), in_packed("hint.device.use-every-buffer")
    ('ring.device.packed-use-once', 'hint.device.use-every-buffer')
    """
    return IN_PACKED.get(requirement, requirement)


def checked_in_packed(requirements: Iterable[str]) -> tuple[str, ...]:
    """Return what a case for these requirements checks where the rings are packed."""
    left = (in_packed(each) for each in requirements if each not in SPLIT_ONLY)
    return tuple(dict.fromkeys(left))
