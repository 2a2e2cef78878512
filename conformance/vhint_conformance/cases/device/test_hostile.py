"""Hostile drivers, on every queue: nothing is harmed, others are served, a reset mends it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from vhint.guest import requests
from vhint.ring import SplitLayout
from vhint.spans import PAGE
from vhint.wire.features import Feature
from vhint.wire.queues import Queue
from vhint.wire.status import DeviceStatus
from vhint_conformance.bench import Bench, Fate
from vhint_conformance.case import Capability, case
from vhint_conformance.cases.hostile import (
    ANSWERED,
    CHAINS,
    FAMILIES,
    QUEUES,
    SHORT,
    Parts,
    answered_slug,
    fate_of,
    offer,
)
from vhint_conformance.cases.raw import as_split
from vhint_conformance.cases.tools import need_modern, not_silent, pfns
from vhint_conformance.variants import Rings
from vhint_conformance.verdict import NotApplicable

OTHERS = "ring.device.malformed-other-queues-alive"
RECOVERS = "ring.device.recovers-by-reset"
CONTAINED = "ring.device.malformed-contained"
BOUNDED = "ring.device.malformed-bounded-memory"
LIVES = 40
CALM = 4 << 20
"""Bytes that a process may grow by once its caches and pools have been filled."""
TALK = 1 << 20
"""Bytes that it may print meanwhile."""


@pytest.mark.parametrize("family", FAMILIES)
@case(
    CONTAINED,
    RECOVERS,
    "virtio.device.needs-reset-recovers",
    "ring.device.descriptor-table-never-written",
    id="ring.hostile-chains",
)
def test_chains(bench: Bench, family: str) -> None:
    """Hostile chains on any queue harm nothing, and a reset mends what they broke."""
    fates = set()
    for queue in attacked(bench, family):
        fates.add(fate_of(bench, queue))
        bench.reset()
    bench.start()
    asked = Fate.NEEDS_RESET in fates
    slug = "virtio.device.needs-reset-recovers" if asked else RECOVERS
    bench.exchange(requests.inflate(pfns(bench, 2)), slug)


@pytest.mark.parametrize("family", FAMILIES)
@case(
    OTHERS,
    id="ring.hostile-other-queues",
    capabilities=[Capability.ASKS_FOR_RESET],
)
def test_other_queues(bench: Bench, family: str) -> None:
    """Hostile chains on any queue leave the others working, unless a reset is asked for."""
    for queue in attacked(bench, family):
        if fate_of(bench, queue) is not Fate.NEEDS_RESET:
            draft = requests.deflate if queue is Queue.INFLATE else requests.inflate
            bench.exchange(draft(pfns(bench, 1)), OTHERS)
        bench.reset()


@pytest.mark.parametrize("family", FAMILIES)
@case(
    *sorted({f"ring.device.malformed-{middle}-answered" for middle in ANSWERED.values()}),
    id="ring.hostile-answered",
)
def test_answered(bench: Bench, family: str) -> None:
    """Hostile chains are used, or a reset is asked for, on every queue that holds no buffers."""
    for queue in attacked(bench, family):
        slug = answered_slug(bench.observations["chain"])
        bench.stake = slug or ""
        if slug is not None and queue is not Queue.STATS:
            not_silent(bench, queue, slug)
        bench.reset()


PLACES = ("descriptors", "available", "used", "all", "end-of-ram", "on-each-other")


@pytest.mark.parametrize("where", PLACES)
@case(
    CONTAINED,
    RECOVERS,
    id="ring.hostile-places",
    # Without the second a front end chooses the places, and is trusted.
    capabilities=[Capability.PLACES_QUEUE_PARTS, Capability.SHOWS_QUEUE_READY],
)
def test_places(bench: Bench, where: str) -> None:
    """Parts of a queue that are not in memory, or on each other, harm nothing else."""
    need_modern(bench, "place of its own for each part of a queue")
    driver = bench.start(live=False)
    bench.unwatched.add(Queue.INFLATE)
    good = driver.rings[Queue.INFLATE].layout
    absent, end = bench.limits.absent, max(start + size for start, size in bench.limits.ram)
    parts = {"descriptors": good.descriptors, "available": good.available, "used": good.used}
    match where:
        case "all":
            parts = dict.fromkeys(parts, absent)
        case "end-of-ram":
            parts = {"descriptors": end - 16, "available": end - 16, "used": end - 16}
        case "on-each-other":
            parts = dict.fromkeys(parts, good.descriptors)
        case _:
            parts[where] = absent
    draft = requests.inflate(pfns(bench, 2))
    driver.note(draft, driver.rings[Queue.INFLATE].add(driver.place(draft.readable), ()), (), (),
                valid=False)  # fmt: skip
    driver.rings[Queue.INFLATE].publish()
    bench.memory.release([*draft.blocks, good.descriptor_span, good.available_span])
    index = driver.negotiated.queues[Queue.INFLATE].index
    bench.observations["set_up"] = bench.transport.set_up_queue(
        index, SplitLayout(good.size, **parts)
    )
    bench.go_live()
    bench.notify(Queue.INFLATE)
    bench.transport.settle()
    bench.observations["needs_reset"] = bool(bench.status() & DeviceStatus.NEEDS_RESET)
    bench.reset()
    bench.start()
    bench.exchange(requests.inflate(pfns(bench, 2)), RECOVERS)


@pytest.mark.parametrize("size", [0, 3, 0x8000, 0xFFFF])
@case(
    CONTAINED,
    RECOVERS,
    id="ring.hostile-size",
    capabilities=[Capability.CHOOSES_QUEUE_SIZES, Capability.SHOWS_QUEUE_READY],
)
def test_size(bench: Bench, size: int) -> None:
    """A queue size that is none, no power of two, or too large harms nothing."""
    need_modern(bench, "choice of a queue's size")
    driver = bench.start(live=False)
    bench.unwatched.add(Queue.INFLATE)
    good = driver.rings[Queue.INFLATE].layout
    bench.memory.release([good.used_span])
    index = driver.negotiated.queues[Queue.INFLATE].index
    layout = SplitLayout(size, good.descriptors, good.available, good.used)
    bench.observations["set_up"] = bench.transport.set_up_queue(index, layout)
    bench.go_live()
    bench.notify(Queue.INFLATE)
    bench.transport.settle()
    bench.reset()
    bench.start()
    bench.exchange(requests.inflate(pfns(bench, 2)), RECOVERS)


@case(
    "reporting.device.containment",
    RECOVERS,
    id="reporting.hostile-own-rings",
    features=[Feature.PAGE_REPORTING],
)
def test_own_rings(bench: Bench) -> None:
    """A driver that reports its own rings harms itself alone, and a reset mends it."""
    bench.start()
    bench.unwatched.add(Queue.REPORTING)
    parts = Parts(bench, Queue.REPORTING)
    layout = bench.driver.rings[Queue.REPORTING].layout
    start = layout.descriptors // PAGE * PAGE
    whole = parts.ring_part("descriptor"), parts.ring_part("available"), parts.ring_part("used")
    end = -(-max(span.end for span in whole) // PAGE) * PAGE
    (block,) = bench.blocks(1)
    own = type(block)(start, end - start)
    draft = requests.report([own])
    head = bench.driver.rings[Queue.REPORTING].add((), [own])
    bench.driver.note(draft, head, (), (own,), valid=False)
    bench.publish(Queue.REPORTING)
    bench.memory.release([own])
    bench.fate(Queue.REPORTING, SHORT)
    bench.reset()
    bench.start()
    bench.exchange(requests.report([block]), RECOVERS)


@case(
    "ring.device.queue-not-ready-untouched",
    CONTAINED,
    id="ring.hostile-notifications",
    capabilities=[Capability.NOTIFIES_ANY_QUEUE],
)
def test_notifications(bench: Bench) -> None:
    """Notifications for queues that do not exist do nothing."""
    bench.start()
    for index in (7, 63, 100, 1023, 0x7FFF, 0xFFFF):
        bench.transport.notify(index)
    bench.transport.settle()
    bench.exchange(requests.inflate(pfns(bench, 1)), "ring.device.queue-not-ready-untouched")


@case(
    "ring.device.use-only-available",
    CONTAINED,
    RECOVERS,
    id="ring.hostile-same-head",
    rings=[Rings.SPLIT],
)
def test_same_head(bench: Bench) -> None:
    """One chain that is made available many times at once costs no more than its own pages."""
    bench.start()
    bench.unwatched.add(Queue.INFLATE)
    ring = as_split(bench.driver.rings[Queue.INFLATE])
    draft = requests.inflate(pfns(bench, 3))
    head = ring.add(bench.driver.place(draft.readable), ())
    for _ in range(ring.layout.size - 1):
        ring.put_available(head)
    bench.driver.note(draft, head, (), (), valid=False)
    bench.memory.release(draft.blocks)
    bench.publish(Queue.INFLATE)
    bench.transport.settle()
    bench.observe()
    stray = bench.stray_discards()
    bench.require(
        not stray and ring.used_index <= ring.layout.size,
        "ring.device.use-only-available",
        expected=f"at most {ring.layout.size} chains used, and their pages touched",
        seen=f"{ring.used_index} used, {len(stray)} other ranges discarded",
    )
    bench.reset()
    bench.start()
    bench.exchange(requests.inflate(pfns(bench, 2)), RECOVERS)


@case(BOUNDED, CONTAINED, id="ring.hostile-footprint")
def test_footprint(bench: Bench) -> None:
    """Hostile chains by the thousand leave the process as large as it was, and quiet."""
    if bench.session.footprint() is None:
        raise NotApplicable("the target has no process whose memory could be looked at")
    every = [kind for kind in CHAINS if "four-gigabytes" not in kind]
    sizes = []
    for life in range(LIVES):
        if life in (LIVES // 2, LIVES - 1):
            sizes.append(bench.session.footprint())
        bench.start()
        for queue in (Queue.INFLATE, Queue.REPORTING):
            if queue in bench.driver.rings:
                offer(bench, queue, every[life % len(every)])
        bench.transport.settle()
        bench.unwatched.update(bench.driver.rings)
        bench.reset()
    first, last = sizes
    if first is None or last is None:
        raise NotApplicable("the process is gone, which is found elsewhere")
    grown, printed = last.memory - first.memory, last.printed - first.printed
    bench.observations |= {"grown": grown, "printed": printed, "memory": last.memory}
    bench.require(
        grown <= CALM and printed <= TALK,
        BOUNDED,
        expected=f"at most {CALM} bytes more memory, and {TALK} printed, by {LIVES // 2} lives",
        seen=f"{grown} bytes more, {printed} printed",
    )


def attacked(bench: Bench, family: str) -> Iterator[Queue]:
    """Start the device once for each chain of a family and each queue, with the chain on it."""
    for kind in FAMILIES[family]:
        bench.observations["chain"] = kind
        without = [] if "indirect" in kind else [Feature.INDIRECT_DESC]
        for queue in QUEUES:
            bench.start(without=without)
            if queue in bench.driver.rings and offer(bench, queue, kind):
                yield queue
            else:
                bench.reset()
