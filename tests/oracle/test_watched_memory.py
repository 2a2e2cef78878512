"""The watched memory: what it takes for harm and what not."""

from collections.abc import Iterator

import pytest

from vhint.ring import GuestMemory, Region
from vhint.spans import PAGE, Span
from vhint_conformance.oracle.memory import WatchedMemory

SIZE = 64 * PAGE
USABLE = Span(8 * PAGE, 48 * PAGE)
SPAN = Span(16 * PAGE + 100, 2 * PAGE)


@pytest.fixture
def device() -> Iterator[GuestMemory]:
    with GuestMemory.create(SIZE) as memory:
        yield memory


@pytest.fixture
def watched(device: GuestMemory) -> Iterator[WatchedMemory]:
    with WatchedMemory(device.fd, device.regions, USABLE) as memory:
        yield memory


def test_nothing_happened(watched: WatchedMemory) -> None:
    watched.write(SPAN.start, b"x" * SPAN.length)
    assert watched.changes() == ()
    assert watched.new_holes() == ()


def test_every_byte_of_harm_is_found(watched: WatchedMemory, device: GuestMemory) -> None:
    watched.write(SPAN.start, b"x" * SPAN.length)
    for address in (USABLE.start, SPAN.start, SPAN.end - 1, USABLE.end - 1):
        device.write(address, bytes([device.read(Span(address, 1))[0] ^ 1]))
    places = [Span(each, 1) for each in (USABLE.start, SPAN.start, SPAN.end - 1, USABLE.end - 1)]
    assert list(watched.changes()) == places


def test_outside_usable_memory_is_nobodys_business(
    watched: WatchedMemory, device: GuestMemory
) -> None:
    device.write(0, b"firmware")
    device.write(USABLE.end, b"more")
    assert watched.changes() == ()


def test_released_bytes_are_free_until_written_or_held(
    watched: WatchedMemory, device: GuestMemory
) -> None:
    watched.write(SPAN.start, b"old!" * (SPAN.length // 4))
    watched.release([SPAN])
    device.write(SPAN.start, b"new")
    assert watched.changes() == ()
    watched.hold([SPAN])
    assert watched.changes() == (Span(SPAN.start, 3),)
    watched.write(SPAN.start, b"own")
    assert watched.changes() == ()
    device.write(SPAN.start, b"bad")
    assert watched.changes() == (Span(SPAN.start, 3),)


def test_holes_are_new_once_and_again_after_a_write(
    watched: WatchedMemory, device: GuestMemory
) -> None:
    page = Span(20 * PAGE, PAGE)
    device.discard(page)
    assert watched.new_holes() == (page,)
    assert watched.new_holes() == ()
    assert watched.changes() == ()  # holes are not changes
    watched.write(page.start + 5, b"back")
    assert watched.new_holes() == ()
    device.discard(page)
    assert watched.new_holes() == (page,)


def test_stores_of_indices_are_expected_too(watched: WatchedMemory, device: GuestMemory) -> None:
    watched.store16(SPAN.start, 0x1234)
    assert watched.changes() == ()
    device.store16(SPAN.start, 0x1235)
    assert watched.changes() == (Span(SPAN.start, 1),)


def test_looking_fills_no_hole(watched: WatchedMemory, device: GuestMemory) -> None:
    page = Span(20 * PAGE, PAGE)
    device.discard(page)
    watched.changes()
    assert page in watched.holes()


def test_harm_in_a_bystander_region_is_found() -> None:
    # As a device does it that takes an address of one region for an offset of another.
    low, high = Span(0, 16 * PAGE), Span(1 << 32, 32 * PAGE)
    with GuestMemory.create(48 * PAGE) as whole:
        regions = (Region(low.start, low.length, 0), Region(high.start, high.length, low.length))
        with WatchedMemory(whole.fd, regions, high, [low]) as watched:
            watched.write(high.start + 3 * PAGE + 5, b"mine")
            assert watched.changes() == ()
            assert watched.new_holes() == ()
            whole.write(7 * PAGE + 1, b"x")
            whole.write(low.length + 3 * PAGE + 6, b"x")
            whole.discard(Span(9 * PAGE, PAGE))
            assert watched.changes() == (
                Span(7 * PAGE + 1, 1),
                Span(high.start + 3 * PAGE + 6, 1),
            )
            assert watched.new_holes() == (Span(9 * PAGE, PAGE),)


def test_what_is_left_is_known_to_who_watches_next() -> None:
    low, high = Span(0, 16 * PAGE), Span(1 << 32, 32 * PAGE)
    with GuestMemory.create(48 * PAGE) as whole:
        regions = (Region(low.start, low.length, 0), Region(high.start, high.length, low.length))
        with WatchedMemory(whole.fd, regions, high, [low]) as first:
            first.write(high.start + 3 * PAGE + 5, b"mine")
            first.release([Span(high.start + 4 * PAGE, PAGE)])
            whole.write(low.length + 4 * PAGE, b"answer")
            whole.write(7 * PAGE + 1, b"harm")
            whole.discard(Span(low.length - PAGE, 2 * PAGE))
            first.changes()
            left = first.left
        with (
            WatchedMemory(whole.fd, regions, high, [low], left) as second,
            GuestMemory.create(48 * PAGE) as fresh,
            WatchedMemory(fresh.fd, regions, high, [low]) as third,
        ):
            assert second.new_holes() == ()
            assert second.changes() == ()
            for span in (low, high):
                assert second.read(span) == third.read(span)


def test_what_is_left_of_other_spans_is_of_no_use(device: GuestMemory) -> None:
    with WatchedMemory(device.fd, device.regions, Span(0, 8 * PAGE)) as first:
        first.changes()
        left = first.left
    with WatchedMemory(device.fd, device.regions, Span(0, 16 * PAGE), (), left) as second:
        assert second.changes() == ()
