"""How a driver writes isolated blocks into hinting requests: `hint-pfn` and `hint-bitmap`.

A request keeps to what the device's config space says (hint.driver.only-defined-requests), and
leaves room for the answer (hint.driver.room-for-acknowledgement): for a result bit each, or for
the 16 bytes without any.  Blocks that do not fit are left for the next request, never dropped.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count

from vhint.guest import requests
from vhint.guest.requests import Draft
from vhint.wire.bitmap import Bitmap
from vhint.wire.blocks import Block
from vhint.wire.config import BITMAP_COUNT_FACTOR


@dataclass(frozen=True, slots=True)
class Limits:
    """What the device takes: config fields hint_max_count and hint_min_order."""

    max_count: int
    min_order: int


@dataclass(frozen=True, slots=True)
class Drafted:
    """A request, the blocks that it names, and those that wait for the next."""

    draft: Draft
    named: tuple[Block, ...]
    rest: tuple[Block, ...]


class HintFormat(ABC):
    """Makes requests; `results` says whether there is room for result bits.

    Cookies are nonzero and never repeated (hint.driver.cookie-nonzero, cookie-unique).
    """

    def __init__(self, *, results: bool = True, cookies: Iterator[int] | None = None) -> None:
        self.results = results
        self._cookies = cookies or count(1)

    @abstractmethod
    def draft(self, blocks: Sequence[Block], limits: Limits) -> Drafted:
        """Write as many of the blocks as go into one request; there is at least one block."""

    @property
    def _room(self) -> int | None:
        return None if self.results else 0


class PfnFormat(HintFormat):
    """An array of (PFN, order).

    >>> made = PfnFormat().draft([Block(512, 9), Block(3, 0)], Limits(1, 0))
    >>> made.named, made.rest, made.draft.room
    ((Block(pfn=512, order=9),), (Block(pfn=3, order=0),), 17)
    """

    def draft(self, blocks: Sequence[Block], limits: Limits) -> Drafted:
        """Name the first `max_count` blocks."""
        named, rest = tuple(blocks[: limits.max_count]), tuple(blocks[limits.max_count :])
        pairs = [(block.pfn, block.order) for block in named]
        draft = requests.hint_blocks(next(self._cookies), pairs, self._room)
        return Drafted(draft, named, rest)


class BitmapFormat(HintFormat):
    """A bitmap of blocks of one order, from the lowest of them on.

    >>> made = BitmapFormat(results=False).draft([Block(9, 0), Block(4, 1), Block(3, 0)],
    ...                                          Limits(1, 0))
    >>> made.named, made.rest, made.draft.positions, made.draft.room
    ((Block(pfn=3, order=0), Block(pfn=9, order=0)), (Block(pfn=4, order=1),), (0, 6), 16)
    """

    def draft(self, blocks: Sequence[Block], limits: Limits) -> Drafted:
        """Name the blocks that have the first one's order and are within the bitmap's reach."""
        order = blocks[0].order
        alike = sorted((block for block in blocks if block.order == order), key=_pfn)
        start = alike[0].pfn
        end = start + (limits.max_count * BITMAP_COUNT_FACTOR << order)
        named = tuple(block for block in alike if block.pfn < end)
        taken = set(named)
        rest = tuple(block for block in blocks if block not in taken)
        positions = [(block.pfn - start) >> order for block in named]
        bits = Bitmap.from_indices(positions[-1] + 1, positions)
        draft = requests.hint_bitmap(next(self._cookies), start, order, bits, self._room)
        return Drafted(draft, named, rest)


def _pfn(block: Block) -> int:
    return block.pfn
