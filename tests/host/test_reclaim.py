"""Back ends of reclaim on real memory, and what they say of discards that fail."""

from __future__ import annotations

import ctypes
import fcntl
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.host.host_tools import shared
from vhint.host import (
    Device,
    DeviceOptions,
    Discarded,
    DropAnonymous,
    Failure,
    KeepEverything,
    PunchHoles,
    Simulated,
    reclaimer_for,
)
from vhint.host.reclaim import advice, kernel
from vhint.host.reclaim.kernel import KernelReclaimer
from vhint.ring import GuestMemory, PrivateMemory, Region
from vhint.spans import PAGE, Span, intersect, merge, subtract

REGIONS = [
    Region(0, 0x10000, 0x20000),
    Region(0x10000, 0x10000, 0),
    Region(0x40000, 0x10000, 0x10000),
]
RAM = [Span(0, 0x20000), Span(0x40000, 0x10000)]
FILL = b"\x5a"


def make(kind: str) -> GuestMemory:
    memory = PrivateMemory(REGIONS) if kind == "private" else shared(REGIONS)
    for span in RAM:
        memory.write(span.start, FILL * span.length)
    return memory


@pytest.fixture(params=["shared", "private"])
def memory(request: pytest.FixtureRequest) -> Iterator[GuestMemory]:
    with make(request.param) as made:
        assert made.holes() == ()
        yield made


def pages(first: int, count: int = 1) -> Span:
    return Span(first * PAGE, count * PAGE)


def test_the_back_end_fits_the_memory(memory: GuestMemory) -> None:
    """As the system itself says of the mapping, in the fourth letter of its permissions."""
    maps = Path("/proc/self/maps").read_text(encoding="ascii")
    kinds = {
        letter
        for start, end, letter in re.findall(r"^(\w+)-(\w+) ...(\w)", maps, re.MULTILINE)
        if int(start, 16) <= memory.address < int(end, 16)
    }
    back_end = reclaimer_for(memory)
    assert kinds == ({"s"} if isinstance(back_end, PunchHoles) else {"p"})
    assert back_end.page == PAGE


spans = st.lists(
    st.builds(pages, st.integers(0, 31), st.integers(0, 12)).filter(lambda s: s.end <= 0x20000)
    | st.builds(pages, st.integers(0x40, 0x4C), st.integers(1, 4)),
    max_size=6,
)


@pytest.mark.parametrize("kind", ["shared", "private"])
@given(spans)
def test_exactly_the_union_of_the_spans_goes(kind: str, named: list[Span]) -> None:
    """Over neighbouring regions that lie apart in the file, too."""
    with make(kind) as memory:
        result = reclaimer_for(memory).discard(named)
        assert result == Discarded(merge(named))
        assert memory.holes() == merge(named)
        for span in subtract(RAM, named):
            assert memory.peek(span) == FILL * span.length
        for span in merge(named):
            assert memory.read(span) == bytes(span.length)


def test_neighbours_go_in_one_call(memory: GuestMemory, monkeypatch: pytest.MonkeyPatch) -> None:
    back_end = reclaimer_for(memory)
    assert isinstance(back_end, KernelReclaimer)
    back_end.at_once = False
    calls: list[tuple[int, int]] = []
    monkeypatch.setattr(back_end, "give_back", lambda *call: calls.append(call))
    back_end.discard([pages(3), pages(1), pages(2), pages(17), pages(16), pages(15)])
    # Pages 15 and 16 are neighbours in guest memory but not in the mapping.
    assert calls == [(0x21000, 0x3000), (0x2F000, 0x1000), (0, 0x2000)]


@pytest.mark.parametrize("kind", ["shared", "private"])
def test_more_ranges_than_one_call_takes(kind: str) -> None:
    size = 4 * advice.MOST_RANGES * PAGE
    regions = [Region(0, size, 0)]
    made = PrivateMemory(regions) if kind == "private" else shared(regions)
    with made as memory:
        memory.write(0, FILL * size)
        every_other = [pages(2 * number) for number in range(2 * advice.MOST_RANGES)]
        assert reclaimer_for(memory).discard(every_other).spans == tuple(every_other)
        assert memory.holes() == tuple(every_other)


