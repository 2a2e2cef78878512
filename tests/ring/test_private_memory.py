"""Private anonymous guest memory: the same promises as shared memory, without a file."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vhint.ring import AddressError, Backing, GuestMemory, PrivateMemory, Region
from vhint.spans import PAGE, Span, merge, subtract

REGIONS = [Region(0, 4 * PAGE, 4 * PAGE), Region(0x10000, 4 * PAGE, 0)]
RAM = [Span(0, 4 * PAGE), Span(0x10000, 4 * PAGE)]


def pages(first: int, count: int = 1) -> Span:
    return Span(first * PAGE, count * PAGE)


def test_new_memory_is_empty_and_reads_as_zeros() -> None:
    with PrivateMemory(REGIONS) as memory:
        assert memory.holes() == tuple(RAM)
        assert memory.read(Span(0x10000, 8)) == bytes(8)
        assert memory.backing is Backing.PRIVATE_ANONYMOUS


def test_looking_makes_no_memory() -> None:
    with PrivateMemory(REGIONS) as memory:
        memory.write(PAGE, b"x")
        assert memory.peek(Span(PAGE - 4, 8)) == b"\0\0\0\0x\0\0\0"
        assert memory.holes() == (pages(0), pages(2, 2), RAM[1])


def test_views_see_one_memory_and_outlive_each_other() -> None:
    memory = PrivateMemory.create(4 * PAGE)
    view = memory.view()
    memory.write(5, b"seen")
    memory.store16(PAGE, 0x1234)
    memory.close()
    memory.close()
    assert view.read(Span(5, 4)) == b"seen"
    assert view.load16(PAGE) == 0x1234
    assert view.holes() == (pages(2, 2),)
    view.close()


@pytest.mark.parametrize("span", [Span(4 * PAGE, 1), Span(0x10000 - 1, 2), Span(-1, 1)])
def test_bounds_hold(span: Span) -> None:
    with PrivateMemory(REGIONS) as memory:
        assert not memory.contains(span)
        for use in (memory.read, memory.peek):
            with pytest.raises(AddressError):
                use(span)


def test_only_whole_pages_are_discarded() -> None:
    with PrivateMemory(REGIONS) as memory, pytest.raises(ValueError, match="not whole pages"):
        memory.discard(Span(0, 100))


@given(st.lists(st.builds(pages, st.integers(0, 3), st.integers(1, 4)), max_size=3))
def test_it_discards_like_shared_memory(spans: list[Span]) -> None:
    named = [Span(span.start, min(span.length, 4 * PAGE - span.start)) for span in spans]
    with PrivateMemory.create(4 * PAGE) as private, GuestMemory.create(4 * PAGE) as shared:
        for memory in (private, shared):
            memory.write(0, b"\x5a" * 4 * PAGE)
            for span in named:
                memory.discard(span)
        assert private.holes() == shared.holes() == merge(named)
        for span in subtract([pages(0, 4)], named):
            assert private.peek(span) == shared.peek(span) == b"\x5a" * span.length
        assert private.peek(pages(0, 4)) == shared.peek(pages(0, 4))
