"""A driver whose 16-bit indices pass 65535."""

from __future__ import annotations

import time

import pytest

from vhint.trace import Recorder
from vhint.wire.features import Feature
from vhint.wire.queues import Queue
from vhint_conformance.case import Capability
from vhint_conformance.cases.driver.tools import WORK, churn, driver_case
from vhint_conformance.driver_bench import offer as offers
from vhint_conformance.driver_bench.bench import DriverBench
from vhint_conformance.variants import Rings
from vhint_conformance.verdict import NotApplicable

INFLATE, STATS = Queue.INFLATE, Queue.STATS
AGAIN = "balloon.driver.stats-answer-use"

INDICES = 1 << 16
BEFORE = 3
"""How many requests of a queue come before its wrap, where it can begin close to it."""

WAITING = 45
"""Seconds of the processor, or of a clock, that so many statistics may take."""

SAMPLE = 64
"""Statistics after which it shows how long all of them will take."""


@pytest.mark.parametrize("name", ["full", "no-event-idx", "no-indirect"])
@driver_case(
    "ring.driver.avail-idx-never-back",
    "ring.driver.kick-at-avail-event",
    "ring.driver.kick-when-flags-zero",
    "balloon.driver.inflate-on-demand",
    id="ring.driver-index-wrap",
    capabilities=[Capability.BEGINS_ANYWHERE],
    rings=[Rings.SPLIT],
)
def test_wrap(bench: DriverBench, name: str) -> None:
    """Every queue goes on when its indices pass 65535: nothing is lost, and nothing unannounced."""
    begin = INDICES - BEFORE
    device = bench.start(offers.OFFERS[name], begin=begin)
    for pages in (16, 0, 32, 0, 48, 0, 64, 8):
        bench.set_target(pages)
        if bench.can(WORK):
            churn(bench)
        bench.idle(1.0)
        bench.require(
            bench.balloon.size == pages,
            "balloon.driver.inflate-on-demand",
            expected=f"a balloon of {pages} pages",
            seen=f"{bench.balloon.size} pages",
        )
        if STATS in device.queues:
            bench.answer(bench.request(STATS, AGAIN))
    passed = [str(queue) for queue, judged in device.queues.items() if judged.base < begin]
    bench.observations["passed"] = passed
    bench.require(
        str(INFLATE) in passed,
        "ring.driver.avail-idx-never-back",
        expected="an available index that has passed 65535",
        seen=f"{device.queues[INFLATE].base}",
        where="inflate queue",
    )


@driver_case(
    "ring.driver.avail-idx-never-back",
    AGAIN,
    id="ring.driver-index-wrap-from-0",
    features=[Feature.STATS_VQ],
    rings=[Rings.SPLIT],
)
def test_wrap_from_0(bench: DriverBench) -> None:
    """The statistics buffer goes to and fro more than 65536 times."""
    if bench.can(Capability.BEGINS_ANYWHERE):
        raise NotApplicable("a queue of this driver can begin close to the wrap")
    device = bench.start(offers.STATISTICS)
    request = bench.request(STATS, AGAIN)
    bench.stop_if_broken()
    heard, noted = device.hear, device.recorder
    device.hear = lambda _: None
    begun, waiting = time.process_time(), time.monotonic()
    many = INDICES + device.queues[STATS].layout.size
    for number in range(1, many + 1):
        if number % SAMPLE == 1:
            device.recorder = Recorder()  # of so many nobody wants to read
        device.use(request)
        came = bench.session.run(lambda: bool(bench.waiting(STATS)), bench.session.limits.patience)
        bench.require(
            came,
            AGAIN,
            expected="the statistics buffer available again",
            seen=f"none after {number} times",
            where="statistics queue",
        )
        request = bench.waiting(STATS)[0]
        ahead = many / number if number == SAMPLE else 1
        spent = max(time.process_time() - begun, time.monotonic() - waiting)
        if spent * ahead > WAITING:
            raise NotApplicable(f"too slow to see a wrap: {many} statistics in {WAITING} s")
    device.hear, device.recorder = heard, noted
