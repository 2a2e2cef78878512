"""Which features a guest accepts, given what it does and what the device offers."""

from __future__ import annotations

from vhint.guest.initialise import Wish
from vhint.wire.features import Feature, Features

ALWAYS = (Feature.VERSION_1, Feature.EVENT_IDX, Feature.INDIRECT_DESC)


def wish_for(features: Features, poison: int | None = None, queue_size: int = 128) -> Wish:
    """Return the wish of a guest that wants these features and fills free pages with `poison`.

    The ring features are wanted always, PAGE_POISON if there is a value to write
    (balloon.driver.poison-decline).
    """
    wanted = features | Features.of(*ALWAYS)
    if poison is None:
        wanted -= Features.of(Feature.PAGE_POISON)
    else:
        wanted |= Features.of(Feature.PAGE_POISON)

    def settle(possible: Features) -> Features:
        return without_unmet(possible, relies_on_poison=poison is not None)

    return Wish(wanted, queue_size=queue_size, poison_val=poison, settle=settle)


def without_unmet(possible: Features, *, relies_on_poison: bool = False) -> Features:
    """Drop every feature whose prerequisite is missing.

    virtio.driver.accept-with-prerequisites, hint-bitmap.driver.accept-needs-hinting,
    hint.driver.accept-excludes-access-platform; and, for a guest that counts on free pages keeping
    their value, reporting.driver.poison-needed-for-initialised-pages.

    >>> without_unmet(Features.of(Feature.HINTING_BITMAP, Feature.VERSION_1))
    Features(VERSION_1)
    """
    if relies_on_poison and Feature.PAGE_POISON not in possible:
        possible -= Features.of(Feature.PAGE_REPORTING, Feature.HINTING)
    if Feature.VERSION_1 not in possible:
        possible -= Features.of(Feature.HINTING)
    if Feature.HINTING in possible:
        possible -= Features.of(Feature.ACCESS_PLATFORM)
    if Feature.HINTING not in possible:
        possible -= Features.of(Feature.HINTING_BITMAP)
    return possible
