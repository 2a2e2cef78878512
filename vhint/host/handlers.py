"""Who serves which queue."""

from __future__ import annotations

from vhint.host.balloon import Deflate, Inflate, PartialPages
from vhint.host.context import Context, Handler
from vhint.host.free_page_hint import FreePageHint
from vhint.host.hinting import Hinting
from vhint.host.reporting import Reporting
from vhint.host.rounds import Rounds
from vhint.host.statistics import StatisticsQueue
from vhint.wire.queues import Queue


def make_handlers(context: Context, partial: PartialPages, rounds: Rounds) -> dict[Queue, Handler]:
    """Return a handler for every queue, none of which has seen a chain."""
    return {
        Queue.INFLATE: Inflate(context, partial),
        Queue.DEFLATE: Deflate(context, partial),
        Queue.STATS: StatisticsQueue(context),
        Queue.FREE_PAGE: FreePageHint(context, rounds),
        Queue.REPORTING: Reporting(context),
        Queue.HINTING: Hinting(context),
    }
