"""A device whose ground moves: configuration that changes while it is read, and NEEDS_RESET."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from functools import partial

import pytest

from vhint.spans import Span
from vhint.wire import config
from vhint.wire.command import DONE
from vhint.wire.features import Feature
from vhint.wire.queues import Queue
from vhint_conformance.case import Capability
from vhint_conformance.cases.driver.test_rounds import commands
from vhint_conformance.cases.driver.tools import (
    WORK,
    check_all_back,
    driver_case,
    measure,
    need_balloon,
    press,
    provoke,
)
from vhint_conformance.driver_bench import offer as offers
from vhint_conformance.driver_bench.bench import DriverBench
from vhint_conformance.verdict import NotApplicable

INFLATE, DEFLATE, FREE_PAGE = Queue.INFLATE, Queue.DEFLATE, Queue.FREE_PAGE
TARGETS = (0x1FF, 0x200, 0x0FF, 0x100)
"""Sizes of which no two agree in a byte: half of one and half of the next is larger than all."""

IDS = (0x8001FFFF, 0x80020000, 0x80020001)


TURNS = range(0, 120, 7)
"""After how many things, or moments, more a driver is removed."""

REMOVED = {
    Queue.REPORTING: (offers.REPORTS, "reporting.driver.return-every-page"),
    Queue.HINTING: (offers.HINTS, "hint.driver.remove-returns-all"),
    FREE_PAGE: (offers.ROUNDS, "free-page-hint.driver.release-on-remove"),
    INFLATE: (offers.TELL_HOST, "balloon.driver.return-on-remove"),
}
"""What is offered so that a queue is used, and what a driver breaks that loses its pages."""


def changes_when_read(bench: DriverBench, field: str, values: Iterable[int]) -> None:
    """Change a field to the next value whenever the driver has read a part of it.

    The notification takes its time: it comes when the case sends it.
    """
    left = iter(values)
    wanted = Span(config.field_offset(field), config.field_size(field))

    def read(span: Span) -> None:
        value = next(left, None) if span.overlaps(wanted) else None
        if value is None:
            return
        if field == "free_page_hint_cmd_id":
            bench.command(value, quiet=True)
        else:
            bench.device.store(field, value)

    bench.device.was_read = read


@driver_case(
    "balloon.driver.inflate-on-demand",
    "virtio.driver.config-not-atomic",
    id="balloon.driver-target-changes-while-read",
)
def test_target(bench: DriverBench) -> None:
    """However num_pages changes while it is read, no balloon is larger than it ever said."""
    bench.start(offers.STANDARD)
    changes_when_read(bench, "num_pages", TARGETS[1:])
    bench.set_target(TARGETS[0])
    sizes = [0]

    def settled() -> bool:
        sizes.append(bench.balloon.size)
        return False

    for _ in TARGETS:
        bench.run(settled, 1.0)
        bench.device.signal(None)
    bench.run(settled, bench.session.limits.rest)
    bench.require(
        max(sizes) <= max(TARGETS),
        "virtio.driver.config-not-atomic",
        expected=f"at most {max(TARGETS)} pages, the largest that num_pages was",
        seen=f"{max(sizes)} pages",
    )
    need_balloon(bench, TARGETS[-1])


@driver_case(
    "free-page-hint.driver.current-id-read",
    "free-page-hint.driver.id-first",
    id="free-page-hint.driver-id-changes-while-read",
    features=[Feature.FREE_PAGE_HINT],
)
def test_id(bench: DriverBench) -> None:
    """A command id that changes while it is read is followed, and never mixed with another."""
    bench.start(offers.ROUNDS)
    changes_when_read(bench, "free_page_hint_cmd_id", IDS[1:])
    bench.command(IDS[0])
    for _ in IDS:
        bench.idle(0.5)
        bench.device.signal(None)
    bench.run(lambda: IDS[-1] in commands(bench))
    said = commands(bench)
    bench.require(
        IDS[-1] in said,
        "free-page-hint.driver.current-id-read",
        expected=f"a round under {IDS[-1]:#x}, which is shown in the end",
        seen=", ".join(f"{each:#x}" for each in said) or "no command",
    )
    strange = [each for each in said if each not in (*IDS, 0)]
    bench.require(
        not strange,
        "free-page-hint.driver.current-id-read",
        expected="ids that were shown",
        seen=", ".join(f"{each:#x}" for each in strange),
    )
    bench.command(DONE.value)
    bench.idle(1.0)


@pytest.mark.parametrize("queue", [Queue.REPORTING, INFLATE, FREE_PAGE], ids=str)
@driver_case(
    "reporting.driver.no-touch-until-use",
    "virtio.driver.needs-reset-not-trusted",
    "balloon.driver.return-on-remove",
    id="virtio.driver-needs-reset-in-a-request",
    capabilities=[WORK, Capability.SEES_STATUS],
)
def test_needs_reset(bench: DriverBench, queue: Queue) -> None:
    """A device that asks for a reset in the middle of a request has given nothing back by that."""
    offer = {Queue.REPORTING: offers.REPORTS, FREE_PAGE: offers.ROUNDS}.get(queue, offers.STANDARD)
    device = bench.start(offer, hold=[queue])
    if queue is INFLATE:
        bench.set_target(64)
    elif queue is FREE_PAGE:
        bench.command(IDS[0])
    provoke(bench, queue)
    for request in bench.waiting(queue):
        if queue is not FREE_PAGE:  # those a driver may take back at any time
            bench.discard(request)
    device.holds_reset = True
    device.demand_reset()
    bench.idle(1.0)
    if queue is not FREE_PAGE:
        press(bench)
    bench.stop_if_broken()
    bench.observations["reset_asked_for"] = device.reset_waits
    if device.reset_waits:
        device.finish_reset()
    device.holds_reset = False
    bench.held.clear()
    bench.idle(1.0)


@driver_case(
    "balloon.driver.return-on-remove",
    "ring.driver.reset-before-removal",
    id="balloon.driver-removed-in-a-request",
    capabilities=[Capability.SEES_STATUS, Capability.RELOADS_DRIVER],
)
def test_removed(bench: DriverBench) -> None:
    """A driver that is removed while pages are on their way into the balloon begins anew."""
    device = bench.start(offers.STANDARD, hold=[INFLATE])
    bench.set_target(64)
    request = bench.request(INFLATE, "balloon.driver.inflate-on-demand")
    bench.discard(request)
    bench.unload()
    bench.require(
        not device.live,
        "ring.driver.reset-before-removal",
        expected="the device reset",
        seen=repr(device.status),
    )
    bench.held.clear()
    bench.tester.load()
    bench.run(lambda: device.live)
    bench.need_live("virtio.driver.initialisation-order")
    bench.idle()
    need_balloon(bench, 64)  # as num_pages still says


LIVES_SECONDS = 15.0
"""How long a driver is removed and loaded again: a slow one gets fewer lives."""


def _is_over(left: Iterator[int]) -> bool:
    return next(left, None) is None


@pytest.mark.parametrize("queue", [Queue.REPORTING, Queue.HINTING, FREE_PAGE, INFLATE], ids=str)
@driver_case(
    "reporting.driver.return-every-page",
    "hint.driver.remove-returns-all",
    "free-page-hint.driver.release-on-remove",
    "balloon.driver.return-on-remove",
    id="virtio.driver-removed-at-any-time",
    capabilities=[WORK, Capability.FILLS_MEMORY, Capability.RELOADS_DRIVER],
)
def test_removed_at_any_time(bench: DriverBench, queue: Queue) -> None:
    """Whatever a driver is about to do when it is removed, the guest has its memory back."""
    device = bench.start(REMOVED[queue][0])
    if queue not in device.set_up:
        raise NotApplicable(f"the driver uses no {queue} queue")
    whole = measure(bench)
    ends = time.monotonic() + LIVES_SECONDS
    for turns in TURNS:
        if time.monotonic() > ends:
            break
        bench.tester.free(bench.tester.allocate(bench.session.limits.chunk))
        bench.set_target(64 if queue is INFLATE else 0)
        if queue is FREE_PAGE:
            bench.command(IDS[0] + turns)
        left = iter(range(turns))
        bench.run(partial(_is_over, left), 1.0)
        bench.unload()
        bench.set_target(0)
        bench.tester.load()
        bench.run(lambda: device.live)
        bench.need_live("virtio.driver.initialisation-order")
    bench.unload()
    bench.idle(1.0)
    check_all_back(bench, whole, queue, REMOVED[queue][1])
