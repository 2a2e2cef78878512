"""Both halves of a split ring against each other, and the device half against hostile drivers."""

import random
from collections.abc import Callable, Iterator

import pytest

from vhint.ring import (
    Fault,
    GuestMemory,
    QueueFullError,
    RingError,
    SplitDeviceQueue,
    SplitDriverQueue,
    SplitLayout,
)
from vhint.ring.split_driver import passed
from vhint.spans import Span
from vhint.wire import vring
from vhint.wire.vring import Descriptor, DescriptorFlag

SIZE = 1 << 20
RING, TABLES, BUFFERS = 0x1000, 0x40000, 0x80000
NEXT, WRITE, INDIRECT = DescriptorFlag.NEXT, DescriptorFlag.WRITE, DescriptorFlag.INDIRECT
NONE = DescriptorFlag(0)


@pytest.fixture
def memory() -> Iterator[GuestMemory]:
    with GuestMemory.create(SIZE) as made:
        yield made


def halves(
    memory: GuestMemory, size: int = 8, *, event_idx: bool = False, indirect: bool = True
) -> tuple[SplitDriverQueue, SplitDeviceQueue]:
    layout = SplitLayout.at(RING, size)
    driver = SplitDriverQueue(memory, layout, event_idx=event_idx)
    return driver, SplitDeviceQueue(memory, layout, event_idx=event_idx, indirect=indirect)


@pytest.mark.parametrize("event_idx", [False, True])
@pytest.mark.parametrize("size", [1, 2, 4, 128])
def test_random_traffic_loses_and_invents_nothing(
    memory: GuestMemory, size: int, event_idx: bool
) -> None:
    rng = random.Random(size)
    driver, device = halves(memory, size, event_idx=event_idx)
    outstanding: dict[int, tuple[tuple[Span, ...], tuple[Span, ...]]] = {}
    held: list[int] = []
    kick_owed = False
    for _ in range(3000):
        action = rng.randrange(3)
        if action == 0:
            count = rng.randint(1, 4)
            spans = [Span(BUFFERS + 64 * n, rng.randint(1, 64)) for n in range(count)]
            cut = rng.randint(0, count)
            # One indirect table at a time, so that none is written over while it is needed.
            table = TABLES if not outstanding and rng.random() < 0.5 and count <= size else None
            try:
                head = driver.add(spans[:cut], spans[cut:], indirect_at=table)
            except QueueFullError:
                continue
            assert head not in outstanding
            outstanding[head] = (tuple(spans[:cut]), tuple(spans[cut:]))
            driver.publish()
            kick_owed |= driver.kick_needed()
        elif action == 1:
            chain = device.pop()
            if chain is None:
                continue
            assert kick_owed, "the device was not told of a chain"
            assert (chain.readable, chain.writable) == outstanding[chain.head]
            held.append(chain.head)
            kick_owed = bool(device.pending) or kick_owed
        elif held:
            head = held.pop(rng.randrange(len(held)))
            device.push(head, head + 7)
            completion = driver.collect()
            assert completion is not None
            assert (completion.head, completion.length, completion.known) == (head, head + 7, True)
            del outstanding[head]
    assert driver.outstanding == frozenset(outstanding)


def test_indices_wrap(memory: GuestMemory) -> None:
    driver, device = halves(memory, 4, event_idx=True)
    for round_ in range((1 << 16) + 10):
        head = driver.add([Span(BUFFERS, 4)], ())
        driver.publish()
        assert driver.kick_needed(), round_
        chain = device.pop()
        assert chain is not None
        assert chain.head == head
        device.push(head, 0)
        assert driver.collect() is not None
    assert driver.used_index == 10


def test_event_index_arithmetic_is_that_of_counting() -> None:
    rng = random.Random(5)
    for _ in range(2000):
        old, steps, event = rng.randrange(1 << 16), rng.randrange(40), rng.randrange(1 << 16)
        if rng.random() < 0.7:
            event = (old + rng.randint(-5, 45)) & 0xFFFF
        stepped = {(old + n) & 0xFFFF for n in range(steps)}
        assert passed(event, (old + steps) & 0xFFFF, old) == (event in stepped)


def give(driver: SplitDriverQueue, head: int, *descriptors: Descriptor) -> None:
    for index, descriptor in enumerate(descriptors):
        driver.put_descriptor(index, descriptor)
    driver.put_available(head)
    driver.publish()


def table(memory: GuestMemory, *descriptors: Descriptor) -> Descriptor:
    raw = b"".join(
        vring.DESCRIPTOR_STRUCT.pack(each.addr, each.len, each.flags, each.next)
        for each in descriptors
    )
    memory.write(TABLES, raw)
    return Descriptor(TABLES, len(raw), INDIRECT, 0)


def buffer(flags: DescriptorFlag = NONE, after: int = 0) -> Descriptor:
    return Descriptor(BUFFERS, 16, flags, after)


