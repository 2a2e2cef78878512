"""The part of guest memory in which a driver keeps rings, requests and acknowledgements."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from vhint.spans import Span, merge, subtract


class ArenaFullError(MemoryError):
    """No free run of that size is left."""


class Arena:
    """Hands out pieces of a span, first fit.

    >>> arena = Arena(Span(0x1000, 0x1000))
    >>> arena.take(100), arena.take(16, align=64)
    (Span(0x1000, 0x64), Span(0x1080, 0x10))
    """

    def __init__(self, span: Span) -> None:
        self.span = span
        self._free: tuple[Span, ...] = (span,)

    def take(self, size: int, align: int = 16) -> Span:
        """Return a free piece of `size` bytes whose address is a multiple of `align`."""
        for number, free in enumerate(self._free):
            start = -(-free.start // align) * align
            if start + size <= free.end:
                piece = Span(start, size)
                left = subtract([free], [piece])
                self._free = (*self._free[:number], *left, *self._free[number + 1 :])
                return piece
        raise ArenaFullError(f"no {size} bytes left in {self.span}")

    def give_back(self, pieces: tuple[Span, ...]) -> None:
        """Take pieces back that `take` handed out."""
        self._free = merge([*self._free, *pieces])

    @contextmanager
    def undoing(self) -> Iterator[None]:
        """Take back what is taken inside the block if the block raises."""
        before = self._free
        try:
            yield
        except BaseException:
            self._free = before
            raise
