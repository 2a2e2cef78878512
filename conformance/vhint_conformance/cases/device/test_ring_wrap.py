"""Wrap-around for real: indices that pass 65535, and rings that are gone round a thousand times."""

from __future__ import annotations

import time
from collections.abc import Iterable

import pytest

from vhint.guest import requests
from vhint.wire.features import Feature, Features
from vhint.wire.queues import QUEUE_FEATURE, Queue
from vhint.wire.statistics import Statistic, StatisticTag
from vhint_conformance.bench import DEFAULT, Bench
from vhint_conformance.case import Capability, case
from vhint_conformance.cases.laps import QUEUES, Laps, PackedLaps, SplitLaps
from vhint_conformance.cases.tools import expect_interrupt
from vhint_conformance.variants import Rings
from vhint_conformance.verdict import NotApplicable

INDICES = 1 << 16
SIZE = 128
FEW = 3
"""Laps before and after a wrap, where a queue can begin close to it."""

WRAP_SECONDS = 30
"""Processor time that the 65536 chains may take without which no index wraps."""

WAITING = 50
"""And how long they may take at all, in seconds: a busy machine is no reason to see less."""

EVENT_IDX, FLAGS, INDIRECT = MANNERS = ("event-idx", "flags", "indirect")
"""How buffers are announced; with the last, by flags too, their descriptors are in tables."""

FROM_ZERO = {
    (Queue.INFLATE, EVENT_IDX),
    (Queue.INFLATE, INDIRECT),
    (Queue.DEFLATE, FLAGS),
    (Queue.REPORTING, EVENT_IDX),
    (Queue.REPORTING, INDIRECT),
    (Queue.FREE_PAGE, EVENT_IDX),
    (Queue.FREE_PAGE, FLAGS),
    (Queue.HINTING, EVENT_IDX),
    (Queue.HINTING, INDIRECT),
}
"""What is seen where every queue begins at 0: each with EVENT_IDX and without, once."""

MOST_TURNS = 2050
TURNS = {EVENT_IDX: 514, FLAGS: 66, INDIRECT: 66}
"""How often a small packed ring is gone round: its counters change each time.

The inflate queue goes round most often: every turn is a notification.
"""


def start(bench: Bench, queue: Queue, manner: str, *, size: int, begin: int = 0) -> None:
    """Start the device with a queue in the manner of a case; not applicable without it."""
    feature = QUEUE_FEATURE[queue]
    wanted = DEFAULT if feature is None else DEFAULT | Features.of(feature)
    if feature is not None and feature not in bench.offered:
        raise NotApplicable(f"{feature.name} is not offered")
    needed = {EVENT_IDX: Feature.EVENT_IDX, INDIRECT: Feature.INDIRECT_DESC}.get(manner)
    if needed is not None and needed not in bench.offered:
        raise NotApplicable(f"{needed.name} is not offered")
    without: Iterable[Feature] = () if manner == EVENT_IDX else (Feature.EVENT_IDX,)
    bench.start(accept=wanted, without=without, queue_size=size, begin=begin)


@case(
    "ring.device.idx-wrap",
    "ring.device.slot-modulo-queue-size",
    "ring.device.event-idx-notifies",
    id="ring.index-wrap",
    rings=[Rings.SPLIT],
)
def test_wrap(bench: Bench) -> None:
    """The queue goes on when its 16-bit indices pass 65535."""
    bench.start(queue_size=SIZE)
    manner = EVENT_IDX if Feature.EVENT_IDX in bench.driver.negotiated.accepted else FLAGS
    go_round(bench, Queue.DEFLATE, manner, INDICES)


