"""The re-check: is what an entry says still so?  To be asked under the zone lock, and only there.

Between capture and now the block may have been allocated, parked, merged or reported.  An entry is
no more than a place to look at.
"""

from __future__ import annotations

from vhint.guest.hinting.counters import Missed
from vhint.guest.memory import Block, Memory
from vhint.guest.page_life import PageState

NOT_LISTED = {
    PageState.ALLOCATED: Missed.REALLOCATED,
    PageState.CACHED: Missed.CACHED,
    PageState.PER_CPU: Missed.ON_PER_CPU_LIST,
    PageState.PER_CPU_CAPTURED: Missed.ON_PER_CPU_LIST,
}
"""Why a page in that state is not in the buddy lists; every other state: it is away."""


def recheck(memory: Memory, entry: Block, min_order: int, *, follow_merges: bool) -> Block | Missed:
    """Return the free block to isolate, or why there is none.

    hint.driver.never-report-reallocated rests on this answer and on the lock being held until the
    block is isolated.
    The block is the entry's own or, if merges are followed, the free block that holds it.
    """
    zone = memory.zone_of(entry.pfn)
    found = zone.buddy.block_at(entry.pfn)
    if found is None:
        return NOT_LISTED.get(zone.ledger.state(entry.pfn), Missed.AWAY)
    if zone.ledger.state(entry.pfn) is PageState.EXPOSED:
        return Missed.AWAY
    if zone.buddy.is_reported(found):
        return Missed.KNOWN
    if found.order > entry.order and not follow_merges:
        return Missed.MERGED
    if found.order < max(entry.order, min_order):
        return Missed.WRONG_ORDER
    if not zone.allows(found.order, zone.watermarks.min):
        return Missed.BELOW_WATERMARK
    return found
