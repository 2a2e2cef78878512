"""The life of a guest page, as a table: where it is, whose it is, and what may happen to it.

A page is *in use* (allocated, or kept by the page cache), *free* (parked on a per-CPU list, or in
the buddy allocator's lists), *away from both* (isolated, on its way to the device or back), the
*device's* (offered, hinted, being inflated, in the balloon), or the driver's again and on its way
back.  `STEPS` is the whole of what a sound guest does; the ledger of guest memory
(`vhint.guest.memory.ledger`) looks every move of every page up in it, so a guest that does
anything else is caught in the act.  `BREACHES` names the requirement that the act breaks:

- what belongs to the device is not handed out: `hint.driver.no-allocate-while-outstanding`,
  `reporting.driver.no-touch-until-use`, `balloon.driver.wait-for-inflate`,
  `balloon.driver.wait-for-deflate`;
- what is in use is not named to the device: `hint.driver.never-report-reallocated`,
  `reporting.driver.never-report-in-use`;
- nothing is named twice: `hint.driver.no-overlap-outstanding`;
- what was acknowledged comes back, once: `hint.driver.return-every-acknowledged`.

An entry in a capture array is a guess about a page, not a fact: the page may be allocated again
while the entry stands.  So the two *captured* states are about free pages only, and what a stale
entry names is found out by the re-check.
"""

from __future__ import annotations

from enum import Enum, auto

from vhint.guest.tables import follow


class PageState(Enum):
    """Where a page is."""

    ALLOCATED = auto()
    """In use: its content matters."""
    CACHED = auto()
    """Held by the page cache: in use as far as everyone else can see, but droppable."""
    PER_CPU = auto()
    """Free, but parked on a per-CPU list: not in the buddy lists, so it cannot be isolated."""
    PER_CPU_CAPTURED = auto()
    """Parked on a per-CPU list, and a capture array names it."""
    FREE = auto()
    """In the buddy lists, and the host may not know."""
    CAPTURED = auto()
    """In the buddy lists, and a capture array names it."""
    REPORTED = auto()
    """In the buddy lists, and the host knows that it is free: the *reported* mark."""
    EXPOSED = auto()
    """Named to the device though still in the buddy lists: the blocking design alone does this,
    and nothing may be allocated meanwhile."""
    ISOLATED = auto()
    """Taken off the buddy lists by the driver and still the driver's."""
    OFFERED = auto()
    """Named in a hinting or reporting request that is available: the device's."""
    ACKNOWLEDGED = auto()
    """The request was used, or the device reset: the driver's, on its way back."""
    HINTED = auto()
    """Supplied in a round of free page hinting: the device's until DONE, unless taken back."""
    TAKEN_BACK = auto()
    """Taken back before DONE: to be written before anyone relies on its content."""
    INFLATING = auto()
    """Named in an inflate request that is available."""
    BALLOONED = auto()
    """In the balloon."""
    DEFLATING = auto()
    """Named in a deflate request that is available: still the device's with MUST_TELL_HOST."""


class PageEvent(Enum):
    """What happens to a page."""

    ALLOCATE = auto()
    """The allocator hands it out (also to the page cache)."""
    FREE = auto()
    """It is freed into the buddy lists."""
    PARK = auto()
    """It is freed to a per-CPU list, or a per-CPU list is refilled with it."""
    DRAIN = auto()
    """A per-CPU list gives it to the buddy lists."""
    KEEP = auto()
    """Its user is done with it and the page cache keeps it."""
    REUSE = auto()
    """The page cache's page is used again."""
    CAPTURE = auto()
    """The free hook stores it in a per-CPU array."""
    PASS_OVER = auto()
    """The worker re-checks it and leaves it where it is."""
    UNMARK = auto()
    """It merged with a block that the host does not know to be free: the mark is lost."""
    ISOLATE = auto()
    """It is taken off the buddy lists under the zone lock."""
    EXPOSE = auto()
    """It is named to the device without being isolated (blocking design)."""
    OFFER = auto()
    """A hinting or reporting request that names it becomes available."""
    USE = auto()
    """The device uses the request that names it."""
    RESET = auto()
    """A reset of the device is complete: what it had is the driver's."""
    RETURN = auto()
    """It goes back to the buddy lists, and the host may not know that it is free."""
    RETURN_REPORTED = auto()
    """It goes back to the buddy lists, and the host knows that it is free."""
    HINT = auto()
    """It is supplied in a round of free page hinting."""
    TAKE_BACK = auto()
    """The driver takes it back before the round is done."""
    INITIALISE = auto()
    """The driver writes it (free-page-hint.driver.initialise-early-release)."""
    RELEASE = auto()
    """The device has no more to say about it: the round is DONE, or, without MUST_TELL_HOST, the
    deflate request is available (balloon.driver.may-reuse-before-deflate-use)."""
    INFLATE = auto()
    """An inflate request that names it becomes available."""
    DEFLATE = auto()
    """A deflate request that names it becomes available."""


