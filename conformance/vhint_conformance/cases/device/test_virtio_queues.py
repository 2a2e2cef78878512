"""Queues: their sizes, their numbers, and those that do not exist."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from vhint.guest import Answer, Draft, requests
from vhint.ring import driver_ring
from vhint.wire import hint_ack
from vhint.wire.features import Feature, Features
from vhint.wire.queues import Queue, queue_map
from vhint.wire.status import DeviceStatus
from vhint_conformance.bench import Bench
from vhint_conformance.case import Capability, case
from vhint_conformance.cases.tools import pfns
from vhint_conformance.variants import NO_RINGS
from vhint_conformance.verdict import NotApplicable


@case(
    "virtio.device.reset-disables-queues",
    id="virtio.reset-disables-queues",
    capabilities=[Capability.SHOWS_QUEUE_READY],
    rings=NO_RINGS,
)
def test_reset_disables_queues(bench: Bench) -> None:
    """No queue is ready after a reset."""
    queues = bench.start().negotiated.queues
    bench.reset()
    for queue, set_up in queues.items():
        bench.require(
            not bench.transport.queue_ready(set_up.index),
            "virtio.device.reset-disables-queues",
            expected="QueueReady 0 after a reset",
            seen="1",
            where=f"{queue} queue",
        )


@case(
    "virtio.device.queue-size-power-of-two",
    id="virtio.queue-sizes",
    capabilities=[Capability.SHOWS_QUEUE_SIZES],
    rings=NO_RINGS,
)
def test_queue_sizes(bench: Bench) -> None:
    """The largest size of every queue is a power of two up to 32768."""
    offered = bench.offered
    for queue, index in queue_map(bench.queue_mode, offered, offered).items():
        size = bench.transport.queue_max(index)
        bench.require(
            0 < size <= 32768 and not size & (size - 1),
            "virtio.device.queue-size-power-of-two",
            expected="a power of two up to 32768",
            seen=str(size),
            where=f"{queue} queue",
        )


@case(
    "virtio.device.absent-queue-size-zero",
    id="virtio.absent-queue",
    capabilities=[Capability.SHOWS_QUEUE_SIZES],
    rings=NO_RINGS,
)
def test_absent_queue(bench: Bench) -> None:
    """A queue that does not exist shows size 0."""
    offered = bench.offered
    beyond = max(queue_map(bench.queue_mode, offered, offered).values()) + 1
    for index in (beyond, beyond + 1, 100):
        size = bench.transport.queue_max(index)
        bench.require(
            size == 0,
            "virtio.device.absent-queue-size-zero",
            expected="size 0",
            seen=str(size),
            where=f"queue {index}",
        )


@pytest.mark.parametrize("size", [1, 2, 4, 64])
@case("virtio.device.smaller-queue-size-honoured", id="virtio.small-queue")
def test_small_queue(bench: Bench, size: int) -> None:
    """Queues work, past their end and round again, at sizes the driver chooses."""
    bench.start(queue_size=size)
    for pfn in pfns(bench, 2 * size + 3):
        bench.exchange(requests.inflate([pfn]), "virtio.device.smaller-queue-size-honoured")


@case("balloon.device.queue-first-two", id="balloon.queue-first-two")
def test_first_queues(bench: Bench) -> None:
    """Inflate is queue 0 and deflate queue 1."""
    driver = bench.start(accept=Features.of(Feature.VERSION_1))
    (page,) = pfns(bench, 1)
    for queue, draft in (
        (Queue.INFLATE, requests.inflate([page])),
        (Queue.DEFLATE, requests.deflate([page])),
    ):
        bench.require(
            driver.negotiated.queues[queue].index == list(Queue).index(queue),
            "balloon.device.queue-first-two",
            expected=f"{queue} at index {list(Queue).index(queue)}",
            seen=str(driver.negotiated.queues[queue].index),
        )
        bench.exchange(draft, "balloon.device.queue-first-two")


@case("balloon.device.queue-map-follows-offer", id="balloon.queue-map")
def test_queue_map(bench: Bench) -> None:
    """Every queue answers at the number that the offered features give it."""
    driver = bench.start()
    drafts: dict[Queue, Callable[[], Draft]] = {
        Queue.INFLATE: lambda: requests.inflate(pfns(bench, 1)),
        Queue.REPORTING: lambda: requests.report(bench.blocks(1)),
        Queue.HINTING: lambda: requests.hint_blocks(1, []),
    }
    for queue, draft in drafts.items():
        if queue in driver.rings:
            answer = bench.exchange(draft(), "balloon.device.queue-map-follows-offer")
            if queue is Queue.HINTING:
                need_hinting(bench, answer)
    bench.observations["queues"] = {
        str(queue): set_up.index for queue, set_up in driver.negotiated.queues.items()
    }


@pytest.mark.parametrize("queue", ["reporting", "hinting"])
@case(
    "balloon.device.queue-map-follows-offer",
    "hint.device.queue-index",
    id="balloon.queue-map-alone",
)
def test_queue_map_alone(bench: Bench, queue: str) -> None:
    """A page queue keeps its number when its feature is accepted without those before it."""
    name = Queue(queue)
    feature = Feature.HINTING if name is Queue.HINTING else Feature.PAGE_REPORTING
    if feature not in bench.offered:
        raise NotApplicable(f"{feature.name} is not offered")
    bench.start(accept=Features.of(Feature.VERSION_1, feature))
    slug = (
        "hint.device.queue-index"
        if name is Queue.HINTING
        else "balloon.device.queue-map-follows-offer"
    )
    empty = requests.hint_blocks(1, [])
    draft = empty if name is Queue.HINTING else requests.report(bench.blocks(1))
    answer = bench.exchange(draft, slug)
    if name is Queue.HINTING:
        need_hinting(bench, answer)


def need_hinting(bench: Bench, answer: Answer) -> None:
    """Fail unless the hinting queue, and no other, has answered."""
    bench.require(
        answer.length >= hint_ack.HEADER_SIZE,
        "hint.device.queue-index",
        expected="an acknowledgement, as the hinting queue gives one",
        seen=f"a used length of {answer.length}",
    )


@case(
    "balloon.device.unaccepted-queue-idle",
    id="balloon.unaccepted-queue",
    capabilities=[Capability.NOTIFIES_ANY_QUEUE],
)
def test_unaccepted_queue(bench: Bench) -> None:
    """A chain on the reporting queue is left alone when reporting was not accepted."""
    if Feature.PAGE_REPORTING not in bench.offered:
        raise NotApplicable("PAGE_REPORTING is not offered")
    index = queue_map(bench.queue_mode, bench.offered, bench.offered)[Queue.REPORTING]
    driver = bench.start(without=[Feature.PAGE_REPORTING], live=False)
    if index in {each.index for each in driver.negotiated.queues.values()}:
        raise NotApplicable(f"queue {index} is another one without PAGE_REPORTING")
    size = bench.transport.queue_max(index) if bench.transport.legacy else 8
    layout = bench.lay_out(driver.arena, size)
    ring = driver_ring(bench.memory, layout, event_idx=False)
    blocks = bench.blocks(2)
    head = ring.add((), blocks)
    draft = Draft(Queue.REPORTING, blocks=blocks, pages_are_buffers=True)
    driver.note(draft, head, (), blocks, valid=False)
    bench.memory.release(blocks)
    ring.publish()
    bench.memory.release(layout.device_written)
    bench.observations["set_up"] = bench.transport.set_up_queue(index, layout)
    bench.go_live()
    bench.transport.notify(index)
    bench.exchange(requests.inflate(pfns(bench, 1)))
    bench.transport.settle()
    bench.require(
        not ring.used_index and not bench.status() & DeviceStatus.NEEDS_RESET,
        "balloon.device.unaccepted-queue-idle",
        expected="the chain and the notification to be ignored",
        seen=f"{ring.used_index} chains used, {bench.status()!r}",
    )
