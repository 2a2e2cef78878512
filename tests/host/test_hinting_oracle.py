"""The hinting queue against the rules, over valid and nearly valid requests."""

from __future__ import annotations

import struct
from collections.abc import Callable
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.host.hint_oracle import BITMAP, INHIBITED, OK, PFN, World, judge
from tests.host.host_tools import AREA, HIGH, HIGH_AREA, LOW, UNWRITTEN, free_pages, host
from vhint.host import ALL_FEATURES, DeviceOptions
from vhint.spans import PAGE, Span
from vhint.wire.features import Feature, Features
from vhint.wire.queues import Queue

RAM = frozenset(pfn for region in (LOW, HIGH) for pfn in Span(region.start, region.length).pages())
MAX_COUNT = 6


@st.composite
def blocks(draw: st.DrawFn, min_order: int) -> tuple[int, int]:
    """An aligned block of free pages."""
    area = draw(st.sampled_from([AREA, HIGH_AREA]))
    order = min_order + draw(st.integers(0, 2))
    pages = area.length // PAGE >> order
    return (area.start // PAGE + (draw(st.integers(0, pages - 1)) << order), order)


@st.composite
def pfn_requests(draw: st.DrawFn, min_order: int) -> bytearray:
    entries = draw(st.lists(blocks(min_order), max_size=MAX_COUNT))
    head = struct.pack("<HHIQ", PFN, 0, len(entries), draw(st.integers(1, 2**64 - 1)))
    return bytearray(head + b"".join(struct.pack("<QII", *entry, 0) for entry in entries))


@st.composite
def bitmap_requests(draw: st.DrawFn, min_order: int) -> bytearray:
    start, order = draw(blocks(min_order))
    bits = draw(st.lists(st.booleans(), max_size=40))
    packed = bytearray((len(bits) + 7) // 8)
    for position, bit in enumerate(bits):
        packed[position // 8] |= bit << position % 8
    head = struct.pack("<HHIQ", BITMAP, 0, len(bits), draw(st.integers(1, 2**64 - 1)))
    return bytearray(head + struct.pack("<QII", start, order, 0) + packed)


def put(code: str, at: int, value: int) -> Callable[[bytearray], None]:
    """Overwrite a field, if the request is long enough to have it."""

    def change(data: bytearray) -> None:
        if at + struct.calcsize(code) <= len(data):
            struct.pack_into(code, data, at, value)

    return change


def cut(size: int) -> Callable[[bytearray], None]:
    return lambda data: data.__delitem__(slice(max(0, len(data) - size), None))


def add(size: int) -> Callable[[bytearray], None]:
    return lambda data: data.extend(bytes(size))


HEADER = [
    *(put("<H", 0, kind) for kind in (0, 1, 2, 3, 0x0100)),
    *(put("<H", 2, flags) for flags in (1, 0x8000)),
    *(put("<I", 4, number) for number in (0, 1, MAX_COUNT + 1, 128 * MAX_COUNT + 1, 2**32 - 1)),
    put("<Q", 8, 0),
]
FIRST_ENTRY = [
    *(put("<Q", 16, pfn) for pfn in (2**64 - 1, 2**52, 2**52 - 1, 2**52 - 16, 0x3F0, 0x180)),
    *(put("<I", 24, order) for order in (0, 1, 7, 40, 41, 63, 64, 2**32 - 1)),
    *(put("<I", 28, reserved) for reserved in (1, 0x80000000)),
]
LAST_BYTE = [lambda data: data.__setitem__(-1, data[-1] | 0x80) if len(data) > 32 else None]
LENGTH = [*(cut(size) for size in (1, 15, 16, 33)), *(add(size) for size in (1, 16, 400))]
changes = st.lists(st.sampled_from([*HEADER, *FIRST_ENTRY, *LAST_BYTE, *LENGTH]), max_size=2)
cuts = st.lists(st.integers(0, 60), max_size=4)


def pieces(data: bytes, at: list[int]) -> list[bytes]:
    """Cut the bytes at these places; a place that comes twice makes an empty piece."""
    places = [0, *sorted(min(place, len(data)) for place in at), len(data)]
    return [data[start:end] for start, end in pairwise(places)]


@st.composite
def worlds(draw: st.DrawFn) -> tuple[DeviceOptions, Features, World]:
    min_order = draw(st.sampled_from([0, 0, 4]))
    host_page = draw(st.sampled_from([PAGE, PAGE << min_order]))
    bitmap = draw(st.sampled_from([True, True, False]))
    poison = draw(st.sampled_from([False, False, True]))
    accepted = ALL_FEATURES if bitmap else ALL_FEATURES - Features.of(Feature.HINTING_BITMAP)
    options = DeviceOptions(host_page=host_page, hint_max_count=MAX_COUNT, hint_min_order=min_order)
    return options, accepted, World(RAM, MAX_COUNT, min_order, bitmap, poison)


EMPTY = struct.pack("<HHIQ", PFN, 0, 0, 9)
EMPTY_BITMAP = struct.pack("<HHIQQII", BITMAP, 0, 0, 9, 0x100, 0, 0)


def exchange(
    setting: tuple[DeviceOptions, Features, World],
    data: bytes,
    readable_cuts: list[int],
    room: int,
    writable_cuts: list[int],
) -> None:
    """Send one request and hold what the device did against the verdict of the rules."""
    options, accepted, world = setting
    verdict = judge(data, world)
    with host(options, accepted, poison=0xAAAAAAAA if world.poison else 0) as made:
        writable = made.room(*map(len, pieces(bytes(room), writable_cuts)))
        head = made.offer(Queue.HINTING, pieces(data, readable_cuts), writable)
        made.run()
        used = made.used(Queue.HINTING)
        assert not made.needs_reset
        assert used is not None
        assert (used.head, used.known) == (head, True)
        written = b"".join(map(made.memory.read, writable))
        answers = {verdict.answer(status, room): status for status in verdict.statuses}
        found = written[: used.length]
        assert found in answers, (verdict, found)
        assert written == found.ljust(room, UNWRITTEN)
        gone = verdict.pages if room >= 16 and answers[found] == OK else set()
        assert made.discarded() == gone
        assert made.intact(free_pages() - gone)
        assert made.used(Queue.HINTING) is None


rooms = st.one_of(st.integers(16, 32), st.sampled_from([0, 1, 15, 200]))


@given(st.data())
@settings(max_examples=300)
def test_every_answer_is_one_that_the_rules_allow(data: st.DataObject) -> None:
    setting = data.draw(worlds())
    min_order = setting[2].min_order
    request = data.draw(st.one_of(pfn_requests(min_order), bitmap_requests(min_order)))
    for change in data.draw(changes):
        change(request)
    room = data.draw(rooms)
    if not request and not room:
        return
    exchange(setting, bytes(request), data.draw(cuts), room, data.draw(cuts))


@pytest.mark.parametrize("data", [EMPTY, EMPTY_BITMAP], ids=["pfns", "bitmap"])
def test_a_count_of_0_is_ok_even_with_poison(data: bytes) -> None:
    exchange((DeviceOptions(), ALL_FEATURES, World(RAM, poison=True)), data, [], 24, [])


def test_overlap_is_the_union() -> None:
    entries = [(0x100, 2), (0x102, 1), (0x100, 2), (0x103, 0)]
    data = struct.pack("<HHIQ", PFN, 0, 4, 77)
    data += b"".join(struct.pack("<QII", *entry, 0) for entry in entries)
    exchange((DeviceOptions(), ALL_FEATURES, World(RAM)), data, [], 17, [])


def test_the_oracle_by_hand() -> None:
    data = struct.pack("<HHIQQIIQII", PFN, 0, 2, 5, 0x100, 1, 0, 0x410, 0, 0)
    verdict = judge(data, World(RAM))
    assert verdict.pages == {0x100, 0x101, 0x410}
    assert verdict.answer(OK, 40) == struct.pack("<QIIB", 5, OK, 2, 0b11)
    assert judge(data, World(RAM, poison=True)).statuses == {INHIBITED}
    assert judge(data[:-1], World(RAM)).answer(2, 40) == struct.pack("<QII", 5, 2, 0)
