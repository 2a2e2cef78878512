"""What is in guest pages, so that corruption is seen as corruption.

A *tag* stands for the content of a page: 0 is a page of zeros, any other number a pattern of its
own.  In the simulator the tag itself is all there is; on real memory it is a pattern of 4096 bytes
that holds the tag and the page's address, so that a stray byte, a lost page and a page that was
copied to the wrong place all show.
"""

from __future__ import annotations

import struct
from abc import ABC, abstractmethod
from collections.abc import Sequence
from itertools import count

from vhint.ring import GuestMemory
from vhint.spans import PAGE, block

ZERO = 0
"""The tag of a page of zeros, as a discarded page reads."""
UNKNOWN = -1
"""What a page reads as that holds no pattern of a tag."""
POISON = 1 << 40
"""``POISON + value`` is the tag of a page filled with a 32-bit poison value other than 0."""


def poison_tag(value: int) -> int:
    """Return the tag of a page that is filled with a 32-bit value.

    >>> poison_tag(0) == ZERO, poison_tag(0xAA) - POISON
    (True, 170)
    """
    return POISON + value if value else ZERO


class Content(ABC):
    """Stores and reads the tags of pages."""

    @abstractmethod
    def write(self, pfn: int, tag: int) -> None:
        """Make a page's content that of a tag (0 to 2^41)."""

    def write_all(self, pfn: int, tags: Sequence[int]) -> None:
        """Do so for pages one after the other, from `pfn` on."""
        for number, tag in enumerate(tags, pfn):
            self.write(number, tag)

    @abstractmethod
    def read(self, pfn: int) -> int:
        """Return the tag of a page's content, or `UNKNOWN`."""


class TagContent(Content):
    """The simulator's memory: a tag a page.  `discard` is what a simulated host does.

    >>> content = TagContent()
    >>> content.write(3, 77); content.read(3)
    77
    >>> content.discard(3); content.read(3)
    0
    """

    def __init__(self) -> None:
        self.tags: dict[int, int] = {}

    def write(self, pfn: int, tag: int) -> None:
        """Store the tag."""
        self.tags[pfn] = tag

    def read(self, pfn: int) -> int:
        """Return the tag; a page that was never written is all zeros."""
        return self.tags.get(pfn, ZERO)

    def discard(self, pfn: int, pages: int = 1) -> None:
        """Lose the content of some pages, as a host does."""
        for each in range(pfn, pfn + pages):
            self.tags.pop(each, None)


class PatternContent(Content):
    """Real guest memory: a pattern of 4096 bytes a page, read without filling holes."""

    def __init__(self, memory: GuestMemory) -> None:
        self.memory = memory

    def write(self, pfn: int, tag: int) -> None:
        """Fill the page with the tag's pattern."""
        self.memory.write(pfn * PAGE, pattern(pfn, tag))

    def write_all(self, pfn: int, tags: Sequence[int]) -> None:
        """Fill the pages with their tags' patterns in one store."""
        self.memory.write(pfn * PAGE, b"".join(map(pattern, count(pfn), tags)))

    def read(self, pfn: int) -> int:
        """Return the tag whose pattern the page holds in every byte, or `UNKNOWN`."""
        data = self.memory.peek(block(pfn))
        tag, address = _RECORD.unpack_from(data)
        if address != ~pfn & _MASK:
            tag = poison_tag(tag & 0xFFFFFFFF)
        return tag if 0 <= tag < 2 * POISON and data == pattern(pfn, tag) else UNKNOWN


def pattern(pfn: int, tag: int) -> bytes:
    """Return the 4096 bytes that stand for a tag in a page.

    >>> pattern(5, ZERO) == bytes(4096), pattern(5, poison_tag(0xAA))[:4].hex()
    (True, 'aa000000')
    """
    if tag == ZERO:
        return bytes(PAGE)
    if tag >= POISON:
        return struct.pack("<I", tag - POISON) * (PAGE // 4)
    return _RECORD.pack(tag, ~pfn & _MASK) * (PAGE // _RECORD.size)


_MASK = (1 << 64) - 1
_RECORD = struct.Struct("<QQ")
