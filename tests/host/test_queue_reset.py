"""Resetting one queue while the device lives (RING_RESET)."""

from __future__ import annotations

import pytest

from tests.host.hint_requests import command, hint, pfns
from tests.host.host_tools import AREA, RINGS, Host, host, page
from vhint.host import ALL_FEATURES, DeviceOptions
from vhint.host.hint_round import State
from vhint.ring import SplitDriverQueue, SplitLayout
from vhint.spans import PAGE, Span
from vhint.wire.features import Feature, Features
from vhint.wire.queues import Queue

FIRST = AREA.start // PAGE
OFFERED = ALL_FEATURES | Features.of(Feature.RING_RESET)
OPTIONS = DeviceOptions(offered=OFFERED)


def again(made: Host, queue: Queue, size: int = 16) -> None:
    index = made.index(queue)
    layout = SplitLayout.at(RINGS + 0x4000 * index, size)
    made.rings[queue] = SplitDriverQueue(made.memory, layout, event_idx=False)
    assert made.device.set_up_queue(index, layout)


def load(made: Host) -> None:
    made.offer(Queue.HINTING, [hint((FIRST, 0))], made.room(17))
    made.offer(Queue.HINTING, [hint((FIRST + 2, 0))], made.room(17))


with host(OPTIONS) as _counted:
    load(_counted)
    STEPS = _counted.run()


@pytest.mark.parametrize("steps", range(STEPS + 1))
def test_nothing_of_a_reset_queue_is_discarded_used_or_notified(steps: int) -> None:
    with host(OPTIONS) as made:
        load(made)
        for _ in range(steps):
            made.device.step()
        index = made.index(Queue.HINTING)
        used = Span(made.rings[Queue.HINTING].layout.used, 64)
        assert made.device.reset_queue(index)
        before = made.memory.peek(used)
        made.device.take_interrupts()
        made.fill()
        assert not made.device.queue_ready(index)
        made.device.notify(index)
        made.run()
        assert made.discarded() == set()
        assert made.memory.peek(used) == before
        assert not made.device.take_interrupts()[0]
        again(made, Queue.HINTING)
        made.offer(Queue.HINTING, [hint((FIRST + 8, 0))], made.room(17))
        made.run()
        assert made.discarded() == {FIRST + 8}
        assert made.used(Queue.HINTING) is not None


def test_other_queues_go_on() -> None:
    with host(OPTIONS) as made:
        made.offer(Queue.REPORTING, writable=[page(FIRST)])
        made.device.step(Queue.REPORTING)
        made.device.step(Queue.REPORTING)
        made.device.reset_queue(made.index(Queue.HINTING))
        made.run()
        assert made.discarded() == {FIRST}


def test_a_hinting_round_ends_with_its_queue() -> None:
    with host(OPTIONS) as made:
        number = made.device.start_round()
        assert number is not None
        made.offer(Queue.FREE_PAGE, [command(number)], [page(FIRST)])
        made.run()
        made.device.take_interrupts()
        made.device.reset_queue(made.index(Queue.FREE_PAGE))
        assert made.device.round is State.DONE
        assert made.device.take_interrupts()[1]
        assert made.device.start_round() is None  # there is nowhere to answer
        again(made, Queue.FREE_PAGE)
        assert made.device.start_round() is not None


def test_a_held_statistics_buffer_is_let_go() -> None:
    with host(OPTIONS) as made:
        made.offer(Queue.STATS, [bytes(10)])
        made.run()
        made.device.reset_queue(made.index(Queue.STATS))
        assert not made.device.poll_statistics()


@pytest.mark.parametrize("queue", [Queue.INFLATE, Queue.DEFLATE])
def test_parts_of_host_pages_are_forgotten(queue: Queue) -> None:
    options = DeviceOptions(offered=OFFERED, host_page=2 * PAGE, hint_min_order=1)
    with host(options) as made:
        made.offer(Queue.INFLATE, [pfns(FIRST)])
        made.run()
        made.device.reset_queue(made.index(queue))
        again(made, queue)
        made.offer(Queue.INFLATE, [pfns(FIRST + 1)])
        made.run()
        assert made.discarded() == set()
        made.offer(Queue.DEFLATE, [pfns(FIRST + 1)])
        made.run()
        made.offer(Queue.INFLATE, [pfns(FIRST)])
        made.run()
        assert made.discarded() == set()  # both queues still see one balloon


def test_a_queue_in_use_is_not_set_up_again() -> None:
    with host(OPTIONS) as made:
        layout = SplitLayout.at(RINGS + 0x2000, 16)
        made.device.set_up_queue(0, layout)
        made.offer(Queue.INFLATE, [pfns(FIRST)])
        made.run()
        assert made.used(Queue.INFLATE) is not None


def test_a_queue_outside_memory_needs_a_reset() -> None:
    with host(OPTIONS) as made:
        made.device.reset_queue(0)
        made.device.set_up_queue(0, SplitLayout.at(1 << 40, 16))
        assert made.needs_reset
        assert not made.device.reset_queue(1)


@pytest.mark.parametrize("index", [-1, 6, 99])
def test_no_such_queue(index: int) -> None:
    with host(OPTIONS) as made:
        assert not made.device.reset_queue(index)


def test_without_the_feature_there_is_no_queue_reset() -> None:
    with host(OPTIONS, ALL_FEATURES) as made:
        assert not made.device.reset_queue(0)
        made.offer(Queue.INFLATE, [pfns(FIRST)])
        made.run()
        assert made.used(Queue.INFLATE) is not None
