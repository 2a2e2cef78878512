"""Ranges of guest physical memory, and the little arithmetic that everything needs of them."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from functools import reduce
from itertools import chain
from operator import add, itemgetter, lt, or_
from typing import NamedTuple

PAGE = 4096
"""Bytes in the page that PFNs count, whatever the guest's or the host's own page size."""


class Span(NamedTuple):
    """`length` bytes from guest physical address `start`.

    >>> Span(0x1000, 0x2000)
    Span(0x1000, 0x2000)
    >>> Span(0x1000, 0x2000).end == 0x3000
    True
    """

    start: int
    length: int

    @property
    def end(self) -> int:
        """The first address after the span."""
        return self.start + self.length

    def __repr__(self) -> str:
        return f"Span({self.start:#x}, {self.length:#x})"

    def __str__(self) -> str:
        return f"[{self.start:#x}, {self.end:#x})"

    def overlaps(self, other: Span) -> bool:
        """Whether the two share a byte."""
        return max(self.start, other.start) < min(self.end, other.end)

    def covers(self, other: Span) -> bool:
        """Whether every byte of `other` is in this span."""
        return self.start <= other.start and other.end <= self.end

    def pages(self) -> Iterator[int]:
        """Yield the PFN of every page that the span touches."""
        return iter(range(self.start // PAGE, -(-self.end // PAGE) if self.length else 0))


def block(pfn: int, order: int = 0) -> Span:
    """Return the span of the block of 2^order pages at `pfn`."""
    return Span(pfn * PAGE, PAGE << order)


def merge(spans: Iterable[Span]) -> tuple[Span, ...]:
    """Return the union of the spans, sorted, in as few pieces as can be.

    >>> merge([Span(8, 4), Span(0, 4), Span(4, 5)])
    (Span(0x0, 0xc),)
    """
    ordered = sorted(spans)
    if _are_apart(ordered):  # as nearly always
        return tuple(ordered)
    merged: list[Span] = []
    first = end = -1  # of the piece that grows; -1: there is none yet
    for start, length in ordered:
        if length <= 0:
            continue
        if first >= 0 and start <= end:
            end = max(end, start + length)
            continue
        if first >= 0:
            merged.append(Span(first, end - first))
        first, end = start, start + length
    if first >= 0:
        merged.append(Span(first, end - first))
    return tuple(merged)


def _are_apart(ordered: list[Span]) -> bool:
    """Whether sorted spans are their own union: none is empty, overlaps or touches the next."""
    if not ordered:
        return True
    starts, lengths = zip(*ordered, strict=True)
    return min(lengths) > 0 and all(map(lt, map(add, starts, lengths), starts[1:]))


def subtract(spans: Iterable[Span], holes: Iterable[Span]) -> tuple[Span, ...]:
    """Return what of `spans` is in none of `holes`, sorted and merged.

    >>> subtract([Span(0, 10)], [Span(2, 3), Span(9, 5)])
    (Span(0x0, 0x2), Span(0x5, 0x4))
    """
    left: list[Span] = []
    cuts = merge(holes)
    first = 0
    for span in merge(spans):
        position = span.start
        while first < len(cuts) and cuts[first].end <= position:
            first += 1
        index = first
        while index < len(cuts) and cuts[index].start < span.end:
            cut = cuts[index]
            if cut.start > position:
                left.append(Span(position, cut.start - position))
            position = max(position, cut.end)
            index += 1
        if position < span.end:
            left.append(Span(position, span.end - position))
    return tuple(left)


def touches(merged: Sequence[Span], span: Span) -> bool:
    """Whether a span shares a byte with any of others, which are sorted and apart.

    >>> touches([Span(0, 4), Span(8, 4)], Span(4, 4)), touches([Span(0, 4)], Span(3, 4))
    (False, True)
    """
    last = bisect_left(merged, (span.end,)) - 1
    return last >= 0 and merged[last].overlaps(span)


def intersect(spans: Iterable[Span], others: Iterable[Span]) -> tuple[Span, ...]:
    """Return the bytes that are in both, sorted and merged.

    >>> intersect([Span(0, 10)], [Span(5, 10)])
    (Span(0x5, 0x5),)
    """
    mine = merge(spans)
    return subtract(mine, subtract(mine, others))


def inward(span: Span, page: int) -> Span:
    """Return the whole pages of size `page` inside the span; its length is 0 if there are none.

    >>> inward(Span(0x800, 0x2800), 0x1000)
    Span(0x1000, 0x2000)
    """
    start, length = span
    if not (start | length) % page:
        return span
    end = (start + length) // page * page
    start = -(-start // page) * page
    return Span(start, max(0, end - start))


def whole_pages(spans: Sequence[Span], page: int) -> Sequence[Span]:
    """Return the whole pages inside each span, without the spans that have none.

    >>> whole_pages([Span(0x1000, 0x1000), Span(0x3800, 0x1000)], 0x1000)
    [Span(0x1000, 0x1000)]
    """
    if not reduce(or_, chain.from_iterable(spans), 0) % page and all(map(itemgetter(1), spans)):
        return spans  # as nearly always
    return [whole for span in spans if (whole := inward(span, page)).length]


def total(spans: Iterable[Span]) -> int:
    """Return the bytes of all spans together.

    >>> total([Span(0, 4), Span(2, 4)])
    8
    """
    return sum(map(itemgetter(1), spans))
