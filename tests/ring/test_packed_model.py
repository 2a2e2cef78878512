"""Packed and split rings side by side: the same traffic, with the same results.

The packed ring also runs alone in sizes that a split ring cannot have.
"""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.ring.ring_tools import DATA, RAM, TABLES, WatchedMemory
from vhint.ring import QueueFullError, device_ring, driver_ring, layout_at
from vhint.spans import PAGE, Span

MAX_BUFFERS = 6
buffers = st.lists(
    st.builds(Span, st.integers(DATA, RAM - 256), st.integers(0, 256)), max_size=MAX_BUFFERS // 2
)


class Side:
    """One ring, both halves; chains go by the labels of the test and not by their ids."""

    def __init__(self, memory: WatchedMemory, size: int, *, packed: bool, event_idx: bool) -> None:
        self.tables = TABLES + (PAGE * 8 if packed else 0)
        layout = layout_at(PAGE * (8 if packed else 1), size, packed=packed)
        self.driver = driver_ring(memory, layout, event_idx=event_idx)
        self.device = device_ring(memory, layout, event_idx=event_idx, indirect=True)
        self.ids: dict[int, int] = {}

    def add(self, label: int, readable: list[Span], writable: list[Span], table: int | None) -> str:
        at = None if table is None else self.tables + table * 16 * MAX_BUFFERS
        try:
            made = self.driver.add(readable, writable, indirect_at=at)
        except (QueueFullError, ValueError) as error:
            return type(error).__name__
        assert made not in self.ids, "an id that is outstanding"
        self.ids[made] = label
        return "added"

    def pop(self) -> tuple[int, tuple[Span, ...], tuple[Span, ...]] | None:
        chain = self.device.pop()
        return chain and (self.ids[chain.head], chain.readable, chain.writable)

    def push(self, label: int, length: int) -> None:
        self.device.push({each: made for made, each in self.ids.items()}[label], length)

    def collect(self) -> tuple[int, int] | None:
        done = self.driver.collect()
        if done is None:
            return None
        assert done.known
        return self.ids.pop(done.head), done.length


class BothRings(RuleBasedStateMachine):
    """Whatever one format answers, the other answers too."""

    @initialize(size=st.sampled_from([1, 2, 3, 4, 5, 7, 64]), event_idx=st.booleans())
    def begin(self, size: int, event_idx: bool) -> None:
        self.memory = WatchedMemory.create(RAM)
        self.size = size
        formats = (True, False) if size & (size - 1) == 0 else (True,)
        self.sides = [
            Side(self.memory, size, packed=packed, event_idx=event_idx) for packed in formats
        ]
        self.labels = 0
        self.added = 0
        self.tables: dict[int, int] = {}
        self.popped: list[int] = []
        self.waiting: list[tuple[int, int]] = []  # used and not collected
        self.outstanding: dict[int, tuple[int, list[Span], list[Span]]] = {}
        self.expected: list[int] = []

    def same(self, answers: list) -> object:
        assert all(each == answers[0] for each in answers), answers
        return answers[0]

    @rule(readable=buffers, writable=buffers, indirect=st.booleans())
    def add(self, readable: list[Span], writable: list[Span], indirect: bool) -> None:
        count = len(readable) + len(writable)
        if indirect and count > self.size:
            return  # more than a driver may put into one chain
        table = None
        if indirect:
            table = next(n for n in range(len(self.outstanding) + 1) if n not in self.tables)
        label = self.labels = self.labels + 1
        said = self.same([side.add(label, readable, writable, table) for side in self.sides])
        if said == "added":
            self.outstanding[label] = (1 if indirect else count, readable, writable)
            self.expected.append(label)
            self.added += 1
            if table is not None:
                self.tables[table] = label
        else:
            needed = 1 if indirect else count
            assert said == ("ValueError" if not count else "QueueFullError")
            assert not count or needed > self.size - sum(n for n, *_ in self.outstanding.values())

    @rule()
    def publish(self) -> None:
        for side in self.sides:
            side.driver.publish()
        self.added = 0

    @rule()
    def ask_whether_to_kick(self) -> None:
        self.same([side.driver.kick_needed() for side in self.sides])

    @rule()
    def pop(self) -> None:
        got = self.same([side.pop() for side in self.sides])
        if len(self.expected) == self.added:
            assert got is None
            return
        label = self.expected.pop(0)
        _, readable, writable = self.outstanding[label]
        assert got == (label, tuple(readable), tuple(writable))
        self.popped.append(label)

    @precondition(lambda self: self.popped)
    @rule(which=st.integers(0, 127), length=st.integers(0, 2**32 - 1))
    def push(self, which: int, length: int) -> None:
        label = self.popped.pop(which % len(self.popped))  # in any order
        for side in self.sides:
            side.push(label, length)
        self.waiting.append((label, length))

    @rule(suppress=st.booleans())
    def suppress_interrupts(self, suppress: bool) -> None:
        for side in self.sides:
            if not side.driver.event_idx:
                side.driver.suppress_interrupts(suppress)

    @rule()
    def ask_whether_to_interrupt(self) -> None:
        if not self.sides[0].driver.event_idx:  # under it the formats have other positions
            self.same([side.device.interrupt_needed() for side in self.sides])

    @rule()
    def collect(self) -> None:
        got = self.same([side.collect() for side in self.sides])
        assert got == (self.waiting.pop(0) if self.waiting else None)
        if got:
            del self.outstanding[got[0]]
            self.tables = {n: label for n, label in self.tables.items() if label != got[0]}

    @invariant()
    def both_count_the_same(self) -> None:
        free = self.size - sum(count for count, *_ in self.outstanding.values())
        for side in self.sides:
            assert side.driver.free == free
            assert side.driver.pending == len(self.waiting)
            assert bool(side.device.pending) == (len(self.expected) > self.added)
        self.same([side.driver.used_index for side in self.sides])

    def teardown(self) -> None:
        if hasattr(self, "memory"):
            self.memory.close()


BothRings.TestCase.settings = settings(max_examples=60, stateful_step_count=50)
TestBothRings = BothRings.TestCase


@pytest.mark.parametrize(("packed", "size"), [(False, 64), (True, 3)])
def test_the_indices_of_16_bits_wrap_for_real(packed: bool, size: int) -> None:
    """More chains go through than 16 bits can count, none of them lost or out of order."""
    with WatchedMemory.create(RAM) as memory:
        side = Side(memory, size, packed=packed, event_idx=True)
        driver, device = side.driver, side.device
        rounds = (1 << 16) // size + 5
        buffer = Span(DATA, 8)
        for turn in range(rounds):
            ids = [driver.add([], [buffer]) for _ in range(size)]
            driver.publish()
            assert driver.kick_needed(), turn
            assert [getattr(device.pop(), "head", None) for _ in ids] == ids
            for head in reversed(ids):
                device.push(head, turn)
            device.interrupt_needed()
            done = [driver.collect() for _ in ids]
            assert [each.head for each in done if each] == ids[::-1]
        assert driver.used_index == rounds * size & 0xFFFF
        assert rounds * size > 1 << 16
