"""Chains that break the rules: nothing is harmed, and the device answers or asks for a reset."""

from __future__ import annotations

from dataclasses import replace

import pytest

from vhint.guest import Draft, requests
from vhint.wire.features import Feature
from vhint.wire.status import DeviceStatus
from vhint.wire.vring import Descriptor, DescriptorFlag
from vhint_conformance.bench import Bench, Fate
from vhint_conformance.case import Capability, case
from vhint_conformance.cases.malformed import INFLATE, MALFORMED, offer, unusable
from vhint_conformance.cases.raw import as_split, put_chain
from vhint_conformance.cases.tools import (
    excuse_silence,
    need_modern,
    need_untouched,
    not_silent,
    pfns,
)
from vhint_conformance.variants import Rings
from vhint_conformance.verdict import NotApplicable

ANSWERED = {f"ring.device.malformed-{middle}-answered" for _, middle in MALFORMED.values()}


@pytest.mark.parametrize("kind", MALFORMED)
@case(
    "ring.device.malformed-contained",
    "ring.device.recovers-by-reset",
    "virtio.device.needs-reset-recovers",
    id="ring.malformed-harmless",
)
def test_harmless(bench: Bench, kind: str) -> None:
    """A malformed chain changes nothing, and after a reset everything works."""
    without = [] if "indirect" in kind else [Feature.INDIRECT_DESC]
    bench.start(without=without)
    offer(bench, kind)
    fate = bench.fate(INFLATE)
    bench.observations["fate"] = fate
    bench.reset()
    bench.start()
    status = bench.status()
    bench.require(
        DeviceStatus.NEEDS_RESET not in status,
        "virtio.device.needs-reset-recovers",
        expected="DEVICE_NEEDS_RESET clear after a reset and a new initialisation",
        seen=repr(status),
    )
    slug = "ring.device.recovers-by-reset"
    if fate is Fate.NEEDS_RESET:
        slug = "virtio.device.needs-reset-recovers"
    for _ in range(3):
        bench.exchange(requests.inflate(pfns(bench, 2)), slug)


@pytest.mark.parametrize("kind", MALFORMED)
@case(*sorted(ANSWERED), id="ring.malformed-answered")
def test_answered(bench: Bench, kind: str) -> None:
    """A malformed chain is used, or a reset is asked for; it is not met with silence."""
    bench.start()
    slug = bench.stake = f"ring.device.malformed-{MALFORMED[kind][1]}-answered"
    offer(bench, kind)
    if MALFORMED[kind][1] == "head" and bench.fate(INFLATE) is Fate.SILENCE:
        bench.send(requests.inflate(pfns(bench, 1)))
        if not bench.waits(INFLATE):
            excuse_silence(bench)
        bench.answer(INFLATE, slug)  # it went on: that will do
    else:
        not_silent(bench, INFLATE, slug)


@case(
    "virtio.device.needs-reset-notified",
    id="virtio.needs-reset-notified",
    capabilities=[Capability.ASKS_FOR_RESET],
)
def test_needs_reset_notified(bench: Bench) -> None:
    """DEVICE_NEEDS_RESET comes with a configuration change notification."""
    bench.start()
    bench.transport.take_interrupts()
    offer(bench, unusable(bench))
    if bench.fate(INFLATE) is not Fate.NEEDS_RESET:
        raise NotApplicable("the device did not ask for a reset")
    seen = bench.transport.wait(
        lambda: bench.transport.take_interrupts().config, bench.limits.patience
    )
    bench.require(
        seen,
        "virtio.device.needs-reset-notified",
        expected="a configuration change notification with DEVICE_NEEDS_RESET",
        seen="none",
    )


@case(
    "virtio.device.needs-reset-set",
    id="virtio.needs-reset-set",
    capabilities=[Capability.ASKS_FOR_RESET],
)
def test_needs_reset_set(bench: Bench) -> None:
    """A queue that is broken beyond use makes the device ask for a reset."""
    bench.start()
    offer(bench, unusable(bench))
    not_silent(bench, INFLATE, "virtio.device.needs-reset-set")


