"""The talk's hinting: capture, thresholds, re-check, isolation, answers, pressure, time."""

from __future__ import annotations

import pytest

from tests.guest.direct_tools import DirectGuest
from vhint.guest.hinting import Batching, Blocking, HintSettings, Isolating, Missed
from vhint.guest.memory import (
    KeepUntilPressure,
    OutOfMemoryError,
    PerCpuMarks,
    Watermarks,
    ZoneKind,
    ZoneSpec,
)
from vhint.guest.page_life import PageState
from vhint.guest.request_life import RequestState
from vhint.guest.worker import WorkerState
from vhint.spans import block
from vhint.wire.hint_ack import Status
from vhint.wire.queues import Queue

SCAN = ["LOCK", "FIND", "ISOLATE", "APPEND", "UNLOCK"]


def span(b: object) -> object:
    return block(b.pfn, b.order)  # type: ignore[attr-defined]


# From the free hook to the request


def test_a_page_goes_the_whole_way() -> None:
    rig = DirectGuest()
    first, second = rig.take(2)
    rig.free(first)
    assert rig.run() == []  # below the first threshold
    rig.free(second)
    assert rig.memory.state(first.pfn) is PageState.CAPTURED
    assert rig.run() == ["WAKE", *SCAN, *SCAN, "REPORT", "OFFER", "KICK", "DONE"]
    (request,) = rig.asked
    assert request.draft.blocks == (span(first), span(second))
    assert rig.memory.state(first.pfn) is PageState.OFFERED
    rig.discard(request)
    rig.answer(request)
    rig.hinting.collect()
    assert rig.memory.state(first.pfn) is PageState.ACKNOWLEDGED
    rig.hinting.return_one()
    assert rig.memory.state(first.pfn) is PageState.REPORTED
    assert rig.memory.state(second.pfn) is PageState.ACKNOWLEDGED  # one step, one block
    rig.hinting.return_one()
    assert not rig.hinting.requests
    counted = rig.guest.counters
    assert (counted.captured_pages, counted.isolated_pages, counted.reported_pages) == (2, 2, 2)
    assert (counted.returned_pages, counted.kicks, counted.requests) == (2, 1, 1)
    assert counted.lock_acquisitions == 2
    rig.sound()


def test_an_entry_that_finds_no_room_costs_a_hint_and_nothing_else() -> None:
    rig = DirectGuest(HintSettings(array_size=2, first_threshold=2))
    rig.free(*rig.take(5))
    assert rig.missed == {Missed.ARRAY_FULL: 3}
    assert rig.guest.counters.captured_pages == 2


def test_the_second_threshold_makes_a_request_in_the_middle_of_a_scan() -> None:
    rig = DirectGuest(HintSettings(8, 5, 2))
    rig.free(*rig.take(5))
    assert rig.run().count("OFFER") == 3
    assert [len(request.draft.blocks) for request in rig.asked] == [2, 2, 1]


def test_the_kick_is_left_out_when_the_device_wants_none() -> None:
    rig = DirectGuest()
    rig.port.wants_kicks = False
    rig.free(*rig.take(2))
    rig.run()
    assert rig.asked
    assert rig.port.kicks[Queue.HINTING] == rig.guest.counters.kicks == 0


def test_a_full_ring_holds_the_worker_up_and_loses_nothing() -> None:
    rig = DirectGuest(HintSettings(8, 2, 1), size=2)
    rig.free(*rig.take(2))
    rig.run()
    assert rig.hinting.workers[0].state is WorkerState.REPORTING
    assert len(rig.asked) == 1
    rig.answer(rig.asked[0])
    rig.hinting.collect()
    assert rig.run() == ["OFFER", "KICK", "DONE"]
    rig.sound()


def test_the_devices_limits_are_kept() -> None:
    """hint.driver.only-defined-requests."""
    rig = DirectGuest(HintSettings(16, 6, 6), config={"hint_max_count": 2, "hint_min_order": 1})
    singles, pairs = rig.take(3), rig.take(3, order=1)
    rig.free(*singles, *pairs)
    rig.run()
    assert [len(request.draft.blocks) for request in rig.asked] == [2, 1]
    assert all(s.length == 2 * 4096 for r in rig.asked for s in r.draft.blocks)
    assert rig.missed == {Missed.WRONG_ORDER: 3}


# The re-check, reason by reason


def test_reallocated_is_not_reported() -> None:
    """hint.driver.never-report-reallocated."""
    rig = DirectGuest()
    rig.free(*rig.take(2))
    again = [rig.allocate(), rig.allocate()]
    rig.run()
    assert rig.missed == {Missed.REALLOCATED: 2}
    assert not rig.asked
    rig.free(*again)
    rig.run()
    assert len(rig.asked[0].draft.blocks) == 2