S, E = PageState, PageEvent

STEPS: dict[tuple[PageState, PageEvent], PageState] = {
    # Use and reuse.  A mark or a capture says nothing about who may allocate a free page.
    (S.FREE, E.ALLOCATE): S.ALLOCATED,
    (S.CAPTURED, E.ALLOCATE): S.ALLOCATED,
    (S.REPORTED, E.ALLOCATE): S.ALLOCATED,
    (S.PER_CPU, E.ALLOCATE): S.ALLOCATED,
    (S.PER_CPU_CAPTURED, E.ALLOCATE): S.ALLOCATED,
    (S.ALLOCATED, E.FREE): S.FREE,
    (S.ALLOCATED, E.PARK): S.PER_CPU,
    (S.ALLOCATED, E.KEEP): S.CACHED,
    (S.CACHED, E.REUSE): S.ALLOCATED,
    (S.CACHED, E.FREE): S.FREE,
    (S.CACHED, E.PARK): S.PER_CPU,
    # Per-CPU lists in front of the buddy lists.
    (S.FREE, E.PARK): S.PER_CPU,
    (S.CAPTURED, E.PARK): S.PER_CPU_CAPTURED,
    (S.REPORTED, E.PARK): S.PER_CPU,
    (S.PER_CPU, E.DRAIN): S.FREE,
    (S.PER_CPU_CAPTURED, E.DRAIN): S.CAPTURED,
    # The free hook, and the worker's re-check.
    (S.FREE, E.CAPTURE): S.CAPTURED,
    (S.CAPTURED, E.CAPTURE): S.CAPTURED,
    (S.REPORTED, E.CAPTURE): S.CAPTURED,
    (S.PER_CPU, E.CAPTURE): S.PER_CPU_CAPTURED,
    (S.PER_CPU_CAPTURED, E.CAPTURE): S.PER_CPU_CAPTURED,
    (S.CAPTURED, E.PASS_OVER): S.FREE,
    (S.PER_CPU_CAPTURED, E.PASS_OVER): S.PER_CPU,
    (S.REPORTED, E.UNMARK): S.FREE,
    # Isolation: off the free list, so that nobody can allocate what is about to be named.
    (S.FREE, E.ISOLATE): S.ISOLATED,
    (S.CAPTURED, E.ISOLATE): S.ISOLATED,
    (S.REPORTED, E.ISOLATE): S.ISOLATED,
    (S.ISOLATED, E.RETURN): S.FREE,
    # To the device and back.
    (S.ISOLATED, E.OFFER): S.OFFERED,
    (S.OFFERED, E.USE): S.ACKNOWLEDGED,
    (S.OFFERED, E.RESET): S.ACKNOWLEDGED,
    (S.ACKNOWLEDGED, E.RETURN): S.FREE,
    (S.ACKNOWLEDGED, E.RETURN_REPORTED): S.REPORTED,
    # The blocking design names pages that are still in the lists.
    (S.FREE, E.EXPOSE): S.EXPOSED,
    (S.CAPTURED, E.EXPOSE): S.EXPOSED,
    (S.REPORTED, E.EXPOSE): S.EXPOSED,
    (S.EXPOSED, E.RETURN): S.FREE,
    (S.EXPOSED, E.RETURN_REPORTED): S.REPORTED,
    # Free page hinting: may come back at any time, then written first.
    (S.ISOLATED, E.HINT): S.HINTED,
    (S.HINTED, E.TAKE_BACK): S.TAKEN_BACK,
    (S.TAKEN_BACK, E.INITIALISE): S.ISOLATED,
    (S.HINTED, E.RELEASE): S.ACKNOWLEDGED,
    (S.HINTED, E.RESET): S.ACKNOWLEDGED,
    # The balloon.  Without MUST_TELL_HOST a page may leave before its deflate request is used.
    (S.ISOLATED, E.INFLATE): S.INFLATING,
    (S.INFLATING, E.USE): S.BALLOONED,
    (S.INFLATING, E.RESET): S.ACKNOWLEDGED,
    (S.BALLOONED, E.DEFLATE): S.DEFLATING,
    (S.BALLOONED, E.RESET): S.ACKNOWLEDGED,
    (S.DEFLATING, E.USE): S.ACKNOWLEDGED,
    (S.DEFLATING, E.RELEASE): S.ACKNOWLEDGED,
    (S.DEFLATING, E.RESET): S.ACKNOWLEDGED,
}
"""(where a page is, what happens to it) to where it is then."""

