"""Inflate and deflate: what goes into the balloon, what comes out, and when it is used again."""

from __future__ import annotations

import pytest

from vhint.spans import PAGE
from vhint.wire.features import Feature
from vhint.wire.queues import Queue
from vhint_conformance.case import Capability
from vhint_conformance.cases.driver.tools import (
    DEMAND,
    WORK,
    check_all_back,
    check_content,
    driver_case,
    measure,
    need_balloon,
    press,
)
from vhint_conformance.driver_bench import offer as offers
from vhint_conformance.driver_bench.bench import DriverBench
from vhint_conformance.verdict import NotApplicable, fail

INFLATE, DEFLATE = Queue.INFLATE, Queue.DEFLATE


def grow(bench: DriverBench, pages: int) -> None:
    """Ask for a balloon of so many pages and wait for it."""
    bench.set_target(pages)
    bench.run(lambda: bench.balloon.size >= pages and bench.balloon.quiet)
    if bench.balloon.size >= pages:
        bench.balloon.settled()
    bench.idle(1.0)


def shrink(bench: DriverBench, pages: int) -> None:
    """Ask for a smaller balloon and wait for it; that it follows is asked of no driver."""
    bench.set_target(pages)
    bench.run(lambda: bench.balloon.size <= pages and bench.balloon.quiet)
    bench.idle(1.0)


