"""Used buffer notifications: when there is one, and when the driver is left in peace."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from vhint.guest import Draft, requests
from vhint.ring import DriverRing, PackedDriverQueue
from vhint.wire.features import Feature
from vhint.wire.queues import QUEUE_FEATURE, Queue
from vhint.wire.statistics import Statistic, StatisticTag
from vhint_conformance.bench import Bench
from vhint_conformance.case import Capability, case
from vhint_conformance.cases.raw import as_split, ask_interrupt
from vhint_conformance.cases.tools import expect_interrupt, pfns
from vhint_conformance.verdict import NotApplicable

INFLATE = Queue.INFLATE


@case("ring.device.flags-zero-notifies", id="ring.interrupt")
def test_interrupt(bench: Bench) -> None:
    """Without EVENT_IDX a used buffer is notified while the driver's flags are 0."""
    bench.start(without=[Feature.EVENT_IDX])
    bench.transport.take_interrupts()
    for _ in range(3):
        bench.exchange(requests.inflate(pfns(bench, 1)))
        expect_interrupt(bench, "ring.device.flags-zero-notifies")


@pytest.mark.parametrize("event_idx", [True, False], ids=["event-idx", "flag"])
@case(
    "ring.device.flags-zero-notifies",
    "ring.device.event-idx-notifies",
    id="ring.interrupt-after-use",
)
def test_interrupt_after_use(bench: Bench, event_idx: bool) -> None:
    """A notification tells of a buffer that is used: one that came too early has to come again."""
    if event_idx and Feature.EVENT_IDX not in bench.offered:
        raise NotApplicable("EVENT_IDX is not offered")
    ring = bench.start(without=[] if event_idx else [Feature.EVENT_IDX]).rings[INFLATE]
    slug = f"ring.device.{'event-idx' if event_idx else 'flags-zero'}-notifies"
    for _ in range(5):
        if event_idx:
            ask_interrupt(ring)
        bench.transport.take_interrupts()
        bench.send(requests.inflate(pfns(bench, 1)))
        expect_interrupt(bench, slug)
        if not bench.driver.look(INFLATE, bench.recorder.last):
            bench.waits(INFLATE)
            expect_interrupt(bench, slug, "a buffer that was used after the notification")
        bench.answer(INFLATE)


@case("ring.device.used-event-ignored", id="ring.used-event-ignored")
def test_used_event_ignored(bench: Bench) -> None:
    """Without EVENT_IDX the field used_event means nothing."""
    driver = bench.start(without=[Feature.EVENT_IDX])
    as_split(driver.rings[INFLATE]).put_used_event(0x7000)
    for _ in range(3):
        bench.exchange(requests.inflate(pfns(bench, 1)))
        expect_interrupt(bench, "ring.device.used-event-ignored")


@case(
    "ring.device.used-event-ignored",
    "ring.device.flags-zero-notifies",
    id="ring.event-idx-forgotten",
    features=[Feature.EVENT_IDX],
)
def test_event_idx_forgotten(bench: Bench) -> None:
    """An EVENT_IDX that was accepted before a reset counts no more after it."""
    bench.start()
    bench.exchange(requests.inflate(pfns(bench, 1)))
    bench.reset()
    ring = bench.start(without=[Feature.EVENT_IDX]).rings[INFLATE]
    slug = "ring.device.flags-zero-notifies"
    if not isinstance(ring, PackedDriverQueue):
        ask_interrupt(ring)  # whoever goes by it notifies now, and must do without it as well
        bench.exchange(requests.inflate(pfns(bench, 1)))
        expect_interrupt(bench, slug)
        as_split(ring).put_used_event(0x7000)
        slug = "ring.device.used-event-ignored"
    for _ in range(3):
        bench.exchange(requests.inflate(pfns(bench, 1)))
        expect_interrupt(bench, slug)


