"""Faults between the free hook and the request: what the talk calls its hardest part."""

from __future__ import annotations

from vhint.guest.hinting import Hinting, HintWorker, Missed
from vhint.guest.memory import Block, ZoneLock
from vhint.guest.page_life import PageState
from vhint_conformance.mutants.guest.base import GuestMutant, hinting, worker

REALLOCATED = "hint.driver.never-report-reallocated"
ALLOCATE = "hint.driver.no-allocate-while-outstanding"
OVERLAP = "hint.driver.no-overlap-outstanding"


class NoRecheck(HintWorker):
    """Believes the capture array."""

    def recheck(self, entry: Block) -> Block | Missed:
        """Take the entry for the truth."""
        return entry


class RecheckOutsideLock(HintWorker):
    """Looks and isolates with no lock held, so that anything can happen between the two."""

    def take_lock(self, lock: ZoneLock) -> None:
        """Take nothing."""


class TakesParked(HintWorker):
    """Takes a page on a per-CPU list for one in the buddy lists."""

    def recheck(self, entry: Block) -> Block | Missed:
        """Accept what is parked too."""
        state = self.hinting.memory.state(entry.pfn)
        if state in (PageState.PER_CPU, PageState.PER_CPU_CAPTURED):
            return entry
        return super().recheck(entry)


class TakesCached(HintWorker):
    """Takes a page of the page cache for a free one."""

    def recheck(self, entry: Block) -> Block | Missed:
        """Accept what is cached too."""
        if self.hinting.memory.state(entry.pfn) is PageState.CACHED:
            return entry
        return super().recheck(entry)


class ReportsTwice(Hinting):
    """Leaves what it has offered in the second array, so that it is offered again."""

    def offer(self, blocks: list[Block]) -> list[Block]:
        """Offer, and forget that it was done."""
        super().offer(blocks)
        return blocks


class NamesTwice(Hinting):
    """Names the first page of a request once more at its end."""

    def offer(self, blocks: list[Block]) -> list[Block]:
        """Add the same page again."""
        return super().offer([*blocks, Block(blocks[0].pfn, blocks[0].order)])


class LosesRemainder(Hinting):
    """Forgets the blocks that did not go into a request."""

    def remainder(self, rest: tuple[Block, ...]) -> list[Block]:  # noqa: ARG002
        """Keep nothing."""
        return []


class DropsWhenFull(HintWorker):
    """Offers without looking for room, and forgets the blocks if there is none."""

    def _can_offer(self) -> bool:
        return True

    def offer(self) -> None:
        """Offer, and keep nothing."""
        super().offer()
        self.waiting = []


class NeverKicks(HintWorker):
    """Forgets to notify the device."""

    def kick(self) -> None:
        """Do nothing."""


class Strands(Hinting):
    """Has no time limit, and gives nothing back under pressure."""

    def expired(self, since: int) -> bool:  # noqa: ARG002
        """Say no."""
        return False


MUTANTS = (
    GuestMutant(
        "capture-without-recheck",
        "isolates what was captured without looking whether it is still free",
        REALLOCATED,
        "PlainPages",
        worker(NoRecheck),
        also=(ALLOCATE, OVERLAP, "hint.driver.return-every-acknowledged"),
    ),
    GuestMutant(
        "recheck-outside-lock",
        "re-checks and isolates without holding the zone lock over both",
        REALLOCATED,
        "PlainPages",
        worker(RecheckOutsideLock),
        also=(
            "hint.driver.recheck-under-lock",
            ALLOCATE,
        ),
    ),
    GuestMutant(
        "reports-parked-page",
        "takes a page on a per-CPU list for one in the buddy lists",
        ALLOCATE,
        "HintPages",
        worker(TakesParked),
        also=(REALLOCATED, OVERLAP, "hint.driver.return-every-acknowledged"),
    ),
    GuestMutant(
        "reports-cached-page",
        "takes a page that the page cache keeps for a free one",
        REALLOCATED,
        "CachedPages",
        worker(TakesCached),
    ),
    GuestMutant(
        "reports-twice",
        "leaves blocks that it has offered in the array for the next request",
        OVERLAP,
        "HintPages",
        hinting(ReportsTwice),
        also=(ALLOCATE, "hint.driver.return-every-acknowledged"),
    ),
    GuestMutant(
        "names-a-block-twice",
        "names the first block of a request a second time in it",
        "hint.driver.no-overlap-in-request",
        "HintPages",
        hinting(NamesTwice),
        also=(OVERLAP,),
    ),
    GuestMutant(
        "loses-remainder",
        "forgets isolated blocks that did not go into the request",
        "hint.driver.no-stranded-isolation",
        "HintBitmaps",
        hinting(LosesRemainder),
    ),
    GuestMutant(
        "drops-when-full",
        "forgets isolated blocks when the queue has no room for their request",
        "hint.driver.return-on-error",
        "FullRing",
        worker(DropsWhenFull),
        also=("hint.driver.no-stranded-isolation",),
    ),
    GuestMutant(
        "never-kicks",
        "does not notify the device though it asked to be",
        "ring.driver.kick-at-avail-event",
        "HintPages",
        worker(NeverKicks),
        also=(
            "ring.driver.kick-when-flags-zero",
            "hint.driver.return-every-acknowledged",
            "hint.device.use-every-buffer",
        ),
    ),
    GuestMutant(
        "no-time-limit",
        "leaves blocks isolated below the second threshold for ever",
        "hint.driver.no-stranded-isolation",
        "HintPages",
        hinting(Strands),
    ),
)
"""Guest mutants of capture, re-check and isolation."""
