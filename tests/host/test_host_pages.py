"""Discarding in the host's pages: inward for ranges, part by part for the balloon."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.host.host_tools import AREA, HIGH, HIGH_AREA, Host, free_pages, host, page
from vhint.host import ALL_FEATURES, DeviceOptions
from vhint.spans import PAGE, Span
from vhint.wire.features import Feature, Features
from vhint.wire.queues import Queue

FIRST = AREA.start // PAGE
ORDERS = {0: DeviceOptions(), 4: DeviceOptions(host_page=PAGE << 4, hint_min_order=4)}


def balloon(made: Host, queue: Queue, *pfns: int) -> None:
    made.offer(queue, [struct.pack(f"<{len(pfns)}I", *pfns)])
    made.run()
    assert made.used(queue) is not None


extents = st.tuples(st.integers(0, 0x2FFFF), st.integers(1, 0x28000))


@pytest.mark.parametrize("order", ORDERS)
@given(
    st.lists(st.tuples(st.integers(0, 0x2FFFF), st.integers(1, 0x28000)), min_size=1, max_size=3)
)
def test_reported_ranges_are_rounded_inward(order: int, ranges: list[tuple[int, int]]) -> None:
    buffers = [Span(AREA.start + start, length) for start, length in ranges]
    ratio = 1 << order
    whole = {
        pfn
        for first in range(FIRST, FIRST + 128, ratio)
        for pfn in range(first, first + ratio)
        if any(each.covers(Span(first * PAGE, ratio * PAGE)) for each in buffers)
    }
    with host(ORDERS[order]) as made:
        made.offer(Queue.REPORTING, writable=buffers)
        made.run()
        assert made.discarded() == whole
        assert made.intact(free_pages() - whole)


def test_reports_leave_nothing_behind_that_a_later_one_completes() -> None:
    with host(ORDERS[4]) as made:
        for half in (Span(AREA.start, 0x8000), Span(AREA.start + 0x8000, 0x8000)):
            made.offer(Queue.REPORTING, writable=[half])
            made.run()
        assert made.discarded() == set()


moves = st.lists(
    st.tuples(
        st.sampled_from(["inflate", "inflate", "deflate", "reset"]),
        st.lists(st.integers(FIRST, FIRST + 11), min_size=1, max_size=8),
    ),
    max_size=8,
)


@given(moves)
def test_a_host_page_goes_when_all_of_it_is_in_the_balloon(
    history: list[tuple[str, list[int]]],
) -> None:
    """With host pages of four, against the set of pages that were given and not taken back."""
    with host(DeviceOptions(host_page=4 * PAGE, hint_min_order=2)) as made:
        given_now: set[int] = set()
        for what, pfns in history:
            gone = set()
            if what == "reset":
                made.device.write_status(0)
                made.start()
                given_now.clear()
            elif what == "deflate":
                balloon(made, Queue.DEFLATE, *pfns)
                given_now -= set(pfns)
            else:
                for pfn in pfns:
                    given_now.add(pfn)
                    parts = set(range(pfn & ~3, (pfn & ~3) + 4))
                    if parts <= given_now:
                        gone |= parts
                        given_now -= parts
                balloon(made, Queue.INFLATE, *pfns)
            assert made.discarded() == gone
            assert made.intact(free_pages() - gone)
            made.fill()


def test_a_page_that_came_back_unheard_is_not_part_of_a_host_page() -> None:
    """Without MUST_TELL_HOST the guest uses a page as soon as it has offered it for deflation.

    The device may come to a later inflate request first, as it does here.
    """
    accepted = ALL_FEATURES - Features.of(Feature.MUST_TELL_HOST)
    with host(DeviceOptions(host_page=2 * PAGE, hint_min_order=1), accepted) as made:
        balloon(made, Queue.INFLATE, FIRST)
        made.offer(Queue.DEFLATE, [struct.pack("<I", FIRST)])
        made.memory.write(page(FIRST).start, b"live")
        made.offer(Queue.INFLATE, [struct.pack("<I", FIRST + 1)])
        while made.device.step(Queue.INFLATE):
            pass
        made.run()
        assert made.memory.peek(Span(page(FIRST).start, 4)) == b"live"
        balloon(made, Queue.INFLATE, FIRST + 2, FIRST + 3)  # all of a page in one request
        assert made.discarded() == {FIRST + 2, FIRST + 3}


def test_inflate_takes_every_page_of_ram_and_leaves_out_the_rest() -> None:
    outside = [0x180, 0x3FF, 0x400 + HIGH.length // PAGE, 2**32 - 1]
    with host() as made:
        balloon(made, Queue.INFLATE, FIRST, *outside, HIGH_AREA.start // PAGE, FIRST)
        assert made.discarded() == {FIRST, HIGH_AREA.start // PAGE}
        assert not made.needs_reset


def test_a_host_page_that_is_not_all_ram_stays() -> None:
    """The end of RAM lies in the middle of a host page of 1 MiB."""
    with host(DeviceOptions(host_page=1 << 20, hint_min_order=8)) as made:
        balloon(made, Queue.INFLATE, *range(FIRST, FIRST + 128))
        balloon(made, Queue.INFLATE, *range(FIRST + 128, FIRST + 256))
        assert made.discarded() == set()


@pytest.mark.parametrize("data", [b"", b"\0", b"\0\1\0", b"\0\1\0\0\x01"])
def test_an_incomplete_pfn_is_left_out(data: bytes) -> None:
    with host() as made:
        made.offer(Queue.INFLATE, [b"\x01\x01\0\0" + data[:4], data[4:]])
        made.run()
        expected = {0x101, 0x100} if len(data) >= 4 else {0x101}
        assert made.discarded() == expected
        assert made.used(Queue.INFLATE) is not None


@pytest.mark.parametrize("poison", [0, 1, 0xFFFFFFFF])
def test_reported_pages_stay_if_they_must_show_poison(poison: int) -> None:
    with host(poison=poison) as made:
        made.offer(Queue.REPORTING, writable=[page(FIRST)])
        made.run()
        assert made.discarded() == (set() if poison else {FIRST})
        completion = made.used(Queue.REPORTING)
        assert completion is not None
        assert completion.length == 0