@pytest.mark.parametrize("event_idx", [True, False], ids=["event-idx", "flag"])
@case(
    "ring.device.flags-zero-notifies",
    "ring.device.event-idx-notifies",
    id="ring.interrupt-each-life",
)
def test_interrupt_each_life(bench: Bench, event_idx: bool) -> None:
    """Used buffers are notified in every life, whatever size the queue had in the one before."""
    if event_idx and Feature.EVENT_IDX not in bench.offered:
        raise NotApplicable("EVENT_IDX is not offered")
    slug = f"ring.device.{'event-idx' if event_idx else 'flags-zero'}-notifies"
    chooses = Capability.CHOOSES_QUEUE_SIZES in bench.session.capabilities
    for size in (64, 16, 64):
        driver = bench.start(
            queue_size=size if chooses else None,
            without=[] if event_idx else [Feature.EVENT_IDX],
        )
        for _ in range(3):
            if event_idx:
                ask_interrupt(driver.rings[INFLATE])
            bench.transport.take_interrupts()
            bench.exchange(requests.inflate(pfns(bench, 1)))
            expect_interrupt(bench, slug, f"queue of {driver.rings[INFLATE].layout.size}")
        bench.reset()


@case("ring.device.flags-one-quiet", id="ring.interrupt-suppressed")
def test_interrupt_suppressed(bench: Bench) -> None:
    """Without EVENT_IDX the device is quiet while the driver's flags are 1, whenever that is."""
    ring = bench.start(without=[Feature.EVENT_IDX]).rings[INFLATE]
    for suppressed in (True, False, True):
        ring.suppress_interrupts(suppressed)
        bench.transport.take_interrupts()
        bench.exchange(requests.inflate(pfns(bench, 1)))
        bench.transport.settle()
        bench.require(
            not (suppressed and bench.transport.take_interrupts().used),
            "ring.device.flags-one-quiet",
            expected="no notification",
            seen="one",
        )


@case("ring.device.flags-zero-notifies", id="ring.interrupt-again")
def test_interrupt_again(bench: Bench) -> None:
    """The flag counts as it is when a buffer is used: a driver may ask again at any time."""
    ring = bench.start(without=[Feature.EVENT_IDX]).rings[INFLATE]
    for suppressed in (True, False, True, False):
        ring.suppress_interrupts(suppressed)
        bench.transport.take_interrupts()
        bench.exchange(requests.inflate(pfns(bench, 1)))
        if not suppressed:
            expect_interrupt(bench, "ring.device.flags-zero-notifies")


@case(
    "ring.device.event-idx-notifies",
    id="ring.event-idx",
    features=[Feature.EVENT_IDX],
)
def test_event_idx(bench: Bench) -> None:
    """With EVENT_IDX the entry that used_event names is notified."""
    driver = bench.start()
    ring = driver.rings[INFLATE]
    for round_ in range(5):
        ask_interrupt(ring)
        bench.transport.take_interrupts()
        bench.exchange(requests.inflate(pfns(bench, 1)))
        expect_interrupt(bench, "ring.device.event-idx-notifies", f"entry {round_}")


