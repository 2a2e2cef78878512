"""Free page reporting: what a driver reports, and that it leaves it alone until it is used."""

from __future__ import annotations

import pytest

from vhint.spans import PAGE
from vhint.wire.features import Feature
from vhint.wire.queues import Queue
from vhint_conformance.case import Capability
from vhint_conformance.cases.driver.tools import (
    WORK,
    check_all_back,
    check_content,
    churn,
    driver_case,
    measure,
    press,
    provoke,
    start_and_provoke,
)
from vhint_conformance.driver_bench import offer as offers
from vhint_conformance.driver_bench.bench import DriverBench
from vhint_conformance.verdict import NotApplicable

REPORTING = Queue.REPORTING
FEATURES = (Feature.PAGE_REPORTING,)


@driver_case(
    "reporting.driver.no-touch-until-use",
    "reporting.driver.return-every-page",
    id="reporting.driver-ownership",
    features=FEATURES,
)
def test_ownership(bench: DriverBench) -> None:
    """Pages of a held report are discarded, and nothing fills their holes until it is used."""
    request = start_and_provoke(bench, offers.REPORTS, REPORTING)
    gone = bench.discard(request)
    bench.idle()
    filled = bench.look()
    bench.observations["watched_pages"] = sum(span.length for span in gone) // PAGE
    bench.require(
        not filled,
        "reporting.driver.no-touch-until-use",
        expected="no access to reported pages before the report is used",
        seen=f"{sum(span.length for span in filled)} bytes with content again",
        where=", ".join(map(str, filled[:3])),
    )
    bench.answer(request)
    bench.held.clear()
    bench.idle(1.0)


@driver_case(
    "reporting.driver.no-touch-until-use",
    "reporting.driver.never-report-in-use",
    id="reporting.driver-ownership-under-load",
    features=FEATURES,
    capabilities=[WORK],
)
def test_ownership_under_load(bench: DriverBench) -> None:
    """The guest allocates and frees while a report is held, and touches none of its pages."""
    request = start_and_provoke(bench, offers.REPORTS, REPORTING)
    bench.discard(request)
    for _ in range(3):
        kept = bench.tester.allocate(bench.session.limits.chunk)
        check_content(bench, kept, REPORTING)
        bench.tester.free(kept)
        bench.look()
        bench.stop_if_broken()
    press(bench)
    bench.answer(request)


