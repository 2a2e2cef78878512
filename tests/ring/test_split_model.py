"""Both halves of a split ring, driven at random against a model of two plain lists."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.ring.ring_tools import DATA, RAM, TABLES, Rig, WatchedMemory, make_rig, stepped_over
from vhint.ring import Completion, QueueFullError
from vhint.ring.split_driver import passed
from vhint.spans import Span

MAX_BUFFERS = 6
buffers = st.lists(
    st.builds(Span, st.integers(DATA, RAM - 256), st.integers(0, 256)), max_size=MAX_BUFFERS // 2
)


class SplitRingModel(RuleBasedStateMachine):
    """What was added comes out of `pop` in order; what was pushed comes out of `collect`."""

    rig: Rig

    @initialize(
        size=st.sampled_from([1, 2, 4, 128]),
        event_idx=st.booleans(),
        start=st.sampled_from([0, 32767, 65533, 65535]),
    )
    def begin(self, size: int, event_idx: bool, start: int) -> None:
        self.rig = make_rig(WatchedMemory.create(RAM), size, event_idx=event_idx)
        self.rig.start_at(start)
        self.added: list[int] = []  # heads, not published yet
        self.available: list[int] = []  # published, not popped
        self.popped: list[int] = []
        self.used: list[tuple[int, int]] = []
        self.chains: dict[int, tuple[list[Span], list[Span], int, int | None]] = {}
        self.free = size
        self.added_at = self.published_at = self.kicked_at = start
        self.popped_at = self.used_at = self.announced_at = start
        self.used_event = 0

    @rule(readable=buffers, writable=buffers, indirect=st.booleans())
    def add(self, readable: list[Span], writable: list[Span], indirect: bool) -> None:
        count = len(readable) + len(writable)
        if indirect and count > self.rig.layout.size:
            return  # more than a driver may put into one chain
        needed = 1 if indirect else count
        taken = {table for *_, table in self.chains.values()}
        rows = range(TABLES, DATA, 16 * MAX_BUFFERS)
        table = next(at for at in rows if at not in taken) if indirect else None
        if count == 0:
            with pytest.raises(ValueError, match="at least one buffer"):
                self.rig.driver.add([], [], indirect_at=table)
        elif needed > self.free:
            with pytest.raises(QueueFullError):
                self.rig.driver.add(readable, writable, indirect_at=table)
        else:
            head = self.rig.driver.add(readable, writable, indirect_at=table)
            assert head not in self.chains
            self.chains[head] = (readable, writable, needed, table)
            self.added.append(head)
            self.free -= needed
            self.added_at += 1

    @rule()
    def publish(self) -> None:
        self.rig.driver.publish()
        self.available += self.added
        self.added = []
        self.published_at = self.added_at

    @rule()
    def ask_whether_to_kick(self) -> None:
        count = self.published_at - self.kicked_at
        event = self.popped_at & 0xFFFF
        expected = stepped_over(event, self.kicked_at, count) if self.rig.event_idx else count > 0
        assert self.rig.driver.kick_needed() == expected
        self.kicked_at = self.published_at

    @rule()
    def pop(self) -> None:
        chain = self.rig.device.pop()
        if not self.available:
            assert chain is None
            return
        assert chain is not None
        assert chain.head == self.available.pop(0)
        readable, writable, _, _ = self.chains[chain.head]
        assert (list(chain.readable), list(chain.writable)) == (readable, writable)
        assert chain.readable_size == sum(span.length for span in readable)
        assert chain.writable_size == sum(span.length for span in writable)
        self.popped.append(chain.head)
        self.popped_at += 1

    @precondition(lambda self: self.popped)
    @rule(which=st.integers(0, 127), length=st.integers(0, 2**32 - 1))
    def push(self, which: int, length: int) -> None:
        head = self.popped.pop(which % len(self.popped))  # in any order
        self.rig.device.push(head, length)
        self.used.append((head, length))
        self.used_at += 1

    @rule(ahead=st.integers(-2, 2))
    def ask_for_an_interrupt_at(self, ahead: int) -> None:
        self.used_event = (self.used_at + ahead) & 0xFFFF
        self.rig.driver.put_used_event(self.used_event)

    @rule()
    def ask_whether_to_interrupt(self) -> None:
        count = self.used_at - self.announced_at
        expected = count > 0
        if self.rig.event_idx:
            expected = stepped_over(self.used_event, self.announced_at, count)
        assert self.rig.device.interrupt_needed() == expected
        self.announced_at = self.used_at

    @rule()
    def collect(self) -> None:
        completion = self.rig.driver.collect()
        if not self.used:
            assert completion is None
            return
        head, length = self.used.pop(0)
        assert completion == Completion(head, length, known=True)
        self.free += self.chains.pop(head)[2]

    @invariant()
    def both_count_the_same(self) -> None:
        assert self.rig.driver.free == self.free
        assert self.rig.driver.outstanding == self.chains.keys()
        assert self.rig.driver.pending == len(self.used)
        assert self.rig.device.pending == len(self.available)

    def teardown(self) -> None:
        if hasattr(self, "rig"):
            self.rig.memory.close()


TestSplitRing = SplitRingModel.TestCase
TestSplitRing.settings = settings(settings.get_profile("vhint"), max_examples=60)


@given(st.integers(0, 0xFFFF), st.integers(0, 0xFFFF), st.integers(-3, 3))
def test_passed_is_counting(old: int, count: int, near: int) -> None:
    for event in (old + near, old + count + near):
        new = (old + count) & 0xFFFF
        assert passed(event & 0xFFFF, new, old) == stepped_over(event & 0xFFFF, old, count)


@pytest.mark.parametrize("event_idx", [False, True])
def test_a_chain_that_was_only_added_does_not_use_up_its_kick(event_idx: bool) -> None:
    with WatchedMemory.create(RAM) as memory:
        rig = make_rig(memory, event_idx=event_idx)
        rig.driver.add([Span(DATA, 1)], [])
        rig.driver.publish()
        rig.driver.add([Span(DATA, 1)], [])  # not visible yet
        assert rig.driver.kick_needed()
        assert rig.device.pop() is not None
        assert rig.device.pop() is None  # the device sleeps now
        rig.driver.publish()
        assert rig.driver.kick_needed()


def test_without_event_idx_the_flags_count() -> None:
    with WatchedMemory.create(RAM) as memory:
        rig = make_rig(memory)
        memory.store16(rig.layout.used, 1)  # NO_NOTIFY
        rig.driver.suppress_interrupts(True)
        head = rig.driver.add([Span(DATA, 1)], [])
        rig.driver.publish()
        assert not rig.driver.kick_needed()
        rig.device.push(head, 0)
        assert not rig.device.interrupt_needed()
        rig.driver.suppress_interrupts(False)
        rig.device.push(head, 0)
        assert rig.device.interrupt_needed()
        assert not rig.device.interrupt_needed()  # nothing since the last call
