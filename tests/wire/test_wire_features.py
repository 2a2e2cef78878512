"""Feature bits and queue indices, over all subsets."""

from __future__ import annotations

from itertools import chain, combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vhint.wire.features import Feature, Features, problems
from vhint.wire.queues import QUEUE_FEATURE, Queue, QueueMode, queue_map

u64 = st.integers(0, 2**64 - 1)
OPTIONAL = [feature for feature in QUEUE_FEATURE.values() if feature is not None]
SUBSETS = [
    frozenset(subset)
    for subset in chain.from_iterable(combinations(OPTIONAL, n) for n in range(len(OPTIONAL) + 1))
]
PAIRS = [(offered, accepted) for offered in SUBSETS for accepted in SUBSETS if accepted <= offered]


@pytest.mark.parametrize("mode", QueueMode)
def test_queue_map_over_all_subsets(mode: QueueMode) -> None:
    assert len(PAIRS) == 3 ** len(OPTIONAL)
    for offered, accepted in PAIRS:
        found = queue_map(mode, Features.of(*offered), Features.of(*accepted))
        exist = [q for q in Queue if QUEUE_FEATURE[q] is None or QUEUE_FEATURE[q] in accepted]
        assert list(found) == exist
        for queue, index in found.items():
            before = list(Queue)[: list(Queue).index(queue)]
            counted = {
                QueueMode.SPEC_FIXED: set(OPTIONAL),
                QueueMode.COMPACT_OFFERED: offered,
                QueueMode.COMPACT_ACCEPTED: accepted,
            }[mode]
            assert index == sum(
                QUEUE_FEATURE[q] is None or QUEUE_FEATURE[q] in counted for q in before
            )


def test_the_hinting_queue_is_last_under_the_compact_modes() -> None:
    every = Features.of(*OPTIONAL)
    assert [queue_map(mode, every, every)[Queue.HINTING] for mode in QueueMode] == [5, 5, 5]
    only = Features.of(Feature.HINTING)
    assert [queue_map(mode, only, only)[Queue.HINTING] for mode in QueueMode] == [5, 2, 2]


@pytest.mark.parametrize("mode", QueueMode)
def test_accepting_what_is_not_offered(mode: QueueMode) -> None:
    with pytest.raises(ValueError, match="PAGE_REPORTING"):
        queue_map(mode, Features(), Features.of(Feature.PAGE_REPORTING))


def test_an_unknown_mode() -> None:
    with pytest.raises(ValueError, match="compact"):
        queue_map("compact", Features(), Features())  # type: ignore[arg-type]


@given(u64, u64)
def test_sets_are_masks(a: int, b: int) -> None:
    left, right = Features(a), Features(b)
    assert ((left | right).bits, (left & right).bits) == (a | b, a & b)
    assert (left - right).bits == a & ~b
    assert Features.of(*left) | Features(left.unknown) == left
    assert all(feature in left for feature in left)


@pytest.mark.parametrize(
    ("offered", "accepted", "words"),
    [
        ([22, 23, 32], [22, 23, 32], []),
        ([5], [5], []),
        ([22, 23, 32], [23, 32], ["HINTING_BITMAP is accepted without HINTING"]),
        ([22, 32], [22], ["HINTING is accepted without VERSION_1"]),
        ([22, 32, 33], [22, 32, 33], ["HINTING is accepted with ACCESS_PLATFORM"]),
        ([], [50], ["Features(bit 50) accepted but not offered"]),
    ],
)
def test_problems(offered: list[int], accepted: list[int], words: list[str]) -> None:
    assert problems(Features.of(*offered), Features.of(*accepted)) == tuple(words)


def test_a_bit_that_is_none() -> None:
    with pytest.raises(ValueError, match="64"):
        Features.of(64)
