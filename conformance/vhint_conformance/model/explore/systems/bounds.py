"""What a hinting system is bounded by, and in what it may be unsound."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

from vhint_conformance.model.explore.systems.buddy import is_whole


@dataclass(frozen=True, slots=True)
class Bounds:
    """How large a system is explored.

    `pages` in all, split evenly over `zones`; blocks of orders 0 to `max_order`; `cpus`, each with
    a worker and a capture array of `entries`; `requests` that can be outstanding; `resets` of the
    device.  Raises `ValueError` for what makes no system.
    """

    pages: int = 3
    cpus: int = 1
    zones: int = 1
    max_order: int = 1
    entries: int = 1
    requests: int = 1
    resets: int = 1

    def __post_init__(self) -> None:
        limits = {
            "pages": (1, 16),
            "cpus": (1, 4),
            "zones": (1, 4),
            "max_order": (0, 4),
            "entries": (1, 4),
            "requests": (1, 4),
            "resets": (0, 3),
        }
        for name, (low, high) in limits.items():
            if not low <= getattr(self, name) <= high:
                raise ValueError(f"{name} is {getattr(self, name)}; it can be {low} to {high}")
        if self.pages % self.zones or not is_whole(self.pages // self.zones):
            raise ValueError(f"{self.pages} pages cannot be split evenly over {self.zones} zones")


class Recheck(Enum):
    """When a worker looks whether a captured block is still free."""

    UNDER_LOCK = auto()
    """Under the zone lock, which it keeps until the block is isolated."""
    OUTSIDE_LOCK = auto()
    """Before it takes the zone lock for isolating."""
    NEVER = auto()
    """It trusts the capture array."""


class Release(Enum):
    """When a driver gives blocks back to the allocator."""

    ON_USE = auto()
    """When the device has used the request that names them."""
    ON_OFFER = auto()
    """As soon as the request is available."""


class Discard(Enum):
    """When a device discards."""

    BEFORE_USE = auto()
    """Before it uses the request."""
    AFTER_USE = auto()
    """When it gets round to it, also after it has used the request."""


class TakeBack(Enum):
    """When a driver that resets the device takes outstanding blocks back."""

    RESET_DONE = auto()
    """When the status reads back 0."""
    RESET_ASKED = auto()
    """As soon as it has written 0."""


@dataclass(frozen=True, slots=True)
class Design:
    """How a guest and a host work; the default is the isolating design of the talk."""

    recheck: Recheck = Recheck.UNDER_LOCK
    release: Release = Release.ON_USE
    discard: Discard = Discard.BEFORE_USE
    take_back: TakeBack = TakeBack.RESET_DONE

    @property
    def breaks(self) -> str:
        """The requirement that is broken where a page that is outstanding is not the device's.

        A loss has one cause in each design; of the sound one it would be this.
        """
        if self.discard is Discard.AFTER_USE:
            return "hint.device.no-effect-after-use"
        if self.take_back is TakeBack.RESET_ASKED:
            return "hint.driver.no-return-before-reset-done"
        if self.recheck is not Recheck.UNDER_LOCK:
            return "hint.driver.never-report-reallocated"
        return "hint.driver.no-allocate-while-outstanding"