def test_a_page_on_a_per_cpu_list_cannot_be_isolated() -> None:
    rig = DirectGuest(per_cpu=PerCpuMarks(batch=4, high=16))
    rig.free(*rig.take(2))
    rig.run()
    assert rig.missed == {Missed.ON_PER_CPU_LIST: 2}


def test_a_page_in_the_cache_is_not_reported() -> None:
    rig = DirectGuest(cache=KeepUntilPressure(4))
    got = rig.take(2)
    for each in got:
        assert rig.apps.free(0, each, may_keep=False)
        rig.apps.capture(0)
    again = [rig.allocate(), rig.allocate()]
    assert set(again) == set(got)
    for each in again:
        rig.apps.free(0, each)
    assert not any(rig.apps.hooks)  # what the cache keeps is not freed
    rig.run()
    assert rig.missed == {Missed.CACHED: 2}


def test_a_zone_that_is_short_gives_nothing() -> None:
    rig = DirectGuest(zones=(ZoneSpec(ZoneKind.NORMAL, 0, 8, Watermarks(4, 4, 4)),))
    blocks = [rig.allocate() for _ in range(4)]
    rig.memory.zones[0].watermarks = Watermarks(5, 6, 7)
    rig.free(blocks[0], blocks[2])
    rig.run()
    assert rig.missed[Missed.BELOW_WATERMARK] == 1  # the first leaves 5, the second would not
    assert rig.guest.counters.isolated_pages == 1


def test_a_merged_block_is_reported_whole_or_not_at_all() -> None:
    def free_neighbours(rig: DirectGuest) -> None:
        blocks = [rig.allocate() for _ in range(4)]
        rig.free(blocks[0], blocks[1])
        rig.run()

    followed = DirectGuest(HintSettings(8, 2, 2))
    free_neighbours(followed)
    assert [b.length for b in followed.asked[0].draft.blocks] == [2 * 4096]
    assert followed.missed == {Missed.AWAY: 1}
    left = DirectGuest(HintSettings(8, 2, 2, follow_merges=False))
    free_neighbours(left)
    assert left.missed == {Missed.MERGED: 2}
    assert not left.asked


def test_a_block_of_which_a_part_was_allocated_has_the_wrong_order() -> None:
    rig = DirectGuest(HintSettings(8, 1, 1))
    pair, _ = rig.allocate(1), rig.allocate(1)
    rig.free(pair)
    halves = [rig.allocate(), rig.allocate()]
    assert [half.pfn for half in halves] == [pair.pfn, pair.pfn + 1]
    rig.memory.free(0, halves[0])  # only the second is in use
    rig.run()
    assert rig.missed == {Missed.WRONG_ORDER: 1}
    assert not rig.asked


def test_what_the_host_knows_is_not_told_again() -> None:
    """No livelock: a reported page that nobody touched is left alone."""
    rig = DirectGuest()
    got = rig.take(2)
    rig.free(*got)
    for each in got:
        rig.hinting.capture(0, each)  # a second entry for the same block
    rig.run()
    rig.answer(rig.asked[0])
    rig.hinting.collect()
    while rig.hinting.can_return():
        rig.hinting.return_one()
    for each in got:
        rig.hinting.capture(0, each)
    rig.run()
    assert rig.guest.counters.requests == 1
    assert rig.missed[Missed.KNOWN] == 2


# Generations


def test_isolating_locks_for_every_entry_and_batching_once_a_zone() -> None:
    def locks(generation: object) -> int:
        rig = DirectGuest(HintSettings(16, 12, 12), generation=generation)
        blocks = rig.take(12)
        low = [rig.apps.allocate(0, 0, ZoneKind.DMA32) for _ in range(12)][::2]
        mixed = [b for pair in zip(blocks, low, strict=False) for b in pair]
        rig.free(*mixed[:12])  # from both zones by turns
        rig.run()
        assert rig.guest.counters.isolated_pages == 12
        return rig.guest.counters.lock_acquisitions

    assert locks(Isolating()) == 12
    assert locks(Batching()) == 2


def test_batching_reports_full_batches_only_and_late_ones_after_the_limit() -> None:
    """hint.driver.no-stranded-isolation."""
    rig = DirectGuest(HintSettings(8, 3, 2, time_limit=100), generation=Batching())
    rig.free(*rig.take(3))
    rig.run()
    assert [len(request.draft.blocks) for request in rig.asked] == [2]
    assert len(rig.hinting.workers[0].waiting) == 1
    rig.guest.tick(99)
    assert rig.run() == []
    rig.guest.tick(100)
    assert rig.run() == ["REPORT", "OFFER", "KICK", "DONE"]
    assert [len(request.draft.blocks) for request in rig.asked] == [2, 1]


