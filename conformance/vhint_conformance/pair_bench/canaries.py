"""Canaries: live pages of a guest whose content is known outside, and which are found there.

Every canary page has a content that no other page has: a mark, its number, and bytes that follow
from the number.  So guest memory can be searched for it from outside, without asking the guest
where it is; and when its content is gone, the place where it was is known.  A guest may move a page
whenever it likes, so one that is not where it was is searched for before it counts as lost.

A canary may be *turned*: a number is added to each of its bytes, modulo 256, by `tr` in the guest.
So a guest can make as many pages of known content as it has memory, and those of one turn are told
from those of another.
"""

from __future__ import annotations

import random
import time
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from functools import cache, lru_cache
from hashlib import sha1

import numpy as np
import numpy.typing as npt

from vhint.ring import GuestMemory
from vhint.spans import PAGE, Span, intersect, subtract

NUMBER = 1000
FOLDER = "/canary"
"""Where the originals lie in the guest, one file a page, named by three digits."""

MARK = b"\x7fcanary\n"
COPY = 128
"""The turn of copies that are alive beside their originals."""

PIECE = 4 << 20
"""Bytes that are searched at a time."""

LOOKS = 4
BETWEEN = 0.05
"""How often, and with how many seconds between, a page is searched for before it is lost: it may
be just about to be moved."""


@dataclass(frozen=True, slots=True, order=True)
class Canary:
    """One page: its number, and by how much it is turned."""

    number: int
    turn: int = 0

    def content(self) -> bytes:
        """Return the bytes of the page."""
        return _content(self.number, self.turn)

    def __str__(self) -> str:
        return f"canary {self.number:03}" + (f" turned by {self.turn}" if self.turn else "")


@dataclass(frozen=True, slots=True)
class Loss:
    """A canary whose content is nowhere, where it was last, and what is there now."""

    canary: Canary
    last: int
    there: str

    def __str__(self) -> str:
        return f"{self.canary}, page at {self.last:#x}: {self.there}"


def turning(turn: int) -> str:
    """Return the command that turns what it reads, from 1 to 255."""
    return f"tr '\\000-\\377' '\\{turn:03o}-\\377\\000-\\{turn - 1:03o}'"


def files() -> dict[str, bytes]:
    """Return the originals as files of the guest."""
    return {f"{FOLDER}/{number:03}": _content(number, 0) for number in range(NUMBER)}


def digest(canaries: Iterable[Canary]) -> str:
    """Return the sha1 of the canaries' contents, one after the other."""
    return sha1(b"".join(each.content() for each in canaries)).hexdigest()  # noqa: S324


def find(memory: GuestMemory) -> dict[Canary, list[int]]:
    """Return every address in guest memory that holds a canary's content."""
    found: dict[Canary, list[int]] = {}
    everything = [Span(region.start, region.length) for region in memory.regions]
    for span in subtract(everything, memory.holes()):
        for start in range(span.start, span.end, PIECE):
            data = memory.peek(Span(start, min(PIECE, span.end - start)))
            heads = np.frombuffer(data, "<u8").reshape(-1, PAGE // 8)[:, 0]
            for place in np.flatnonzero(np.isin(heads, _marks())).tolist():
                page = data[place * PAGE : (place + 1) * PAGE]
                turn = (page[0] - MARK[0]) % 256
                number = int.from_bytes(page[8:16].translate(_turned(-turn)), "little")
                canary = Canary(number, turn)
                if number < NUMBER and canary.content() == page:
                    found.setdefault(canary, []).append(start + place * PAGE)
    return found


@lru_cache(maxsize=4 * NUMBER)
def _content(number: int, turn: int) -> bytes:
    if turn:
        return _content(number, 0).translate(_turned(turn))
    fill = random.Random(number).randbytes(PAGE - 16)  # noqa: S311 - repeatable on purpose
    return MARK + number.to_bytes(8, "little") + fill


@cache
def _turned(turn: int) -> bytes:
    return bytes((value + turn) % 256 for value in range(256))


@cache
def _marks() -> npt.NDArray[np.uint64]:
    marks = (MARK.translate(_turned(turn)) for turn in range(256))
    return np.array([int.from_bytes(mark, "little") for mark in marks], np.uint64)


class Aviary:
    """The canaries that are alive in a guest, and where they were seen last."""

    def __init__(self, memory: GuestMemory) -> None:
        self._memory = memory
        self._places: dict[Canary, list[int]] = {}
        self.looks = 0

    @property
    def alive(self) -> list[Canary]:
        """The canaries that are expected to be there."""
        return sorted(self._places)

    def places(self) -> list[int]:
        """Return the addresses at which live canaries were seen last."""
        return sorted(place for places in self._places.values() for place in places)

    def add(self, canaries: Iterable[Canary]) -> list[Canary]:
        """Say that these are alive from now on; return those that are nowhere to be found."""
        added = list(canaries)
        for each, places in self._find(added).items():
            self._places[each] = places
        return [each for each in added if each not in self._places]

    def look(self) -> tuple[Loss, ...]:
        """Look whether every live canary is in guest memory; return those that are not."""
        self.looks += 1
        gone = [each for each in self._places if not self._is_where_it_was(each)]
        found = self._find(gone)
        self._places |= found
        return tuple(self._lost(each) for each in gone if each not in found)

    def _find(self, wanted: Collection[Canary]) -> dict[Canary, list[int]]:
        """Search guest memory for these, several times if not all of them are found at once."""
        found: dict[Canary, list[int]] = {}
        for attempt in range(LOOKS):
            if len(found) == len(wanted):
                break
            if attempt:
                time.sleep(BETWEEN)
            everything = find(self._memory)
            found |= {each: everything[each] for each in wanted if each in everything}
        return found

    def _is_where_it_was(self, canary: Canary) -> bool:
        content = canary.content()
        peek = self._memory.peek
        return any(peek(Span(place, PAGE)) == content for place in self._places[canary])

    def _lost(self, canary: Canary) -> Loss:
        page = Span(self._places[canary][-1], PAGE)
        if intersect(self._memory.holes(), [page]):
            return Loss(canary, page.start, "a hole, discarded")
        there = self._memory.peek(page)
        return Loss(canary, page.start, "zeros" if not any(there) else "other content")
