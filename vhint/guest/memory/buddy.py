"""A buddy allocator over one span of pages: free blocks of 2^order pages, split and merged.

A block is aligned to its size; its buddy is the block beside it with which it makes up one of the
next order.  Each order has a list; the newest block is handed out first and the oldest last, so
that every run is the same.  A free block can carry the *reported* mark: the host knows that it is
free.  Both halves of a split keep it (a guest that drops it reports the same memory for ever),
and a merge keeps it only if both halves have it.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass

from vhint.wire.blocks import Block

MAX_ORDER = 10
"""The order of the largest block, as in Linux on x86: 4 MiB."""


@dataclass(frozen=True, slots=True)
class Merged:
    """What a freed block became: the block that is in the list now, and which marks were lost."""

    block: Block
    reported: bool
    unmarked: tuple[Block, ...]


class Buddy:
    """The free lists of the pages `first` to `first + pages - 1`; at the start all are free.

    Neither `first` nor `pages` need be aligned: the edges are made up of small blocks.

    >>> buddy = Buddy(0, 8, max_order=3)
    >>> buddy.take(0), buddy.free_pages
    (Block(pfn=0, order=0), 7)
    >>> [tuple(buddy.blocks(order)) for order in range(4)]
    [(Block(pfn=1, order=0),), (Block(pfn=2, order=1),), (Block(pfn=4, order=2),), ()]
    """

    def __init__(self, first: int, pages: int, max_order: int = MAX_ORDER) -> None:
        self.first = first
        self.end = first + pages
        self.max_order = max_order
        self.free_pages = 0
        self._lists: list[OrderedDict[int, None]] = [OrderedDict() for _ in range(max_order + 1)]
        self._heads: dict[int, int] = {}
        self._reported: set[int] = set()
        for free in reversed(tuple(cover(first, self.end, max_order))):
            self._insert(free.pfn, free.order)

    def blocks(self, order: int) -> Iterator[Block]:
        """Yield the free blocks of an order, in the order in which they would be handed out."""
        return (Block(pfn, order) for pfn in reversed(self._lists[order]))

    def count(self, order: int) -> int:
        """Return how many free blocks of exactly this order there are."""
        return len(self._lists[order])

    def block_at(self, pfn: int) -> Block | None:
        """Return the free block that holds a page, or None if the page is not in the lists."""
        for order in range(self.max_order + 1):
            head = pfn >> order << order
            if self._heads.get(head) == order:
                return Block(head, order)
        return None

    def is_reported(self, free: Block) -> bool:
        """Whether a free block carries the mark."""
        return free.pfn in self._reported

    def can_take(self, order: int) -> bool:
        """Whether there is a free block of at least this order."""
        return any(self._lists[order:])

    def take(self, order: int) -> Block | None:
        """Take the newest block of the smallest order that fits, split to size; None if none."""
        for size in range(order, self.max_order + 1):
            if self._lists[size]:
                pfn = next(reversed(self._lists[size]))
                reported = self._remove(pfn, size)
                while size > order:
                    size -= 1
                    self._insert(pfn + (1 << size), size, reported=reported)
                return Block(pfn, order)
        return None

    def take_block(self, wanted: Block) -> bool:
        """Take exactly this block, out of a larger one if need be; return whether it was free."""
        found = self.block_at(wanted.pfn)
        if found is None or found.order < wanted.order:
            return False
        reported = self._remove(found.pfn, found.order)
        head, order = found.pfn, found.order
        while order > wanted.order:
            order -= 1
            half = head + (1 << order)
            other, head = (head, half) if wanted.pfn >= half else (half, head)
            self._insert(other, order, reported=reported)
        return True

    def put(self, block: Block, *, reported: bool = False, oldest: bool = False) -> Merged:
        """Free a block and merge it with its free buddies as far as it goes.

        `oldest` puts it where it is handed out last.  Raises `ValueError` for a block that is not
        aligned, outside, or free already (then in whole or in part).
        """
        self._check(block)
        pfn, order = block.pfn, block.order
        unmarked: list[Block] = []
        while order < self.max_order:
            buddy = pfn ^ (1 << order)
            if self._heads.get(buddy) != order:
                break
            buddy_reported = self._remove(buddy, order)
            if reported != buddy_reported:
                unmarked.append(Block(pfn if reported else buddy, order))
                reported = False
            pfn = min(pfn, buddy)
            order += 1
        self._insert(pfn, order, reported=reported, oldest=oldest)
        return Merged(Block(pfn, order), reported, tuple(unmarked))

    def mark(self, free: Block) -> None:
        """Give a free block the mark."""
        if self._heads.get(free.pfn) != free.order:
            raise ValueError(f"{free} is not a free block; seen {self.block_at(free.pfn)}")
        self._reported.add(free.pfn)

    def key(self) -> tuple[tuple[tuple[int, bool], ...], ...]:
        """Return the lists as a value: for each order the (PFN, mark) of its blocks, oldest first.

        Two allocators with the same key do the same for ever after.
        """
        return tuple(
            tuple((pfn, pfn in self._reported) for pfn in blocks) for blocks in self._lists
        )

    def _check(self, block: Block) -> None:
        size = 1 << block.order
        if not 0 <= block.order <= self.max_order or block.pfn % size:
            raise ValueError(f"{block} is no block of order 0 to {self.max_order}, aligned to it")
        if block.pfn < self.first or block.pfn + size > self.end:
            raise ValueError(f"{block} is outside the pages {self.first} to {self.end - 1}")
        if (free := self.block_at(block.pfn)) is not None:
            raise ValueError(f"{block} is freed twice: {free} is free")
        if block.order and any(
            self._heads.get(pfn) is not None for pfn in range(block.pfn, block.pfn + size)
        ):
            raise ValueError(f"{block} is freed twice: a part of it is free")

    def _insert(
        self, pfn: int, order: int, *, reported: bool = False, oldest: bool = False
    ) -> None:
        self._lists[order][pfn] = None
        if oldest:
            self._lists[order].move_to_end(pfn, last=False)
        self._heads[pfn] = order
        self.free_pages += 1 << order
        if reported:
            self._reported.add(pfn)

    def _remove(self, pfn: int, order: int) -> bool:
        del self._lists[order][pfn]
        del self._heads[pfn]
        self.free_pages -= 1 << order
        reported = pfn in self._reported
        self._reported.discard(pfn)
        return reported


def cover(first: int, end: int, max_order: int) -> Iterator[Block]:
    """Yield the largest aligned blocks that make up the pages `first` to `end - 1`.

    >>> list(cover(3, 9, 10))
    [Block(pfn=3, order=0), Block(pfn=4, order=2), Block(pfn=8, order=0)]
    """
    while first < end:
        aligned = (first & -first).bit_length() - 1 if first else max_order
        order = min(aligned, (end - first).bit_length() - 1, max_order)
        yield Block(first, order)
        first += 1 << order
