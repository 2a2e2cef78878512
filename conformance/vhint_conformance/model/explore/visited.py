"""A set of states, for millions of them: open addressing in numpy arrays.

A batch of states is a tuple of arrays of `numpy.uint64`, one a word of the state.
"""

from __future__ import annotations

from functools import reduce
from operator import and_

import numpy as np
import numpy.typing as npt

Words = tuple[npt.NDArray[np.uint64], ...]
Rows = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

EMPTY = np.uint64(0xFFFF_FFFF_FFFF_FFFF)
_MULTIPLIERS = tuple(
    np.uint64(number)
    for number in (0x9E37_79B9_7F4A_7C15, 0xC2B2_AE3D_27D4_EB4F, 0x1656_67B1_9E37_79F9)
)
_SMALLEST = 1 << 12


class Visited:
    """States by number: the first that was added has number 0.

    States are compared in full: two that share a hash stay two.
    """

    def __init__(self, words: int) -> None:
        self.count = 0
        self._words = words
        self._make(_SMALLEST)

    def _make(self, size: int) -> None:
        self._size = size
        self._table: Words = tuple(np.full(size, EMPTY) for _ in range(self._words))
        self._number = np.full(size, -1, np.int64)
        self._claim = np.zeros(size, np.int64)

    def _places(self, states: Words) -> Rows:
        mixed = reduce(
            np.bitwise_xor,
            (word * m for word, m in zip(states, _MULTIPLIERS, strict=False)),
        )
        mixed ^= mixed >> np.uint64(29)
        mixed *= _MULTIPLIERS[1]
        mixed ^= mixed >> np.uint64(32)
        return (mixed & np.uint64(self._size - 1)).astype(np.int64)

    def _same(self, place: Rows, states: Words, rows: Rows) -> Flags:
        return reduce(
            and_, (t[place] == word[rows] for t, word in zip(self._table, states, strict=True))
        )

    def add(self, states: Words) -> Rows:
        """Add a batch; return the positions in it of those that are new, once each, in order."""
        length = len(states[0])
        while 2 * (self.count + length) > self._size:
            self._grow()
        waiting = np.arange(length)
        place = self._places(states)
        added: list[Rows] = []
        taken: list[Rows] = []
        while len(waiting):
            free = self._table[0][place] == EMPTY
            # Of several that want one free place the last claims it, and the others look again.
            self._claim[place[free]] = waiting[free]
            winner = free.copy()
            winner[free] = self._claim[place[free]] == waiting[free]
            won, at = waiting[winner], place[winner]
            for table, word in zip(self._table, states, strict=True):
                table[at] = word[won]
            added.append(won)
            taken.append(at)
            rest = ~winner
            waiting, place = waiting[rest], place[rest]
            differ = ~self._same(place, states, waiting)
            waiting, place = waiting[differ], (place[differ] + 1) & (self._size - 1)
        if not added:
            return waiting
        new = np.concatenate(added)
        order = np.argsort(new)
        numbers = np.arange(self.count, self.count + len(new))
        self._number[np.concatenate(taken)[order]] = numbers
        self.count += len(new)
        return new[order]

    def numbers(self, states: Words) -> Rows:
        """Return the number of each state, all of which have been added."""
        place = self._places(states)
        waiting = np.arange(len(place))
        while len(waiting):
            waiting = waiting[~self._same(place[waiting], states, waiting)]
            if (self._table[0][place[waiting]] == EMPTY).any():
                raise KeyError("a state that was never added")
            place[waiting] = (place[waiting] + 1) & (self._size - 1)
        return self._number[place]

    def _grow(self) -> None:
        kept = self._table[0] != EMPTY
        order = np.argsort(self._number[kept], kind="stable")
        states: Words = tuple(table[kept][order] for table in self._table)
        self._make(2 * self._size)
        self.count = 0
        if len(states[0]):
            self.add(states)
