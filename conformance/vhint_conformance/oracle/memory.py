"""The suite's own picture of guest memory, against which the real memory is held.

Every byte that the driver wrote is expected to stay; where the device may write (used rings,
device-writable buffers, blocks that were given to it) nothing is expected until the driver
writes again.  Discards are read off the memory's holes, content off the memory itself.

All of watched memory is filled with one pattern to begin with, so that harm done anywhere is
seen.  Pages that the driver wrote have a sheet of their own; the pattern stands for the rest.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from vhint.ring.memory import GuestMemory, Region
from vhint.spans import PAGE, Span, block, intersect, subtract, touches

Bytes = npt.NDArray[np.uint8]

PIECE = 1 << 18
"""Bytes of memory that are looked at in one go."""


@dataclass(slots=True)
class _Sheet:
    """One page: what the driver last wrote, and where nothing is expected."""

    expected: Bytes
    free: npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class _Place:
    """A watched span, where it is in the file, and where in the picture."""

    span: Span
    offset: int
    at: int


@dataclass(frozen=True, slots=True)
class Left:
    """What is in memory when all is over: the pattern of `watched`, but on the pages `other`."""

    watched: tuple[Span, ...]
    other: frozenset[int]


class WatchedMemory(GuestMemory):
    """Guest memory that remembers what the driver wrote to it.

    `usable` is where the suite puts its rings, requests and pages, and `bystanders` is memory
    that it leaves alone; nobody else writes to either, and only these are filled and checked.
    Each is whole pages of one region.  `left` is what the one before said of the same memory, if
    nobody has written to it since: only what is different is filled then.  `journal` collects the
    numbers of the pages that were written, for who wants to know, and clear it.
    """

    def __init__(
        self,
        fd: int,
        regions: tuple[Region, ...],
        usable: Span,
        bystanders: Sequence[Span] = (),
        left: Left | None = None,
    ) -> None:
        super().__init__(fd, regions)
        self.usable = usable
        self.watched = (usable, *bystanders)
        self._size = sum(span.length for span in self.watched)
        self._pattern = _pattern(self._size)
        self._sheets: dict[int, _Sheet] = {}
        self._holes: tuple[Span, ...] = ()
        self._looked: tuple[Span, ...] | None = None  # all holes at the last look, if still so
        self.journal: set[int] = set()
        self.left: Left | None = None
        """What the last look at all of memory found, for who watches it next."""
        self._places: list[_Place] = []
        at = 0
        for span in self.watched:
            ((offset, size),) = self.extents(span)
            self._places.append(_Place(span, offset, at))
            at += size
        known = left is not None and left.watched == self.watched
        stale = tuple(map(block, left.other)) if left and known else self.watched
        for place in self._places:
            for span in intersect(stale, [place.span]):
                self._fill(place, span)

    def _fill(self, place: _Place, span: Span) -> None:
        inner = span.start - place.span.start
        data = self._pattern[place.at + inner : place.at + inner + span.length].data
        if os.pwrite(self.fd, data, place.offset + inner) != span.length:
            raise OSError("guest memory could not be filled")

    def write(self, address: int, data: bytes) -> None:
        """Store bytes and expect to find them again."""
        super().write(address, data)
        self._note(Span(address, len(data)), np.frombuffer(data, np.uint8))
        self.journal.update(Span(address, len(data)).pages())

    def store16(self, address: int, value: int) -> None:
        """Store a 16-bit value and expect to find it again."""
        super().store16(address, value)
        self.journal.add(address // PAGE)
        raw = (value & 0xFFFF).to_bytes(2, "little")
        self._note(Span(address, 2), np.frombuffer(raw, np.uint8))

    def release(self, spans: Iterable[Span]) -> None:
        """Expect nothing of these bytes until they are written again."""
        for span in spans:
            for sheet, part, _ in self._parts(span):
                sheet.free[part] = True

    def hold(self, spans: Iterable[Span]) -> None:
        """Expect what was last written to these bytes once more."""
        for span in spans:
            for sheet, part, _ in self._parts(span):
                sheet.free[part] = False

    def adopt(self, spans: Iterable[Span]) -> None:
        """Expect what these bytes are now, whoever wrote them."""
        for span in spans:
            self._note(span, np.frombuffer(self.peek(span), np.uint8))

    def expected(self, span: Span) -> bytes:
        """Return what the driver last wrote there."""
        return b"".join(sheet.expected[part].tobytes() for sheet, part, _ in self._parts(span))

    @property
    def known_holes(self) -> tuple[Span, ...]:
        """The holes in watched memory as of the last look, less what was written since."""
        return self._holes

    def new_holes(self) -> tuple[Span, ...]:
        """Return the pages that had content at the last look and have none now."""
        every = self.holes()
        if every == self._looked:  # as nearly always
            return ()
        self._looked = every
        holes = intersect(every, self.watched)
        fresh = subtract(holes, self._holes)
        self._holes = holes
        return fresh

    def changes(self) -> tuple[Span, ...]:
        """Return the bytes that are not what the driver wrote; holes aside."""
        wrong: list[Span] = []
        other: set[int] = set()
        for place in self._places:
            suspects = self._suspects(place)
            other.update(place.span.start // PAGE + number for number in suspects)
            wrong += self._changes_on(place, sorted(suspects))
        self.left = Left(self.watched, frozenset(other))
        return subtract(wrong, self.holes())

    def changes_where_written(self, within: Span) -> tuple[Span, ...]:
        """Return the same for the pages in a span that the driver wrote, which is quick."""
        wrong: list[Span] = []
        for place in self._places:
            first = place.span.start // PAGE
            (part,) = intersect([place.span], [within]) or (Span(0, 0),)
            pages = sorted(set(part.pages()) & self._sheets.keys())
            wrong += self._changes_on(place, [page - first for page in pages])
        return subtract(wrong, self.holes()) if wrong else ()

    def _changes_on(self, place: _Place, numbers: Iterable[int]) -> Iterator[Span]:
        """Yield what is wrong on pages, counted from the place."""
        first = place.span.start // PAGE
        for number in numbers:
            address = place.span.start + number * PAGE
            found = np.frombuffer(self.peek(Span(address, PAGE)), np.uint8)
            sheet = self._sheets.get(first + number)
            if sheet is None:
                at = place.at + number * PAGE
                bad = found != self._pattern[at : at + PAGE]
            else:
                bad = (found != sheet.expected) & ~sheet.free
            yield from (Span(address + start, length) for start, length in _runs(bad))

    def _suspects(self, place: _Place) -> set[int]:
        """Return the pages, counted from the place, that were written or are not the pattern."""
        first, count = place.span.start // PAGE, place.span.length // PAGE
        found = {page - first for page in self._sheets if 0 <= page - first < count}
        picture = self._pattern[place.at : place.at + place.span.length].data
        # A piece that stays in the processor's cache is read and compared at once.
        buffer = bytearray(PIECE)
        for start in range(0, place.span.length, PIECE):
            size = min(PIECE, place.span.length - start)
            piece = buffer if size == PIECE else bytearray(size)
            os.preadv(self.fd, [piece], place.offset + start)
            if piece == picture[start : start + size]:
                continue
            for at in range(start, start + size, PAGE):
                if piece[at - start : at - start + PAGE] != picture[at : at + PAGE]:
                    found.add(at // PAGE)
        return found

    def _note(self, span: Span, data: Bytes) -> None:
        done = 0
        for sheet, part, size in self._parts(span):
            sheet.expected[part] = data[done : done + size]
            sheet.free[part] = False
            done += size
        if touches(self._holes, span):
            start = span.start // PAGE * PAGE
            pages = Span(start, -(-span.end // PAGE) * PAGE - start)
            self._holes = subtract(self._holes, [pages])
            self._looked = None

    def _parts(self, span: Span) -> Iterator[tuple[_Sheet, slice, int]]:
        """Yield the sheets under a span, the part of each, and its size; watched memory only."""
        for place in self._places:
            position = max(span.start, place.span.start)
            end = min(span.end, place.span.end)
            while position < end:
                page, start = divmod(position, PAGE)
                size = min(PAGE - start, end - position)
                yield self._sheet(place, page), slice(start, start + size), size
                position += size

    def _sheet(self, place: _Place, page: int) -> _Sheet:
        sheet = self._sheets.get(page)
        if sheet is None:
            at = place.at + page * PAGE - place.span.start
            sheet = _Sheet(self._pattern[at : at + PAGE].copy(), np.zeros(PAGE, bool))
            self._sheets[page] = sheet
        return sheet


def _runs(bad: npt.NDArray[np.bool_]) -> Iterator[tuple[int, int]]:
    """Yield (start, length) of the runs of True."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], bad, [False])).astype(np.int8)))
    for start, end in edges.reshape(-1, 2).tolist():
        yield start, end - start


USUAL = 1 << 25
"""Bytes of the picture that is made once and for all; only larger memory takes another."""


def prepare_picture() -> None:
    """Make the picture that most memory is filled with: what is forked after that has it."""
    _picture(USUAL)


def _pattern(length: int) -> Bytes:
    """Return bytes of which no two aligned words are the same, so that a mix-up is seen."""
    return _picture(max(length, USUAL))[:length]


@lru_cache(maxsize=2)
def _picture(length: int) -> Bytes:
    words = np.arange(1, length // 8 + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    pattern = words.view(np.uint8)
    pattern.flags.writeable = False
    return pattern
