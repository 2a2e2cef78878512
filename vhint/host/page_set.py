"""A set of host pages of guest RAM, as large as RAM however it is filled."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from vhint.ring import Region
from vhint.spans import Span, inward, merge


class PageSet:
    """Host pages of `page` bytes that lie wholly in RAM; a byte of state each.

    >>> pages = PageSet([Region(0, 0x8000, 0)], 0x2000)
    >>> pages.add([Span(0x1000, 0x5000)])
    >>> pages.spans()
    (Span(0x2000, 0x4000),)
    """

    def __init__(self, regions: Sequence[Region], page: int) -> None:
        self.page = page
        areas = merge(Span(region.start, region.length) for region in regions)
        whole = (inward(area, page) for area in areas)
        self._areas: list[tuple[Span, npt.NDArray[np.bool_]]] = [
            (area, np.zeros(area.length // page, np.bool_)) for area in whole if area.length
        ]

    def add(self, spans: Iterable[Span]) -> None:
        """Add the pages that lie wholly inside a span; what is not RAM is left out."""
        for span in spans:
            for area, marks in self._areas:
                start, end = max(span.start, area.start), min(span.end, area.end)
                if start < end:
                    part = inward(Span(start, end - start), self.page)
                    first = (part.start - area.start) // self.page
                    marks[first : first + part.length // self.page] = True

    def clear(self) -> None:
        """Remove every page."""
        for _, marks in self._areas:
            marks[:] = False

    def spans(self) -> tuple[Span, ...]:
        """Return the pages as sorted, merged spans."""
        found: list[Span] = []
        for area, marks in self._areas:
            edges = np.flatnonzero(np.diff(marks, prepend=np.False_, append=np.False_)).tolist()
            found += [
                Span(area.start + first * self.page, (end - first) * self.page)
                for first, end in zip(edges[::2], edges[1::2], strict=True)
            ]
        return tuple(found)
