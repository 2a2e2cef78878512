"""The allocator: zones, watermarks, per-CPU lists, cache, pressure, conservation, content."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from vhint.guest.memory import (
    Block,
    Breach,
    KeepUntilPressure,
    Memory,
    MemoryOptions,
    NoCache,
    OutOfMemoryError,
    PageLifeError,
    PatternContent,
    PerCpuMarks,
    Relief,
    TagContent,
    Watermarks,
    WouldWaitError,
    ZoneKind,
    ZoneSpec,
    pages_of,
)
from vhint.guest.memory.content import UNKNOWN, Content, pattern, poison_tag
from vhint.guest.page_life import PageEvent, PageState
from vhint.ring import GuestMemory
from vhint.spans import PAGE, block
from vhint.trace import Recorder
from vhint.trace.events import Allocated, Freed, Isolated, Returned, Touched

NO_LISTS = PerCpuMarks(batch=0, high=0)
TWO_ZONES = (
    ZoneSpec(ZoneKind.DMA32, 0, 16, Watermarks(2, 4, 6), max_order=4),
    ZoneSpec(ZoneKind.NORMAL, 16, 16, Watermarks(2, 4, 6), max_order=4),
)


def memory(
    zones: tuple[ZoneSpec, ...] = TWO_ZONES,
    cpus: int = 1,
    per_cpu: PerCpuMarks = NO_LISTS,
    **more: object,
) -> Memory:
    return Memory(MemoryOptions(zones, cpus, per_cpu), **more)  # type: ignore[arg-type]


def used_up(made: Memory, leave: int = 0) -> list[Block]:
    return [made.allocate(0) for _ in range(made.account().total - leave)]


# Zones and watermarks


def test_an_allocation_goes_to_its_own_zone_first_and_falls_back_at_the_low_mark() -> None:
    made = memory()
    blocks = [made.allocate(0) for _ in range(24)]
    in_normal = [b.pfn >= 16 for b in blocks]
    assert in_normal == [True] * 12 + [False] * 12  # each zone keeps 4 pages: its low mark


def test_a_zone_below_its_own_kind_is_never_used() -> None:
    made = memory()
    assert made.allocate(0, kind=ZoneKind.DMA32).pfn < 16
    for _ in range(15):
        made.allocate(0, kind=ZoneKind.DMA32)
    with pytest.raises(OutOfMemoryError, match="pages free: DMA32 0"):
        made.allocate(0, kind=ZoneKind.DMA32)
    assert made.zones[1].buddy.free_pages == 16


def test_the_last_pages_are_given_only_in_the_last_resort() -> None:
    made = memory()
    asked: list[int] = []
    made.relief.append(lambda pages: asked.append(pages) or Relief.NONE)
    for _ in range(28):  # down to the min marks of both
        made.allocate(0)
    assert not asked
    used_up(made, leave=28)
    assert len(asked) == 4
    with pytest.raises(OutOfMemoryError):
        made.allocate(0)


def test_memory_that_is_on_its_way_is_waited_for() -> None:
    made = memory()
    used_up(made)
    made.relief.append(lambda _: Relief.LATER)
    with pytest.raises(WouldWaitError, match="on its way back"):
        made.allocate(0)


def test_relief_is_asked_in_order_and_only_as_far_as_needed() -> None:
    made = memory()
    blocks = used_up(made)
    asked: list[str] = []

    def second(pages: int) -> Relief:
        asked.append("second")
        made.free(0, blocks[0])
        return Relief.NOW

    made.relief += [
        lambda _: asked.append("first") or Relief.LATER,
        second,
        lambda _: asked.append("third") or Relief.NONE,
    ]
    assert made.allocate(0) == blocks[0]
    assert asked == ["first", "second"]


@pytest.mark.parametrize("pages", [64, 4096, 1 << 20])
def test_scaled_watermarks_are_ordered(pages: int) -> None:
    marks = Watermarks.scaled(pages)
    assert 0 < marks.min <= marks.low <= marks.high < pages


# Locks


def test_a_locked_zone_makes_others_wait_and_changes_nothing() -> None:
    made = memory()
    blocks = [made.allocate(0) for _ in range(2)]
    before = made.account()
    made.zones[1].lock.take("worker0")
    with pytest.raises(WouldWaitError, match="cpu0 waits for zone NORMAL, which worker0 holds"):
        made.allocate(0)
    with pytest.raises(WouldWaitError):
        made.free(0, blocks[0])
    assert made.account() == before
    assert made.allocate(0, kind=ZoneKind.DMA32)  # the other zone goes on: the talk's point
    made.zones[1].lock.release("worker0")
    made.free(0, blocks[0])


def test_a_parked_page_is_allocated_without_the_lock() -> None:
    made = memory(per_cpu=PerCpuMarks(batch=3, high=6))
    made.allocate(0)
    made.zones[1].lock.take("worker0")
    assert made.allocate(0)
    assert made.allocate(0)
    with pytest.raises(WouldWaitError):
        made.allocate(0)


def test_whoever_stops_the_allocator_stops_all_of_it() -> None:
    made = memory()
    taken = made.allocate(0)
    made.stop.take("worker0")
    for step in (
        lambda: made.allocate(0),
        lambda: made.free(0, taken),
        lambda: made.drain(0),
        lambda: made.isolate(Block(0, 4), "reporting"),
    ):
        with pytest.raises(WouldWaitError):
            step()
    assert made.isolate_any(0, "balloon", lambda _: 0) is None


# Per-CPU lists


def test_per_cpu_lists_take_batches_and_overflow_at_the_high_mark() -> None:
    made = memory(per_cpu=PerCpuMarks(batch=2, high=4), cpus=2)
    blocks = [made.allocate(0) for _ in range(4)]
    parked = made.parked(0, ZoneKind.NORMAL)
    assert len(parked) == 0
    for number, each in enumerate(blocks[:3], 1):
        made.free(0, each)
        assert len(parked) == number
    made.free(0, blocks[3])
    assert len(parked) == 2  # the two coldest went to the buddy lists
    assert made.state(blocks[0].pfn) is PageState.FREE
    assert made.state(blocks[3].pfn) is PageState.PER_CPU
    assert made.allocate(0) == blocks[3]  # the warmest comes first
    assert made.allocate(1) != blocks[2]  # another CPU has a list of its own
    assert made.account().balanced


def test_draining_empties_a_cpus_lists_and_larger_blocks_are_never_parked() -> None:
    made = memory(per_cpu=PerCpuMarks(batch=4, high=8))
    single, pair = made.allocate(0), made.allocate(0, order=1)
    made.free(0, single)
    made.free(0, pair)
    assert made.account().per_cpu == 4
    assert made.drain(0) == 4
    assert made.account().per_cpu == 0
    assert made.account().free == 32


def test_pressure_drains_the_lists_of_every_cpu() -> None:
    made = memory(per_cpu=PerCpuMarks(batch=4, high=16), cpus=2)
    blocks = [made.allocate(0) for _ in range(20)]
    for each in blocks:
        made.free(1, each)
    assert made.allocate(0, order=3).order == 3
    assert made.allocate(0, order=3).order == 3


# The page cache


def test_the_cache_keeps_pages_until_pressure() -> None:
    made = memory(cache=KeepUntilPressure(20))
    blocks = [made.allocate(0) for _ in range(20)]
    for each in blocks:
        made.touch(each)
        made.free(0, each)
    assert made.account().cached == 20
    made.reuse(blocks[5])
    assert made.state(blocks[5].pfn) is PageState.ALLOCATED
    assert not made.verify()  # what is cached, and used again, is as it was
    for _ in range(12):
        made.allocate(0)
    assert made.account().cached < 19
    assert made.state(blocks[0].pfn) is not PageState.CACHED  # the oldest goes first
    assert made.account().balanced


def test_dropping_frees_the_oldest_and_no_cache_keeps_nothing() -> None:
    made = memory(cache=KeepUntilPressure(4))
    blocks = [made.allocate(0) for _ in range(5)]
    for each in blocks:
        made.free(0, each)
    assert made.account().cached == 4  # the fifth found no room
    assert made.drop(0, 2) == 2
    assert made.cache.blocks == tuple(blocks[2:4])
    assert not NoCache().keeps(blocks[0])


def test_a_block_that_cannot_be_dropped_now_stays_in_the_cache() -> None:
    made = memory(cache=KeepUntilPressure(4))
    got = made.allocate(0)
    made.free(0, got)
    made.zones[1].lock.take("worker0")
    with pytest.raises(WouldWaitError):
        made.drop(0, 1)
    assert made.cache.blocks == (got,)
    made.zones[1].lock.release("worker0")
    assert made.drop(0, 1) == 1
    assert made.account().free == 32


# Hooks, events, content


def test_the_free_hook_hears_of_every_free_and_the_trace_of_all() -> None:
    recorder = Recorder()
    made = memory(emit=recorder.emit)
    heard: list[tuple[int, Block]] = []
    made.freed.append(lambda cpu, freed: heard.append((cpu, freed)))
    got = made.allocate(0, 2)
    made.touch(got)
    made.free(0, got)
    free = made.zones[1].buddy.block_at(got.pfn)
    assert free is not None
    made.isolate(free, "worker0")
    made.give_back(free, "worker0")
    assert heard == [(0, got)]
    span, whole = block(got.pfn, 2), block(free.pfn, free.order)
    assert recorder.events == [
        Allocated((span,)),
        Touched((span,)),
        Freed((span,)),
        Isolated((whole,)),
        Returned((whole,)),
    ]


@pytest.fixture(params=["tags", "patterns"])
def content(request: pytest.FixtureRequest) -> Iterator[Content]:
    if request.param == "tags":
        yield TagContent()
    else:
        with GuestMemory.create(32 * PAGE) as ram:
            yield PatternContent(ram)


def lose(content: Content, pfn: int) -> None:
    if isinstance(content, PatternContent):
        content.memory.discard(block(pfn))
    else:
        assert isinstance(content, TagContent)
        content.discard(pfn)


def test_a_lost_page_of_somebody_is_corruption(content: Content) -> None:
    made = memory(content=content)
    kept, freed = made.allocate(0, 1), made.allocate(0)
    made.touch(kept)
    made.touch(freed)
    made.free(0, freed)
    assert not made.verify()
    lose(content, freed.pfn)
    assert not made.verify()  # nobody relies on it
    lose(content, kept.pfn + 1)
    (lost,) = made.verify()
    assert (lost.pfn, lost.seen) == (kept.pfn + 1, 0)
    assert "seen zeros" in str(lost)
    assert made.expectations.expected(kept.pfn + 1) == lost.expected


def test_poison_is_relied_upon_until_the_page_is_named_without_it(content: Content) -> None:
    """hint.driver.poison-fill-first."""
    made = memory(content=content)
    free = next(made.zones[0].buddy.blocks(4))
    made.isolate(free, "worker0")
    made.fill(free, 0xAAAAAAAA)
    made.move(free, PageEvent.OFFER, keeps_content=True)
    lose(content, free.pfn)
    assert [lost.expected for lost in made.verify()] == [poison_tag(0xAAAAAAAA)]
    made.move(free, PageEvent.USE)
    made.give_back(free, "hinting")
    made.isolate(free, "worker0")
    made.move(free, PageEvent.OFFER)
    assert not made.verify()


@pytest.mark.parametrize("tag", [1, 12345, poison_tag(1), poison_tag(0xFFFFFFFF), 0])
def test_patterns_are_told_apart_in_every_byte(tag: int) -> None:
    with GuestMemory.create(4 * PAGE) as ram:
        kept = PatternContent(ram)
        kept.write(2, tag)
        assert kept.read(2) == tag
        ram.write(2 * PAGE + 4095, bytes([pattern(2, tag)[-1] ^ 1]))
        assert kept.read(2) == UNKNOWN
        ram.write(3 * PAGE, pattern(2, tag))  # the right page in the wrong place
        assert kept.read(3) == (tag if tag == 0 or tag >= poison_tag(1) else UNKNOWN)


def test_reading_patterns_fills_no_hole() -> None:
    with GuestMemory.create(4 * PAGE) as ram:
        assert PatternContent(ram).read(1) == 0
        assert ram.holes()[0].length == 4 * PAGE


# The ledger


def test_a_breach_names_the_requirement_the_page_and_what_was_seen() -> None:
    made = memory()
    taken = made.allocate(0)
    with pytest.raises(PageLifeError) as caught:
        made.isolate(taken, "worker0")
    assert caught.value.breach == Breach(
        taken.pfn,
        PageState.ALLOCATED,
        PageEvent.ISOLATE,
        "hint.driver.never-report-reallocated",
    )
    assert "seen ALLOCATED" in str(caught.value)
    assert made.state(taken.pfn) is PageState.ALLOCATED  # nothing happened


def test_a_ledger_can_let_a_broken_guest_go_on() -> None:
    breaches: list[Breach] = []
    made = memory(on_breach=breaches.append)
    taken = made.allocate(0, 1)
    made.isolate(taken, "worker0")
    assert {b.pfn for b in breaches} == set(pages_of(taken))
    assert made.state(taken.pfn) is PageState.ISOLATED


def test_a_double_free_is_a_breach() -> None:
    made = memory()
    taken = made.allocate(0)
    made.free(0, taken)
    with pytest.raises(PageLifeError, match=r"FREE expects .* seen FREE"):
        made.free(0, taken)


def test_a_page_in_no_zone_is_an_error() -> None:
    with pytest.raises(ValueError, match="in no zone"):
        memory().zone_of(32)


class MemoryMachine(RuleBasedStateMachine):
    """Whatever is done, no page is lost, none is in two hands, and no content changes."""

    @initialize(cache=st.booleans(), lists=st.booleans())
    def begin(self, cache: bool, lists: bool) -> None:
        self.memory = memory(
            cpus=2,
            per_cpu=PerCpuMarks(2, 4) if lists else NO_LISTS,
            cache=KeepUntilPressure(6) if cache else None,
        )
        self.live: list[Block] = []
        self.away: list[tuple[Block, str]] = []

    @rule(cpu=st.integers(0, 1), order=st.integers(0, 3), kind=st.sampled_from(ZoneKind))
    def allocate(self, cpu: int, order: int, kind: ZoneKind) -> None:
        try:
            got = self.memory.allocate(cpu, order, kind)
        except OutOfMemoryError:
            return
        mine = set(pages_of(got))
        for other in (*self.live, *(b for b, _ in self.away)):
            assert not mine & set(pages_of(other))
        self.live.append(got)
        self.memory.touch(got)

    @precondition(lambda self: self.live)
    @rule(data=st.data(), cpu=st.integers(0, 1))
    def free(self, data: st.DataObject, cpu: int) -> None:
        block = data.draw(st.sampled_from(self.live))
        self.live.remove(block)
        self.memory.free(cpu, block)

    @rule(cpu=st.integers(0, 1), drop=st.booleans())
    def give_up_caches(self, cpu: int, drop: bool) -> None:
        if drop:
            self.memory.drop(cpu, 2)
        else:
            self.memory.drain(cpu)

    @rule(order=st.integers(0, 3))
    def isolate(self, order: int) -> None:
        got = self.memory.isolate_any(order, "worker0", lambda zone: zone.watermarks.min)
        if got is not None:
            self.away.append((got, "isolated"))

    @precondition(lambda self: self.away)
    @rule(data=st.data(), reported=st.booleans())
    def go_on(self, data: st.DataObject, reported: bool) -> None:
        block, where = data.draw(st.sampled_from(self.away))
        self.away.remove((block, where))
        if where == "isolated":
            self.memory.move(block, PageEvent.OFFER)
            self.away.append((block, "offered"))
        else:
            self.memory.move(block, PageEvent.USE)
            self.memory.give_back(block, "hinting", reported=reported)

    @invariant()
    def nothing_is_lost(self) -> None:
        for zone in self.memory.zones:
            account = self.memory.account_of_zone(zone)
            assert account.balanced, account
            for state in PageState:
                assert zone.ledger.count(state) == zone.ledger.recount(state)
        total = self.memory.account()
        assert total.isolated == sum(1 << b.order for b, _ in self.away)
        assert total.used == sum(1 << b.order for b in self.live)
        assert not self.memory.verify()


TestMemory = MemoryMachine.TestCase
