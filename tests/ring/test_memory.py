"""Guest memory: bounds, regions, holes, aligned accesses, and that nothing leaks."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vhint.ring import AddressError, GuestMemory, Region
from vhint.spans import PAGE, Span

LOW = Region(0x10000, 4 * PAGE, 8 * PAGE)
NEXT = Region(0x14000, 4 * PAGE, 0)  # follows LOW in the guest, lies before it in the file
FAR = Region(0x20000, 2 * PAGE, 4 * PAGE)  # behind a gap
ALIAS = Region(0x80000, 2 * PAGE, 4 * PAGE)  # the same pages of the file as FAR
REGIONS = (FAR, LOW, ALIAS, NEXT)


def open_fds() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.fixture
def memory() -> Iterator[GuestMemory]:
    fd = os.memfd_create("test-ram")
    os.ftruncate(fd, 12 * PAGE)
    with GuestMemory(fd, REGIONS) as made:
        os.close(fd)
        yield made


def test_a_span_may_straddle_regions_that_touch(memory: GuestMemory) -> None:
    memory.write(NEXT.start - 3, b"abcdef")
    assert memory.read(Span(NEXT.start - 3, 6)) == b"abcdef"
    assert memory.read(Span(NEXT.start, 3)) == b"def"
    assert os.pread(memory.fd, 3, 0) == b"def"
    assert os.pread(memory.fd, 3, 12 * PAGE - 3) == b"abc"
    assert memory.peek(Span(NEXT.start - 3, 6)) == b"abcdef"


def test_regions_may_show_the_same_part_of_the_file(memory: GuestMemory) -> None:
    memory.write(FAR.start + 5, b"seen twice")
    assert memory.read(Span(ALIAS.start + 5, 10)) == b"seen twice"
    memory.discard(Span(ALIAS.start, PAGE))
    assert memory.read(Span(FAR.start + 5, 10)) == bytes(10)


OUTSIDE = [
    Span(LOW.start - 1, 1),
    Span(LOW.start - 1, 2),
    Span(NEXT.start + NEXT.length - 1, 2),  # into the gap
    Span(LOW.start, FAR.start + PAGE - LOW.start),  # over the gap
    Span(FAR.start + FAR.length, 1),
    Span(0, 1),
    Span(-1, 1),
    Span(-PAGE, 2 * PAGE),
    Span(LOW.start, -1),
    Span(LOW.start + PAGE, -PAGE),
    Span(LOW.start, 2**64),
    Span(2**64 - 1, 1),
    Span(2**64 - PAGE, 2 * PAGE + LOW.start),  # wraps into RAM if cut to 64 bits
    Span(2**200, 2**200),
]


@pytest.mark.parametrize("span", OUTSIDE, ids=str)
def test_outside_is_refused(memory: GuestMemory, span: Span) -> None:
    assert not memory.contains(span)
    for access in (memory.read, memory.peek):
        with pytest.raises(AddressError, match="not inside guest memory"):
            access(span)


def test_a_write_that_does_not_fit_stores_nothing(memory: GuestMemory) -> None:
    end = NEXT.start + NEXT.length
    with pytest.raises(AddressError):
        memory.write(end - 2, b"abc")
    assert memory.read(Span(end - 2, 2)) == bytes(2)
    with pytest.raises(AddressError):
        memory.discard(Span(end - PAGE, 2 * PAGE))
    with pytest.raises(AddressError):
        memory.store16(end, 1)
    with pytest.raises(AddressError):
        memory.load16(-2)


@given(st.integers(LOW.start - PAGE, ALIAS.start + 3 * PAGE), st.integers(0, 12 * PAGE))
def test_contains_agrees_with_the_regions_page_by_page(start: int, length: int) -> None:
    ram = {page for region in REGIONS for page in Span(region.start, region.length).pages()}
    inside = set(Span(start, max(1, length)).pages()) <= ram
    with GuestMemory.create(PAGE) as other:
        other.regions = tuple(sorted(REGIONS, key=lambda region: region.start))
        assert other.contains(Span(start, length)) == inside


def test_an_empty_span_needs_an_address_in_memory(memory: GuestMemory) -> None:
    assert memory.contains(Span(LOW.start, 0))
    assert memory.read(Span(LOW.start, 0)) == b""
    assert not memory.contains(Span(0, 0))
    memory.discard(Span(LOW.start, 0))


def test_the_error_names_the_span_and_the_ram(memory: GuestMemory) -> None:
    with pytest.raises(AddressError) as caught:
        memory.read(Span(0x30000, 0x10))
    assert caught.value.span == Span(0x30000, 0x10)
    assert "[0x30000, 0x30010)" in str(caught.value)
    assert "[0x10000, 0x14000)" in str(caught.value)


def test_discard_makes_holes_that_the_file_shows() -> None:
    with GuestMemory.create(8 * PAGE) as memory:
        memory.write(0, b"x" * 8 * PAGE)
        assert memory.holes() == ()
        memory.discard(Span(2 * PAGE, 3 * PAGE))
        assert memory.holes() == (Span(2 * PAGE, 3 * PAGE),)
        assert os.lseek(memory.fd, 0, os.SEEK_HOLE) == 2 * PAGE
        assert os.lseek(memory.fd, 2 * PAGE, os.SEEK_DATA) == 5 * PAGE
        assert memory.read(Span(PAGE, 2 * PAGE)) == b"x" * PAGE + bytes(PAGE)


def test_holes_are_reported_in_every_region_that_shows_them(memory: GuestMemory) -> None:
    for region in REGIONS:
        memory.write(region.start, b"x" * region.length)
    memory.discard(Span(FAR.start, PAGE))
    memory.discard(Span(NEXT.start - PAGE, 2 * PAGE))
    assert memory.holes() == (
        Span(NEXT.start - PAGE, 2 * PAGE),
        Span(FAR.start, PAGE),
        Span(ALIAS.start, PAGE),
    )


def test_peek_leaves_a_hole_where_read_fills_it() -> None:
    with GuestMemory.create(2 * PAGE) as memory:
        everything = Span(0, 2 * PAGE)
        assert memory.peek(everything) == bytes(2 * PAGE)
        assert memory.holes() == (everything,)
        assert memory.read(Span(PAGE, 1)) == b"\0"
        assert memory.holes() == (Span(0, PAGE),)


@pytest.mark.parametrize("span", [Span(1, PAGE), Span(0, PAGE - 1), Span(0, 1), Span(PAGE, 512)])
def test_only_whole_pages_are_discarded(span: Span) -> None:
    with GuestMemory.create(2 * PAGE) as memory:
        memory.write(0, b"x" * 2 * PAGE)
        with pytest.raises(ValueError, match="whole pages"):
            memory.discard(span)
        assert memory.holes() == ()


def test_index_accesses_are_aligned_and_little_endian(memory: GuestMemory) -> None:
    memory.store16(NEXT.start, 0x1234)
    assert memory.read(Span(NEXT.start, 2)) == b"\x34\x12"
    memory.store16(NEXT.start, 0x1FFFE)
    assert memory.load16(NEXT.start) == 0xFFFE
    for access in (memory.load16, lambda at: memory.store16(at, 1)):
        with pytest.raises(ValueError, match="odd"):
            access(NEXT.start + 1)


def test_a_view_is_the_same_memory_and_outlives_the_first_mapping() -> None:
    with GuestMemory.create(2 * PAGE) as memory:
        view = memory.view()
        memory.write(5, b"to the view")
    with view:
        assert view.read(Span(5, 11)) == b"to the view"
        with view.view() as third:
            third.store16(PAGE, 7)
            assert view.load16(PAGE) == 7
            third.discard(Span(0, PAGE))
        assert view.read(Span(5, 2)) == bytes(2)


def test_close_releases_every_descriptor() -> None:
    before = open_fds()
    memory = GuestMemory.create(2 * PAGE)
    view = memory.view()
    assert open_fds() > before
    memory.read(Span(0, 16))
    memory.close()
    view.close()
    view.close()
    assert open_fds() == before
    with pytest.raises(ValueError, match="released"):
        memory.read(Span(0, 1))


@pytest.mark.parametrize(
    "regions",
    [
        [],
        [Region(0, PAGE, 1)],
        [Region(1, PAGE, 0)],
        [Region(0, 100, 0)],
        [Region(0, PAGE, 64 * PAGE)],  # behind the end of the file
        [Region(0, 2 * PAGE, 0), Region(PAGE, PAGE, 0)],  # two pages at one address
        [Region(-PAGE, 2 * PAGE, 0)],
        [Region(0, PAGE, -PAGE)],
        [Region(0, 0, 0)],
    ],
)
def test_regions_that_make_no_sense_are_refused_and_leak_nothing(regions: list[Region]) -> None:
    fd = os.memfd_create("test-ram")
    os.ftruncate(fd, 4 * PAGE)
    before = open_fds()
    with pytest.raises(ValueError, match=r"."):
        GuestMemory(fd, regions)
    assert open_fds() == before
    os.close(fd)


@pytest.mark.parametrize("size", [0, -1, 100, PAGE + 1])
def test_a_size_that_is_no_size_is_refused_and_leaks_nothing(size: int) -> None:
    before = open_fds()
    with pytest.raises((ValueError, OSError), match=r"."):
        GuestMemory.create(size)
    assert open_fds() == before
