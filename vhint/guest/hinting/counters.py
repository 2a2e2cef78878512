"""What the talk argues about, counted: stalls, locks, notifications, and what became of pages."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from enum import Enum, auto


class Missed(Enum):
    """Why a captured block was not reported."""

    ARRAY_FULL = auto()
    """It was freed while its CPU's array had no room."""
    REALLOCATED = auto()
    """Somebody uses it again (hint.driver.never-report-reallocated)."""
    CACHED = auto()
    """The page cache has it."""
    ON_PER_CPU_LIST = auto()
    """It is free, but parked where it cannot be isolated: the talk's biggest challenge."""
    BELOW_WATERMARK = auto()
    """Its zone cannot spare it: the talk's first limitation."""
    MERGED = auto()
    """It has become a part of a larger free block, and merges are not followed."""
    WRONG_ORDER = auto()
    """A part of it was allocated, or the free block is below the smallest order."""
    AWAY = auto()
    """It is isolated or the device's already, as a part of a block that was captured before."""
    NO_DEVICE = auto()
    """The device was given up or reset before the worker came to it."""
    KNOWN = auto()
    """The host knows already that it is free."""


@dataclass(slots=True)
class Counters:
    """The figures of one guest.  Pages are pages of 4 KiB; steps are the guest's steps."""

    allocations: int = 0
    allocations_failed: int = 0
    frees: int = 0
    allocations_stalled: int = 0
    """Allocations that had to wait because hinting had stopped all of them."""
    stall_steps: int = 0
    """For how many steps they waited, together."""
    frees_stalled: int = 0
    """Frees that had to wait for the same reason."""
    lock_waits: int = 0
    """Allocations and frees that had to wait for the lock of one zone."""
    lock_wait_steps: int = 0
    lock_acquisitions: int = 0
    """How often workers took a lock: a zone's, or the sequence lock."""
    lock_held_steps: int = 0
    """How many steps of the guest were taken while one was held."""
    kicks: int = 0
    requests: int = 0
    captured_pages: int = 0
    isolated_pages: int = 0
    offered_pages: int = 0
    reported_pages: int = 0
    """Pages that the device has accepted."""
    refused_pages: int = 0
    """Pages that were answered with nothing done."""
    returned_pages: int = 0
    bad_answers: int = 0
    resets: int = 0
    missed: Counter[Missed] = field(default_factory=Counter)
    """Entries that came to nothing, by reason."""
