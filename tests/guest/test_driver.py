"""The driver's arena and ledger, with the device half of a ring worked by hand."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vhint.guest import Arena, Driver, Negotiated, requests
from vhint.guest.arena import ArenaFullError
from vhint.guest.driver import UNWRITTEN
from vhint.guest.initialise import QueueSetUp
from vhint.guest.requests import Draft
from vhint.ring import GuestMemory, QueueFullError, RingError, SplitDeviceQueue, SplitLayout
from vhint.spans import PAGE, Span, block
from vhint.trace import Recorder
from vhint.trace.events import Offered, Used
from vhint.wire.bitmap import Bitmap
from vhint.wire.features import Features
from vhint.wire.queues import Queue
from vhint.wire.statistics import Statistic

LAYOUT = SplitLayout.at(0x1000, 4)
ARENA = Span(0x4000, 0x1000)
QUEUE = Queue.HINTING


class Rig:
    def __init__(self) -> None:
        self.memory = GuestMemory.create(64 * PAGE)
        self.recorder = Recorder()
        self.arena = Arena(ARENA)
        features = Features(0)
        negotiated = Negotiated(features, features, {QUEUE: QueueSetUp(5, LAYOUT)})
        self.driver = Driver(self.memory, negotiated, self.arena, self.recorder.emit)
        self.device = SplitDeviceQueue(self.memory, LAYOUT, event_idx=False, indirect=True)

    @property
    def free(self) -> tuple[Span, ...]:
        return self.arena._free


@pytest.fixture
def rig() -> Iterator[Rig]:
    made = Rig()
    yield made
    made.memory.close()


def draft(readable: bytes = b"request", room: int = 24, **more: object) -> Draft:
    return Draft(QUEUE, readable, room, **more)  # type: ignore[arg-type]


def test_a_request_goes_round(rig: Rig) -> None:
    request = rig.driver.add(draft(blocks=(block(32),)))
    assert rig.device.pop() is None
    assert rig.driver.publish(QUEUE)
    chain = rig.device.pop()
    assert chain is not None
    assert chain.read(rig.memory, 100) == b"request"
    assert rig.memory.read(chain.writable[0]) == UNWRITTEN * 24
    assert rig.driver.collect(QUEUE) is None
    chain.write(rig.memory, b"answer")
    rig.device.push(chain.head, 6)
    answer = rig.driver.collect(QUEUE)
    assert answer is not None
    assert (answer.request, answer.length, answer.data) == (request, 6, b"answer")
    assert rig.driver.outstanding == {}
    assert rig.free == (ARENA,)
    offered, used = rig.recorder.events
    assert isinstance(offered, Offered)
    assert (offered.blocks, offered.valid, offered.ticket) == ((block(32),), True, 0)
    assert used == Used(QUEUE, chain.head, 0, 6, -1)


cuts = st.lists(st.integers(0, 30), max_size=3)


@given(st.binary(min_size=1, max_size=40), st.integers(0, 40), cuts, cuts, st.booleans())
def test_fragments_mean_nothing(
    data: bytes, room: int, readable: list[int], writable: list[int], indirect: bool
) -> None:
    rig = Rig()
    try:
        rig.driver.add(
            draft(data, room),
            readable_pieces=readable,
            writable_pieces=writable,
            indirect=indirect,
        )
    except QueueFullError:
        assert not indirect
        assert rig.free == (ARENA,)
    else:
        rig.driver.publish(QUEUE)
        if indirect and len(rig.driver.rings[QUEUE].outstanding) == 1:
            assert rig.driver.rings[QUEUE].free == 3
        request = next(iter(rig.driver.outstanding.values()))
        if len(request.readable) + len(request.writable) <= 4:
            chain = rig.device.pop()
            assert chain is not None
            assert chain.read(rig.memory, 100) == data
            assert chain.writable_size == room
            assert all(span.length for span in (*chain.readable, *chain.writable))
            rig.device.push(chain.head, chain.write(rig.memory, b"z" * 50))
            answer = rig.driver.collect(QUEUE)
            assert answer is not None
            assert answer.data == b"z" * room
            assert rig.free == (ARENA,)
    finally:
        rig.memory.close()


def test_the_used_id_selects_what_returns(rig: Rig) -> None:
    first, second = (rig.driver.add(draft(cookie=7)) for _ in range(2))
    rig.driver.publish(QUEUE)
    rig.device.push(second.head, 0)
    rig.device.push(first.head, 16)
    answers = [rig.driver.collect(QUEUE) for _ in range(2)]
    assert [answer.request.ticket for answer in answers if answer] == [1, 0]


@pytest.mark.parametrize("length", [25, 2**32 - 1])
def test_an_answer_is_no_longer_than_its_buffers(rig: Rig, length: int) -> None:
    request = rig.driver.add(draft(room=24))
    rig.device.push(request.head, length)
    answer = rig.driver.collect(QUEUE)
    assert answer is not None
    assert (answer.length, answer.data) == (length, UNWRITTEN * 24)


def test_an_id_that_answers_nothing_is_recorded_and_an_error_for_hints(rig: Rig) -> None:
    """hint.driver.bad-id-detected."""
    request = rig.driver.add(draft())
    rig.device.push(3 if request.head != 3 else 2, 1)
    rig.device.push(request.head, 2)
    with pytest.raises(RingError, match="not the head of an outstanding chain"):
        rig.driver.collect(QUEUE)
    assert rig.recorder.events[-1].ticket is None
    answer = rig.driver.collect(QUEUE)
    assert answer is not None
    assert answer.length == 2
    rig.device.push(request.head, 3)
    with pytest.raises(RingError):
        rig.driver.collect(QUEUE)


def test_an_id_that_answers_nothing_is_skipped_on_other_queues() -> None:
    """ring.driver.used-id-checked."""
    other = Queue.REPORTING
    memory, recorder = GuestMemory.create(64 * PAGE), Recorder()
    negotiated = Negotiated(Features(0), Features(0), {other: QueueSetUp(2, LAYOUT)})
    driver = Driver(memory, negotiated, Arena(ARENA), recorder.emit)
    device = SplitDeviceQueue(memory, LAYOUT, event_idx=False, indirect=True)
    request = driver.add(requests.report([block(32)]))
    device.push(3 if request.head != 3 else 2, 0)
    device.push(request.head, 0)
    assert driver.collect(other) is not None
    assert driver.collect(other) is None
    assert [e.ticket for e in recorder.events if isinstance(e, Used)] == [None, 0]
    memory.close()


def test_a_used_index_that_jumps_is_recorded_and_raised(rig: Rig) -> None:
    rig.driver.add(draft())
    rig.memory.store16(LAYOUT.used_index_at, 0x1234)
    with pytest.raises(RingError):
        rig.driver.collect(QUEUE)
    assert rig.recorder.events[-1] == Used(QUEUE, -1, None, 0x1234, -1)
    assert len(rig.driver.outstanding) == 1  # nothing came back


def test_used_says_when_it_was_last_looked_for(rig: Rig) -> None:
    request = rig.driver.add(draft())
    assert not rig.driver.look(QUEUE, 41)
    rig.device.push(request.head, 0)
    assert rig.driver.look(QUEUE, 42)
    rig.driver.collect(QUEUE)
    used = rig.recorder.events[-1]
    assert isinstance(used, Used)
    assert used.since == 41


def test_a_full_queue_takes_nothing_from_the_arena(rig: Rig) -> None:
    rig.driver.add(draft())
    rig.driver.add(draft())
    before = rig.free
    with pytest.raises(QueueFullError):
        rig.driver.add(draft())
    assert rig.free == before
    assert len(rig.driver.outstanding) == 2
    assert len(rig.recorder.events) == 2


@pytest.mark.parametrize(
    "big", [draft(b"x" * 16, room=5000), draft(b"x" * 5000), draft(b"x" * 4096)]
)
def test_a_full_arena_keeps_what_it_had(rig: Rig, big: Draft) -> None:
    with pytest.raises(ArenaFullError):
        rig.driver.add(big)
    assert rig.free == (ARENA,)
    assert rig.driver.rings[QUEUE].free == 4


def test_an_empty_request_takes_nothing(rig: Rig) -> None:
    with pytest.raises(ValueError, match="at least one buffer"):
        rig.driver.add(draft(b"", 0), indirect=True)
    assert rig.free == (ARENA,)


sizes = st.lists(st.tuples(st.integers(1, 600), st.sampled_from([1, 2, 16, 64, 4096])), max_size=20)


@given(sizes, st.integers(0, 7))
def test_arena_pieces_are_aligned_disjoint_and_come_back(
    wanted: list[tuple[int, int]], every: int
) -> None:
    arena = Arena(Span(0x1008, 0x3000))
    held: list[Span] = []
    for number, (size, align) in enumerate(wanted):
        try:
            piece = arena.take(size, align)
        except ArenaFullError:
            continue
        assert piece.start % align == 0
        assert piece.length == size
        assert arena.span.covers(piece)
        assert not any(piece.overlaps(other) for other in held)
        held.append(piece)
        if every and number % every == 0:
            arena.give_back((held.pop(0),))
    arena.give_back(tuple(held))
    assert arena._free == (arena.span,)


def test_drafts_say_what_they_are_about() -> None:
    hint = requests.hint_blocks(9, [(16, 2), (64, 0)])
    assert hint.blocks == (block(16, 2), block(64))
    assert (hint.room, hint.cookie, hint.count, hint.positions) == (17, 9, 2, (0, 1))
    assert len(hint.readable) == 16 + 2 * 16
    bitmap = requests.hint_bitmap(9, 32, 1, Bitmap.from_indices(10, [0, 9]), results=0)
    assert bitmap.blocks == (block(32, 1), block(50, 1))
    assert (bitmap.room, bitmap.count, bitmap.positions) == (16, 10, (0, 9))
    assert requests.inflate([1, 2]).readable == b"\1\0\0\0\2\0\0\0"
    assert requests.deflate([1]).blocks == (block(1),)
    report = requests.report([block(3)])
    assert (report.pages_are_buffers, report.room, report.readable) == (True, 0, b"")
    assert requests.give_statistics([Statistic(4, 1)]).readable == b"\4\0\1" + bytes(7)
