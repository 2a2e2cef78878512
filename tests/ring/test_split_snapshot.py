"""What is read is read once, and what becomes visible does so by one store."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.ring.ring_tools import DATA, RAM, TABLES, Rig, WatchedMemory, make_rig
from vhint.ring import Chain
from vhint.spans import PAGE, Span

BUFFERS = [Span(DATA + 64 * n, 16 + n) for n in range(4)]


@pytest.mark.parametrize("table", [None, TABLES])
def test_each_byte_of_the_ring_is_read_once_and_then_does_not_matter(
    rig: Rig, table: int | None
) -> None:
    rig.driver.add(BUFFERS[:2], BUFFERS[2:], indirect_at=table)
    rig.driver.publish()
    layout = rig.layout

    def meddle(span: Span) -> None:
        """Change what was just read, as a driver on another processor can."""
        rig.memory._bytes[span.start : span.end] = b"\xff" * span.length

    rig.memory.meddle = meddle
    log = rig.memory.start()
    chain = rig.device.pop()
    rig.memory.meddle = None
    assert chain is not None
    assert list(chain.readable) == BUFFERS[:2]
    assert list(chain.writable) == BUFFERS[2:]
    counts = Counter(at for _, start, size in log for at in range(start, start + size))
    assert set(counts.values()) == {1}
    entries = [layout.descriptor_at(chain.head)] if table else []
    entries += [(table or layout.descriptors) + 16 * n for n in range(4)]
    assert {at for entry in entries for at in range(entry, entry + 16)} <= counts.keys()
    assert layout.available_index_at in counts
    assert layout.available_entry_at(0) in counts


def test_a_popped_chain_is_not_looked_up_again(rig: Rig) -> None:
    rig.driver.add(BUFFERS[:2], BUFFERS[2:])
    rig.driver.publish()
    chain = rig.device.pop()
    assert chain is not None
    rig.memory.write(rig.layout.descriptors, b"\xff" * 64)
    log = rig.memory.start()
    assert chain.write(rig.memory, b"y" * 40) == 37
    chain.read(rig.memory, 100)
    rig.device.push(chain.head, 37)
    reads = [(at, size) for what, at, size in log if what == "read"]
    assert reads == [(span.start, span.length) for span in BUFFERS[:2]]


def test_the_driver_publishes_by_one_store_after_all_else(rig: Rig) -> None:
    layout = rig.layout
    index_at = layout.available_index_at
    log = rig.memory.start()
    rig.driver.add(BUFFERS[:1], BUFFERS[1:2])
    rig.driver.add(BUFFERS[2:], [], indirect_at=TABLES)
    assert not any(at <= index_at < at + size for _, at, size in log)
    assert rig.device.pop() is None
    log = rig.memory.start()
    rig.driver.publish()
    assert log == [("store16", index_at, 2)]
    assert rig.device.pending == 2


def test_the_device_stores_the_element_and_then_the_index(rig: Rig) -> None:
    layout = rig.layout
    for turn in range(2):
        log = rig.memory.start()
        rig.device.push(turn, 100)
        assert log == [
            ("write", layout.used_entry_at(turn), 8),
            ("store16", layout.used_index_at, 2),
        ]


def test_event_fields_are_stored_at_once() -> None:
    with WatchedMemory.create(RAM) as memory:
        rig = make_rig(memory, event_idx=True)
        rig.driver.add(BUFFERS, [])
        rig.driver.publish()
        log = memory.start()
        rig.device.pop()
        rig.driver.put_used_event(3)
        stores = [(what, at) for what, at, _ in log if what in ("write", "store16")]
        assert stores == [
            ("store16", rig.layout.avail_event_at),
            ("store16", rig.layout.used_event_at),
        ]


def test_the_device_never_writes_what_is_the_drivers(rig: Rig) -> None:
    rig.driver.add(BUFFERS[:2], BUFFERS[2:])
    rig.driver.publish()
    theirs = [rig.layout.descriptor_span, rig.layout.available_span]
    before = [rig.memory.peek(span) for span in theirs]
    chain = rig.device.pop()
    assert chain is not None
    rig.device.push(chain.head, 0)
    assert [rig.memory.peek(span) for span in theirs] == before


sizes = st.lists(st.integers(0, 9), max_size=6)


@given(sizes, st.integers(0, 60))
def test_gathering_is_concatenation_up_to_the_limit(lengths: list[int], limit: int) -> None:
    spans = [Span(PAGE + 32 * n, length) for n, length in enumerate(lengths)]
    with WatchedMemory.create(2 * PAGE) as memory:
        memory.write(PAGE, bytes(range(256)))
        whole = b"".join(memory.read(span) for span in spans)
        assert Chain(0, tuple(spans), ()).read(memory, limit) == whole[:limit]


@given(sizes, st.binary(max_size=60))
@example([2, 0, 2], b"wxyz")
def test_scattering_fills_the_buffers_in_order(lengths: list[int], data: bytes) -> None:
    spans = [Span(PAGE + 32 * n, length) for n, length in enumerate(lengths)]
    with WatchedMemory.create(2 * PAGE) as memory:
        memory.write(PAGE, b"." * 256)
        chain = Chain(0, (), tuple(spans))
        done = chain.write(memory, data)
        assert done == min(len(data), chain.writable_size)
        whole = b"".join(memory.read(span) for span in spans)
        assert whole == data[:done].ljust(len(whole), b".")
        between = [Span(span.end, 32 - span.length) for span in spans]
        assert all(memory.read(gap) == b"." * gap.length for gap in between)


def test_empty_buffers_are_skipped_wherever_they_point() -> None:
    nowhere = Span(2**64 - 1, 0)
    with WatchedMemory.create(2 * PAGE) as memory:
        memory.write(0, b"abcd")
        chain = Chain(0, (nowhere, Span(0, 4)), (nowhere, Span(8, 2), nowhere, Span(12, 2)))
        assert chain.read(memory, 10) == b"abcd"
        assert chain.write(memory, b"wxyz") == 4
        assert memory.read(Span(8, 6)) == b"wx\0\0yz"