def test_entries_below_the_first_threshold_are_looked_at_after_the_limit() -> None:
    rig = DirectGuest(HintSettings(8, 8, 1, time_limit=10))
    rig.free(*rig.take(1))
    rig.guest.tick(10)
    rig.run()
    assert rig.asked


def test_pressure_gets_the_waiting_pages_back() -> None:
    """hint.driver.no-stranded-isolation."""
    rig = DirectGuest(HintSettings(8, 4, 5), generation=Batching())
    got = rig.take(4)
    rig.free(*got)
    rig.run()
    assert rig.memory.account().isolated == 4
    total = rig.memory.account().total
    while rig.memory.account().used < total:
        rig.allocate()
    assert rig.memory.account().isolated == 0
    with pytest.raises(OutOfMemoryError):
        rig.allocate()
    rig.sound()


def test_blocking_stops_every_allocation_and_free_until_the_answer() -> None:
    rig = DirectGuest(generation=Blocking(), cpus=2)
    kept = rig.allocate(cpu=1)
    rig.free(*rig.take(2))
    done = rig.run()
    assert done == [
        "WAKE", "LOCK", "FIND", "ISOLATE", "APPEND", "FIND", "ISOLATE", "APPEND", "UNLOCK",
        "REPORT", "OFFER", "KICK", "AWAIT",
    ]  # fmt: skip
    assert rig.memory.account().isolated == 0  # nothing leaves the free lists
    for _ in range(3):
        assert rig.apps.allocate(1) is None
        assert not rig.apps.free(1, kept)
    counted = rig.guest.counters
    assert (counted.allocations_stalled, counted.stall_steps, counted.frees_stalled) == (1, 3, 1)
    rig.discard(rig.asked[0])
    rig.answer(rig.asked[0])
    rig.hinting.collect()
    assert rig.apps.allocate(1) is None  # not before everything is back
    while rig.hinting.can_return():
        rig.hinting.return_one()
    assert rig.run() == ["ANSWERED", "DONE"]
    assert rig.apps.allocate(1) is not None
    assert rig.apps.free(1, kept)
    rig.sound()


def test_isolating_stops_nobody_but_for_the_lock() -> None:
    rig = DirectGuest(cpus=2)
    rig.free(*rig.take(2))
    rig.run()
    assert rig.apps.allocate(1) is not None
    assert rig.guest.counters.allocations_stalled == 0


def test_the_zone_lock_is_held_over_the_re_check_and_the_isolation() -> None:
    rig = DirectGuest(cpus=2)
    blocks = rig.take(2)
    rig.free(*blocks)
    worker = rig.hinting.workers[0]
    for expected in ("WAKE", "LOCK", "FIND"):
        event = worker.step()
        assert event is not None
        assert event.name == expected
    assert rig.apps.allocate(1) is None  # it waits for the lock
    assert rig.guest.counters.lock_waits == 1
    assert rig.apps.allocate(1, 0, ZoneKind.DMA32) is not None  # the other zone goes on
    for _ in range(3):
        worker.step()
    assert rig.apps.allocate(1) is not None


# Two workers


def test_two_workers_never_isolate_the_same_block() -> None:
    """hint.driver.no-overlap-outstanding."""
    rig = DirectGuest(cpus=2)
    got = rig.take(2)
    rig.free(*got)
    for each in got:
        rig.hinting.capture(1, each)
    rig.run(0)
    rig.run(1)
    assert rig.guest.counters.requests == 1
    assert rig.missed == {Missed.AWAY: 2}


# Answers


def two_requests() -> DirectGuest:
    rig = DirectGuest(HintSettings(8, 2, 1))
    rig.free(*rig.take(2))
    rig.run()
    assert len(rig.asked) == 2
    return rig


def test_the_used_id_selects_what_returns_in_any_order() -> None:
    """hint.driver.used-id-selects."""
    rig = two_requests()
    first, second = rig.asked
    rig.answer(second)
    request = rig.hinting.collect()
    assert request is not None
    assert request.request is second
    states = [each.state for each in rig.hinting.requests]
    assert states == [RequestState.AVAILABLE, RequestState.USED_GOOD]
    assert first in rig.asked


