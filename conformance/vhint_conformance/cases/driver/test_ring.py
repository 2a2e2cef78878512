"""Virtqueues, the driver's half: notifications, order, spurious and impossible answers."""

from __future__ import annotations

from dataclasses import replace

import pytest

from vhint.ring import SplitLayout
from vhint.wire.features import Feature
from vhint.wire.queues import Queue
from vhint_conformance.case import Capability
from vhint_conformance.cases.driver.tools import (
    WORK,
    churn,
    driver_case,
    need_balloon,
    provoke,
)
from vhint_conformance.driver_bench import offer as offers
from vhint_conformance.driver_bench.bench import DriverBench
from vhint_conformance.variants import Rings
from vhint_conformance.verdict import NotApplicable

REPORTING = Queue.REPORTING
INFLATE = Queue.INFLATE


@pytest.mark.parametrize("name", ["standard", "no-event-idx", "no-indirect"])
@driver_case(
    "ring.driver.kick-at-avail-event",
    "ring.driver.kick-when-flags-zero",
    "ring.driver.readable-before-writable",
    "ring.driver.indirect-only-negotiated",
    "ring.driver.indirect-not-nested",
    "ring.driver.indirect-not-chained",
    "ring.driver.no-loop",
    "ring.driver.avail-flags-valid",
    "ring.driver.event-idx-avail-flags-zero",
    "ring.driver.recheck-after-enabling",
    id="ring.driver-discipline",
)
def test_discipline(bench: DriverBench, name: str) -> None:
    """Through balloon and reports, the rings stay such that a device can use them."""
    bench.start(offers.OFFERS[name])
    if bench.can(WORK):
        churn(bench)
    bench.set_target(300)
    bench.idle()
    bench.set_target(0)
    bench.idle()


@driver_case(
    "ring.driver.no-alter-exposed",
    "balloon.driver.unacknowledged-kept",
    id="ring.driver-outstanding-unaltered",
)
def test_outstanding_unaltered(bench: DriverBench) -> None:
    """A request stays in memory as it was made available until it is used."""
    bench.start(offers.STANDARD, hold=[INFLATE])
    bench.set_target(64)
    request = bench.request(INFLATE, "balloon.driver.inflate-on-demand")
    if bench.can(WORK):
        churn(bench)
    bench.idle(1.0)
    bench.answer(request)
    bench.held.clear()
    bench.idle(1.0)


@driver_case(
    "ring.driver.spurious-notification",
    id="ring.driver-spurious-interrupts",
)
def test_spurious_interrupts(bench: DriverBench) -> None:
    """Notifications with nothing behind them do no harm."""
    device = bench.start(offers.STANDARD, hold=[INFLATE])
    bench.set_target(16)
    bench.request(INFLATE, "balloon.driver.inflate-on-demand")
    bench.idle(1.0)
    known = bench.waiting(INFLATE)  # as many as the driver makes at once
    bench.stake = "ring.driver.spurious-notification"
    for queue in [*device.queues] * 3:
        device.signal(queue)
    for _ in range(3):
        device.signal(None)
    bench.idle(1.0)
    more = len(bench.waiting(INFLATE)) - len(known)
    bench.require(
        not more,
        "ring.driver.spurious-notification",
        expected="nothing to follow on a notification without a used buffer",
        seen=f"inflate requests: {len(known)} before, {more} more after it",
    )
    for request in known:
        bench.answer(request)
    bench.held.clear()
    bench.idle(1.0)
    need_balloon(bench, 16)


@driver_case(
    "ring.driver.used-id-checked",
    "balloon.driver.acknowledgement-matched",
    id="ring.driver-stray-used-id",
    features=[Feature.PAGE_REPORTING],
)
def test_stray_used_id(bench: DriverBench) -> None:
    """A used id under which nothing is outstanding gives the driver nothing back."""
    device = bench.start(offers.REPORTS, hold=[REPORTING])
    request = provoke(bench, REPORTING)
    bench.discard(request)
    size = device.queues[REPORTING].layout.size
    taken = {each.taken.chain.head for each in bench.waiting(REPORTING)}
    stray = next((head for head in range(size) if head not in taken), None)
    if stray is None:
        raise NotApplicable("the driver has filled the queue")
    bench.stake = "ring.driver.used-id-checked"
    device.push(REPORTING, stray, 0)
    device.signal(REPORTING)
    bench.idle(1.0)
    if bench.can(WORK):
        bench.tester.free(bench.tester.allocate(bench.session.limits.chunk))
    used = bench.look()
    bench.require(
        not used,
        "ring.driver.used-id-checked",
        expected="the blocks of the outstanding request left alone",
        seen="some that were used again",
        where=str(used[0]) if used else "",
    )


@driver_case(
    "ring.driver.nothing-beyond-len",
    "ring.driver.used-len-checked",
    id="ring.driver-long-used-length",
    features=[Feature.PAGE_REPORTING],
)
def test_long_used_length(bench: DriverBench) -> None:
    """A used length beyond all buffers harms nobody: for pages it means nothing."""
    bench.start(offers.REPORTS, hold=[REPORTING])
    request = provoke(bench, REPORTING)
    bench.discard(request)
    bench.stake = "ring.driver.nothing-beyond-len"
    bench.answer(request, length=0xFFFFFFFF)
    bench.held.clear()
    bench.idle(1.0)


