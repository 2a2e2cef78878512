"""Memory statistics: one buffer, which comes again whenever it is used."""

from __future__ import annotations

from vhint.wire import statistics
from vhint.wire.features import Feature
from vhint.wire.queues import Queue
from vhint.wire.statistics import StatisticTag
from vhint_conformance.cases.driver.tools import driver_case
from vhint_conformance.driver_bench import offer as offers
from vhint_conformance.driver_bench.bench import DriverBench
from vhint_conformance.driver_bench.device import Request
from vhint_conformance.verdict import NotApplicable

STATS = Queue.STATS
FIRST = "balloon.driver.stats-first-buffer"
AGAIN = "balloon.driver.stats-answer-use"
FEATURES = (Feature.STATS_VQ,)
KEPT_BY_KERNEL = 16
"""How many times as large as the total RAM may be: any unit but bytes is further off."""


def next_buffer(bench: DriverBench, requirement: str, polls: int = 0) -> Request:
    """Poll so many times, and return the buffer that is outstanding then."""
    request = bench.request(STATS, requirement)
    for _ in range(polls):
        bench.answer(request)
        request = bench.request(STATS, AGAIN)
    bench.stop_if_broken()  # what is not whole entries cannot be read
    return request


@driver_case(
    FIRST,
    "balloon.driver.stats-initialise-buffer",
    "balloon.driver.stats-size-multiple",
    id="balloon.driver-stats-first",
    features=FEATURES,
)
def test_first(bench: DriverBench) -> None:
    """After initialisation one statistics buffer is available, made of whole entries."""
    bench.start(offers.STATISTICS)
    request = next_buffer(bench, FIRST)
    tags = [int(each.tag) for each in statistics.parse(request.data)]
    bench.observations["tags"] = tags
    bench.require(
        bool(tags),
        "balloon.driver.stats-initialise-buffer",
        expected="an entry for each statistic that the guest has",
        seen="none",
    )


@driver_case(
    AGAIN,
    "balloon.driver.stats-single-buffer",
    "balloon.driver.stats-same-subset",
    id="balloon.driver-stats-polls",
    features=FEATURES,
)
def test_polls(bench: DriverBench) -> None:
    """Each time the buffer is used it comes again, alone, with the same tags.

    Whatever happens to the guest's memory meanwhile, and though nothing happens.
    """
    bench.start(offers.STATISTICS)
    for pages in (0, 64, 0):
        bench.set_target(pages)
        bench.idle(0.5)
        next_buffer(bench, FIRST, polls=8)
    bench.idle(1.0)
    bench.require(
        len(bench.waiting(STATS)) <= 1,
        "balloon.driver.stats-single-buffer",
        expected="one buffer at most",
        seen=str(len(bench.waiting(STATS))),
    )


@driver_case(
    "balloon.driver.stats-single-buffer",
    "ring.driver.no-alter-exposed",
    id="balloon.driver-stats-waits",
    features=FEATURES,
)
def test_waits(bench: DriverBench) -> None:
    """While the device keeps the buffer, no other comes, and it stays as it is."""
    bench.start(offers.STATISTICS)
    request = next_buffer(bench, FIRST)
    bench.set_target(64)  # so that there would be other figures
    bench.idle()
    bench.require(
        len(bench.waiting(STATS)) <= 1,
        "balloon.driver.stats-single-buffer",
        expected="one buffer at most",
        seen=str(len(bench.waiting(STATS))),
    )
    bench.answer(request)
    bench.idle(0.5)


@driver_case(
    "balloon.driver.stats-initialise-buffer",
    id="balloon.driver-stats-plausible",
    features=FEATURES,
)
def test_plausible(bench: DriverBench) -> None:
    """Free memory is no more than all memory, and all of it about what the guest has."""
    bench.start(offers.STATISTICS)
    entries = statistics.parse(next_buffer(bench, FIRST, polls=1).data)
    free, total = entries.get(StatisticTag.MEMFREE), entries.get(StatisticTag.MEMTOT)
    if free is None or total is None:
        raise NotApplicable("the guest does not send free and total memory")
    bench.observations["free_mib"], bench.observations["total_mib"] = free >> 20, total >> 20
    ram = bench.session.limits.ram
    bench.require(
        0 < free <= total <= ram,
        "balloon.driver.stats-initialise-buffer",
        expected=f"0 < free <= total <= {ram}, in bytes",
        seen=f"free {free}, total {total}",
    )
    bench.require(
        total * KEPT_BY_KERNEL >= ram,
        "balloon.driver.stats-initialise-buffer",
        expected=f"a total in bytes that is most of {ram}",
        seen=f"total {total}",
    )
