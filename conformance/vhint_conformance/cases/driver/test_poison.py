"""PAGE_POISON: pages are filled before they are named, and the value is said once."""

from __future__ import annotations

import pytest

from vhint.wire.features import Feature
from vhint.wire.queues import Queue
from vhint_conformance.case import Capability
from vhint_conformance.cases.driver.tools import WORK, churn, driver_case, provoke
from vhint_conformance.driver_bench import offer as offers
from vhint_conformance.driver_bench.bench import DriverBench
from vhint_conformance.verdict import NotApplicable

FILLS = (Capability.FILLS_FREE_PAGES,)


@driver_case(
    "balloon.driver.poison-set-before-driver-ok",
    "balloon.driver.poison-constant",
    "balloon.driver.poison-accept-when-checking",
    id="balloon.driver-poison-value",
    features=[Feature.PAGE_POISON],
    capabilities=FILLS,
)
def test_value(bench: DriverBench) -> None:
    """poison_val is written before DRIVER_OK and not after."""
    device = bench.start(offers.POISONED)
    bench.observations["poison_val"] = device.load("poison_val")
    bench.idle()


@pytest.mark.parametrize("queue", [Queue.REPORTING, Queue.HINTING])
@driver_case(
    "reporting.driver.poison-before-report",
    "hint.driver.poison-fill-first",
    id="reporting.driver-poison-first",
    features=[Feature.PAGE_POISON],
    capabilities=[*FILLS, WORK],
)
def test_filled_first(bench: DriverBench, queue: Queue) -> None:
    """Every page is full of poison_val when it is named."""
    offer = offers.POISONED if queue is Queue.REPORTING else offers.POISONED_HINTS
    bench.start(offer, hold=[queue])
    request = provoke(bench, queue)
    bench.answer(request)
    bench.held.clear()
    churn(bench)
    bench.idle(1.0)


@driver_case(
    "balloon.driver.poison-fill-deflated",
    "balloon.driver.poison-constant",
    "balloon.driver.wait-for-deflate",
    id="balloon.driver-poison-deflated",
    features=[Feature.PAGE_POISON],
    capabilities=FILLS,
)
def test_filled_after_deflate(bench: DriverBench) -> None:
    """Pages that come back from the balloon are full of poison_val again."""
    device = bench.start(offers.POISONED_BALLOON)
    bench.set_target(64)
    bench.run(lambda: bench.balloon.size >= 64 and bench.balloon.quiet)
    pages = sorted(bench.balloon.pages)
    if not pages:
        raise NotApplicable("the driver does not inflate")
    bench.set_target(0)
    bench.run(lambda: bench.balloon.size == 0 and bench.balloon.quiet)
    bench.idle(1.0)
    pages = sorted(set(pages) - bench.balloon.pages)
    if not pages:
        raise NotApplicable("the driver does not deflate")
    word = device.load("poison_val").to_bytes(4, "little")
    wrong = [pfn for pfn in pages if bench.page(pfn) != word * 1024]
    bench.require(
        not wrong,
        "balloon.driver.poison-fill-deflated",
        expected=f"{len(pages)} deflated pages full of {device.load('poison_val'):#x}",
        seen=f"{len(wrong)} that are not, the first {wrong[:1]}",
    )


@driver_case(
    "reporting.driver.poison-needed-for-initialised-pages",
    id="reporting.driver-poison-needed",
    capabilities=FILLS,
)
def test_needed(bench: DriverBench) -> None:
    """A guest that counts on its fill does not report without PAGE_POISON."""
    device = bench.start(offers.NO_POISON)
    bench.require(
        Feature.PAGE_REPORTING not in device.accepted,
        "reporting.driver.poison-needed-for-initialised-pages",
        expected="PAGE_REPORTING declined",
        seen=repr(device.accepted),
    )


@driver_case(
    "balloon.driver.poison-decline",
    id="balloon.driver-poison-declined",
)
def test_declined(bench: DriverBench) -> None:
    """A guest that fills nothing declines PAGE_POISON."""
    device = bench.start(offers.STANDARD)
    bench.require(
        Feature.PAGE_POISON not in device.accepted,
        "balloon.driver.poison-decline",
        expected="PAGE_POISON declined",
        seen=repr(device.accepted),
    )
