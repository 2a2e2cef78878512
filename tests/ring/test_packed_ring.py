"""The packed ring byte by byte: flags, wraps, notifications, and what a hostile driver writes."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.ring.ring_tools import DATA, RAM, RING, TABLES, WatchedMemory
from vhint.ring import (
    Completion,
    Fault,
    PackedDeviceQueue,
    PackedDriverQueue,
    PackedLayout,
    Position,
    RingError,
)
from vhint.ring.packed_device import FRESH, exact_base
from vhint.ring.packed_driver import pack_descriptor, wants
from vhint.spans import Span
from vhint.wire import packed_vring as packed
from vhint.wire.packed_vring import EventFlag, PackedDescriptor, PackedFlag

NEXT, WRITE, INDIRECT = PackedFlag.NEXT, PackedFlag.WRITE, PackedFlag.INDIRECT
BUFFER = Span(DATA, 64)


@pytest.fixture
def memory() -> Iterator[WatchedMemory]:
    with WatchedMemory.create(RAM) as made:
        yield made


def rings(
    memory: WatchedMemory, size: int = 4, *, event_idx: bool = False, indirect: bool = True
) -> tuple[PackedDriverQueue, PackedDeviceQueue]:
    layout = PackedLayout.at(RING, size)
    driver = PackedDriverQueue(memory, layout, event_idx=event_idx)
    return driver, PackedDeviceQueue(memory, layout, event_idx=event_idx, indirect=indirect)


def flags_of(driver: PackedDriverQueue, slot: int) -> int:
    return driver.memory.load16(driver.layout.flags_at(slot))


def test_a_list_as_the_standard_describes_it(memory: WatchedMemory) -> None:
    """Both wrap counters begin at 1; the used descriptor has the id, the length and both bits."""
    driver, device = rings(memory)
    made = driver.add([BUFFER], [Span(DATA + 64, 32)])
    at = driver.layout.descriptor_at
    stored = [packed.parse_descriptor(memory.read(Span(at(slot), 16))) for slot in (0, 1)]
    assert [each.id for each in stored] == [made, made]
    assert [PackedFlag(each.flags) for each in stored] == [
        PackedFlag(0),  # not before it is published
        WRITE | PackedFlag.AVAIL,
    ]
    assert device.pop() is None
    driver.publish()
    assert flags_of(driver, 0) == NEXT | PackedFlag.AVAIL
    chain = device.pop()
    assert chain is not None
    assert (chain.head, chain.readable) == (made, (BUFFER,))
    device.push(made, 32)
    used = packed.parse_descriptor(memory.read(Span(at(0), 16)))
    assert (used.id, used.len) == (made, 32)
    assert used.flags == WRITE | PackedFlag.AVAIL | PackedFlag.USED
    assert driver.collect() == Completion(made, 32, known=True)
    assert device.base == Position(2, True).word * 0x10001


def test_a_list_goes_on_past_the_end_of_the_ring(memory: WatchedMemory) -> None:
    """In the second round the counters are 0, and a list may have descriptors of both rounds."""
    driver, device = rings(memory, 3)
    for _ in range(2):
        driver.add([BUFFER], [])
        driver.publish()
        device.push(device.pop().head, 0)  # type: ignore[union-attr]
        driver.collect()
    driver.add([BUFFER], [Span(DATA + 64, 1), Span(DATA + 65, 1)])
    driver.publish()
    assert [flags_of(driver, slot) for slot in (2, 0, 1)] == [
        NEXT | PackedFlag.AVAIL,
        NEXT | WRITE | PackedFlag.USED,
        WRITE | PackedFlag.USED,
    ]
    chain = device.pop()
    assert chain is not None
    assert len(chain.writable) == 2
    device.push(chain.head, 0)
    assert flags_of(driver, 2) == PackedFlag.AVAIL | PackedFlag.USED
    assert driver.collect() is not None
    driver.add([BUFFER], [])
    driver.publish()
    device.push(device.pop().head, 0)  # type: ignore[union-attr]
    assert flags_of(driver, 2) == 0  # used in the round of counter 0
    assert driver.collect() is not None


def test_used_out_of_order(memory: WatchedMemory) -> None:
    """The used descriptor of a later list overwrites an earlier one that is still held."""
    driver, device = rings(memory, 2)
    first, second = (driver.add([BUFFER], []) for _ in range(2))
    driver.publish()
    assert [device.pop().head for _ in range(2)] == [first, second]  # type: ignore[union-attr]
    device.push(second, 0)
    assert driver.collect() == Completion(second, 0, known=True)
    third = driver.add([BUFFER], [])
    assert third == second
    driver.publish()
    assert device.pop().head == third  # type: ignore[union-attr]
    device.push(first, 7)
    device.push(third, 8)
    assert [driver.collect() for _ in range(3)] == [
        Completion(first, 7, known=True),
        Completion(third, 8, known=True),
        None,
    ]


def available(flags: int, *, wrap: bool = True) -> int:
    return flags | (PackedFlag.AVAIL if wrap else PackedFlag.USED)


def table(memory: WatchedMemory, *entries: PackedDescriptor) -> Span:
    raw = b"".join(map(pack_descriptor, entries))
    memory.write(TABLES, raw)
    return Span(TABLES, len(raw))


GOOD = PackedDescriptor(DATA, 8, 0)
WRITABLE = PackedDescriptor(DATA, 8, 0, WRITE)
HOSTILE: dict[str, tuple[Fault, list[PackedDescriptor], list[PackedDescriptor]]] = {
    "the rest of the list is not there": (
        Fault.NOT_AVAILABLE,
        [PackedDescriptor(DATA, 8, 0, NEXT)],
        [],
    ),
    "a list without an end": (Fault.LOOP, [PackedDescriptor(DATA, 8, 0, NEXT)] * 4, []),
    "readable after writable": (
        Fault.ORDER,
        [PackedDescriptor(DATA, 8, 0, NEXT | WRITE), GOOD],
        [],
    ),
    "outside memory": (Fault.ADDRESS, [PackedDescriptor(RAM - 4, 8)], []),
    "over the end of addresses": (Fault.ADDRESS, [PackedDescriptor(2**64 - 4, 8)], []),
    "table and NEXT": (
        Fault.INDIRECT_NEXT,
        [PackedDescriptor(TABLES, 16, 0, INDIRECT | NEXT), GOOD],
        [GOOD],
    ),
    "table at the end of a list": (
        Fault.INDIRECT_NEXT,
        [PackedDescriptor(DATA, 8, 0, NEXT), PackedDescriptor(TABLES, 16, 0, INDIRECT)],
        [GOOD],
    ),
    "empty table": (Fault.INDIRECT_LENGTH, [PackedDescriptor(TABLES, 0, 0, INDIRECT)], [GOOD]),
    "part of a table": (Fault.INDIRECT_LENGTH, [PackedDescriptor(TABLES, 24, 0, INDIRECT)], [GOOD]),
    "table longer than the queue": (
        Fault.LOOP,
        [PackedDescriptor(TABLES, 80, 0, INDIRECT)],
        [GOOD] * 5,
    ),
    "table of 2^32 bytes": (Fault.LOOP, [PackedDescriptor(TABLES, 0xFFFFFFF0, 0, INDIRECT)], []),
    "table outside memory": (
        Fault.ADDRESS,
        [PackedDescriptor(RAM - 16, 32, 0, INDIRECT)],
        [],
    ),
    "table in a table": (
        Fault.INDIRECT_NESTED,
        [PackedDescriptor(TABLES, 16, 0, INDIRECT)],
        [PackedDescriptor(TABLES, 16, 0, INDIRECT)],
    ),
    "table with readable after writable": (
        Fault.ORDER,
        [PackedDescriptor(TABLES, 32, 0, INDIRECT)],
        [WRITABLE, GOOD],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_a_broken_list_is_refused_and_stays(memory: WatchedMemory, name: str) -> None:
    fault, descriptors, entries = HOSTILE[name]
    driver, device = rings(memory)
    table(memory, *entries)
    driver.add_raw(*descriptors)
    driver.publish()
    for _ in range(2):
        with pytest.raises(RingError) as caught:
            device.pop()
        assert caught.value.fault is fault


def test_a_table_without_the_feature(memory: WatchedMemory) -> None:
    driver, device = rings(memory, indirect=False)
    driver.add([BUFFER], [], indirect_at=TABLES)
    driver.publish()
    with pytest.raises(RingError, match="not negotiated"):
        device.pop()


def test_a_table_is_taken_in_its_order_whatever_its_flags(memory: WatchedMemory) -> None:
    """Only WRITE counts in a table, and ids there mean nothing."""
    driver, device = rings(memory)
    entries = table(
        memory,
        PackedDescriptor(DATA, 1, 9, PackedFlag.USED | NEXT),
        PackedDescriptor(DATA + 1, 2, 8, WRITE | PackedFlag.AVAIL),
        PackedDescriptor(DATA + 3, 3, 7, WRITE | NEXT),
    )
    driver.add_raw(PackedDescriptor(*entries, 0xBEEF, INDIRECT | WRITE))
    driver.publish()
    chain = device.pop()
    assert chain is not None
    assert chain.head == 0xBEEF
    assert chain.readable == (Span(DATA, 1),)
    assert chain.writable == (Span(DATA + 1, 2), Span(DATA + 3, 3))
    device.push(0xBEEF, 5)
    assert driver.collect() == Completion(0xBEEF, 5, known=True)


def test_no_more_is_taken_than_the_ring_has(memory: WatchedMemory) -> None:
    """A driver that goes round once more while everything is outstanding is stopped."""
    driver, device = rings(memory, 3)
    for _ in range(3):
        driver.add([BUFFER], [])
    driver.publish()
    while device.pop():
        pass
    driver.put_descriptor(0, PackedDescriptor(DATA, 8, 5, available(0, wrap=False)))
    with pytest.raises(RingError) as caught:
        device.pop()
    assert caught.value.fault is Fault.OUTSTANDING


def test_one_id_twice_costs_the_driver_and_not_the_device(memory: WatchedMemory) -> None:
    driver, device = rings(memory)
    for slot, flags in enumerate((NEXT, 0, 0)):
        driver.put_descriptor(slot, PackedDescriptor(DATA, 8, 3, available(flags)))
    assert [device.pop().head for _ in range(2)] == [3, 3]  # type: ignore[union-attr]
    device.push(3, 0)
    device.push(3, 0)
    assert device.base == Position(3, True).word * 0x10001
    assert flags_of(driver, 2) == PackedFlag.AVAIL | PackedFlag.USED


def test_nothing_is_read_twice(memory: WatchedMemory) -> None:
    """Whatever the driver changes after the first look comes too late (no double fetch)."""
    driver, device = rings(memory)
    driver.add([BUFFER], [Span(DATA + 64, 8)])
    driver.add([BUFFER], [Span(DATA + 64, 8)], indirect_at=TABLES)
    driver.publish()
    log = memory.start()
    while device.pop():
        pass
    reads = sorted((at, at + size) for what, at, size in log if what in ("read", "load16"))
    assert all(end <= start for (_, end), (start, _) in pairwise(reads))


@pytest.mark.parametrize(
    "layout",
    [
        PackedLayout(0, RING, RING + 64, RING + 68),
        PackedLayout(32769, RING, TABLES, TABLES + 4),
        PackedLayout(4, RING + 8, TABLES, TABLES + 4),
        PackedLayout(4, RING, TABLES + 2, TABLES + 4),
        PackedLayout(4, RING, TABLES, TABLES + 6),
        PackedLayout(4, RAM - 32, TABLES, TABLES + 4),
        PackedLayout(4, RING, RAM, TABLES + 4),
        PackedLayout(4, RING, TABLES, 2**64 - 4),
    ],
)
def test_layouts_that_cannot_be(memory: WatchedMemory, layout: PackedLayout) -> None:
    with pytest.raises(RingError):
        PackedDeviceQueue(memory, layout, event_idx=False, indirect=False)


def test_the_largest_queue() -> None:
    layout = PackedLayout.at(0x1000, 32768)
    assert layout.problem() is None
    with WatchedMemory.create(1 << 20) as memory:
        driver = PackedDriverQueue(memory, layout, event_idx=True)
        device = PackedDeviceQueue(memory, layout, event_idx=True, indirect=True)
        for lists, end in ((32768, Position(0, False)), (2, Position(2, False))):
            ids = [driver.add([], [Span(0, 1)]) for _ in range(lists)]
            driver.publish()
            assert driver.kick_needed()
            for made in ids:
                assert device.pop() is not None
                device.push(made, 0)
            assert all(driver.collect() for _ in ids)
            assert driver.position == driver.used_position == end


@pytest.mark.parametrize("event_idx", [False, True])
def test_interrupts_by_flags(memory: WatchedMemory, event_idx: bool) -> None:
    driver, device = rings(memory, event_idx=event_idx)
    for suppress, expected in ((True, False), (False, True)):
        driver.suppress_interrupts(suppress)
        driver.add([BUFFER], [])
        driver.publish()
        device.push(device.pop().head, 0)  # type: ignore[union-attr]
        assert device.interrupt_needed() is expected
        assert not device.interrupt_needed()
        driver.collect()


def test_kicks_by_flags(memory: WatchedMemory) -> None:
    driver, device = rings(memory)
    for suppress, expected in ((True, False), (False, True)):
        device.suppress_kicks(suppress)
        driver.add([BUFFER], [])
        driver.publish()
        assert driver.kick_needed() is expected
        assert not driver.kick_needed()


def test_an_interrupt_at_one_descriptor(memory: WatchedMemory) -> None:
    """A list passes all its slots: an event at any of them is due when the list is used."""
    driver, device = rings(memory, 3, event_idx=True)
    driver.ask_interrupt_at(Position(1, True))
    driver.add([BUFFER], [BUFFER])
    driver.publish()
    device.push(device.pop().head, 0)  # type: ignore[union-attr]
    assert device.interrupt_needed()
    driver.collect()
    driver.ask_interrupt_at(Position(1, True))  # the round before: not again
    driver.add([BUFFER], [BUFFER])
    driver.publish()
    device.push(device.pop().head, 0)  # type: ignore[union-attr]
    assert not device.interrupt_needed()


@given(
    size=st.integers(1, 9),
    old=st.integers(0, 40),
    moved=st.integers(1, 9),
    event=st.integers(0, 40),
)
def test_an_event_is_passed_exactly_when_a_step_leaves_it(
    size: int, old: int, moved: int, event: int
) -> None:
    moved = min(moved, size)
    start = Position(0, True)
    area = packed.EVENT_STRUCT.pack(start.on(event, size).word, EventFlag.DESC)
    passed = [start.on(old + step, size) for step in range(moved)]
    now = start.on(old + moved, size)
    assert wants(area, now, moved, size, event_idx=True) == (start.on(event, size) in passed)


@pytest.mark.parametrize("area", ["0400 0200", "0000 0300", "ffff ffff"])
def test_a_wish_without_sense_is_one_to_hear_of_everything(area: str) -> None:
    assert wants(bytes.fromhex(area), Position(1, True), 1, 4, event_idx=True)


def test_a_wish_for_one_descriptor_needs_the_feature() -> None:
    area = packed.EVENT_STRUCT.pack(Position(3, True).word, EventFlag.DESC)
    assert wants(area, Position(1, True), 1, 4, event_idx=False)


@pytest.mark.parametrize("lists", [1, 3, 5])
def test_a_queue_goes_on_where_another_stopped(memory: WatchedMemory, lists: int) -> None:
    """The base is both positions; a list that was taken and not used is taken again."""
    driver, first = rings(memory, 3)
    for _ in range(lists):
        driver.add([BUFFER], [])
        driver.publish()
        first.push(first.pop().head, 0)  # type: ignore[union-attr]
        driver.collect()
    held = driver.add([BUFFER], [])
    driver.publish()
    assert first.pop() is not None
    second = PackedDeviceQueue(
        memory, driver.layout, event_idx=False, indirect=True, base=first.base
    )
    assert second.pop().head == held  # type: ignore[union-attr]
    second.push(held, 4)
    assert driver.collect() == Completion(held, 4, known=True)


def test_a_base_of_0_is_the_beginning_unless_the_ring_says_otherwise(
    memory: WatchedMemory,
) -> None:
    driver, device = rings(memory, 2)
    layout = driver.layout
    assert exact_base(memory, layout, 0) is None
    assert exact_base(memory, layout, FRESH) == FRESH
    for turn in range(2):
        driver.add([BUFFER], [])
        driver.publish()
        assert turn or exact_base(memory, layout, 0) is None
        device.push(device.pop().head, 0)  # type: ignore[union-attr]
        driver.collect()
    assert device.base == 0  # one round is over, and the counters are 0
    assert exact_base(memory, layout, 0) == 0
    driver.add([BUFFER], [])
    driver.publish()
    assert exact_base(memory, layout, 0) == 0


def test_a_base_outside_the_ring(memory: WatchedMemory) -> None:
    layout = PackedLayout.at(RING, 4)
    with pytest.raises(RingError, match="base 0x40004"):
        PackedDeviceQueue(memory, layout, event_idx=False, indirect=False, base=0x00040004)


@given(raw=st.binary(min_size=64, max_size=64), areas=st.binary(min_size=8, max_size=8))
def test_any_bytes_are_survived(raw: bytes, areas: bytes) -> None:
    with WatchedMemory.create(RAM) as memory:
        driver, device = rings(memory, event_idx=True)
        memory.write(driver.layout.descriptors, raw)
        memory.write(driver.layout.available, areas)
        log = memory.start()
        try:
            while (chain := device.pop()) is not None:
                device.push(chain.head, 0)
                device.interrupt_needed()
        except RingError:
            pass
        assert len(log) < 200


@given(raw=st.binary(min_size=64, max_size=64), areas=st.binary(min_size=8, max_size=8))
def test_a_driver_survives_any_bytes(raw: bytes, areas: bytes) -> None:
    with WatchedMemory.create(RAM) as memory:
        driver, _ = rings(memory, event_idx=True)
        driver.add([BUFFER], [])
        driver.publish()
        memory.write(driver.layout.descriptors, raw)
        memory.write(driver.layout.available, areas)
        driver.kick_needed()
        for _ in range(8):
            assert driver.pending <= 4
            driver.collect()
        assert driver.free <= 4
