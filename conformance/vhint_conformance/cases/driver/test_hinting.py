"""The hinting virtqueue: what a driver names, in which form, and that it leaves it alone."""

from __future__ import annotations

from dataclasses import replace

import pytest

from vhint.spans import PAGE, Span, intersect
from vhint.wire.features import Feature
from vhint.wire.hint_ack import Status
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
)
from vhint_conformance.driver_bench import answers
from vhint_conformance.driver_bench import offer as offers
from vhint_conformance.driver_bench.bench import DriverBench
from vhint_conformance.targets.driver import Holding
from vhint_conformance.verdict import NotApplicable

HINTING = Queue.HINTING
FEATURES = (Feature.HINTING,)
FORMATS = ("hints", "pfn-hints")


@pytest.mark.parametrize("name", FORMATS)
@driver_case(
    "hint.driver.known-type",
    "hint.driver.flags-zero",
    "hint.driver.reserved-zero",
    "hint.driver.length-exact",
    "hint.driver.order-within-bounds",
    "hint.driver.aligned",
    "hint.driver.ram-only",
    "hint.driver.within-address-limit",
    "hint.driver.only-defined-requests",
    "hint.driver.room-for-acknowledgement",
    "hint.driver.cookie-nonzero",
    "hint.driver.cookie-unique",
    "hint.driver.no-overlap-in-request",
    "hint.driver.no-overlap-outstanding",
    "hint.driver.never-name-own-structures",
    "hint-bitmap.driver.only-negotiated",
    "hint-bitmap.driver.padding-zero",
    "ring.driver.readable-before-writable",
    "hint.driver.request-memory-stable",
    id="hint.driver-form",
    features=FEATURES,
)
def test_form(bench: DriverBench, name: str) -> None:
    """Every request is one that a sound device accepts."""
    bench.start(offers.OFFERS[name], hold=[HINTING])
    request = provoke(bench, HINTING)
    bench.observations["blocks"] = len(request.blocks)
    for _ in range(3):
        churn(bench)
        bench.idle(0.5)
    if bench.can(WORK):
        scatter(bench, PAGE)  # requests of many blocks
    bench.held.clear()
    bench.idle(1.0)


@pytest.mark.parametrize("name", FORMATS)
@driver_case(
    "hint.driver.no-touch-while-outstanding",
    "hint.driver.no-allocate-while-outstanding",
    "hint.driver.never-report-reallocated",
    "hint.driver.recheck-under-lock",
    id="hint.driver-ownership",
    features=FEATURES,
)
def test_ownership(bench: DriverBench, name: str) -> None:
    """Blocks of requests that are held are discarded, and nothing fills their holes."""
    bench.start(offers.OFFERS[name], hold=[HINTING])
    provoke(bench, HINTING)
    for request in bench.waiting(HINTING):
        bench.discard(request)
    for _ in range(3):
        churn(bench)
        for request in bench.waiting(HINTING):
            bench.discard(request)
        bench.idle(0.5)
        bench.look()
        bench.stop_if_broken()
    press(bench)
    bench.stop_if_broken()
    bench.held.clear()
    bench.idle(1.0)