@driver_case(
    "reporting.driver.buffers-device-writable",
    "reporting.driver.whole-pages",
    "reporting.driver.no-overlap-in-report",
    "reporting.driver.no-overlap-outstanding",
    id="reporting.driver-form",
    features=FEATURES,
)
def test_form(bench: DriverBench) -> None:
    """Every report is made of device-writable buffers that are whole pages of RAM, each once."""
    request = start_and_provoke(bench, offers.REPORTS, REPORTING)
    sizes = sorted({span.length for span in request.blocks})
    bench.observations["buffers"] = len(request.blocks)
    bench.observations["buffer_bytes"] = sizes
    bench.held.clear()
    bench.idle(2.0)
    if bench.can(WORK):  # reports of few blocks, and of one
        for share in (4, 64, 256):
            bench.tester.free(bench.tester.allocate(bench.session.limits.chunk // share))
            bench.idle(2.0)


@driver_case(
    "reporting.driver.no-touch-until-use",
    "balloon.driver.bounded-wait-recoverable",
    id="reporting.driver-slow-device",
    features=FEATURES,
    capabilities=[WORK],
)
def test_slow_device(bench: DriverBench) -> None:
    """A device that takes its time over every report harms nobody."""
    bench.start(offers.REPORTS, hold=[REPORTING])
    kept = bench.tester.allocate(bench.session.limits.chunk)
    for _ in range(4):
        if not bench.run(lambda: bool(bench.waiting(REPORTING)), bench.session.limits.rest):
            churn(bench)
            continue
        request = bench.waiting(REPORTING)[0]
        bench.discard(request)
        bench.idle(0.5)
        bench.answer(request)
    check_content(bench, kept, REPORTING)


@driver_case(
    "reporting.driver.return-every-page",
    "reporting.driver.content-uninitialised",
    "reporting.driver.never-report-in-use",
    id="reporting.driver-memory-comes-back",
    features=FEATURES,
    capabilities=[WORK, Capability.FILLS_MEMORY],
)
def test_memory_comes_back(bench: DriverBench) -> None:
    """After reports the guest can allocate all of its memory again, and what it kept is intact."""
    bench.start(offers.REPORTS)
    kept = bench.tester.allocate(bench.session.limits.chunk // 2)
    whole = measure(bench)
    for _ in range(3):
        churn(bench)
        bench.idle()
    check_content(bench, kept, REPORTING)
    if not bench.effectiveness["offered_pages"]:
        raise NotApplicable("the driver reported nothing")
    check_all_back(bench, whole, REPORTING)
    check_content(bench, kept, REPORTING)


@pytest.mark.parametrize("queue", [REPORTING, Queue.HINTING], ids=str)
@driver_case(
    "reporting.driver.content-uninitialised",
    "hint.driver.content-uninitialised",
    id="reporting.driver-other-content",
)
def test_other_content(bench: DriverBench, queue: Queue) -> None:
    """Pages come back with content of nobody's in them, and nobody counts on what they held."""
    bench.start(offers.REPORTS if queue is REPORTING else offers.HINTS, hold=[queue])
    provoke(bench, queue)
    for _ in range(3):
        for request in bench.waiting(queue):
            bench.scrawl(request)
            bench.answer(request)
        bench.idle(0.2)
        bench.stop_if_broken()  # what is counted on in vain shows until it is used again
        churn(bench)
    bench.held.clear()
    bench.idle(1.0)


@driver_case(
    "reporting.driver.no-endless-rereport",
    "reporting.driver.avoid-needless-access",
    id="reporting.driver-comes-to-rest",
    features=FEATURES,
    capabilities=[WORK],  # a guest that works by itself is not at rest
)
def test_comes_to_rest(bench: DriverBench) -> None:
    """A guest in which nothing happens stops reporting."""
    bench.start(offers.REPORTS)
    limits = bench.session.limits
    for _ in range(6):
        before = bench.effectiveness["offered_pages"]
        bench.idle(limits.rest)
        if bench.effectiveness["offered_pages"] == before:
            break
    before = bench.effectiveness["offered_pages"]
    bench.idle(limits.rest)
    again = bench.effectiveness["offered_pages"] - before
    bench.require(
        again * PAGE * 50 <= limits.ram,
        "reporting.driver.no-endless-rereport",
        expected="a guest at rest to have nothing new to report",
        seen=f"{again} pages in {limits.rest:g} s more",
    )


@pytest.mark.parametrize("order", [0, 3, 5])
@driver_case(
    "reporting.driver.whole-pages",
    "reporting.driver.min-order-valid",
    "reporting.driver.prefer-large",
    id="reporting.driver-small-orders",
    features=FEATURES,
    capabilities=[WORK, Capability.SETS_REPORT_ORDER],
)
def test_small_orders(bench: DriverBench, order: int) -> None:
    """Set to report small blocks, the driver reports none that is smaller."""
    bench.start(offers.REPORTS, hold=[REPORTING])
    bench.tester.set_report_order(order)
    for _ in range(3):
        request = provoke(bench, REPORTING)
        small = [span for span in request.blocks if span.length < PAGE << order]
        bench.require(
            not small,
            "reporting.driver.min-order-valid",
            expected=f"blocks of order {order} and more",
            seen=f"{len(small)} smaller ones, {small[:1]}",
        )
        bench.discard(request)
        bench.answer(request)
        churn(bench)


@driver_case(
    "reporting.driver.return-every-page",
    "ring.driver.reset-before-removal",
    id="reporting.driver-unload-while-held",
    features=FEATURES,
    capabilities=[WORK, Capability.SEES_STATUS, Capability.RELOADS_DRIVER, Capability.FILLS_MEMORY],
)
def test_unload_while_held(bench: DriverBench) -> None:
    """A driver that is removed with a report outstanding has the pages back after the reset."""
    device = bench.start(offers.REPORTS, hold=[REPORTING])
    bench.held.clear()
    bench.idle()
    whole = measure(bench)
    bench.held.add(REPORTING)
    request = provoke(bench, REPORTING)
    bench.discard(request)
    bench.idle(0.5)
    bench.look()
    bench.unload()
    bench.require(
        not device.live,
        "ring.driver.reset-before-removal",
        expected="the device reset",
        seen=repr(device.status),
    )
    check_all_back(bench, whole, REPORTING)


@driver_case(
    "reporting.driver.no-touch-until-use",
    "hint.driver.no-return-before-reset-done",
    "virtio.driver.reset-confirmed",
    id="reporting.driver-reset-takes-time",
    features=FEATURES,
    capabilities=[Capability.SEES_STATUS, Capability.RELOADS_DRIVER, WORK],
)
def test_reset_takes_time(bench: DriverBench) -> None:
    """While a reset is not complete, the driver takes nothing back."""
    device = bench.start(offers.REPORTS, hold=[REPORTING])
    request = provoke(bench, REPORTING)
    bench.discard(request)
    device.holds_reset = True
    bench.unload()
    bench.idle(1.0)
    press(bench)
    bench.stop_if_broken()
    device.finish_reset()
    bench.idle(1.0)


@driver_case(
    "reporting.driver.bounded-effort",
    id="reporting.driver-bounded-effort",
    features=FEATURES,
    capabilities=[WORK],
)
def test_bounded_effort(bench: DriverBench) -> None:
    """What is away in reports leaves enough for the guest's own allocations."""
    bench.start(offers.REPORTS, hold=[REPORTING])
    provoke(bench, REPORTING)
    bench.idle()
    away = sum(span.length for request in bench.waiting(REPORTING) for span in request.blocks)
    bench.observations["away_mib"] = away >> 20
    bench.require(
        away * 2 <= bench.session.limits.ram,
        "reporting.driver.bounded-effort",
        expected=f"less than half of {bench.session.limits.ram >> 20} MiB away",
        seen=f"{away >> 20} MiB",
    )


@driver_case(
    "reporting.driver.any-time",
    id="reporting.driver-figures",
    features=FEATURES,
    capabilities=[WORK],
)
def test_figures(bench: DriverBench) -> None:
    """Of 200 MiB that are freed at once (or what the guest has), how much comes back, how soon."""
    bench.start(offers.REPORTS)
    limits = bench.session.limits
    size = min(200 << 20, limits.ram // 5 * 2)
    holding = bench.tester.allocate(size)
    bench.idle()
    before = bench.resident()
    clock = bench.session.clock
    started, reached = clock(), None
    bench.tester.free(holding)
    wanted = before - holding.size * 9 // 10

    def reclaimed() -> bool:
        return bench.resident() <= wanted

    if bench.run(reclaimed, limits.patience * 2):
        reached = round(clock() - started, 2)
    bench.idle()
    bench.observations["figures"] = {
        "freed at once": f"{holding.size >> 20} MiB",
        "reclaimed": f"{max(0, before - bench.resident()) >> 20} MiB of host memory",
        "seconds to nine tenths": reached if reached is not None else "not reached",
    }


@driver_case(
    "balloon.driver.bounded-wait-recoverable",
    id="reporting.driver-removable-while-held",
    features=FEATURES,
    capabilities=[Capability.RELOADS_DRIVER],
)
def test_removable_while_held(bench: DriverBench) -> None:
    """A driver whose report is not answered can be removed all the same."""
    bench.start(offers.REPORTS, hold=[REPORTING])
    provoke(bench, REPORTING)
    bench.require(
        bench.unload(),
        "balloon.driver.bounded-wait-recoverable",
        expected="a driver that lets go of the device while a report is outstanding",
        seen="one that waits for the answer",
    )