HOSTILE: dict[Fault, Callable[[GuestMemory, SplitDriverQueue], None]] = {
    Fault.HEAD_RANGE: lambda _, driver: give(driver, 8, buffer()),
    Fault.NEXT_RANGE: lambda _, driver: give(driver, 0, buffer(NEXT, 8)),
    Fault.LOOP: lambda _, driver: give(driver, 0, buffer(NEXT, 1), buffer(NEXT, 0)),
    Fault.ORDER: lambda _, driver: give(driver, 0, buffer(WRITE | NEXT, 1), buffer()),
    Fault.ADDRESS: lambda _, driver: give(driver, 0, Descriptor(SIZE - 8, 16, NONE, 0)),
    Fault.INDIRECT_LENGTH: lambda _, driver: give(driver, 0, Descriptor(TABLES, 20, INDIRECT, 0)),
    Fault.INDIRECT_NEXT: lambda _, driver: give(
        driver, 0, Descriptor(TABLES, 16, INDIRECT | NEXT, 1), buffer()
    ),
    Fault.INDIRECT_NESTED: lambda memory, driver: give(
        driver, 0, table(memory, Descriptor(TABLES, 16, INDIRECT, 0))
    ),
}


@pytest.mark.parametrize("fault", HOSTILE)
def test_hostile_chains_are_named_and_nothing_else_happens(
    memory: GuestMemory, fault: Fault
) -> None:
    driver, device = halves(memory)
    HOSTILE[fault](memory, driver)
    for _ in range(2):  # it stays at the same entry
        with pytest.raises(RingError) as caught:
            device.pop()
        assert caught.value.fault is fault
    assert driver.used_index == 0


def test_indirect_must_be_negotiated(memory: GuestMemory) -> None:
    driver, device = halves(memory, indirect=False)
    give(driver, 0, table(memory, buffer()))
    with pytest.raises(RingError) as caught:
        device.pop()
    assert caught.value.fault is Fault.INDIRECT_OFF


def test_available_index_that_runs_away(memory: GuestMemory) -> None:
    driver, device = halves(memory)
    memory.store16(driver.layout.available_index_at, 9)
    with pytest.raises(RingError) as caught:
        device.pop()
    assert caught.value.fault is Fault.AVAILABLE_JUMP


def test_used_index_that_runs_away(memory: GuestMemory) -> None:
    driver, _ = halves(memory)
    memory.store16(driver.layout.used_index_at, 9)
    with pytest.raises(RingError) as caught:
        driver.collect()
    assert caught.value.fault is Fault.USED_JUMP


@pytest.mark.parametrize(
    "layout",
    [
        SplitLayout(3, RING, RING + 64, RING + 128),
        SplitLayout(8, RING + 8, 0x3000, 0x4000),
        SplitLayout(8, SIZE, 0x3000, 0x4000),
        SplitLayout(8, RING, 0x3001, 0x4000),
    ],
)
def test_layouts_that_cannot_be(memory: GuestMemory, layout: SplitLayout) -> None:
    with pytest.raises(RingError) as caught:
        SplitDeviceQueue(memory, layout, event_idx=False, indirect=False)
    assert caught.value.fault is Fault.LAYOUT


class FickleMemory(GuestMemory):
    """Changes everything that was read from the rings and tables right after it was read."""

    reads: list[Span]

    def read(self, span: Span) -> bytes:
        data = super().read(span)
        if not hasattr(self, "reads"):
            self.reads = []
        self.reads.append(span)
        if span.start < BUFFERS:
            super().write(span.start, b"\xff" * span.length)
        return data


def test_no_descriptor_is_fetched_twice(memory: GuestMemory) -> None:
    driver, _ = halves(memory)
    give(driver, 0, buffer(NEXT, 1), table(memory, buffer(NEXT, 1), buffer(WRITE)))
    with FickleMemory(memory.fd, memory.regions) as fickle:
        device = SplitDeviceQueue(fickle, driver.layout, event_idx=False, indirect=True)
        chain = device.pop()
        assert chain is not None
        assert len(chain.readable) == 2
        assert len(chain.writable) == 1
        assert len(fickle.reads) == len(set(fickle.reads)) == 3


def test_element_is_stored_before_the_index_and_the_index_at_once(memory: GuestMemory) -> None:
    log: list[tuple[str, int]] = []

    class Logged(GuestMemory):
        def write(self, address: int, data: bytes) -> None:
            log.append(("write", address))
            super().write(address, data)

        def store16(self, address: int, value: int) -> None:
            log.append(("store16", address))
            super().store16(address, value)

    driver, _ = halves(memory)
    with Logged(memory.fd, memory.regions) as logged:
        device = SplitDeviceQueue(logged, driver.layout, event_idx=False, indirect=True)
        device.push(3, 5)
    layout = driver.layout
    assert log == [("write", layout.used_entry_at(0)), ("store16", layout.used_index_at)]


def test_a_queue_goes_on_where_another_stopped() -> None:
    with GuestMemory.create(0x10000) as memory:
        layout = SplitLayout.at(0x1000, 8)
        driver = SplitDriverQueue(memory, layout, event_idx=False)
        first = SplitDeviceQueue(memory, layout, event_idx=False, indirect=False)
        for _ in range(3):
            driver.add((), [Span(0x8000, 16)])
        driver.publish()
        chain = first.pop()
        assert chain is not None
        first.push(chain.head, 1)
        taken = first.pop()
        assert taken is not None
        assert first.base == 1  # what was taken and not used is still to be done
        second = SplitDeviceQueue(memory, layout, event_idx=False, indirect=False, base=1)
        again = second.pop()
        assert again == taken
        second.push(again.head, 2)
        assert second.interrupt_needed()
        assert second.base == 2
        done = [driver.collect(), driver.collect()]
        assert [item.length for item in done if item] == [1, 2]
