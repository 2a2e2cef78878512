"""Reset at any point, broken rings, statistics: what the device holds and lets go."""

from __future__ import annotations

import struct

import pytest

from tests.host.hint_requests import command, hint, pfns
from tests.host.host_tools import AREA, FILL, Host, free_pages, host, page
from vhint.host import ALL_FEATURES, Device, KeepEverything
from vhint.ring import Completion, SplitLayout
from vhint.spans import PAGE, Span
from vhint.wire.features import Feature, Features
from vhint.wire.queues import Queue

FIRST = AREA.start // PAGE


def load(made: Host) -> None:
    """Give every queue something to do, twice where that makes a difference."""
    made.offer(Queue.INFLATE, [pfns(FIRST, FIRST + 1)])
    made.offer(Queue.DEFLATE, [pfns(FIRST)])
    made.offer(Queue.STATS, [struct.pack("<HQ", 4, 99)])
    number = made.device.start_round()
    assert number is not None
    made.offer(Queue.FREE_PAGE, [command(number)], [Span(AREA.start + 0x20000, 0x2000)])
    made.offer(Queue.FREE_PAGE, [command(0)])
    made.offer(Queue.REPORTING, writable=[Span(AREA.start + 0x4000, 0x2000)])
    made.offer(Queue.HINTING, [hint((FIRST + 8, 1))], made.room(17))
    made.offer(Queue.HINTING, [hint((FIRST + 16, 2))], made.room(17))


with host() as _counted:
    load(_counted)
    STEPS = _counted.run()
    ALL_GONE = _counted.discarded()


def test_the_load_has_many_steps_and_discards() -> None:
    offsets = [0, 1, 4, 5, 8, 9, *range(16, 20)]
    assert {FIRST + offset for offset in offsets} == ALL_GONE
    assert STEPS > 12


def test_private_memory_is_given_back_all_the_same() -> None:
    with host(private=True) as made:
        load(made)
        assert made.run() == STEPS
        assert made.discarded() == ALL_GONE
        assert made.intact(free_pages() - ALL_GONE)


@pytest.mark.parametrize("steps", range(STEPS + 1))
def test_after_a_reset_nothing_is_discarded_or_used(steps: int) -> None:
    with host() as made:
        load(made)
        for _ in range(steps):
            assert made.device.step()
        made.device.write_status(0)
        assert made.device.idle
        rings = [
            Span(ring.layout.used, ring.layout.used_span.length) for ring in made.rings.values()
        ]
        before = [made.memory.peek(span) for span in rings]
        made.fill()
        assert not made.device.step()
        assert not made.device.poll_statistics()
        assert made.discarded() == set()
        assert [made.memory.peek(span) for span in rings] == before
        made.start()  # and it works again
        load(made)
        assert made.run() == STEPS
        assert made.discarded() == ALL_GONE


@pytest.mark.parametrize("steps", range(STEPS + 1))
def test_a_page_is_only_gone_between_offer_and_use(steps: int) -> None:
    """Whatever was discarded when the buffer is used, no more goes after it."""
    with host() as made:
        load(made)
        for _ in range(steps):
            made.device.step()
        answered = {queue: made.rings[queue].pending for queue in made.rings}
        given_back = {FIRST + 4, FIRST + 5} if answered[Queue.REPORTING] else set()
        if answered[Queue.HINTING]:
            given_back |= {FIRST + 8, FIRST + 9}
        for pfn in given_back:
            assert pfn in made.discarded()
            made.memory.write(page(pfn).start, FILL * PAGE)
        made.run()
        assert made.intact(given_back)


def test_steps_can_be_taken_queue_by_queue() -> None:
    with host() as made:
        load(made)
        while made.device.step(Queue.REPORTING):
            pass
        assert made.discarded() == {FIRST + 4, FIRST + 5}
        assert [queue for queue, ring in made.rings.items() if ring.pending] == [Queue.REPORTING]
        assert not made.device.idle


def test_a_request_is_copied_before_it_is_judged() -> None:
    with host() as made:
        made.run()
        made.offer(Queue.HINTING, [hint((FIRST, 0), cookie=5)], made.room(17))
        request = Span(0x40000 + 0x1000, 32)  # room came first
        assert made.memory.read(request) == hint((FIRST, 0), cookie=5)
        made.device.step()  # takes the chain
        made.device.step()  # has read it
        made.memory.write(request.start, hint((FIRST + 64, 0), cookie=6))
        made.run()
        assert made.discarded() == {FIRST}
        assert made.memory.read(Span(0x40000, 8)) == struct.pack("<Q", 5)


def test_work_starts_with_driver_ok_and_without_a_notification() -> None:
    made = Host()
    made.start(upto=11)
    made.fill()
    made.offer(Queue.REPORTING, writable=[page(FIRST)])
    assert made.device.idle
    assert not made.device.step()
    made.device.write_status(15)
    made.run()
    assert made.discarded() == {FIRST}
    made.close()


def test_without_features_ok_nothing_is_processed() -> None:
    made = Host()
    made.start(upto=11)
    made.device.write_status(0)
    for value in (1, 3, 7):
        made.device.write_status(value)
    made.fill()
    assert not made.device.step()
    made.close()


