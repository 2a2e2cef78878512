"""The blocks of a zone and the renamings of its pages that keep buddies buddies."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product


def is_whole(pages: int) -> bool:
    """Return whether a zone can have this many pages."""
    return pages >= 1


@dataclass(frozen=True, slots=True, order=True)
class Block:
    """2^order pages from `first` on, aligned to its size within its zone."""

    zone: int
    first: int
    order: int

    @property
    def pages(self) -> range:
        """The pages of the block."""
        return range(self.first, self.first + (1 << self.order))

    def __str__(self) -> str:
        return f"page {self.first}" if self.order == 0 else f"pages {self.first}-{self.pages[-1]}"


class Zones:
    """Equal zones of consecutive pages."""

    def __init__(self, pages: int, zones: int, max_order: int) -> None:
        self.pages, self.zones, self.max_order = pages, zones, max_order
        self._size = pages // zones
        self.blocks: tuple[Block, ...] = tuple(
            Block(zone, self._size * zone + offset, order)
            for zone in range(zones)
            for order in range(max_order + 1)
            for offset in range(0, self._size - (1 << order) + 1, 1 << order)
        )

    def zone_of(self, page: int) -> int:
        """Return the zone of a page."""
        return page // self._size

    def buddy(self, block: Block) -> Block | None:
        """Return the block that this one merges with, or None if there is none."""
        start = self._size * block.zone
        first = start + ((block.first - start) ^ (1 << block.order))
        other = Block(block.zone, first, block.order)
        return other if block.order < self.max_order and other in self.blocks else None

    def holding(self, block: Block) -> list[Block]:
        """Return the blocks that a block is part of, itself first."""
        return [
            larger
            for larger in self.blocks
            if larger.order >= block.order and block.first in larger.pages
        ]

    def renamings(self) -> Iterator[tuple[int, ...]]:
        """Yield every renaming of pages under which blocks stay blocks, the identity first.

        Only the automorphisms of the buddy tree are: blocks 0 and 1 may change places, or 0-1
        with 2-3, but not 1 with 2, since 1 merges with 0 and not with 3.  A zone that is no power
        of two keeps its ragged end where it is.
        """
        for images in product(*(tuple(self._of_zone(zone)) for zone in range(self.zones))):
            yield tuple(page for image in images for page in image)

    def _of_zone(self, zone: int) -> Iterator[tuple[int, ...]]:
        start, left, parts = self._size * zone, self._size, []
        while left:
            order = min(self.max_order, left.bit_length() - 1)
            parts.append(tuple(_swaps(start, order)))
            start, left = start + (1 << order), left - (1 << order)
        for images in product(*parts):
            yield tuple(page for image in images for page in image)


def _swaps(first: int, order: int) -> Iterator[tuple[int, ...]]:
    if order == 0:
        yield (first,)
        return
    half = 1 << (order - 1)
    for left, right in product(_swaps(first, order - 1), _swaps(first + half, order - 1)):
        yield left + right
        yield right + left