@pytest.mark.parametrize("bad", ["cookie", "status", "short", "long", "jump"])
def test_after_a_bad_answer_nothing_comes_back_before_the_reset(bad: str) -> None:
    """hint.driver.keep-isolated-on-bad-acknowledgement, reset-on-bad-acknowledgement."""
    rig = two_requests()
    first, second = rig.asked
    match bad:
        case "cookie":
            rig.answer(first, cookie=second.draft.cookie)
        case "status":
            rig.answer(first, 5)
        case "short":
            rig.answer(first, cut=15)
        case "long":
            rig.port.use(first, bytes(17), length=18)
        case "jump":
            rig.port.broken = Queue.HINTING
    rig.hinting.collect()
    assert rig.hinting.wants_reset
    assert rig.hinting.last_bad
    rig.port.broken = None
    rig.answer(second)  # as good as can be, and too late
    rig.hinting.collect()
    assert not rig.hinting.can_return()
    assert rig.memory.account().isolated == 2
    assert [s.action for s in rig.guest.enabled() if s.actor == "device"] == ["begin_reset"]
    rig.port.resets_at_once = False
    rig.guest.begin_reset()
    assert not rig.hinting.can_return()  # hint.driver.no-return-before-reset-done
    rig.port.finish_reset()
    rig.guest.finish_reset()
    assert rig.guest.settle()
    assert rig.memory.account().isolated == 0  # hint.driver.return-outstanding-after-reset
    rig.guest.start()
    rig.free(*rig.take(2))
    rig.run()
    assert rig.asked
    rig.sound()


@pytest.mark.parametrize("status", [Status.MALFORMED, Status.UNSUPPORTED, Status.INHIBITED])
def test_a_refusal_returns_everything_and_the_host_knows_nothing(status: Status) -> None:
    """hint.driver.return-every-acknowledged."""
    rig = DirectGuest()
    got = rig.take(2)
    rig.free(*got)
    rig.run()
    rig.answer(rig.asked[0], status)
    rig.hinting.collect()
    rig.guest.settle()
    assert [rig.memory.state(each.pfn) for each in got] == [PageState.FREE] * 2
    assert rig.guest.counters.refused_pages == 2
    assert rig.hinting.trusted


def test_only_accepted_blocks_carry_the_mark() -> None:
    rig = DirectGuest()
    got = rig.take(2)
    rig.free(*got)
    rig.run()
    rig.answer(rig.asked[0], Status.PARTIAL, refuse=[0])
    rig.hinting.collect()
    rig.guest.settle()
    states = [rig.memory.state(each.pfn) for each in got]
    assert states == [PageState.FREE, PageState.REPORTED]


# Reset and a device that never answers


def test_a_reset_returns_what_is_outstanding_and_keeps_what_is_waiting() -> None:
    rig = DirectGuest(HintSettings(8, 3, 2), generation=Batching())
    rig.free(*rig.take(3))
    rig.run()
    assert rig.memory.account().isolated == 3
    rig.guest.begin_reset()
    rig.guest.finish_reset()
    rig.guest.settle()
    assert rig.memory.account().isolated == 1
    rig.guest.start()
    rig.guest.tick(10_000)
    rig.run()
    assert len(rig.asked[0].draft.blocks) == 1
    rig.sound()


def test_without_a_device_everything_goes_back_after_the_limit() -> None:
    rig = DirectGuest(HintSettings(8, 3, 2), generation=Batching())
    rig.free(*rig.take(3))
    rig.run()
    rig.guest.begin_reset()
    rig.guest.finish_reset()
    rig.guest.tick(10_000)
    rig.guest.settle()
    assert rig.memory.account().isolated == 0


def test_entries_that_lose_their_device_are_counted() -> None:
    rig = DirectGuest(HintSettings(8, 3, 3))
    rig.free(*rig.take(3))
    rig.hinting.workers[0].step()
    rig.guest.begin_reset()
    rig.guest.finish_reset()
    rig.guest.settle()
    assert rig.missed == {Missed.NO_DEVICE: 3}


def test_a_device_that_never_answers_is_reset_when_memory_is_short_for_too_long() -> None:
    rig = DirectGuest(options={"patience": 50})
    got = rig.take(2)
    rig.free(*got)
    rig.run()
    total = rig.memory.account().total
    while rig.memory.account().used < total - 2:
        rig.allocate()
    assert rig.apps.allocate(0) is None  # it waits for the answer
    rig.guest.tick(49)
    assert rig.apps.allocate(0) is None
    assert not any(step.action == "begin_reset" for step in rig.guest.enabled())
    rig.guest.tick(50)
    assert rig.apps.allocate(0) is None
    rig.guest.settle()
    assert rig.allocate() in got  # and nothing was handed out before the reset was complete
    assert rig.guest.counters.resets == 1
    rig.sound()


def test_settings_that_never_wake_the_worker_are_refused() -> None:
    with pytest.raises(ValueError, match="never wake"):
        HintSettings(array_size=10, first_threshold=11)
    with pytest.raises(ValueError, match="second_threshold"):
        HintSettings(second_threshold=0)
