"""What the driver makes of answers (vhint, rule 5), and how it writes requests."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vhint.guest import requests
from vhint.guest.driver import Answer, Request
from vhint.guest.memory import Block, span_of
from vhint.guest.profiles.acknowledgement import BadAnswer, GoodAnswer, judge
from vhint.guest.profiles.hint_format import BitmapFormat, HintFormat, Limits, PfnFormat
from vhint.guest.requests import Draft
from vhint.spans import Span
from vhint.wire import hint_ack, hint_request
from vhint.wire.bitmap import Bitmap
from vhint.wire.hint_ack import Acknowledgement, Status
from vhint.wire.hint_request import BitmapRequest, PfnRequest

PAIRS = [(16 * n, 0) for n in range(10)]


def answer(draft: Draft, data: bytes, length: int | None = None) -> Answer:
    request = Request(draft, 0, 0, (), (Span(0, draft.room),), ())
    return Answer(request, len(data) if length is None else length, data)


def ack(draft: Draft, status: Status, done: list[int], size: int | None = None) -> bytes:
    results = Bitmap.from_indices(draft.count, done)
    data = hint_ack.build(Acknowledgement(draft.cookie, status, len(done), results), draft.count)
    return data[:size]


def test_results_say_what_was_accepted_and_the_uncovered_counts_as_accepted() -> None:
    """hint.driver.uncovered-results-lost."""
    draft = requests.hint_blocks(7, PAIRS)
    blocks = draft.blocks
    found = judge(answer(draft, ack(draft, Status.PARTIAL, [0, 3, 8])))
    assert found == GoodAnswer(
        Status.PARTIAL,
        (blocks[0], blocks[3], blocks[8]),
        tuple(b for n, b in enumerate(blocks) if n not in (0, 3, 8)),
    )
    cut = judge(answer(draft, ack(draft, Status.PARTIAL, [0, 3], 17)))
    assert isinstance(cut, GoodAnswer)
    assert cut.accepted == (blocks[0], blocks[3], blocks[8], blocks[9])
    none = judge(answer(draft, ack(draft, Status.PARTIAL, [], 16)))
    assert isinstance(none, GoodAnswer)
    assert none.accepted == blocks


def test_in_a_bitmap_result_bit_n_stands_for_bit_n() -> None:
    draft = requests.hint_bitmap(7, 64, 0, Bitmap.from_indices(9, [1, 8]))
    found = judge(answer(draft, ack(draft, Status.PARTIAL, [8])))
    assert isinstance(found, GoodAnswer)
    assert found.accepted == (draft.blocks[1],)
    assert found.untouched == (draft.blocks[0],)


def test_results_with_nonzero_padding_are_no_results() -> None:
    draft = requests.hint_blocks(7, PAIRS)
    data = ack(draft, Status.PARTIAL, [])[:-1] + b"\x80"
    found = judge(answer(draft, data))
    assert isinstance(found, GoodAnswer)
    assert found.accepted == draft.blocks


@pytest.mark.parametrize("status", [Status.MALFORMED, Status.UNSUPPORTED, Status.INHIBITED])
def test_a_refusal_touched_nothing(status: Status) -> None:
    draft = requests.hint_blocks(7, PAIRS)
    found = judge(answer(draft, ack(draft, status, [], 16)))
    assert found == GoodAnswer(status, (), draft.blocks)


@pytest.mark.parametrize(
    ("data", "length", "said"),
    [
        (bytes(15), 15, "used length of 16 to 18; seen 15"),
        (b"", 0, "seen 0"),
        (bytes(18), 19, "seen 19"),
        (bytes(18), 2**32 - 1, "seen 4294967295"),
        (b"\x08" + bytes(15), 16, "cookie 0x7; seen 0x8"),
        (bytes(16), 16, "cookie 0x7; seen 0x0"),
        (b"\x07" + bytes(7) + b"\x05" + bytes(7), 16, "seen 5"),
        (b"\x07" + bytes(7) + b"\xff" * 4 + bytes(4), 16, "seen 4294967295"),
    ],
)
def test_what_cannot_be_is_bad(data: bytes, length: int, said: str) -> None:
    """hint.driver.reset-on-bad-acknowledgement."""
    found = judge(answer(requests.hint_blocks(7, PAIRS), data, length))
    assert isinstance(found, BadAnswer)
    assert said in str(found)


def test_a_length_within_the_rule_but_beyond_the_room_is_bad() -> None:
    draft = requests.hint_blocks(7, PAIRS, results=0)
    good = judge(answer(draft, ack(draft, Status.OK, list(range(10)), 16)))
    assert isinstance(good, GoodAnswer)
    assert isinstance(judge(answer(draft, ack(draft, Status.OK, [], 16), 17)), BadAnswer)


@given(st.binary(max_size=20), st.integers(0, 24))
def test_any_bytes_are_judged_without_an_error(data: bytes, length: int) -> None:
    draft = requests.hint_blocks(7, PAIRS)
    found = judge(answer(draft, data.ljust(18, b"\xa5")[: min(length, 18)], length))
    if isinstance(found, GoodAnswer):
        assert sorted((*found.accepted, *found.untouched)) == sorted(draft.blocks)


# Requests


def _apart(pairs: list[tuple[int, int]]) -> list[Block]:
    taken: set[int] = set()
    made: list[Block] = []
    for place, order in pairs:
        block = Block(place >> order << order, order)
        pages = set(range(block.pfn, block.pfn + (1 << order)))
        if not pages & taken:
            taken |= pages
            made.append(block)
    return made


blocks = st.lists(st.tuples(st.integers(0, 300), st.integers(0, 3)), min_size=1, max_size=30)


@given(
    blocks.map(_apart), st.sampled_from([PfnFormat, BitmapFormat]), st.integers(1, 5), st.booleans()
)
def test_every_block_is_named_once_within_the_limits(
    wanted: list[Block], kind: type[HintFormat], most: int, results: bool
) -> None:
    """hint.driver.no-overlap-in-request, only-defined-requests, cookie-unique, cookie-nonzero."""
    made = kind(results=results)
    left, named, cookies = wanted, [], []
    while left:
        drafted = made.draft(left, Limits(most, 0))
        assert drafted.named
        assert sorted(drafted.draft.blocks) == sorted(map(span_of, drafted.named))
        request = hint_request.parse(drafted.draft.readable)
        cookies.append(request.cookie)
        if isinstance(request, PfnRequest):
            assert len(request.blocks) <= most
            assert drafted.draft.room == 16 + (-(-len(request.blocks) // 8) if results else 0)
        else:
            assert isinstance(request, BitmapRequest)
            assert request.bits.count <= 128 * most
            assert request.start_pfn % (1 << request.order) == 0
            assert drafted.draft.room == 16 + (-(-request.bits.count // 8) if results else 0)
        named += drafted.named
        left = list(drafted.rest)
    assert sorted(named, key=lambda b: b.pfn) == sorted(wanted, key=lambda b: b.pfn)
    assert len(set(cookies)) == len(cookies)
    assert 0 not in cookies
