"""Spans against the plain set of the bytes they stand for."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from vhint.spans import PAGE, Span, block, intersect, inward, merge, subtract

spans = st.builds(Span, st.integers(0, 60), st.integers(0, 12))
several = st.lists(spans, max_size=8)


def octets(pieces: Iterable[Span]) -> set[int]:
    return {byte for piece in pieces for byte in range(piece.start, piece.start + piece.length)}


def check_canonical(pieces: Sequence[Span]) -> None:
    """Sorted, none empty, and a gap between any two."""
    assert all(piece.length > 0 for piece in pieces)
    assert all(one.end < two.start for one, two in itertools.pairwise(pieces))


@given(several)
def test_merge_is_the_union(pieces: list[Span]) -> None:
    merged = merge(pieces)
    assert octets(merged) == octets(pieces)
    check_canonical(merged)
    assert merge(merged) == merged
    assert merge(reversed(pieces)) == merged


@given(several, several)
def test_subtract_is_the_difference(pieces: list[Span], holes: list[Span]) -> None:
    left = subtract(pieces, holes)
    assert octets(left) == octets(pieces) - octets(holes)
    check_canonical(left)


@given(several, several)
def test_intersect_is_what_both_have(pieces: list[Span], others: list[Span]) -> None:
    common = intersect(pieces, others)
    assert octets(common) == octets(pieces) & octets(others)
    check_canonical(common)
    assert common == intersect(others, pieces)


@given(spans, st.sampled_from([1, 2, 4, 8, 16]))
def test_inward_keeps_exactly_the_whole_pages(span: Span, page: int) -> None:
    inside = octets([span])
    whole = [n for n in range(80 // page + 1) if octets([Span(n * page, page)]) <= inside]
    rounded = inward(span, page)
    assert octets([rounded]) == octets(Span(n * page, page) for n in whole)
    assert rounded.length >= 0
    assert rounded.start % page == 0


@given(spans, spans)
@example(Span(5, 0), Span(0, 10))
def test_overlaps_means_a_common_byte(one: Span, two: Span) -> None:
    assert one.overlaps(two) == bool(octets([one]) & octets([two]))


@given(spans, spans.filter(lambda span: span.length > 0))
def test_covers_means_every_byte(one: Span, two: Span) -> None:
    assert one.covers(two) == (octets([two]) <= octets([one]))


@given(st.builds(Span, st.integers(0, 5 * PAGE), st.integers(0, 3 * PAGE)))
def test_pages_are_those_with_a_byte_in_the_span(span: Span) -> None:
    pages = [n for n in range(9) if span.overlaps(Span(n * PAGE, PAGE))]
    assert list(span.pages()) == pages


@pytest.mark.parametrize("order", [0, 1, 9, 40])
def test_block(order: int) -> None:
    span = block(1 << order, order)
    assert (span.start, span.length) == (PAGE << order, PAGE << order)
    assert span.end == 2 * span.start
    assert str(Span(0x1000, 0x2000)) == "[0x1000, 0x3000)"


def test_addresses_are_not_cut_to_64_bits() -> None:
    high = Span(2**64 - PAGE, 2 * PAGE)
    assert merge([high, Span(0, PAGE)]) == (Span(0, PAGE), high)
    assert not high.overlaps(Span(0, PAGE))
