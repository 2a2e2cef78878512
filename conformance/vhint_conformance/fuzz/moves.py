"""What a fuzzed driver does: moves that Hypothesis draws, and that mean something in any order.

A move says as little as it can, so that every list of moves is a program, and so is what is left
when some are taken out: which pages a move gets, and whether it can be made at all, `compiling`
decides by what went before.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from hypothesis import strategies as st

UNITS = 16
"""Blocks that the moves are about; they are adjacent."""


class Kind(StrEnum):
    """A message of one of the queues."""

    INFLATE = "inflate"
    DEFLATE = "deflate"
    REPORT = "report"
    PFNS = "hint-pfns"
    BITMAP = "hint-bitmap"
    STATISTICS = "statistics"


class Flaw(StrEnum):
    """What is wrong with a message, or out of the ordinary."""

    NONE = ""
    OUTSIDE = "a page outside RAM"
    TAIL = "bytes after the end"
    SHORT = "too few bytes"
    ODD = "a range that is not whole pages"
    TWICE = "a page named twice"
    TYPE = "an unknown type"
    FLAGS = "flags"
    RESERVED = "a reserved field"
    ORDER = "an order over 40"
    MISALIGNED = "a misaligned block"
    COUNT = "a count of one more"
    NO_ROOM = "no room for the answer"


HINT_FLAWS = tuple(flaw for flaw in Flaw if flaw is not Flaw.ODD)
FLAWS: dict[Kind, tuple[Flaw, ...]] = {
    Kind.INFLATE: (Flaw.NONE, Flaw.OUTSIDE, Flaw.TAIL, Flaw.TWICE),
    Kind.DEFLATE: (Flaw.NONE, Flaw.TAIL),
    Kind.REPORT: (Flaw.NONE, Flaw.OUTSIDE, Flaw.ODD, Flaw.TWICE),
    Kind.PFNS: HINT_FLAWS,
    Kind.BITMAP: tuple(flaw for flaw in HINT_FLAWS if flaw is not Flaw.TWICE),
    Kind.STATISTICS: (Flaw.NONE, Flaw.TAIL),
}
"""The flaws that a message can have; none in a good half of those drawn."""

PARTS = 4
"""Lists of which a program is made."""

CUTS = (0, 16, 8, 3, 1)
"""Sizes of the buffers into which a message is cut; 0: it is whole."""


@dataclass(frozen=True, slots=True)
class Offer:
    """Make a message about some units available, cut up or in a table, perhaps flawed."""

    kind: Kind
    units: tuple[int, ...]
    flaw: Flaw = Flaw.NONE
    cut: int = 0
    table: bool = False
    amount: int = 0


@dataclass(frozen=True, slots=True)
class Take:
    """Wait for the answer to an outstanding request, by its place among them."""

    which: int


@dataclass(frozen=True, slots=True)
class Write:
    """Use those units that are the driver's."""

    units: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Restart:
    """Reset the device and accept other features: a bit for each of `compiling.OPTIONAL`.

    `abandon`: without taking the answers to what is outstanding first.
    """

    mask: int
    abandon: bool = False


Move = Offer | Take | Write | Restart

_units = st.lists(st.integers(0, UNITS - 1), min_size=1, max_size=4, unique=True).map(tuple)


def _offers(kind: Kind) -> st.SearchStrategy[Offer]:
    sound = st.just(Flaw.NONE)
    return st.builds(
        Offer,
        st.just(kind),
        _units,
        st.one_of(sound, sound, st.sampled_from(FLAWS[kind])),
        st.one_of(st.just(0), st.sampled_from(CUTS)),
        st.booleans(),
        st.integers(0, 255),
    )


MOVES: st.SearchStrategy[Move] = st.one_of(
    *(_offers(kind) for kind in Kind),
    *(_offers(kind) for kind in (Kind.REPORT, Kind.PFNS, Kind.BITMAP)),
    st.builds(Take, st.integers(0, 7)),
    st.builds(Take, st.integers(0, 7)),
    st.builds(Write, _units),
    st.builds(Write, _units),
    st.builds(Restart, st.integers(0, 255), st.booleans()),
)


def programs(steps: int) -> st.SearchStrategy[list[Move]]:
    """Return a strategy for programs of up to so many moves.

    Hypothesis draws short lists by preference: several, one behind the other, make a long one,
    and still shrink to a short one.
    """
    parts = min(PARTS, steps)
    sizes = [steps // parts + (number < steps % parts) for number in range(parts)]
    lists = [st.lists(MOVES, max_size=size) for size in sizes]
    return st.tuples(*lists).map(lambda each: [move for part in each for move in part])