@driver_case(
    "ring.driver.event-idx-flag-ignored",
    id="ring.driver-event-idx-flag",
    features=[Feature.EVENT_IDX],
)
def test_event_idx_flag(bench: DriverBench) -> None:
    """Under EVENT_IDX the flag of the used ring does not keep the driver from notifying."""
    device = bench.start(offers.STANDARD)
    for queue in device.queues.values():
        queue.be_quiet(True)
    bench.set_target(32)
    bench.idle()
    need_balloon(bench, 32, "ring.driver.event-idx-flag-ignored")


@driver_case(
    "ring.driver.avail-event-ignored",
    id="ring.driver-avail-event-ignored",
)
def test_avail_event_ignored(bench: DriverBench) -> None:
    """Without EVENT_IDX the driver notifies whatever stands at avail_event."""
    device = bench.start(offers.NO_EVENT_IDX)
    for queue in device.queues.values():
        if isinstance(queue.layout, SplitLayout):  # what the case is about
            device.memory.store16(queue.layout.avail_event_at, 0x7FFF)
    bench.set_target(32)
    bench.idle()
    need_balloon(bench, 32, "ring.driver.avail-event-ignored")


@driver_case(
    "ring.driver.quiet-when-flags-one",
    "ring.driver.kick-when-flags-zero",
    id="ring.driver-quiet-when-asked",
)
def test_quiet_when_asked(bench: DriverBench) -> None:
    """Without EVENT_IDX the driver is quiet while the device asks for it, and no longer."""
    device = bench.start(offers.NO_EVENT_IDX)
    bench.set_target(16)
    bench.run(lambda: bench.balloon.size == 16)
    if INFLATE not in device.queues:
        raise NotApplicable("the driver does not inflate")
    bench.idle(1.0)
    bench.held.add(INFLATE)
    queue = device.queues[INFLATE]
    queue.be_quiet(True)
    queue.notified = False
    bench.set_target(32)
    bench.idle(1.0)
    if not queue.waiting and not bench.waiting(INFLATE):
        raise NotApplicable("the driver does not inflate")
    bench.require(
        not queue.notified,
        "ring.driver.quiet-when-flags-one",
        expected="no notification while the used ring's flags are 1",
        seen="one",
    )
    queue.be_quiet(False)
    device.take_all(INFLATE)
    bench.held.clear()
    bench.idle(1.0)
    bench.set_target(48)
    bench.idle(1.0)
    bench.check_kicks()


@driver_case(
    "virtio.driver.packed-accepted",
    "ring.driver.packed-wrap-counter-start",
    "ring.driver.packed-wrap-counter",
    "ring.driver.packed-id-unique",
    "ring.driver.packed-list-within-queue-size",
    id="ring.driver-packed-rounds",
    rings=[Rings.PACKED],
)
def test_packed_rounds(bench: DriverBench) -> None:
    """A driver that is offered packed rings takes them, and goes round them as often as need be."""
    small = replace(offers.STANDARD, queue_size=5)
    device = bench.start(small if bench.can(Capability.SEES_QUEUE_SIZE) else offers.STANDARD)
    for pages in (64, 0, 700, 3, 64, 0):
        bench.set_target(pages)
        bench.idle()
        need_balloon(bench, pages)
    ids = [each.taken.chain.head for each in bench.waiting(INFLATE)]
    bench.require(
        len(set(ids)) == len(ids),
        "ring.driver.packed-id-unique",
        expected="an id of its own for each outstanding buffer",
        seen=str(sorted(ids)),
    )
    bench.observations["size"] = device.queues[INFLATE].layout.size


@pytest.mark.parametrize("name", ["full", "no-event-idx", "no-indirect"])
@driver_case(
    "ring.driver.packed-event-valid",
    "ring.driver.packed-head-last",
    "ring.driver.packed-no-change-after-available",
    "ring.driver.packed-no-change-before-used",
    id="ring.driver-packed-discipline",
    rings=[Rings.PACKED],
)
def test_packed_discipline(bench: DriverBench, name: str) -> None:
    """Through balloon, reports and hints, nothing is stored that is the device's or half ready."""
    bench.start(offers.OFFERS[name])
    for pages in (40, 300, 10, 0):
        bench.set_target(pages)
        if bench.can(WORK):
            churn(bench)
        bench.idle(1.0)


@driver_case(
    "ring.driver.packed-kick-when-enabled",
    id="ring.driver-packed-enabled",
    features=[Feature.EVENT_IDX],
    rings=[Rings.PACKED],
)
def test_packed_enabled(bench: DriverBench) -> None:
    """With EVENT_IDX too, a device whose flags say enable is notified of every buffer."""
    device = bench.start(offers.STANDARD, hold=[INFLATE])
    if INFLATE not in device.queues:
        raise NotApplicable("the driver sets up no inflate queue")
    queue = device.queues[INFLATE]
    for pages in (16, 32, 48):
        queue.be_quiet(False)  # flags that say enable, whatever position stands beside them
        queue.notified = False
        bench.set_target(pages)
        bench.request(INFLATE, "balloon.driver.inflate-on-demand")
        bench.require(
            queue.notified,
            "ring.driver.packed-kick-when-enabled",
            expected="a notification of the buffer",
            seen="none",
        )
        bench.held.clear()  # there may be more of them
        bench.idle(1.0)
        bench.held.add(INFLATE)