def test_a_system_that_takes_one_range_at_a_time(
    memory: GuestMemory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(advice, "_process_madvise", None)
    advice.takes_many.cache_clear()
    try:
        back_end = reclaimer_for(memory)
        assert isinstance(back_end, KernelReclaimer)
        assert not back_end.at_once
    finally:
        advice.takes_many.cache_clear()
    assert back_end.discard([pages(1), pages(3)]).spans == (pages(1), pages(3))
    assert memory.holes() == (pages(1), pages(3))


def test_a_call_that_does_only_some_ranges_is_not_believed(
    memory: GuestMemory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(advice, "_advise", lambda vector, _: vector[1] if vector else 0)
    assert reclaimer_for(memory).discard([pages(1), pages(3)]).spans == (pages(1), pages(3))
    assert memory.holes() == (pages(1), pages(3))


def test_the_wrong_back_end_is_refused() -> None:
    with make("shared") as one, make("private") as other:
        with pytest.raises(ValueError, match="this is shared file: let reclaimer_for choose"):
            DropAnonymous(one)
        with pytest.raises(ValueError, match="this is private anonymous"):
            PunchHoles(other)


def test_the_wrong_advice_frees_nothing() -> None:
    """Why the backing decides: dropping pages of a shared file leaves them in the file."""
    with make("shared") as memory:
        advice.drop(memory.address, 0x10000)
        assert memory.holes() == ()


def test_discarded_memory_can_be_used_again(memory: GuestMemory) -> None:
    back_end = reclaimer_for(memory)
    for _ in range(3):
        back_end.discard([pages(4, 2)])
        memory.write(4 * PAGE, b"new")
        assert memory.read(Span(4 * PAGE, 4)) == b"new\0"
        assert memory.holes() == (pages(5),)


# Failures


def lock(memory: GuestMemory, span: Span) -> None:
    ((offset, size),) = memory.extents(span)
    libc = ctypes.CDLL(None)
    result = libc.mlock(ctypes.c_void_p(memory.address + offset), ctypes.c_size_t(size))
    if result:
        pytest.skip("this system lets nobody lock a page")


def test_a_locked_page_stays_and_the_others_go() -> None:
    with make("private") as memory:
        lock(memory, pages(5))
        result = reclaimer_for(memory).discard([pages(2, 6), pages(10)])
        assert result.spans == (pages(2, 3), pages(6, 2), pages(10))
        assert [failure.span for failure in result.failures] == [pages(5)]
        assert "Invalid argument" in result.failures[0].reason
        assert result.touched == (pages(2, 6), pages(10))
        assert memory.holes() == result.spans
        assert memory.peek(pages(5)) == FILL * PAGE


def test_a_sealed_file_keeps_everything_and_says_so() -> None:
    fd = os.memfd_create("sealed", os.MFD_ALLOW_SEALING)
    os.ftruncate(fd, 0x40000)
    with GuestMemory(fd, [Region(0, 0x40000, 0)]) as memory:
        memory.write(0, FILL * 0x40000)
        fcntl.fcntl(fd, fcntl.F_ADD_SEALS, 0x10)  # F_SEAL_FUTURE_WRITE
        os.close(fd)
        result = reclaimer_for(memory).discard([pages(0, 64)])
        assert result.spans == ()
        assert merge(failure.span for failure in result.failures) == (pages(0, 64),)
        assert memory.holes() == ()


class Refusing(PunchHoles):
    """Refuses every call that touches certain pages."""

    def __init__(self, memory: GuestMemory, stuck: set[int]) -> None:
        super().__init__(memory)
        self.stuck = stuck
        self.calls = 0
        self.at_once = False

    def give_back(self, offset: int, size: int) -> None:
        self.calls += 1
        if self.stuck & set(range(offset // PAGE, (offset + size) // PAGE)):
            raise OSError(16, "Device or resource busy")
        super().give_back(offset, size)


@given(st.sets(st.integers(0, 63)), st.lists(st.booleans(), min_size=64, max_size=64))
def test_what_is_reported_as_gone_is_gone(stuck: set[int], chosen: list[bool]) -> None:
    named = [pages(number) for number, one in enumerate(chosen) if one]
    with shared([Region(0, 0x40000, 0)]) as memory:
        memory.write(0, FILL * 0x40000)
        back_end = Refusing(memory, stuck)
        result = back_end.discard(named)
        failed = merge(failure.span for failure in result.failures)
        assert memory.holes() == result.spans
        assert result.touched == merge(named)
        assert not intersect(result.spans, failed)
        if back_end.calls <= kernel.MAX_RETRIES:  # then only what is stuck has failed
            stuck_pages = [pages(number) for number in stuck if chosen[number]]
            assert failed == merge(stuck_pages)


def test_attempts_are_bounded() -> None:
    with shared([Region(0, 4096 * PAGE, 0)]) as memory:
        back_end = Refusing(memory, set(range(4096)))
        result = back_end.discard([pages(0, 4096)])
        assert back_end.calls <= 2 * kernel.MAX_RETRIES + 1
        assert result.touched == (pages(0, 4096),)
        assert result.spans == ()


# The device and its back end


def test_a_model_is_told_what_its_host_lost() -> None:
    with shared([Region(0, 0x40000, 0)]) as memory:
        lost: list[Span] = []
        back_end = Simulated(memory, lost.append, stuck=[pages(2), pages(9)])
        memory.write(0, FILL * 0x40000)
        result = back_end.discard([pages(1, 3), pages(3), pages(7)])
        assert lost == back_end.discarded == [pages(1), pages(3), pages(7)]
        assert result.spans == (pages(1), pages(3), pages(7))
        assert [failure.span for failure in result.failures] == [pages(2)]
        assert memory.holes() == ()


def test_doing_nothing_is_reported_as_nothing() -> None:
    with shared([Region(0, 0x40000, 0)]) as memory:
        assert KeepEverything(memory).discard([pages(1)]) == Discarded()


def test_the_device_takes_no_smaller_pages_than_the_memory_has(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(GuestMemory, "page_size", 2 << 20)  # as on hugetlbfs
    with shared([Region(0, 4 << 20, 0)]) as memory:
        with pytest.raises(ValueError, match="4096 bytes, but this memory has pages of 2097152"):
            Device(memory)
        assert isinstance(reclaimer_for(memory), KernelReclaimer)
        Device(memory, DeviceOptions(host_page=2 << 20, hint_min_order=9))


@pytest.mark.parametrize("size", [0, 1, 2048, 4095, 4097, 12288, 4 << 20])
def test_a_host_page_is_4_kib_to_2_mib(size: int) -> None:
    with pytest.raises(ValueError, match="host_page is a power of two from 4096 to 2097152"):
        DeviceOptions(host_page=size)


def test_failures_are_values() -> None:
    assert Failure(pages(1), "x") == Failure(pages(1), "x")