@pytest.mark.parametrize("name", FORMATS)
@driver_case(
    "hint.driver.return-every-acknowledged",
    "hint.driver.return-original-order",
    "hint.driver.return-once",
    "hint.driver.content-uninitialised",
    "hint.driver.no-stranded-isolation",
    id="hint.driver-memory-comes-back",
    features=FEATURES,
    capabilities=[WORK, Capability.FILLS_MEMORY],
)
def test_memory_comes_back(bench: DriverBench, name: str) -> None:
    """After hints the guest can allocate all of its memory again, and what it kept is intact."""
    bench.start(offers.OFFERS[name])
    kept = bench.tester.allocate(bench.session.limits.chunk // 2)
    whole = measure(bench)
    for _ in range(3):
        churn(bench)
        bench.idle()
    check_content(bench, kept, HINTING)
    if not bench.effectiveness["offered_pages"]:
        raise NotApplicable("the driver hinted nothing")
    check_all_back(bench, whole, HINTING)
    check_content(bench, kept, HINTING)


@pytest.mark.parametrize("most", [1, 3])
@driver_case(
    "hint-pfn.driver.count-within-limit",
    "hint-bitmap.driver.count-within-limit",
    "hint.driver.config-limits-read",
    "hint.driver.no-stranded-isolation",
    id="hint.driver-count-limit",
    features=FEATURES,
)
def test_count_limit(bench: DriverBench, most: int) -> None:
    """No request names more blocks than the device takes at once."""
    limited = replace(offers.PFN_HINTS, name=f"most-{most}", hint_max_count=most)
    bench.start(limited)
    bench.idle(1.0)
    whole = measure(bench)
    for _ in range(2):
        churn(bench)
        bench.idle(1.0)
    check_all_back(bench, whole, HINTING)


@pytest.mark.parametrize("order", [2, 5])
@driver_case(
    "hint.driver.order-within-bounds",
    "hint.driver.config-limits-read",
    id="hint.driver-min-order",
    features=FEATURES,
)
def test_min_order(bench: DriverBench, order: int) -> None:
    """No request names a block that is smaller than a host page."""
    limited = replace(offers.HINTS, name=f"order-{order}", hint_min_order=order)
    bench.start(limited)
    if bench.can(WORK):
        scatter(bench, PAGE << order - 1)  # blocks that are just too small, beside others
    for _ in range(2):
        churn(bench)
        bench.idle(1.0)


def scatter(bench: DriverBench, piece: int, turns: int = 0) -> None:
    """Have pieces freed of which no two can merge, and then those between them.

    The driver does `turns` things after each.
    """
    pieces = [bench.tester.allocate(piece) for _ in range(64)]
    for half in (pieces[::2], pieces[1::2]):
        for holding in half:
            bench.tester.free(holding)
            bench.let_run(turns)
        bench.idle(1.0)


@driver_case(
    "hint.driver.no-touch-while-outstanding",
    "hint.driver.return-every-acknowledged",
    "hint.driver.used-id-selects",
    id="hint.driver-out-of-order",
    features=FEATURES,
)
def test_out_of_order(bench: DriverBench) -> None:
    """Requests that are answered in another order than they came in are told apart."""
    bench.start(offers.PFN_HINTS)
    bench.idle(1.0)
    whole = measure(bench)
    bench.idle(1.0)
    bench.held.add(HINTING)
    churn(bench)
    gone = {each.ticket: bench.discard(each) for each in bench.requests(HINTING, 2)}
    press(bench)
    bench.stop_if_broken()
    for request in reversed(bench.waiting(HINTING)[:3]):
        bench.answer(request)
        gone.pop(request.ticket, None)
        bench.idle(0.2)
        press(bench)
        used = bench.hole_bytes([span for each in gone.values() for span in each], filled=True)
        bench.require(
            not used,
            "hint.driver.used-id-selects",
            expected="the blocks of the request back that the used id names, and no others",
            seen=f"{used} bytes of other requests with content again",
        )
    bench.held.clear()
    bench.idle(1.0)
    check_all_back(bench, whole, HINTING)


@driver_case(
    "hint.driver.no-allocation-stall",
    id="hint.driver-no-stall",
    features=FEATURES,
    capabilities=[WORK],
)
def test_no_stall(bench: DriverBench) -> None:
    """While requests are held, the guest can allocate what it has left."""
    bench.start(offers.HINTS, hold=[HINTING])
    provoke(bench, HINTING)
    size = bench.session.limits.chunk // 4
    got = bench.tester.allocate(size)
    bench.require(
        got.size == size,
        "hint.driver.no-allocation-stall",
        expected=f"{size // PAGE} pages allocated while a request is outstanding",
        seen=f"{got.size // PAGE} pages",
    )


@pytest.mark.parametrize("status", ["PARTIAL", "MALFORMED", "UNSUPPORTED", "INHIBITED"])
@driver_case(
    "hint.driver.return-every-acknowledged",
    "hint.driver.refused-not-repeated",
    "hint.driver.inhibited-not-retried-at-once",
    "hint.driver.content-uninitialised",
    id="hint.driver-refusals",
    features=FEATURES,
)
def test_refusals(bench: DriverBench, status: str) -> None:
    """Blocks that the device did not take come back as well as those that it took."""
    bench.start(offers.HINTS)
    bench.idle(1.0)
    whole = measure(bench)
    bench.idle(1.0)
    bench.held.add(HINTING)
    wanted = Status[status]
    inhibited = wanted is Status.INHIBITED
    again: list[Span] = []
    for _ in range(2):
        request = provoke(bench, HINTING)
        if wanted is Status.PARTIAL:
            half = len(request.blocks) // 2
            bench.discard(request, request.blocks[:half])
            bench.answer(request, answers.sound(request, accept=half))
        else:
            bench.answer(request, answers.refusal(request, wanted))
        tickets = set(bench.device.outstanding)
        bench.idle(0.2)
        bench.stop_if_broken()  # what is counted on in vain shows until it is used again
        new = [each for each in bench.waiting(HINTING) if each.ticket not in tickets]
        again += intersect([span for each in new for span in each.blocks], request.blocks)
    bench.observations["repeated"] = len(again)
    bench.held.clear()
    bench.idle(1.0)
    check_all_back(bench, whole, HINTING)
    bench.require(
        not again or wanted is Status.PARTIAL or not bench.can(WORK),
        f"hint.driver.{'inhibited-not-retried-at-once' if inhibited else 'refused-not-repeated'}",
        expected="blocks that were refused left alone for a while",
        seen=f"{sum(span.length for span in again) // PAGE} pages of them named at once",
    )


@driver_case(
    "hint.driver.no-stranded-isolation",
    "hint.driver.return-on-error",
    id="hint.driver-full-queue",
    features=FEATURES,
    capabilities=[WORK, Capability.FILLS_MEMORY, Capability.SEES_QUEUE_SIZE],
)
def test_full_queue(bench: DriverBench) -> None:
    """With the queue full of requests that are held, isolated blocks do not get lost."""
    short = replace(offers.HINTS.without("short", Feature.INDIRECT_DESC), queue_size=2)
    bench.start(short)
    bench.idle(1.0)
    whole = measure(bench)
    bench.idle(1.0)
    bench.held.add(HINTING)
    piece = max(PAGE, bench.session.limits.chunk // 128)
    scatter(bench, piece, turns=20)
    bench.held.clear()
    bench.idle()
    check_all_back(bench, whole, HINTING, "hint.driver.return-on-error")


@driver_case(
    "hint.driver.no-stranded-isolation",
    "hint.driver.return-on-error",
    id="hint.driver-many-outstanding",
    features=FEATURES,
    capabilities=[WORK, Capability.FILLS_MEMORY],
)
def test_many_outstanding(bench: DriverBench) -> None:
    """However many requests are held, what was isolated comes back when they are answered."""
    bench.start(offers.HINTS)
    bench.idle(1.0)
    whole = measure(bench)
    bench.idle(1.0)
    bench.held.add(HINTING)
    scatter(bench, max(PAGE, bench.session.limits.chunk // 128), turns=20)
    bench.observations["outstanding"] = len(bench.waiting(HINTING))
    bench.held.clear()
    bench.idle()
    check_all_back(bench, whole, HINTING, "hint.driver.return-on-error")


@driver_case(
    "hint.driver.remove-returns-all",
    "hint.driver.return-outstanding-after-reset",
    "hint.driver.no-return-before-reset-done",
    "hint.driver.content-unknown-after-reset",
    id="hint.driver-removed-while-held",
    features=FEATURES,
    capabilities=[WORK, Capability.FILLS_MEMORY, Capability.RELOADS_DRIVER, Capability.SEES_STATUS],
)
def test_removed_while_held(bench: DriverBench) -> None:
    """On removal outstanding blocks come back, when the reset is complete and not before."""
    device = bench.start(offers.HINTS)
    bench.idle(1.0)
    whole = measure(bench)
    bench.idle(1.0)
    bench.held.add(HINTING)
    provoke(bench, HINTING)
    for request in bench.waiting(HINTING):
        bench.discard(request)
    device.holds_reset = True
    bench.unload()
    bench.tester.free(bench.tester.allocate(bench.session.limits.chunk))
    bench.look()
    bench.stop_if_broken()
    device.finish_reset()
    bench.idle(1.0)
    check_all_back(bench, whole, HINTING, "hint.driver.remove-returns-all")


@driver_case(
    "hint.driver.needs-reset-returns-nothing",
    "hint.driver.no-return-before-reset-done",
    "virtio.driver.needs-reset-not-trusted",
    id="hint.driver-needs-reset",
    features=FEATURES,
    capabilities=[WORK, Capability.SEES_STATUS],
)
def test_needs_reset(bench: DriverBench) -> None:
    """DEVICE_NEEDS_RESET by itself gives nothing back."""
    device = bench.start(offers.HINTS, hold=[HINTING])
    provoke(bench, HINTING)
    for request in bench.waiting(HINTING):
        bench.discard(request)
    device.holds_reset = True
    device.demand_reset()
    bench.idle(1.0)
    bench.tester.free(bench.tester.allocate(bench.session.limits.chunk))
    bench.look()
    bench.stop_if_broken()
    bench.observations["reset_asked_for"] = device.reset_waits
    if device.reset_waits:
        device.finish_reset()
    bench.idle(1.0)


@driver_case(
    "hint.driver.never-name-balloon-pages",
    "hint.driver.no-overlap-outstanding",
    id="hint.driver-beside-balloon",
    features=FEATURES,
)
def test_beside_balloon(bench: DriverBench) -> None:
    """Pages in the balloon, or on their way, are in no hint, and what is hinted goes into none."""
    bench.start(offers.FULL)
    for pages in (256, 512, 64):
        bench.set_target(pages)
        for _ in range(2):
            churn(bench)
            bench.idle(0.5)
        bench.stop_if_broken()


@pytest.mark.parametrize("name", FORMATS)
@driver_case(
    "hint.driver.never-report-reallocated",
    "hint.driver.recheck-under-lock",
    "hint.driver.no-allocate-while-outstanding",
    "hint.driver.return-under-lock",
    id="hint.driver-busy-guest",
    features=FEATURES,
    capabilities=[WORK],
)
def test_busy_guest(bench: DriverBench, name: str) -> None:
    """While the guest allocates and frees at every turn, nothing in use is named or lost."""
    bench.start(offers.OFFERS[name], hold=[HINTING])
    small = max(PAGE, bench.session.limits.chunk // 512)
    kept: list[Holding] = []
    for _ in range(bench.session.limits.turns):
        if len(kept) < 12 and bench.rng.random() < 0.6:
            kept.append(bench.tester.allocate(bench.rng.choice([PAGE, small, 4 * small])))
        elif kept:
            bench.tester.free(kept.pop(bench.rng.randrange(len(kept))))
        bench.let_run(bench.rng.randrange(3))
        waiting = bench.waiting(HINTING)
        if waiting and bench.rng.random() < 0.4:
            request = bench.rng.choice(waiting)
            bench.discard(request)
            bench.answer(request)
    for holding in kept:
        check_content(bench, holding, HINTING)