@pytest.mark.parametrize("number", [6, 7, 0xFFFF, -1])
def test_a_notification_for_no_queue_means_nothing(number: int) -> None:
    with host() as made:
        made.run()
        made.device.notify(number)
        assert made.device.idle


@pytest.mark.parametrize("queue", list(Queue))
def test_a_broken_ring_stops_the_device_until_reset(queue: Queue) -> None:
    with host() as made:
        if queue not in made.rings:
            return
        made.run()
        made.device.take_interrupts()
        load(made)
        ring = made.rings[queue]
        made.memory.store16(ring.layout.available_index_at, 0x8000)
        made.run()
        assert made.needs_reset
        assert f"{queue} queue" in (made.device.last_error or "")
        assert made.device.take_interrupts()[1]
        gone = made.discarded()
        made.fill()
        for index in range(7):
            made.device.notify(index)
        made.device.write_status(15)
        assert not made.device.step()
        assert not made.device.poll_statistics()
        assert made.discarded() == set()
        assert gone <= ALL_GONE
        made.start()
        assert not made.needs_reset
        load(made)
        made.run()
        assert made.discarded() == ALL_GONE


def test_a_queue_outside_memory_needs_a_reset_at_driver_ok() -> None:
    made = Host()
    made.start(upto=11)
    made.device.set_up_queue(0, SplitLayout.at(1 << 40, 64))
    made.device.write_status(15)
    assert made.needs_reset
    assert made.device.take_interrupts()[1]
    assert made.device.idle
    made.close()


def test_empty_buffers_anywhere_are_fine() -> None:
    nowhere = Span(2**64 - 1, 0)
    with host() as made:
        request = made.put([hint((FIRST, 0))])
        room = made.room(8, 9)
        ring = made.rings[Queue.HINTING]
        ring.add([nowhere, *request, nowhere], [nowhere, room[0], nowhere, room[1]])
        ring.publish()
        made.rings[Queue.REPORTING].add([], [nowhere, page(FIRST + 1)])
        made.rings[Queue.REPORTING].publish()
        made.rings[Queue.INFLATE].add([nowhere], [])
        made.rings[Queue.INFLATE].publish()
        for index in range(6):
            made.device.notify(index)
        made.run()
        assert not made.needs_reset
        assert made.used(Queue.HINTING) == Completion(0, 17, known=True)
        assert made.discarded() == {FIRST, FIRST + 1}


def give(made: Host, *figures: tuple[int, int], tail: bytes = b"") -> int:
    return made.offer(Queue.STATS, [b"".join(struct.pack("<HQ", *pair) for pair in figures) + tail])


def test_statistics_are_held_until_the_host_asks() -> None:
    with host() as made:
        assert not made.device.poll_statistics()  # nothing to ask with
        head = give(made, (4, 100), (99, 5), (4, 200), tail=b"odd")
        made.run()
        assert made.used(Queue.STATS) is None
        assert made.device.statistics() == {4: 200, 99: 5}
        assert made.device.statistics_fresh
        assert made.device.poll_statistics()
        assert made.used(Queue.STATS) == Completion(head, 0, known=True)
        assert not made.device.poll_statistics()
        assert made.device.statistics() == {4: 200, 99: 5}
        assert not made.device.statistics_fresh  # those are from before the host asked
        give(made, (4, 300))
        made.run()
        assert made.device.statistics_fresh
        assert made.device.statistics() == {4: 300}


def test_a_second_statistics_buffer_comes_back_and_the_first_is_kept() -> None:
    with host() as made:
        first, second = give(made, (0, 1)), give(made, (0, 2))
        made.run()
        assert made.used(Queue.STATS) == Completion(second, 0, known=True)
        assert made.device.poll_statistics()
        assert made.used(Queue.STATS) == Completion(first, 0, known=True)


def test_statistics_do_not_outlive_a_reset() -> None:
    with host() as made:
        give(made, (0, 1))
        made.run()
        made.device.write_status(0)
        assert made.device.statistics() == {}
        made.start()
        assert not made.device.poll_statistics()


@pytest.mark.parametrize("suppressed", [True, False])
def test_used_buffers_interrupt_unless_the_driver_said_no(suppressed: bool) -> None:
    with host(accepted=ALL_FEATURES - Features.of(Feature.EVENT_IDX)) as made:
        made.rings[Queue.INFLATE].suppress_interrupts(suppressed)
        made.offer(Queue.INFLATE, [pfns(FIRST)])
        made.run()
        assert made.device.take_interrupts() == (not suppressed, False)
        assert made.device.take_interrupts() == (False, False)


def test_a_device_may_keep_everything_and_say_ok() -> None:
    made = Host()
    made.device = Device(made.device_memory, reclaim=KeepEverything(made.device_memory))
    made.start(ALL_FEATURES - Features.of(Feature.EVENT_IDX))
    made.fill()
    load(made)
    made.run()
    assert made.discarded() == set()
    assert made.intact(free_pages())
    assert made.used(Queue.HINTING) == Completion(0, 17, known=True)
    made.close()