@case(
    "ring.device.event-idx-notifies",
    id="ring.event-idx-batch",
    features=[Feature.EVENT_IDX],
)
def test_event_idx_batch(bench: Bench) -> None:
    """With EVENT_IDX an entry in the middle of a batch is notified."""
    driver = bench.start()
    ring = driver.rings[INFLATE]
    bench.transport.take_interrupts()
    many = bench.fitting(INFLATE, 10)
    ask_interrupt(ring, many // 2)
    for _ in range(many):
        bench.send(requests.inflate(pfns(bench, 1)), notify=False)
    bench.notify(INFLATE)
    for _ in range(many):
        bench.answer(INFLATE)
    where = f"entry {many // 2} of {many}"
    expect_interrupt(bench, "ring.device.event-idx-notifies", where)


@case("ring.device.event-idx-quiet", id="ring.event-idx-quiet", features=[Feature.EVENT_IDX])
def test_event_idx_quiet(bench: Bench) -> None:
    """With EVENT_IDX the device is quiet about entries that used_event does not name.

    It names one that is far ahead first, and then one that was used, and notified, before.
    """
    ring = as_split(bench.start().rings[INFLATE])
    ring.put_used_event(1000)
    for event in ("ahead", "behind"):
        bench.transport.settle()
        bench.transport.take_interrupts()
        bench.exchange(requests.inflate(pfns(bench, 1)))
        bench.exchange(requests.inflate(pfns(bench, 1)))
        bench.transport.settle()
        bench.require(
            not bench.transport.take_interrupts().used,
            "ring.device.event-idx-quiet",
            expected="no notification",
            seen="one",
            where=f"used_event {event}",
        )
        ask_interrupt(ring)
        bench.exchange(requests.inflate(pfns(bench, 1)))  # and leave the field as it is


@case(
    "ring.device.event-idx-flag-ignored",
    id="ring.event-idx-flag",
    features=[Feature.EVENT_IDX],
)
def test_event_idx_flag(bench: Bench) -> None:
    """With EVENT_IDX the driver's flags mean nothing."""
    driver = bench.start()
    ring = as_split(driver.rings[INFLATE])
    ring.suppress_interrupts(True)
    ring.put_used_event(ring.used_index)
    bench.transport.take_interrupts()
    bench.exchange(requests.inflate(pfns(bench, 1)))
    expect_interrupt(bench, "ring.device.event-idx-flag-ignored")


def use_one(bench: Bench, queue: Queue) -> None:
    """Have the device use one chain of a queue."""
    if queue is Queue.STATS:
        bench.need(Capability.POLLS_STATISTICS)
        bench.send(requests.give_statistics([Statistic(StatisticTag.MEMFREE, 1)]))
        bench.transport.settle()  # the device must have the buffer that it asks with
        bench.control.poll_statistics()
        bench.answer(queue)
        return
    drafts: dict[Queue, Callable[[], Draft]] = {
        Queue.INFLATE: lambda: requests.inflate(pfns(bench, 1)),
        Queue.DEFLATE: lambda: requests.deflate(pfns(bench, 1)),
        Queue.REPORTING: lambda: requests.report(bench.blocks(1)),
        Queue.HINTING: lambda: requests.hint_blocks(1, []),
    }
    bench.exchange(drafts[queue]())


def start_with(bench: Bench, queue: Queue, *without: Feature) -> DriverRing:
    """Start the device and return the queue, if there is one."""
    feature = QUEUE_FEATURE[queue]
    if feature is not None and feature not in bench.offered:
        raise NotApplicable(f"{feature.name} is not offered")
    return bench.start(without=without).rings[queue]


OTHER_QUEUES = (Queue.DEFLATE, Queue.STATS, Queue.REPORTING, Queue.HINTING)


@pytest.mark.parametrize("queue", OTHER_QUEUES, ids=str)
@case("ring.device.flags-zero-notifies", id="ring.interrupt-other-queues")
def test_interrupt_each(bench: Bench, queue: Queue) -> None:
    """Without EVENT_IDX a used buffer is notified on every queue, not just on the first."""
    start_with(bench, queue, Feature.EVENT_IDX)
    bench.transport.take_interrupts()
    use_one(bench, queue)
    expect_interrupt(bench, "ring.device.flags-zero-notifies", f"{queue} queue")


@pytest.mark.parametrize("queue", OTHER_QUEUES, ids=str)
@case(
    "ring.device.event-idx-notifies",
    id="ring.event-idx-other-queues",
    features=[Feature.EVENT_IDX],
)
def test_event_idx_each(bench: Bench, queue: Queue) -> None:
    """With EVENT_IDX the entry that used_event names is notified on every queue."""
    ring = start_with(bench, queue)
    ask_interrupt(ring)
    bench.transport.take_interrupts()
    use_one(bench, queue)
    expect_interrupt(bench, "ring.device.event-idx-notifies", f"{queue} queue")


@case("ring.device.used-flags-valid", id="ring.used-flags")
def test_used_flags(bench: Bench) -> None:
    """Without EVENT_IDX the used ring's flags are 0 or 1."""
    check_used_flags(bench, [Feature.EVENT_IDX], {0, 1}, "ring.device.used-flags-valid")


@case(
    "ring.device.event-idx-used-flags-zero",
    id="ring.event-idx-used-flags",
    features=[Feature.EVENT_IDX],
)
def test_event_idx_used_flags(bench: Bench) -> None:
    """With EVENT_IDX the used ring's flags are 0."""
    check_used_flags(bench, [], {0}, "ring.device.event-idx-used-flags-zero")


def check_used_flags(
    bench: Bench, without: list[Feature], allowed: set[int], requirement: str
) -> None:
    """Fail if the flags of a used ring are ever anything else."""
    driver = bench.start(without=without)
    ring = driver.rings[INFLATE]
    for _ in range(5):
        flags = bench.memory.load16(ring.layout.used)
        bench.require(
            flags in allowed, requirement, expected=f"flags in {allowed}", seen=str(flags)
        )
        bench.exchange(requests.inflate(pfns(bench, 1)))