BREACHES: dict[tuple[PageState, PageEvent], str] = {
    (S.ISOLATED, E.ALLOCATE): "hint.driver.no-allocate-while-outstanding",
    (S.OFFERED, E.ALLOCATE): "hint.driver.no-allocate-while-outstanding",
    (S.EXPOSED, E.ALLOCATE): "hint.driver.no-allocate-while-outstanding",
    (S.EXPOSED, E.PARK): "hint.driver.no-allocate-while-outstanding",
    (S.ACKNOWLEDGED, E.ALLOCATE): "hint.driver.return-original-order",
    (S.HINTED, E.ALLOCATE): "free-page-hint.driver.initialise-early-release",
    (S.TAKEN_BACK, E.RETURN): "free-page-hint.driver.initialise-early-release",
    (S.HINTED, E.RETURN): "free-page-hint.driver.initialise-early-release",
    (S.INFLATING, E.ALLOCATE): "balloon.driver.wait-for-inflate",
    (S.INFLATING, E.DEFLATE): "balloon.driver.no-deflate-before-inflate-use",
    (S.INFLATING, E.RETURN): "balloon.driver.wait-for-inflate",
    (S.BALLOONED, E.ALLOCATE): "balloon.driver.deflate-through-queue",
    (S.BALLOONED, E.RETURN): "balloon.driver.deflate-through-queue",
    (S.DEFLATING, E.ALLOCATE): "balloon.driver.wait-for-deflate",
    (S.DEFLATING, E.RETURN): "balloon.driver.wait-for-deflate",
    (S.ALLOCATED, E.ISOLATE): "hint.driver.never-report-reallocated",
    (S.ALLOCATED, E.OFFER): "hint.driver.never-report-reallocated",
    (S.ALLOCATED, E.EXPOSE): "hint.driver.never-report-reallocated",
    (S.CACHED, E.ISOLATE): "hint.driver.never-report-reallocated",
    (S.CACHED, E.OFFER): "hint.driver.never-report-reallocated",
    (S.CACHED, E.EXPOSE): "hint.driver.never-report-reallocated",
    (S.PER_CPU, E.ISOLATE): "hint.driver.no-allocate-while-outstanding",
    (S.PER_CPU_CAPTURED, E.ISOLATE): "hint.driver.no-allocate-while-outstanding",
    (S.OFFERED, E.ISOLATE): "hint.driver.no-overlap-outstanding",
    (S.PER_CPU, E.OFFER): "hint.driver.never-report-reallocated",
    (S.PER_CPU_CAPTURED, E.OFFER): "hint.driver.never-report-reallocated",
    (S.FREE, E.OFFER): "hint.driver.no-allocate-while-outstanding",
    (S.CAPTURED, E.OFFER): "hint.driver.no-allocate-while-outstanding",
    (S.REPORTED, E.OFFER): "hint.driver.no-allocate-while-outstanding",
    (S.OFFERED, E.OFFER): "hint.driver.no-overlap-outstanding",
    (S.EXPOSED, E.EXPOSE): "hint.driver.no-overlap-outstanding",
    (S.OFFERED, E.RETURN): "hint.driver.no-allocate-while-outstanding",
    (S.OFFERED, E.RETURN_REPORTED): "hint.driver.no-allocate-while-outstanding",
    (S.ALLOCATED, E.RETURN): "hint.driver.return-every-acknowledged",
    (S.ALLOCATED, E.RETURN_REPORTED): "hint.driver.return-every-acknowledged",
    (S.FREE, E.RETURN): "hint.driver.return-every-acknowledged",
    (S.FREE, E.RETURN_REPORTED): "hint.driver.return-every-acknowledged",
    (S.REPORTED, E.RETURN): "hint.driver.return-every-acknowledged",
    (S.REPORTED, E.RETURN_REPORTED): "hint.driver.return-every-acknowledged",
}
"""Steps that are not in the table, to the requirement that whoever takes them breaks."""

DEVICES = frozenset({S.OFFERED, S.EXPOSED, S.HINTED, S.INFLATING, S.BALLOONED, S.DEFLATING})
"""States in which a page is, or can be, the device's."""

AWAY = frozenset({S.ISOLATED, S.OFFERED, S.ACKNOWLEDGED, S.HINTED, S.TAKEN_BACK})
"""States in which a page is neither in use nor free, and not in the balloon: "isolated"."""

IN_BUDDY = frozenset({S.FREE, S.CAPTURED, S.REPORTED, S.EXPOSED})
"""States in which a page is in the buddy lists."""

LIVE = frozenset({S.ALLOCATED, S.CACHED})
"""States in which a page's content matters."""


def advance(state: PageState, event: PageEvent) -> PageState:
    """Return where a page is after an event; raise `UndefinedStepError` for what is no step.

    >>> advance(PageState.ISOLATED, PageEvent.OFFER)
    <PageState.OFFERED: 10>
    """
    return follow(STEPS, state, event)
