"""Every way to break a ring has its own fault, costs little, and changes nothing."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.ring.ring_tools import DATA, RAM, RING, TABLES, Rig, WatchedMemory, make_rig
from vhint.ring import Fault, Region, RingError, SplitDeviceQueue, SplitLayout
from vhint.ring.split_driver import SplitDriverQueue, pack_descriptor
from vhint.spans import PAGE, Span
from vhint.wire.vring import Descriptor, DescriptorFlag

NEXT, WRITE, INDIRECT = DescriptorFlag.NEXT, DescriptorFlag.WRITE, DescriptorFlag.INDIRECT
SIZE = 4
Break = Callable[[SplitDriverQueue], None]


def d(flags: int = 0, after: int = 0, *, at: int = DATA, size: int = 16) -> Descriptor:
    return Descriptor(at, size, flags, after)


def chain(*descriptors: Descriptor, head: int = 0) -> Break:
    """Make available what stands in the first entries of the descriptor table."""

    def give(driver: SplitDriverQueue) -> None:
        for index, descriptor in enumerate(descriptors):
            driver.put_descriptor(index, descriptor)
        driver.put_available(head)
        driver.publish()

    return give


def table(*entries: Descriptor, flags: int = 0, before: tuple[Descriptor, ...] = ()) -> Break:
    """Make available an indirect table, after the descriptors `before`."""

    def give(driver: SplitDriverQueue) -> None:
        driver.memory.write(TABLES, b"".join(map(pack_descriptor, entries)))
        chain(*before, Descriptor(TABLES, 16 * len(entries), INDIRECT | flags))(driver)

    return give


def jump(index: int) -> Break:
    return lambda driver: driver.memory.store16(driver.layout.available_index_at, index)


BROKEN: dict[str, tuple[Fault, Break]] = {
    "one entry too many": (Fault.AVAILABLE_JUMP, jump(SIZE + 1)),
    "index went back": (Fault.AVAILABLE_JUMP, jump(0xFFFF)),
    "head is the size": (Fault.HEAD_RANGE, chain(d(), head=SIZE)),
    "head is -1": (Fault.HEAD_RANGE, chain(d(), head=0xFFFF)),
    "next is the size": (Fault.NEXT_RANGE, chain(d(NEXT, SIZE))),
    "next is -1": (Fault.NEXT_RANGE, chain(d(NEXT, 0xFFFF))),
    "next leaves the table": (Fault.NEXT_RANGE, table(d(NEXT, 1), d(NEXT, 2))),
    "loop of one": (Fault.LOOP, chain(d(NEXT, 0))),
    "loop of two": (Fault.LOOP, chain(d(NEXT, 1), d(NEXT, 0))),
    "loop of all": (Fault.LOOP, chain(*(d(NEXT, (n + 1) % SIZE) for n in range(SIZE)))),
    "loop in a table": (Fault.LOOP, table(d(NEXT, 1), d(NEXT, 0))),
    "loop of empty buffers": (Fault.LOOP, chain(d(NEXT, 0, size=0))),
    "table longer than the queue": (
        Fault.LOOP,
        table(*(d(NEXT, n + 1) for n in range(SIZE)), d()),
    ),
    "direct and table together too long": (
        Fault.LOOP,
        table(d(NEXT, 1), d(NEXT, 2), d(), before=(d(NEXT, 1), d(NEXT, 2))),
    ),
    "readable after writable": (Fault.ORDER, chain(d(WRITE | NEXT, 1), d())),
    "readable after writable in a table": (Fault.ORDER, table(d(WRITE | NEXT, 1), d())),
    "readable table after writable": (Fault.ORDER, table(d(), before=(d(WRITE | NEXT, 1),))),
    "behind memory": (Fault.ADDRESS, chain(d(at=RAM, size=1))),
    "over the end of memory": (Fault.ADDRESS, chain(d(at=RAM - 8, size=9))),
    "last byte of the address space": (Fault.ADDRESS, chain(d(at=2**64 - 1, size=1))),
    "wraps to address 0": (Fault.ADDRESS, chain(d(at=2**64 - 8, size=4096))),
    "longer than memory": (Fault.ADDRESS, chain(d(at=0, size=0xFFFFFFFF))),
    "second buffer": (Fault.ADDRESS, chain(d(NEXT, 1), d(WRITE, at=RAM))),
    "in a table": (Fault.ADDRESS, table(d(at=RAM))),
    "table behind memory": (Fault.ADDRESS, chain(d(INDIRECT, at=RAM))),
    "table over the end of memory": (Fault.ADDRESS, chain(d(INDIRECT, at=RAM - 16, size=32))),
    "table at the end of addresses": (Fault.ADDRESS, chain(d(INDIRECT, at=2**64 - 16, size=32))),
    "empty table": (Fault.INDIRECT_LENGTH, chain(d(INDIRECT, size=0))),
    "half a descriptor": (Fault.INDIRECT_LENGTH, chain(d(INDIRECT, size=8))),
    "one byte too many": (Fault.INDIRECT_LENGTH, chain(d(INDIRECT, size=17))),
    "table in a table": (Fault.INDIRECT_NESTED, table(d(INDIRECT))),
    "table in a table, later": (Fault.INDIRECT_NESTED, table(d(NEXT, 1), d(INDIRECT))),
    "table that goes on": (Fault.INDIRECT_NEXT, chain(d(INDIRECT | NEXT, 1), d())),
}


@pytest.mark.parametrize(("fault", "give"), BROKEN.values(), ids=BROKEN)
def test_a_broken_ring_is_named_at_once(rig: Rig, fault: Fault, give: Break) -> None:
    give(rig.driver)
    for _ in range(2):  # it stays at the same entry
        log = rig.memory.start()
        with pytest.raises(RingError, match=str(fault)) as caught:
            rig.device.pop()
        assert caught.value.fault is fault
        assert caught.value.detail
        assert all(what in ("read", "load16") for what, _, _ in log)
        assert sum(size for _, _, size in log) <= 16 * (2 * SIZE + 1) + 4
    assert rig.driver.used_index == 0


@pytest.mark.parametrize("flags", [INDIRECT, INDIRECT | WRITE, INDIRECT | NEXT])
def test_tables_need_their_feature(flags: int) -> None:
    with WatchedMemory.create(RAM) as memory:
        rig = make_rig(memory, indirect=False)
        chain(d(flags))(rig.driver)
        with pytest.raises(RingError) as caught:
            rig.device.pop()
    assert caught.value.fault in (Fault.INDIRECT_OFF, Fault.INDIRECT_NEXT)


@pytest.mark.parametrize(("extra", "fits"), [(1, True), (2, False)])
def test_a_chain_has_at_most_2_to_the_32_bytes(extra: int, fits: bool) -> None:
    size = 1 << 20
    regions = [Region(n * size, size, 0) for n in range(4097)]  # the same file all over
    with WatchedMemory.create(size) as small, WatchedMemory(small.fd, regions) as memory:
        rig = make_rig(memory)
        chain(d(NEXT, 1, at=0, size=2**32 - 1), d(at=0, size=extra))(rig.driver)
        if fits:
            popped = rig.device.pop()
            assert popped is not None
            assert popped.readable_size == 2**32
        else:
            with pytest.raises(RingError) as caught:
                rig.device.pop()
            assert caught.value.fault is Fault.TOO_LONG


FINE: dict[str, tuple[Break, list[int], list[int]]] = {
    "as long as the queue": (chain(*(d(NEXT, n + 1) for n in range(3)), d()), [16] * 4, []),
    "table as long as the queue": (table(*(d(NEXT, n + 1) for n in range(3)), d()), [16] * 4, []),
    "direct, then table": (table(d(WRITE), before=(d(NEXT, 1),)), [16], [16]),
    "writable table": (table(d(NEXT, 1), d(WRITE), flags=WRITE), [16], [16]),
    "short chain in a long table": (
        table(d(NEXT, 6), *[d(INDIRECT)] * 5, d(WRITE), d(INDIRECT)),
        [16],
        [16],
    ),
    "empty buffers": (
        chain(d(NEXT, 1, size=0), d(NEXT, 2), d(WRITE | NEXT, 3, size=0), d(WRITE)),
        [0, 16],
        [0, 16],
    ),
    "empty buffer nowhere": (chain(d(NEXT, 1, at=2**64 - 1, size=0), d()), [0, 16], []),
    "unknown flags": (chain(d(0xFFF8)), [16], []),
    "next without its flag": (chain(d(0, 0xFFFF)), [16], []),
}


@pytest.mark.parametrize(("give", "readable", "writable"), FINE.values(), ids=FINE)
def test_an_odd_chain_that_is_fine(
    rig: Rig, give: Break, readable: list[int], writable: list[int]
) -> None:
    give(rig.driver)
    popped = rig.device.pop()
    assert popped is not None
    assert [span.length for span in popped.readable] == readable
    assert [span.length for span in popped.writable] == writable
    assert rig.device.pop() is None


GOOD = SplitLayout.at(RING, SIZE)
LAYOUTS = {
    "no entries": SplitLayout(0, 0x1000, 0x2000, 0x3000),
    "negative": SplitLayout(-4, 0x1000, 0x2000, 0x3000),
    "not a power of two": SplitLayout(3, 0x1000, 0x2000, 0x3000),
    "too many entries": SplitLayout(1 << 16, 0x1000, 0x2000, 0x3000),
    "descriptors not aligned": SplitLayout(4, 0x1008, 0x2000, 0x3000),
    "available not aligned": SplitLayout(4, 0x1000, 0x2001, 0x3000),
    "used not aligned": SplitLayout(4, 0x1000, 0x2000, 0x3002),
    "descriptors outside": SplitLayout(4, RAM, 0x2000, 0x3000),
    "available over the end": SplitLayout(4, 0x1000, RAM - 8, 0x3000),
    "used over the end": SplitLayout(4, 0x1000, 0x2000, RAM - 16),
    "end of the address space": SplitLayout(4, 2**64 - 16, 0x2000, 0x3000),
}


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
def test_a_layout_that_cannot_be_is_refused(rig: Rig, layout: SplitLayout) -> None:
    with pytest.raises(RingError) as caught:
        SplitDeviceQueue(rig.memory, layout, event_idx=False, indirect=False)
    assert caught.value.fault is Fault.LAYOUT


@pytest.mark.parametrize("size", [1, 2, 4, 128, 32768])
def test_at_lays_out_what_the_device_takes(size: int) -> None:
    layout = SplitLayout.at(RING, size)
    assert layout.problem() is None
    parts = (layout.descriptor_span, layout.available_span, layout.used_span)
    assert [one.overlaps(two) for one in parts for two in parts].count(True) == 3
    assert layout.end == layout.used_span.end
    assert layout.used_event_at + 2 == layout.available_span.end
    assert layout.avail_event_at + 2 == layout.used_span.end
    with WatchedMemory.create(-(-layout.end // PAGE) * PAGE) as memory:
        SplitDeviceQueue(memory, layout, event_idx=True, indirect=True)


@pytest.mark.parametrize("index", [SIZE + 1, 0xFFFF])
def test_a_used_index_that_jumps_is_named_once(rig: Rig, index: int) -> None:
    rig.driver.add([Span(DATA, 1)], [])
    rig.memory.store16(rig.layout.used_index_at, index)
    with pytest.raises(RingError) as caught:
        rig.driver.collect()
    assert caught.value.fault is Fault.USED_JUMP
    assert rig.driver.collect() is None
    assert rig.driver.outstanding == {0}


@pytest.mark.parametrize("head", [1, SIZE, 2**32 - 1])
def test_a_used_id_that_is_not_outstanding_frees_nothing(rig: Rig, head: int) -> None:
    own = rig.driver.add([Span(DATA, 1)], [])
    rig.device.push(head, 5)
    rig.device.push(own, 6)
    rig.device.push(own, 7)
    found = [rig.driver.collect() for _ in range(3)]
    assert [(each.head, each.known) for each in found if each] == [
        (head, False),
        (own, True),
        (own, False),  # used twice
    ]
    assert rig.driver.free == SIZE


def test_claim_takes_all_or_nothing(rig: Rig) -> None:
    assert rig.driver.claim(2, 0) == 2
    assert rig.driver.outstanding == {2}
    for wrong in [(1, 2), (1, SIZE), (1, 1), ()]:
        with pytest.raises(ValueError, match=r"."):
            rig.driver.claim(*wrong)
        assert rig.driver.free == 2
    assert rig.driver.claim(1, 3) == 1
