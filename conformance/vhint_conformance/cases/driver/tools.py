"""Small things that several driver cases need."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

from vhint.spans import PAGE
from vhint.wire.queues import Queue
from vhint_conformance.case import Capability, Role, case
from vhint_conformance.driver_bench.bench import DriverBench
from vhint_conformance.driver_bench.device import Request
from vhint_conformance.driver_bench.offer import Offer
from vhint_conformance.targets.driver import Holding
from vhint_conformance.verdict import NotApplicable

F = TypeVar("F", bound=Callable[..., Any])

driver_case = partial(case, role=Role.DRIVER)
"""`case`, for the role of a driver."""

WORK = Capability.ALLOCATES
"""What is needed to make a driver report something when the case wants it."""

BY_ITSELF = 1.0
"""Seconds for which a guest that nobody works is left to itself."""

DEMAND = "balloon.driver.inflate-on-demand"

EVERY_PAGE = {
    Queue.REPORTING: "reporting.driver.return-every-page",
    Queue.HINTING: "hint.driver.return-every-acknowledged",
    Queue.FREE_PAGE: "free-page-hint.driver.release-on-done",
    Queue.INFLATE: "balloon.driver.return-on-remove",
}
"""What a driver breaks that keeps pages which have come back over a queue."""

MINE = {
    Queue.REPORTING: "reporting.driver.never-report-in-use",
    Queue.HINTING: "hint.driver.never-report-reallocated",
    Queue.FREE_PAGE: "free-page-hint.driver.initialise-early-release",
    Queue.INFLATE: "balloon.driver.never-inflate-in-use",
}
"""What a driver breaks whose guest loses content to a request on a queue."""


def churn(bench: DriverBench, times: int = 1) -> None:
    """Have memory allocated and freed in the guest, so that it has something to tell of.

    A guest that nobody works is left to itself for a while: it may do that by itself.
    """
    for _ in range(times):
        if bench.can(WORK):
            bench.tester.free(bench.tester.allocate(bench.session.limits.chunk))
        else:
            bench.idle(BY_ITSELF)


def press(bench: DriverBench) -> None:
    """Have as much memory used in the guest as there is, so that what it must not use shows."""
    if bench.can(Capability.FILLS_MEMORY):
        bench.tester.free(bench.tester.fill())
    else:
        churn(bench)
    bench.look()


def provoke(bench: DriverBench, queue: Queue, requirement: str = "") -> Request:
    """Wait for a request on a held queue, having memory freed if none comes by itself."""
    if not bench.run(lambda: bool(bench.waiting(queue)), bench.session.limits.rest) and bench.can(
        WORK
    ):
        churn(bench)
    return bench.request(queue, requirement)


def start_and_provoke(bench: DriverBench, offer: Offer, queue: Queue) -> Request:
    """Start with one queue held, and wait for a request on it."""
    bench.start(offer, hold=[queue])
    return provoke(bench, queue)


def need_balloon(bench: DriverBench, pages: int, requirement: str = DEMAND) -> None:
    """Fail by `requirement` if the balloon does not grow to so many pages.

    That it is no larger is asked of no driver: more may be given, and none need be taken back
    (balloon.driver.may-inflate-beyond-need, may-deflate-above-target).
    """
    bench.run(lambda: bench.balloon.size >= pages)
    bench.stop_if_broken()  # what was wrong with a request says more than what came of it
    size = bench.balloon.size
    if size < pages and requirement == DEMAND:
        bench.check_kicks()
    if size < pages and not bench.device.live:
        raise NotApplicable("the driver has let go of the device")
    bench.require(
        size >= pages,
        requirement,
        expected=f"a balloon of {pages} pages",
        seen=f"{size} pages",
    )


def check_content(bench: DriverBench, holding: Holding, queue: Queue) -> None:
    """Fail if a holding has lost what it was filled with."""
    bench.require(
        bench.tester.intact(holding),
        MINE[queue],
        expected=f"{holding.size} bytes that were in use all the time to keep their content",
        seen="other content",
        where=holding.name,
    )


def check_all_back(bench: DriverBench, whole: int, queue: Queue, requirement: str = "") -> None:
    """Fail if the guest cannot allocate what it could before: some of it did not come back.

    That breaks `requirement`; if none is named, the one by which pages of the queue come back.
    `whole` is what `measure` returned; 0 means that nobody can tell.
    """
    if not whole:
        return
    least = whole - bench.session.limits.slack
    holding = bench.tester.fill()
    bench.tester.free(holding)
    if holding.size < least:  # a slow guest may not have put it all back yet
        bench.idle()
        holding = bench.tester.fill()
        bench.tester.free(holding)
    bench.observations["fills_mib"] = [whole >> 20, holding.size >> 20]
    bench.require(
        holding.size >= least,
        requirement or EVERY_PAGE[queue],
        expected=f"at least {least // PAGE} pages that can be allocated",
        seen=f"{holding.size // PAGE} pages",
    )


def measure(bench: DriverBench) -> int:
    """Return how many bytes the guest can allocate now; it has them all back afterwards.

    0 where nobody can have its memory filled.
    """
    if not bench.can(Capability.FILLS_MEMORY):
        return 0
    holding = bench.tester.fill()
    bench.tester.free(holding)
    return holding.size
