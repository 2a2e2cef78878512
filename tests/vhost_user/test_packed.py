"""Packed rings over vhost-user: where a ring begins, where it stopped, and sizes."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.vhost_user.front import REPORTING, Front, Served, ready
from vhint.ring import PackedDriverQueue, PackedLayout, Position
from vhint.ring.packed_device import FRESH
from vhint.spans import Span
from vhint.wire.features import Feature, Features
from vhint.wire.vhost_user import Request, VringFile, VringState

BLOCK = Span(4 << 20, 1 << 20)
PACKED = REPORTING | Features.of(Feature.RING_PACKED)


@pytest.fixture
def served(tmp_path: Path):
    with Served(tmp_path) as made:
        yield made


def start(front: Front, size: int, base: int) -> PackedDriverQueue:
    """Set ring 2 up as a packed one, running from `base`."""
    assert front.memory is not None
    layout = PackedLayout.at(0x1000, size)
    queue = PackedDriverQueue(front.memory, layout, event_idx=False)
    front.place(2, layout, base)  # type: ignore[arg-type]
    for request, kept in (
        (Request.SET_VRING_CALL, front.calls),
        (Request.SET_VRING_KICK, front.kicks),
    ):
        kept[2] = front.eventfd()
        front.post(request, VringFile.of(2), [kept[2]])
    front.post(Request.SET_VRING_ENABLE, VringState(2, 1))
    return queue


def word(slot: int, *, wrap: bool) -> int:
    return Position(slot, wrap).word * 0x10001


@pytest.mark.parametrize("base", [0, FRESH])
@pytest.mark.parametrize("size", [1, 3, 64])
def test_a_packed_ring_is_served(served: Served, size: int, base: int) -> None:
    """A base of 0, as User-Mode Linux says it, is the beginning too."""
    with ready(served, PACKED) as front:
        queue = start(front, size, base)
        for _ in range(2 * size + 1):
            assert front.report(queue, BLOCK) == 0  # type: ignore[arg-type]
            assert front.called(2)
        stopped = front.ask(Request.GET_VRING_BASE, VringState(2, 0))
        assert stopped == VringState(2, queue.position.word * 0x10001)


def test_a_packed_ring_goes_on_where_it_stopped(served: Served) -> None:
    """After every number of lists, also where both positions with their counters make 0."""
    with ready(served, PACKED) as front:
        queue = start(front, 3, 0)
        for turn in range(1, 8):
            front.report(queue, BLOCK)  # type: ignore[arg-type]
            base = front.ask(Request.GET_VRING_BASE, VringState(2, 0)).num
            assert base == word(turn % 3, wrap=turn // 3 % 2 == 0)
            front.place(2, queue.layout, base)  # type: ignore[arg-type]
            front.post(Request.SET_VRING_KICK, VringFile.of(2), [front.kicks[2]])
        assert queue.collect() is None


def test_a_base_outside_the_ring_is_refused(served: Served) -> None:
    with ready(served, PACKED) as front:
        queue = start(front, 4, word(4, wrap=True))
        queue.add((), [BLOCK])
        queue.publish()
        front.kick(2)
        assert queue.collect() is None
        assert served.server.peer is None
