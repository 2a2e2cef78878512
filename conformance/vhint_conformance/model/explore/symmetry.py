"""One state for all that are the same but for names: the smallest of its renamings."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from vhint_conformance.model.explore.layout import WORD, Layout
from vhint_conformance.model.explore.rules import Symmetry
from vhint_conformance.model.explore.visited import Words


class Canon:
    """Maps each state of a batch to the representative of its class.

    `symmetries` are all renamings but the one that renames nothing; they have to be a group with
    it, which the caller answers for (`vhint_conformance.model.explore.rules.closed_under_renaming`
    checks that each is a symmetry of the model at all).
    """

    def __init__(self, layout: Layout, symmetries: Sequence[Symmetry]) -> None:
        self._words = layout.words
        self._moves = [_moves(layout, symmetry) for symmetry in symmetries]

    def __call__(self, states: Words) -> Words:
        """Return the representatives."""
        best = states
        for moves in self._moves:
            best = _smaller(best, self._renamed(moves, states))
        return best

    def _renamed(self, moves: _Moves, states: Words) -> Words:
        parts = [np.zeros(len(states[0]), np.uint64) for _ in range(self._words)]
        for source, right, mask, table, target, left in moves:
            value = states[source] >> right & mask
            parts[target] |= (value if table is None else table[value]) << left
        return tuple(parts)


_Moves = list[
    tuple[
        int,
        np.uint64,
        np.uint64,
        "np.ndarray[tuple[int], np.dtype[np.uint64]] | None",
        int,
        np.uint64,
    ]
]


def _moves(layout: Layout, symmetry: Symmetry) -> _Moves:
    moves: _Moves = []
    for name, place in layout.fields.items():
        source = layout.fields[symmetry.source.get(name, name)]
        from_word, right = divmod(source.shift, WORD)
        to_word, left = divmod(place.shift, WORD)
        table = symmetry.values.get(name)
        values = None if table is None else np.array(table, np.uint64)
        mask = np.uint64((1 << source.width) - 1)
        moves.append((from_word, np.uint64(right), mask, values, to_word, np.uint64(left)))
    return moves


def _smaller(one: Words, other: Words) -> Words:
    less = np.zeros(len(one[0]), np.bool_)
    equal = np.ones(len(one[0]), np.bool_)
    for a, b in zip(one, other, strict=True):
        less |= equal & (b < a)
        equal &= a == b
    return tuple(np.where(less, b, a) for a, b in zip(one, other, strict=True))
