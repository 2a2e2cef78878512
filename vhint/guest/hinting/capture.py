"""The free hook's per-CPU array: which blocks were freed since the worker last looked."""

from __future__ import annotations

from vhint.wire.blocks import Block


class CaptureArray:
    """Up to `size` entries; what does not fit is dropped, which costs a hint and nothing else.

    >>> array = CaptureArray(1)
    >>> array.store(Block(7, 0), now=3), array.store(Block(8, 0), now=4)
    (True, False)
    >>> array.since, array.take(), len(array)
    (3, (Block(pfn=7, order=0),), 0)
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self.since = 0
        self._entries: list[Block] = []

    def store(self, block: Block, now: int) -> bool:
        """Note a freed block; return False if there is no room."""
        if len(self._entries) >= self.size:
            return False
        if not self._entries:
            self.since = now
        self._entries.append(block)
        return True

    def take(self) -> tuple[Block, ...]:
        """Take all entries out."""
        entries, self._entries = tuple(self._entries), []
        return entries

    @property
    def entries(self) -> tuple[Block, ...]:
        """The entries, the oldest first."""
        return tuple(self._entries)

    def __len__(self) -> int:
        return len(self._entries)
