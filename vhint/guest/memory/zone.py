"""A zone of guest memory: its pages, its watermarks, its lock and its free lists."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum

from vhint.guest.memory.buddy import MAX_ORDER, Buddy
from vhint.guest.memory.ledger import Breach, PageLedger, refuse
from vhint.guest.memory.lock import ZoneLock
from vhint.guest.page_life import PageEvent
from vhint.wire.blocks import Block


class ZoneKind(IntEnum):
    """What a zone is for: an allocation may be met from its own zone or any below."""

    DMA = 0
    """The first 16 MiB, for devices that reach no further."""
    DMA32 = 1
    """Below 4 GiB."""
    NORMAL = 2
    """Everything else."""


@dataclass(frozen=True, slots=True)
class Watermarks:
    """How many free pages a zone keeps back, `min <= low <= high`.

    Ordinary allocations stop at `low` and first look elsewhere; with nothing left elsewhere they go
    down to `min`; below that only the last resort goes.  Isolation never takes a zone below `min`.
    The cache is dropped until a zone is at `high` again.
    """

    min: int = 0
    low: int = 0
    high: int = 0

    @classmethod
    def scaled(cls, pages: int) -> Watermarks:
        """Return watermarks for a zone of so many pages, in Linux's proportions.

        >>> Watermarks.scaled(4096)
        Watermarks(min=16, low=20, high=24)
        """
        least = max(1, pages // 256) if pages >= 64 else 0
        return cls(least, least * 5 // 4, least * 3 // 2)


@dataclass(frozen=True, slots=True)
class ZoneSpec:
    """How a zone is made: `pages` pages from `first` on."""

    kind: ZoneKind
    first: int
    pages: int
    watermarks: Watermarks = Watermarks()
    max_order: int = MAX_ORDER


class Zone:
    """One zone, all of it free at the start.

    Every method that touches the free lists needs the lock: `actor` is who calls, and
    `WouldWaitError` says that somebody else holds it.
    """

    def __init__(self, spec: ZoneSpec, on_breach: Callable[[Breach], None] = refuse) -> None:
        self.kind = spec.kind
        self.first = spec.first
        self.end = spec.first + spec.pages
        self.pages = spec.pages
        self.watermarks = spec.watermarks
        self.lock = ZoneLock(f"zone {spec.kind.name}")
        self.buddy = Buddy(spec.first, spec.pages, spec.max_order)
        self.ledger = PageLedger(spec.first, spec.pages, on_breach)

    def __contains__(self, pfn: int) -> bool:
        return self.first <= pfn < self.end

    def allows(self, order: int, mark: int) -> bool:
        """Whether taking a block of this order leaves at least `mark` free pages."""
        return self.buddy.can_take(order) and self.buddy.free_pages - (1 << order) >= mark

    def take(self, order: int, event: PageEvent, actor: str) -> Block | None:
        """Take a block for an allocation (ALLOCATE) or a per-CPU list (PARK)."""
        self._need_lock(actor)
        block = self.buddy.take(order)
        if block is not None:
            self.ledger.move(block.pfn, block.order, event)
        return block

    def take_block(self, block: Block, event: PageEvent, actor: str) -> None:
        """Take exactly this free block: isolation.  What is not free is a breach."""
        self._need_lock(actor)
        self.ledger.move(block.pfn, block.order, event)
        self.buddy.take_block(block)

    def put(self, block: Block, event: PageEvent, actor: str, *, oldest: bool = False) -> Block:
        """Put a block into the free lists, and return the free block that it became a part of.

        The event says how it comes: FREE, DRAIN, RETURN or RETURN_REPORTED.
        """
        self._need_lock(actor)
        self.ledger.move(block.pfn, block.order, event)
        reported = event is PageEvent.RETURN_REPORTED
        merged = self.buddy.put(block, reported=reported, oldest=oldest)
        for lost in merged.unmarked:
            self.ledger.try_move(lost.pfn, lost.order, PageEvent.UNMARK)
        return merged.block

    def _need_lock(self, actor: str) -> None:
        """Raise unless the actor holds the lock or can have it for this one step."""
        if self.lock.holder is None:
            self.lock.acquisitions += 1
        else:
            self.lock.need(actor)
