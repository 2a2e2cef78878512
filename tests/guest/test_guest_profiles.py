"""Every device-facing half on the reference device: real rings, real memory, the oracle on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.guest.guest_tools import STRUCTURES, RealGuest, small_options
from vhint.guest.device_life import DeviceState
from vhint.guest.hint_round import RoundState
from vhint.guest.hinting import HintSettings, Isolating
from vhint.guest.memory import (
    Block,
    MemoryOptions,
    PerCpuMarks,
    WouldWaitError,
    ZoneKind,
    ZoneSpec,
    span_of,
)
from vhint.guest.page_life import PageState
from vhint.guest.profiles.free_page_hint import RoundSettings
from vhint.guest.profiles.hint_format import BitmapFormat, HintFormat, PfnFormat
from vhint.guest.profiles.reporting import ReportingSettings
from vhint.guest.reporting_worker import ReportingState
from vhint.host import Device, DeviceOptions, hint_round
from vhint.spans import PAGE, intersect
from vhint.trace.events import ConfigWritten, Notified, Offered
from vhint.wire import command, config
from vhint.wire.features import Feature, Features
from vhint.wire.queues import Queue
from vhint.wire.statistics import StatisticTag

ONE_ZONE = (ZoneSpec(ZoneKind.NORMAL, 256, 128, max_order=4),)
BASE = (Feature.VERSION_1, Feature.EVENT_IDX, Feature.INDIRECT_DESC)


def plain(**changes: Any) -> Any:
    """Options of a guest with one zone, one CPU, no per-CPU lists and no watermarks."""
    return small_options(
        **{
            "memory": MemoryOptions(ONE_ZONE, 1, PerCpuMarks(0, 0)),
            "hinting": HintSettings(64, 4, 4, time_limit=50),
            **changes,
        }
    )


@contextmanager
def real(*features: Feature, **parts: Any) -> Iterator[RealGuest]:
    parts.setdefault("options", plain())
    rig = RealGuest(features=Features.of(*BASE, *features), **parts)
    try:
        rig.guest.start()
        yield rig
        rig.check()
    finally:
        rig.close()


def take(rig: RealGuest, count: int, order: int = 0) -> list[Block]:
    got = []
    for _ in range(count):
        block = rig.guest.applications.allocate(0, order)
        assert block is not None
        rig.guest.memory.touch(block)
        got.append(block)
    return got


def free(rig: RealGuest, blocks: list[Block]) -> None:
    for block in blocks:
        assert rig.guest.applications.free(0, block)


def offers(rig: RealGuest, queue: Queue) -> list[Offered]:
    events = rig.recorder.events
    return [event for event in events if isinstance(event, Offered) and event.queue == queue]


def is_discarded(rig: RealGuest, block: Block) -> bool:
    span = span_of(block)
    return intersect(rig.transport.memory.holes(), [span]) == (span,)


# Hinting


@pytest.mark.parametrize("made", [PfnFormat, BitmapFormat])
@pytest.mark.parametrize("results", [True, False])
def test_freed_pages_are_discarded_and_come_back(made: type[HintFormat], results: bool) -> None:
    features = (Feature.HINTING, Feature.HINTING_BITMAP)
    with real(*features, hint_format=made(results=results), generation=Isolating()) as rig:
        blocks = take(rig, 8)
        kept = take(rig, 4)
        free(rig, blocks[::2])
        rig.settle()
        assert all(is_discarded(rig, block) for block in blocks[::2])
        assert not any(is_discarded(rig, block) for block in (*blocks[1::2], *kept))
        assert rig.guest.counters.reported_pages == 4
        assert all(rig.guest.memory.state(b.pfn) is PageState.REPORTED for b in blocks[::2])


def test_requests_keep_to_the_devices_config_space() -> None:
    """hint.driver.only-defined-requests."""
    device = DeviceOptions(hint_max_count=2, hint_min_order=1)
    with real(Feature.HINTING, device=device) as rig:
        blocks = take(rig, 8, order=1)
        free(rig, blocks[::2])
        rig.settle()
        found = offers(rig, Queue.HINTING)
        assert [len(offer.blocks) for offer in found] == [2, 2]
        assert rig.guest.counters.reported_pages == 8


def test_with_poison_pages_are_filled_and_keep_it() -> None:
    """hint.driver.poison-fill-first, balloon.driver.poison-set-before-driver-ok."""
    features = (Feature.HINTING, Feature.PAGE_POISON)
    with real(*features, options=plain(poison=0xAAAAAAAA)) as rig:
        written = [e for e in rig.recorder.events if isinstance(e, ConfigWritten)]
        assert [(e.offset, e.value) for e in written] == [
            (config.field_offset("poison_val"), 0xAAAAAAAA)
        ]
        blocks = take(rig, 8)
        free(rig, blocks[::2])
        rig.settle()
        page = rig.transport.memory.read(span_of(blocks[0]))
        assert page == b"\xaa" * PAGE
        assert rig.guest.counters.refused_pages == 4  # the device inhibits: it cannot keep it


def test_a_guest_that_relies_on_poison_reports_nothing_without_it() -> None:
    """reporting.driver.poison-needed-for-initialised-pages."""
    offered = DeviceOptions(offered=Features.of(*BASE, Feature.PAGE_REPORTING, Feature.HINTING))
    features = (Feature.PAGE_REPORTING, Feature.HINTING, Feature.PAGE_POISON)
    with real(*features, options=plain(poison=1), device=offered) as rig:
        assert Feature.PAGE_REPORTING not in rig.port.accepted
        assert Feature.HINTING not in rig.port.accepted


def test_features_go_only_with_what_they_need() -> None:
    """virtio.driver.accept-with-prerequisites, hint-bitmap.driver.accept-needs-hinting."""
    offered = DeviceOptions(offered=Features.of(Feature.HINTING_BITMAP, Feature.VERSION_1))
    with real(Feature.HINTING, Feature.HINTING_BITMAP, device=offered) as rig:
        assert rig.port.accepted == Features.of(Feature.VERSION_1)


# Reset


def test_a_reset_in_the_middle_returns_everything_and_the_next_life_goes_on() -> None:
    """hint.driver.return-outstanding-after-reset."""
    features = (Feature.HINTING, Feature.PAGE_REPORTING, Feature.MUST_TELL_HOST)
    with real(*features) as rig:
        rig.device.set_balloon_size(20)
        blocks = take(rig, 8)
        free(rig, blocks[::2])
        rig.guest.interrupted(config=True)
        rig.guest.settle()
        account = rig.guest.memory.account()
        assert account.isolated == 4
        assert account.ballooned == 20
        rig.guest.begin_reset()
        assert rig.guest.memory.account() == account  # nothing yet
        rig.guest.settle()
        after = rig.guest.memory.account()
        assert (after.isolated, after.ballooned) == (0, 0)
        assert rig.guest.state is DeviceState.DOWN
        rig.guest.start()
        rig.settle()
        assert rig.guest.memory.account().ballooned == 20
        free(rig, blocks[1::2])
        rig.settle()
        assert rig.guest.counters.reported_pages


def test_needs_reset_returns_nothing_by_itself() -> None:
    """hint.driver.needs-reset-returns-nothing."""
    with real(Feature.HINTING) as rig:
        blocks = take(rig, 8)
        free(rig, blocks[::2])
        rig.guest.settle()
        rig.device.fail("the test says so")
        rig.guest.interrupted(config=rig.transport.take_interrupts().config)
        assert rig.guest.state is DeviceState.GIVEN_UP
        assert rig.guest.memory.account().isolated == 4
        rig.guest.settle()  # begin_reset, finish_reset, and every return
        assert rig.guest.memory.account().isolated == 0


def test_structures_lie_where_no_zone_does() -> None:
    """hint.driver.never-name-own-structures."""
    with real(Feature.HINTING, Feature.PAGE_REPORTING) as rig:
        blocks = take(rig, 8)
        free(rig, blocks[::2])
        rig.settle()
        for offer in offers(rig, Queue.HINTING):
            assert all(STRUCTURES.covers(s) for s in (*offer.readable, *offer.writable))
            assert not any(STRUCTURES.overlaps(s) for s in offer.blocks)


# Reporting


def reporting(**changes: Any) -> Any:
    settings = {"capacity": 4, "min_order": 2, "delay": 20} | changes
    return plain(reporting=ReportingSettings(**settings))


def test_reports_are_delayed_bounded_and_large_blocks_first() -> None:
    """reporting.driver.prefer-large, reporting.driver.return-every-page."""
    with real(Feature.PAGE_REPORTING, options=reporting()) as rig:
        rig.settle()
        assert not offers(rig, Queue.REPORTING)  # the delay
        rig.guest.tick(20)
        rig.settle()
        found = offers(rig, Queue.REPORTING)
        sizes = [[span.length // PAGE for span in offer.blocks] for offer in found]
        assert sizes == [[16] * 4]  # one report of a list of 8 blocks is its budget
        assert rig.guest.reporting.state is ReportingState.REQUESTED
        rig.guest.tick(40)
        rig.settle()
        rig.guest.tick(60)
        rig.settle()
        assert len(offers(rig, Queue.REPORTING)) == 2
        assert rig.guest.reporting.state is ReportingState.IDLE
        assert rig.guest.memory.zones[0].ledger.count(PageState.REPORTED) == 128


def test_untouched_reported_pages_are_left_alone() -> None:
    """reporting.driver.avoid-needless-access: no livelock of re-reporting."""
    with real(Feature.PAGE_REPORTING, options=reporting()) as rig:
        for now in range(0, 200, 20):
            rig.guest.tick(now)
            rig.settle()
        before = len(offers(rig, Queue.REPORTING))
        (one,) = take(rig, 1)
        free(rig, [one])  # it merges with halves of a reported block: the mark of that is lost
        for now in range(200, 400, 20):
            rig.guest.tick(now)
            rig.settle()
        new = offers(rig, Queue.REPORTING)[before:]
        assert [[s.length // PAGE for s in offer.blocks] for offer in new] == [[16]]


def test_a_page_that_is_reported_is_not_allocated_before_the_use() -> None:
    """reporting.driver.no-touch-until-use."""
    with real(Feature.PAGE_REPORTING, options=reporting(capacity=8)) as rig:
        rig.guest.tick(20)
        rig.guest.settle()  # offered, and the device has not looked yet
        assert rig.guest.memory.account().free == 0
        with pytest.raises(WouldWaitError):
            rig.guest.memory.allocate(0)
        rig.settle()
        assert take(rig, 1)


def test_a_short_zone_is_left_out() -> None:
    zones = (ZoneSpec(ZoneKind.NORMAL, 256, 16, max_order=4),)
    options = plain(
        memory=MemoryOptions(zones, 1, PerCpuMarks(0, 0)),
        reporting=ReportingSettings(capacity=5, min_order=2, delay=0),
    )
    with real(Feature.PAGE_REPORTING, options=options) as rig:
        rig.settle()
        assert not offers(rig, Queue.REPORTING)  # 16 pages are less than 5 blocks of order 2


def test_poison_is_written_before_a_report() -> None:
    """reporting.driver.poison-before-report."""
    options = plain(poison=0x5A5A5A5A, reporting=ReportingSettings(4, 2, 0))
    with real(Feature.PAGE_REPORTING, Feature.PAGE_POISON, options=options) as rig:
        rig.settle()
        offer = offers(rig, Queue.REPORTING)[0]
        assert rig.transport.memory.read(offer.blocks[0]) == b"\x5a" * offer.blocks[0].length


def test_a_budget_is_a_report_for_every_sixteen_that_the_list_holds() -> None:
    settings = ReportingSettings(capacity=32)
    assert [settings.budget(n) for n in (0, 1, 512, 513, 5000)] == [0, 1, 1, 2, 10]


# Rounds of free page hinting


def rounds(**changes: Any) -> Any:
    return plain(rounds=RoundSettings(**({"order": 3} | changes)))


def test_a_round_sends_the_id_once_pages_and_stop() -> None:
    """free-page-hint.driver.id-first, id-once, command-size, finish-with-stop."""
    with real(Feature.FREE_PAGE_HINT, options=rounds(order=4)) as rig:
        rig.settle()
        number = rig.device.start_round()
        assert number is not None
        rig.settle()
        found = offers(rig, Queue.FREE_PAGE)
        assert [len(offer.readable) for offer in found] == [1] + [0] * 8 + [1]
        first, last = found[0].readable[0], found[-1].readable[0]
        assert first.length == last.length == command.SIZE
        assert all(offer.blocks[0].length == 16 * PAGE for offer in found[1:-1])
        assert rig.device.round is hint_round.State.STOPPED
        assert rig.guest.rounds.state is RoundState.STOPPED
        assert rig.guest.memory.account().isolated == 128  # held until DONE
        rig.device.finish_round()
        rig.settle()
        assert rig.guest.rounds.state is RoundState.IDLE
        assert rig.guest.memory.account().free == 128  # release-on-done


def test_stop_and_done_end_the_supply() -> None:
    """free-page-hint.driver.stop-on-command."""
    with real(Feature.FREE_PAGE_HINT, options=rounds(order=2)) as rig:
        rig.device.start_round()
        rig.guest.interrupted(config=True)
        for _ in range(6):
            steps = [step for step in rig.guest.enabled() if step.actor == "free_page_hint"]
            rig.guest.do(next(s for s in steps if s.action != "kick"))
        supplied = len(rig.guest.rounds.held)
        assert supplied
        rig.host()
        rig.device.stop_round()
        rig.guest.interrupted(config=True)
        steps = {step.action for step in rig.guest.enabled()}
        assert "look" in steps
        rig.guest.rounds.look()
        rig.settle()
        assert len(rig.guest.rounds.held) == supplied
        rig.device.finish_round()
        rig.settle()
        assert rig.guest.memory.account().isolated == 0


def test_a_new_round_may_follow_a_stop_without_done() -> None:
    with real(Feature.FREE_PAGE_HINT, options=rounds()) as rig:
        rig.device.start_round()
        rig.settle()
        free_before = rig.guest.memory.account().free
        rig.device.start_round()
        rig.settle()
        assert rig.guest.memory.account().free == free_before == 0
        ids = [offer for offer in offers(rig, Queue.FREE_PAGE) if offer.readable]
        assert len(ids) == 4  # two ids, two STOPs
        rig.device.finish_round()
        rig.settle()
        assert rig.guest.memory.account().free == 128


def test_a_small_ring_keeps_a_slot_for_stop() -> None:
    """free-page-hint.driver.finish-with-stop."""
    device = DeviceOptions(queue_size=2)
    with real(Feature.FREE_PAGE_HINT, options=rounds(), device=device) as rig:
        rig.device.start_round()
        rig.guest.interrupted(config=True)
        rig.guest.settle()  # the device does not look: one id, and no page takes the last slot
        assert rig.port.room(Queue.FREE_PAGE) == 1
        rig.guest.rounds.relieve(1)
        rig.guest.settle()
        assert rig.guest.rounds.state is RoundState.STOPPED
        rig.settle()


def test_pressure_takes_pages_back_and_writes_them_first() -> None:
    """free-page-hint.driver.may-release-early, initialise-early-release."""
    with real(Feature.FREE_PAGE_HINT, options=rounds()) as rig:
        rig.device.start_round()
        rig.settle()
        assert rig.guest.memory.account().free == 0
        (block,) = take(rig, 1)
        assert rig.guest.rounds.taken_back_pages == 8
        beside = Block(block.pfn ^ 1, 0)
        assert not is_discarded(rig, beside)  # it was written, though nobody has it yet
        rig.device.finish_round()
        rig.settle()


def test_a_careful_driver_takes_back_only_what_was_used() -> None:
    with real(Feature.FREE_PAGE_HINT, options=rounds(take_back_used_only=True)) as rig:
        rig.device.start_round()
        rig.guest.interrupted(config=True)
        rig.guest.settle()  # all supplied, none used
        assert rig.guest.applications.allocate(0) is None
        rig.host()
        while rig.port.pending(Queue.FREE_PAGE):
            rig.guest.rounds.collect()
        assert rig.guest.applications.allocate(0) is not None


# The balloon


def test_the_balloon_goes_to_its_target_and_back() -> None:
    """balloon.driver.inflate-on-demand, update-actual, deflate-through-queue."""
    with real(Feature.MUST_TELL_HOST) as rig:
        rig.guest.balloon.batch = 16
        rig.device.set_balloon_size(50)
        rig.settle()
        assert rig.guest.memory.account().ballooned == 50
        assert rig.port.read_config("actual") == 50
        assert [len(offer.blocks) for offer in offers(rig, Queue.INFLATE)] == [16, 16, 16, 2]
        assert is_discarded(rig, rig.guest.balloon.pages[0])
        rig.device.set_balloon_size(10)
        rig.settle()
        assert rig.guest.memory.account().ballooned == 10
        assert rig.port.read_config("actual") == 10
        assert sum(len(offer.blocks) for offer in offers(rig, Queue.DEFLATE)) == 40


def test_with_must_tell_host_pages_wait_for_the_deflate_answer() -> None:
    """balloon.driver.wait-for-deflate."""
    with real(Feature.MUST_TELL_HOST) as rig:
        rig.device.set_balloon_size(20)
        rig.settle()
        rig.device.set_balloon_size(0)
        rig.guest.interrupted(config=True)
        rig.guest.settle()
        assert rig.guest.memory.account().ballooned == 20
        rig.settle()
        assert rig.guest.memory.account().free == 128


def test_without_it_they_need_not() -> None:
    """balloon.driver.may-reuse-before-deflate-use."""
    with real() as rig:
        rig.device.set_balloon_size(20)
        rig.settle()
        rig.device.set_balloon_size(0)
        rig.guest.interrupted(config=True)
        rig.guest.settle()  # the device has not looked
        assert rig.guest.memory.account().free == 128
        rig.settle()


def test_nothing_is_deflated_before_its_inflate_was_used() -> None:
    """balloon.driver.no-deflate-before-inflate-use, wait-for-inflate."""
    with real(Feature.MUST_TELL_HOST) as rig:
        rig.device.set_balloon_size(20)
        rig.guest.interrupted(config=True)
        rig.guest.settle()
        rig.device.set_balloon_size(0)
        rig.guest.interrupted(config=True)
        rig.guest.settle()
        assert not offers(rig, Queue.DEFLATE)
        assert rig.guest.memory.account().ballooned == 20
        rig.settle()
        assert rig.guest.memory.account().free == 128


@pytest.mark.parametrize("tell", [True, False])
def test_deflate_on_oom(tell: bool) -> None:
    """balloon.driver.may-deflate-on-oom."""
    features = (Feature.DEFLATE_ON_OOM, *((Feature.MUST_TELL_HOST,) if tell else ()))
    with real(*features) as rig:
        rig.guest.balloon.batch = 8
        rig.device.set_balloon_size(100)
        rig.settle()
        take(rig, 28)
        if tell:
            assert rig.guest.applications.allocate(0) is None  # it has to wait for the answer
            rig.settle()
        assert rig.guest.applications.allocate(0) is not None
        rig.settle()
        assert rig.guest.memory.account().ballooned == 92  # and it does not go back at once
        rig.device.set_balloon_size(95)
        rig.settle()
        assert rig.guest.memory.account().ballooned == 95


def test_without_deflate_on_oom_the_target_is_kept() -> None:
    """balloon.driver.no-deflate-below-target."""
    with real(Feature.MUST_TELL_HOST) as rig:
        rig.device.set_balloon_size(100)
        rig.settle()
        take(rig, 28)
        with pytest.raises(MemoryError):
            rig.guest.applications.allocate(0)
        assert rig.guest.memory.account().ballooned == 100


def test_deflated_pages_are_filled_with_poison() -> None:
    """balloon.driver.poison-fill-deflated."""
    with real(Feature.PAGE_POISON, options=plain(poison=0x77777777)) as rig:
        rig.device.set_balloon_size(1)
        rig.settle()
        (page,) = rig.guest.balloon.pages
        rig.device.set_balloon_size(0)
        rig.settle()
        assert rig.transport.memory.read(span_of(page)) == b"\x77" * PAGE


# Statistics


def test_one_statistics_buffer_is_there_and_answers_every_use() -> None:
    """balloon.driver.stats-first-buffer, stats-single-buffer, stats-answer-use."""
    with real(Feature.STATS_VQ) as rig:
        rig.settle()
        total = 128 * PAGE
        assert rig.device.statistics() == {
            StatisticTag.MEMFREE: total,
            StatisticTag.MEMTOT: total,
            StatisticTag.AVAIL: total,
            StatisticTag.CACHES: 0,
        }
        take(rig, 10)
        assert rig.device.poll_statistics()
        rig.settle()
        assert rig.device.statistics()[StatisticTag.MEMFREE] == total - 10 * PAGE
        assert len(offers(rig, Queue.STATS)) == 2
        sizes = {offer.readable[0].length for offer in offers(rig, Queue.STATS)}
        assert sizes == {40}  # stats-same-subset, stats-size-multiple


# A device that is silent, and one that lies


class Silent(Device):
    """Takes every notification and does nothing."""

    def step(self, queue: Queue | None = None) -> bool:
        return False


def test_with_a_silent_device_nothing_leaks_and_nothing_is_handed_out() -> None:
    features = (Feature.HINTING, Feature.MUST_TELL_HOST, Feature.FREE_PAGE_HINT)
    with real(*features, options=plain(patience=10), make_device=Silent) as rig:
        blocks = take(rig, 16)
        free(rig, blocks[::2])
        rig.settle()
        outstanding = {s for offer in offers(rig, Queue.HINTING) for s in offer.blocks}
        assert rig.guest.memory.account().isolated == 8
        while (got := rig.guest.applications.allocate(0)) is not None:
            assert span_of(got) not in outstanding
            rig.guest.memory.touch(got)
        rig.guest.tick(10)
        assert rig.guest.applications.allocate(0) is None
        rig.settle()
        assert rig.guest.memory.account().isolated == 0
        assert rig.guest.applications.allocate(0) is not None


def test_kicks_are_recorded_as_notifications() -> None:
    with real(Feature.HINTING) as rig:
        blocks = take(rig, 8)
        free(rig, blocks[::2])
        rig.settle()
        assert rig.recorder.events.count(Notified(Queue.HINTING)) == rig.guest.counters.kicks == 1


def test_pressure_while_pages_are_released_after_a_reset() -> None:
    """What a reset gave back is released as it is; there is nothing left to take back."""
    with real(Feature.FREE_PAGE_HINT, options=rounds()) as rig:
        rig.device.start_round()
        rig.settle()
        rig.guest.begin_reset()
        rig.guest.finish_reset()
        assert rig.guest.rounds.state is RoundState.RELEASING
        assert rig.guest.applications.allocate(0) is not None
        assert rig.guest.rounds.taken_back_pages == 0
