"""What the guest relies on: the content of every page that it has written and still owns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from vhint.guest.memory.content import ZERO, Content, poison_tag
from vhint.spans import Span, block
from vhint.wire.blocks import Block


@dataclass(frozen=True, slots=True)
class Corruption:
    """A page that does not hold what its owner wrote."""

    pfn: int
    expected: int
    seen: int

    def __str__(self) -> str:
        seen = "zeros" if self.seen == ZERO else f"content {self.seen:#x}"
        return f"page {block(self.pfn)}: expected content {self.expected:#x}; seen {seen}"


class Expectations:
    """Writes pages and remembers what it wrote, until the page is given up.

    >>> from vhint.guest.memory.content import TagContent
    >>> content = TagContent()
    >>> live = Expectations(content)
    >>> live.write(Block(4, 1)); content.discard(5)
    >>> [str(lost) for lost in live.verify()]
    ['page [0x5000, 0x6000): expected content 0x2; seen zeros']
    """

    def __init__(self, content: Content) -> None:
        self.content = content
        self._expected: dict[int, int] = {}
        self._written = 0

    def write(self, block: Block) -> None:
        """Give every page of a block a content that no page had before."""
        first = self._written + 1
        self._written += 1 << block.order
        self._put(block, range(first, self._written + 1))

    def fill(self, block: Block, value: int) -> None:
        """Fill every page of a block with a 32-bit value, and rely on its staying so."""
        self._put(block, [poison_tag(value)] * (1 << block.order))

    def give_up(self, block: Block) -> None:
        """Rely on nothing in a block any more."""
        for pfn in pages_of(block):
            self._expected.pop(pfn, None)

    def verify(self) -> Iterator[Corruption]:
        """Yield every page whose content is not what it was, in ascending order."""
        for pfn in sorted(self._expected):
            expected, seen = self._expected[pfn], self.content.read(pfn)
            if seen != expected:
                yield Corruption(pfn, expected, seen)

    def expected(self, pfn: int) -> int | None:
        """Return the tag that a page must have, or None if nobody relies on it."""
        return self._expected.get(pfn)

    def _put(self, block: Block, tags: Sequence[int]) -> None:
        self.content.write_all(block.pfn, tags)
        self._expected.update(zip(pages_of(block), tags, strict=True))


def pages_of(block: Block) -> range:
    """Return the PFNs of a block."""
    return range(block.pfn, block.pfn + (1 << block.order))


def span_of(of: Block) -> Span:
    """Return the addresses of a block."""
    return block(of.pfn, of.order)