@pytest.mark.parametrize("pages", [1, 255, 256, 700])
@driver_case(
    DEMAND,
    "balloon.driver.actual-true",
    "balloon.driver.update-actual",
    "balloon.driver.pfn-unit",
    "balloon.driver.pfn-width",
    "balloon.driver.no-page-in-balloon-twice",
    "balloon.driver.deflate-only-own",
    "balloon.driver.no-deflate-before-inflate-use",
    id="balloon.driver-grows-and-shrinks",
)
def test_grows_and_shrinks(bench: DriverBench, pages: int) -> None:
    """The balloon follows its target up, and `actual` says how large it is, down as well."""
    bench.start(offers.PLAIN)
    for wanted, change in ((pages, grow), (pages // 2, shrink), (0, shrink)):
        change(bench, wanted)
        need_balloon(bench, wanted)
        check_actual(bench)
    bench.observations["pages_left"] = bench.balloon.size


def check_actual(bench: DriverBench) -> None:
    """Fail unless `actual` says what is in a balloon that is at rest."""
    bench.stop_if_broken()
    balloon = bench.balloon
    if not balloon.quiet or balloon.size == (balloon.actual or 0):
        return
    slug = "update-actual" if balloon.is_unsaid else "actual-true"
    raise fail(
        f"balloon.driver.{slug}",
        expected=f"actual {balloon.size}",
        seen="never written" if balloon.actual is None else str(balloon.actual),
    )


@driver_case(
    "balloon.driver.wait-for-inflate",
    "balloon.driver.unacknowledged-kept",
    id="balloon.driver-inflate-held",
)
def test_inflate_held(bench: DriverBench) -> None:
    """Pages of an inflate request that is held are left alone."""
    bench.start(offers.TELL_HOST, hold=[INFLATE])
    bench.set_target(256)
    request = bench.request(INFLATE, DEMAND)
    bench.discard(request)
    if bench.can(WORK):
        press(bench)
    bench.idle(1.0)
    bench.look()
    bench.stop_if_broken()
    bench.answer(request)
    bench.held.clear()
    bench.idle(1.0)


@pytest.mark.parametrize("before", [0, 64])
@driver_case(
    "balloon.driver.no-deflate-before-inflate-use",
    "balloon.driver.deflate-only-own",
    "balloon.driver.unacknowledged-kept",
    "balloon.driver.wait-for-inflate",
    "balloon.driver.wait-for-deflate",
    "balloon.driver.acknowledgement-matched",
    id="balloon.driver-change-of-mind",
)
def test_change_of_mind(bench: DriverBench, before: int) -> None:
    """A target that falls while an inflate request is held brings no deflate of its pages.

    Those that are in the balloon already may be deflated meanwhile, and do not disturb it, nor is
    its answer theirs.
    """
    bench.start(offers.TELL_HOST)
    grow(bench, before)
    bench.held.update((INFLATE, DEFLATE))
    bench.set_target(before + 128)
    request = bench.request(INFLATE, DEMAND)
    bench.discard(request)
    bench.set_target(0)
    bench.idle(1.0)
    if bench.can(WORK):
        press(bench)
    bench.stop_if_broken()
    bench.answer(request)
    bench.idle(0.5)
    if bench.can(WORK):
        press(bench)
    bench.stop_if_broken()
    bench.held.clear()
    bench.run(lambda: bench.balloon.size == 0 and bench.balloon.quiet)
    bench.idle(1.0)


@driver_case(
    "balloon.driver.wait-for-deflate",
    "balloon.driver.deflate-through-queue",
    id="balloon.driver-deflate-held",
    features=[Feature.MUST_TELL_HOST],
)
def test_deflate_held(bench: DriverBench) -> None:
    """With MUST_TELL_HOST, deflated pages are left alone until the deflate request is used."""
    device = bench.start(offers.TELL_HOST, hold=[INFLATE, DEFLATE])
    pages = 256
    bench.set_target(pages)
    inflate = bench.request(INFLATE, DEMAND)
    bench.answer(inflate)
    bench.idle(1.0)
    bench.set_target(0)
    deflate = bench.request(DEFLATE)
    memory = device.memory
    for span in deflate.blocks:
        memory.discard(span)  # they are in the balloon still
    bench.watch(deflate)
    bench.set_target(0)  # once more: a change of config space answers nothing
    bench.idle(1.0)
    if bench.can(WORK):
        press(bench)
    bench.idle(1.0)
    bench.look()
    bench.stop_if_broken()
    bench.answer(deflate)
    bench.held.clear()
    bench.idle(1.0)


@driver_case(
    "balloon.driver.deflate-through-queue",
    "balloon.driver.wait-for-inflate",
    "balloon.driver.never-inflate-in-use",
    id="balloon.driver-content",
    capabilities=[WORK],
)
def test_content(bench: DriverBench) -> None:
    """What the guest uses keeps its content while the balloon comes and goes."""
    bench.start(offers.TELL_HOST)
    kept = bench.tester.allocate(bench.session.limits.chunk)
    pages = bench.session.limits.ram // PAGE // 8
    for _ in range(2):
        grow(bench, pages)
        check_content(bench, kept, INFLATE)
        shrink(bench, pages // 4)
        more = bench.tester.allocate(bench.session.limits.chunk // 2)
        check_content(bench, more, INFLATE)
        bench.tester.free(more)
    check_content(bench, kept, INFLATE)


@driver_case(
    "balloon.driver.return-on-remove",
    "balloon.driver.wait-for-deflate",
    id="balloon.driver-memory-comes-back",
    capabilities=[WORK, Capability.FILLS_MEMORY, Capability.RELOADS_DRIVER],
)
def test_memory_comes_back(bench: DriverBench) -> None:
    """After the driver is removed with an inflated balloon, the guest has all its memory."""
    bench.start(offers.TELL_HOST)
    whole = measure(bench)
    grow(bench, bench.session.limits.ram // PAGE // 8)
    bench.unload()
    bench.idle(1.0)
    check_all_back(bench, whole, INFLATE)


@driver_case(
    "balloon.driver.no-deflate-below-target",
    "balloon.driver.no-churn",
    id="balloon.driver-keeps-still",
)
def test_keeps_still(bench: DriverBench) -> None:
    """At its target the balloon neither grows nor shrinks."""
    bench.start(offers.TELL_HOST)
    grow(bench, 300)
    before = len(bench.recorder.events)
    bench.idle()
    moves = [
        event
        for event in bench.recorder.events[before:]
        if getattr(event, "queue", None) in (INFLATE, DEFLATE)
    ]
    bench.require(
        not moves,
        "balloon.driver.no-churn",
        expected="a balloon at its target to stay as it is",
        seen=f"{len(moves)} events on its queues",
    )


@driver_case(
    "balloon.driver.no-deflate-below-target",
    id="balloon.driver-no-deflate-on-oom",
    capabilities=[WORK, Capability.FILLS_MEMORY],
)
def test_no_deflate_on_oom(bench: DriverBench) -> None:
    """Without DEFLATE_ON_OOM the balloon keeps its pages when the guest runs out of memory."""
    bench.start(offers.TELL_HOST)
    grow(bench, 512)
    grown = min(bench.balloon.size, 512)
    if not grown:
        raise NotApplicable("the driver does not inflate at all")
    lives = bench.device.let_go
    holding = bench.tester.fill()
    bench.look()
    left = bench.balloon.size
    bench.tester.free(holding)
    if bench.device.let_go > lives:
        raise NotApplicable("the driver resets the device under memory pressure")
    bench.require(
        left >= grown,
        "balloon.driver.no-deflate-below-target",
        expected=f"{grown} pages in the balloon under memory pressure",
        seen=str(left),
    )


@pytest.mark.parametrize("pages", [24, 512])
@driver_case(
    "balloon.driver.may-deflate-on-oom",
    "balloon.driver.deflate-through-queue",
    "balloon.driver.update-actual",
    id="balloon.driver-deflate-on-oom",
    features=[Feature.DEFLATE_ON_OOM],
    capabilities=[WORK, Capability.FILLS_MEMORY],
)
def test_deflate_on_oom(bench: DriverBench, pages: int) -> None:
    """With DEFLATE_ON_OOM the driver may take pages back, and says so; how many is recorded."""
    bench.start(offers.OOM)
    grow(bench, pages)
    holding = bench.tester.fill()
    bench.look()
    bench.observations["balloon_under_pressure"] = bench.balloon.size
    bench.tester.free(holding)
    bench.idle(1.0)


@driver_case(
    "balloon.driver.inflate-on-demand",
    "balloon.driver.bounded-wait-recoverable",
    id="balloon.driver-absurd-target",
)
def test_absurd_target(bench: DriverBench) -> None:
    """A target beyond all memory takes what can be spared, and the guest lives on."""
    bench.start(offers.TELL_HOST)
    bench.set_target(0xFFFFFFFF)
    bench.idle()
    grown = bench.balloon.size
    bench.observations["balloon_pages"] = grown
    if not grown:
        raise NotApplicable("the driver does not inflate at all")
    bench.require(
        grown * PAGE < bench.session.limits.ram,
        "balloon.driver.pfn-unit",
        expected="less than all memory in the balloon",
        seen=f"{grown} pages",
    )
    bench.set_target(0)
    bench.run(lambda: bench.balloon.size == 0 and bench.balloon.quiet)
    bench.observations["balloon_pages_afterwards"] = bench.balloon.size