@case("ring.device.malformed-avail-jump-survived", id="ring.available-jump")
def test_available_jump(bench: Bench) -> None:
    """An available index that runs ahead by more than the queue costs at most a queue of work."""
    bench.start(queue_size=8)
    ring = as_split(bench.driver.rings[INFLATE])
    bench.exchange(requests.inflate(pfns(bench, 1)))
    bench.memory.store16(ring.layout.available_index_at, ring.available_index + 1000)
    bench.notify(INFLATE)
    bench.transport.settle()
    served = (ring.used_index - 1) & 0xFFFF
    asked = bool(bench.transport.read_status() & DeviceStatus.NEEDS_RESET)
    bench.observations["served"] = served
    bench.reset()
    bench.require(
        asked or served <= ring.layout.size,
        "ring.device.malformed-avail-jump-survived",
        expected="DEVICE_NEEDS_RESET, or at most 8 chains used",
        seen=f"{served} chains used",
    )


@case("ring.device.malformed-other-queues-alive", id="ring.other-queues-alive")
def test_other_queues(bench: Bench) -> None:
    """A malformed chain on one queue leaves the others working, unless a reset is asked for."""
    bench.start()
    offer(bench, "buffer-outside")
    fate = bench.fate(INFLATE)
    if fate is Fate.NEEDS_RESET:
        raise NotApplicable("the device asked for a reset")
    if fate is Fate.SILENCE:
        excuse_silence(bench)
    bench.exchange(requests.deflate(pfns(bench, 1)), "ring.device.malformed-other-queues-alive")


@pytest.mark.parametrize("count", [1, 4096])
@case("ring.device.malformed-bounded-work", id="ring.bounded-work")
def test_bounded_work(bench: Bench, count: int) -> None:
    """A request that names one page thousands of times is answered in time."""
    bench.start()
    (page,) = pfns(bench, 1)
    draft = requests.inflate([page] * count)
    bench.exchange(draft, "ring.device.malformed-bounded-work")


@case(
    "ring.device.malformed-contained",
    "ring.device.recovers-by-reset",
    id="ring.next-behind-table",
    capabilities=[Capability.CHOOSES_QUEUE_SIZES],
    rings=[Rings.SPLIT],
)
def test_next_behind(bench: Bench) -> None:
    """What looks like a descriptor right behind the table is none, though a chain leads there."""
    need_modern(bench, "choice of a queue's size")
    # Without events nothing but its entries depends on where a ring ends.
    driver = bench.start(queue_size=16, without=[Feature.EVENT_IDX], live=False)
    bench.need_entries(INFLATE, 4)
    ring = as_split(driver.rings[INFLATE])
    half = replace(ring.layout, size=ring.layout.size // 2)
    index = driver.negotiated.queues[INFLATE].index
    bench.observations["set_up"] = bench.transport.set_up_queue(index, half)
    bench.go_live()
    named, behind = requests.inflate(pfns(bench, 2)), requests.inflate(pfns(bench, 2))
    (first,), (second,) = driver.place(named.readable), driver.place(behind.readable)
    head = put_chain(ring, Descriptor(*first, DescriptorFlag.NEXT, half.size))
    ring.put_descriptor(half.size, Descriptor(*second))
    driver.note(Draft(INFLATE, blocks=named.blocks), head, (), (), valid=False)
    bench.memory.release(named.blocks)
    bench.publish(INFLATE)
    bench.fate(INFLATE)
    slug = "ring.device.malformed-contained"
    need_untouched(bench, behind.blocks, slug, "the pages of what is behind the table discarded")
    bench.reset()
    bench.start()
    bench.exchange(requests.inflate(pfns(bench, 2)), "ring.device.recovers-by-reset")