@pytest.mark.parametrize("manner", MANNERS)
@pytest.mark.parametrize("queue", QUEUES, ids=str)
@case(
    "ring.device.idx-wrap",
    "ring.device.slot-modulo-queue-size",
    "ring.device.event-idx-notifies",
    "ring.device.flags-zero-notifies",
    id="ring.index-wrap-each",
    rings=[Rings.SPLIT],
    buses=False,
)
def test_wrap_each(bench: Bench, queue: Queue, manner: str) -> None:
    """Every queue goes on when its indices pass 65535, which it may begin close to."""
    near = Capability.BEGINS_ANYWHERE in bench.session.capabilities
    if not near and (queue, manner) not in FROM_ZERO:
        raise NotApplicable("from index 0 it takes too long to see each queue in each manner")
    chains = FEW * SIZE if near else INDICES
    start(bench, queue, manner, size=SIZE, begin=INDICES - chains)
    go_round(bench, queue, manner, chains)


def go_round(bench: Bench, queue: Queue, manner: str, chains: int) -> None:
    """Send so many chains, after which the index is 0, and some more."""
    laps = SplitLaps(bench, queue, "ring.device.idx-wrap", indirect=manner == INDIRECT)
    run(laps, chains // laps.count - 1)
    wake(bench, laps, manner)  # the last entry of this lap is the one before the wrap
    run(laps, FEW)


@pytest.mark.parametrize("manner", MANNERS)
@pytest.mark.parametrize("queue", QUEUES, ids=str)
@case(
    "ring.device.packed-wraps",
    "ring.device.packed-wrap-counter",
    "ring.device.packed-list-skipped",
    "ring.device.packed-notifies-at-event",
    "ring.device.packed-notifies-when-enabled",
    id="ring.packed-turns",
    rings=[Rings.PACKED],
    buses=False,
)
def test_turns(bench: Bench, queue: Queue, manner: str) -> None:
    """Each queue is gone round some thousand times: its counters change, and events follow."""
    start(bench, queue, manner, size=4)
    laps = PackedLaps(bench, queue, "ring.device.packed-wraps", indirect=manner == INDIRECT)
    for _ in range(2):
        wake(bench, laps, manner)
    most = queue is Queue.INFLATE and manner == EVENT_IDX
    run(laps, MOST_TURNS if most else TURNS[manner])
    for _ in range(2):
        wake(bench, laps, manner)
    bench.observations["turns"] = laps.done * laps.per // laps.ring.layout.size


def run(laps: Laps, number: int) -> None:
    """Go round so often; not applicable if that takes too long, which shows after a few."""
    begun, waiting = time.process_time(), time.monotonic()
    for lap in range(1, number + 1):
        laps.run()
        ahead = number / lap if lap % 16 == 0 else 1
        late = (time.process_time() - begun) * ahead > WRAP_SECONDS
        if late or time.monotonic() - waiting > WAITING:
            raise NotApplicable(f"too slow to see a wrap: {number} laps in {WRAP_SECONDS} s")


def wake(bench: Bench, laps: Laps, manner: str) -> None:
    """Go round once and be notified, by the event of its last chain or by the flags."""
    bench.transport.settle()
    bench.transport.take_interrupts()
    if manner == EVENT_IDX:
        laps.ask_interrupt()
    laps.run()
    by_event = "ring.device.event-idx-notifies"
    slug = by_event if manner == EVENT_IDX else "ring.device.flags-zero-notifies"
    expect_interrupt(bench, slug, f"{laps.queue} queue, after {laps.done} chains")


@case(
    "ring.device.idx-wrap",
    id="ring.index-wrap-statistics",
    rings=[Rings.SPLIT],
    features=[Feature.STATS_VQ],
    capabilities=[Capability.BEGINS_ANYWHERE, Capability.POLLS_STATISTICS],
    buses=False,
)
def test_statistics(bench: Bench) -> None:
    """The statistics queue too, whose one buffer goes to and fro, passes 65535."""
    bench.start(begin=INDICES - 5)
    for number in range(10):
        bench.send(requests.give_statistics([Statistic(StatisticTag.MEMFREE, number)]))
        bench.transport.settle()
        bench.control.poll_statistics()
        bench.answer(Queue.STATS, "ring.device.idx-wrap")
