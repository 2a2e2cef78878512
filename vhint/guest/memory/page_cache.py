"""The page cache: what keeps pages in use after their user is done with them.

The question from the audience was whether such a guest has free pages at all.  So the cache is a
policy: one that keeps pages until they are dropped or memory is short, and none.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import OrderedDict

from vhint.wire.blocks import Block


class PageCache(ABC):
    """What becomes of a block that its user is done with."""

    def __init__(self) -> None:
        self._held: OrderedDict[int, Block] = OrderedDict()

    @property
    def pages(self) -> int:
        """How many pages are held."""
        return sum(1 << block.order for block in self._held.values())

    @property
    def blocks(self) -> tuple[Block, ...]:
        """The blocks that are held, the least recently used first."""
        return tuple(self._held.values())

    @abstractmethod
    def keeps(self, block: Block) -> bool:
        """Whether the cache wants a block instead of its being freed."""

    def hold(self, block: Block) -> None:
        """Take a block in."""
        self._held[block.pfn] = block

    def let_go(self, block: Block) -> None:
        """Let go of a block that is dropped, or used again."""
        del self._held[block.pfn]

    def oldest(self) -> Block | None:
        """Return the block that was not used for longest, or None."""
        return next(iter(self._held.values()), None)


class NoCache(PageCache):
    """Keeps nothing: what is done with is free at once."""

    def keeps(self, block: Block) -> bool:  # noqa: ARG002
        """Return False."""
        return False


class KeepUntilPressure(PageCache):
    """Keeps up to `limit` pages until they are dropped or memory is short."""

    def __init__(self, limit: int) -> None:
        super().__init__()
        self.limit = limit

    def keeps(self, block: Block) -> bool:
        """Return whether there is still room."""
        return self.pages + (1 << block.order) <= self.limit
