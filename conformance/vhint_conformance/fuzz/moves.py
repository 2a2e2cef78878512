"""What a fuzzed driver and its host do: moves that Hypothesis draws, which mean something anyhow.

A move says as little as it can, so that every list of moves is a program, and so is what is left
when some are taken out: which pages a move gets, and whether it can be made at all, `compiling`
decides by what went before.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from hypothesis import strategies as st

from vhint.wire.queues import Queue
from vhint_conformance.cases.hostile import CHAINS, QUEUES
from vhint_conformance.fuzz.life import LIVES, PLAIN, TAME, Life

UNITS = 16
"""Blocks that the moves are about; they are adjacent."""

HINT_UNITS = 8
"""Blocks behind them that are given in rounds of free page hints, and on no other queue."""


class Kind(StrEnum):
    """A message of one of the queues."""

    INFLATE = "inflate"
    DEFLATE = "deflate"
    REPORT = "report"
    PFNS = "hint-pfns"
    BITMAP = "hint-bitmap"
    STATISTICS = "statistics"
    FREE_PAGES = "free pages"


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
    Kind.INFLATE: (Flaw.NONE, Flaw.OUTSIDE, Flaw.TAIL, Flaw.TWICE, Flaw.SHORT),
    Kind.DEFLATE: (Flaw.NONE, Flaw.TAIL, Flaw.SHORT),
    Kind.REPORT: (Flaw.NONE, Flaw.OUTSIDE, Flaw.ODD, Flaw.TWICE),
    Kind.PFNS: HINT_FLAWS,
    Kind.BITMAP: tuple(flaw for flaw in HINT_FLAWS if flaw is not Flaw.TWICE),
    Kind.STATISTICS: (Flaw.NONE, Flaw.TAIL),
    Kind.FREE_PAGES: (Flaw.NONE, Flaw.ODD),
}
"""The flaws that a message can have; none in a good half of those drawn."""

PARTS = 6
"""Lists of which a program is made; Hypothesis draws short ones by preference."""

PART = 10
"""Moves of such a list at most."""

CUTS = (0, 16, 8, 3, 1)
"""Sizes of the buffers into which a message is cut; 0: it is whole."""


@dataclass(frozen=True, slots=True)
class Offer:
    """Make a message about some units available, cut up or in a table, perhaps flawed.

    `quiet`: without a notification, which comes with the next request or when it is waited for.
    """

    kind: Kind
    units: tuple[int, ...]
    flaw: Flaw = Flaw.NONE
    cut: int = 0
    table: bool = False
    amount: int = 0
    quiet: bool = False


@dataclass(frozen=True, slots=True)
class Repeat:
    """Make a request about one unit so many times, and take every answer: rings come round."""

    kind: Kind
    unit: int
    times: int
    table: bool = False


@dataclass(frozen=True, slots=True)
class Take:
    """Wait for the answer to an outstanding request, by its place among them."""

    which: int


@dataclass(frozen=True, slots=True)
class Write:
    """Use those units that are the driver's, or that it may take back."""

    units: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Notify:
    """Notify the device of a queue, whether or not there is anything new in it."""

    queue: Queue


@dataclass(frozen=True, slots=True)
class Harm:
    """Make a malformed chain available: one of `cases.hostile.CHAINS`."""

    queue: Queue
    chain: str


class Word(StrEnum):
    """A command that a driver sends in a round: the id that is shown, another one, or STOP."""

    SHOWN = "the id that is shown"
    OTHER = "another id"
    STOP = "STOP"


@dataclass(frozen=True, slots=True)
class Say:
    """Send a command id over the free page queue."""

    word: Word


class Act(StrEnum):
    """What the host does; the values are those of a vector's steps."""

    START = "start-round"
    FINISH = "finish-round"
    STOP = "stop-round"
    CANCEL = "cancel-round"
    INHIBIT = "inhibit"
    POLL = "poll-statistics"
    RESIZE = "resize"


@dataclass(frozen=True, slots=True)
class Host:
    """Have the host do something; `amount` is how many pages, or odd for on and even for off."""

    act: Act
    amount: int = 0


class End(StrEnum):
    """How a life ends."""

    TIDY = "take all answers, then reset"
    ABANDON = "reset in mid-flight"
    STOP = "stop the queues in mid-flight, use what was outstanding, then reset"


@dataclass(frozen=True, slots=True)
class Restart:
    """Reset the device and come up in another way; a program begins with one."""

    life: Life = PLAIN
    end: End = End.TIDY


Move = Offer | Repeat | Take | Write | Notify | Harm | Say | Host | Restart

_units = st.lists(st.integers(0, UNITS - 1), min_size=1, max_size=4, unique=True).map(tuple)
_hint_units = _units.map(lambda units: tuple({UNITS + unit % HINT_UNITS: 0 for unit in units}))


def _offers(kind: Kind) -> st.SearchStrategy[Offer]:
    sound = st.just(Flaw.NONE)
    return st.builds(
        Offer,
        st.just(kind),
        _hint_units if kind is Kind.FREE_PAGES else _units,
        st.one_of(sound, sound, st.sampled_from(FLAWS[kind])),
        st.one_of(st.just(0), st.sampled_from(CUTS)),
        st.booleans(),
        st.integers(0, 255),
        st.one_of(st.just(False), st.booleans()),
    )


def _restarts(lives: st.SearchStrategy[Life]) -> st.SearchStrategy[Restart]:
    return st.builds(Restart, lives, st.sampled_from(End))


REQUESTS: tuple[st.SearchStrategy[Move], ...] = (
    *(_offers(kind) for kind in Kind if kind is not Kind.FREE_PAGES),
    *(_offers(kind) for kind in (Kind.REPORT, Kind.PFNS, Kind.BITMAP)),
    st.builds(
        Repeat,
        st.sampled_from((Kind.REPORT, Kind.PFNS, Kind.DEFLATE)),
        st.integers(0, UNITS - 1),
        st.integers(1, 20),
        st.booleans(),
    ),
    st.builds(Take, st.integers(0, 7)),
    st.builds(Take, st.integers(0, 7)),
    st.builds(Write, _units),
    st.builds(Write, _units),
)
"""What goes over the queues on which each request has an answer."""

ROUNDS: tuple[st.SearchStrategy[Move], ...] = (
    _offers(Kind.FREE_PAGES),
    _offers(Kind.FREE_PAGES),
    st.builds(Say, st.sampled_from(Word)),
    st.builds(Write, _hint_units),
    st.builds(Host, st.sampled_from((Act.START, Act.FINISH, Act.STOP, Act.CANCEL))),
)
"""What rounds of free page hints are made of."""

OTHERS: tuple[st.SearchStrategy[Move], ...] = (
    st.builds(Host, st.sampled_from((Act.INHIBIT, Act.POLL, Act.RESIZE)), st.integers(0, 255)),
    st.builds(Notify, st.sampled_from(Queue)),
    st.builds(Harm, st.sampled_from(QUEUES), st.sampled_from(tuple(CHAINS))),
)

TAME_MOVES = st.one_of(*REQUESTS, _restarts(TAME))
"""Moves that leave the format of the rings alone, and harm nobody."""


def programs(steps: int, *, tame: bool = False) -> st.SearchStrategy[list[Move]]:
    """Return a strategy for programs of up to so many moves, beside the one that begins them.

    It is made of several lists, one behind the other, each of one sort or of all: a round of hints
    hardly comes about among many other things.
    """
    first = st.builds(Restart, TAME if tame else LIVES)
    part = _tame_part() if tame else st.one_of(_requests(), _rounds(), _mixed())
    return st.tuples(first, *[part] * PARTS).map(
        lambda each: [each[0], *[move for part in each[1:] for move in part][:steps]]
    )


def _tame_part() -> st.SearchStrategy[list[Move]]:
    return st.lists(TAME_MOVES, max_size=PART)


def _requests() -> st.SearchStrategy[list[Move]]:
    return st.lists(st.one_of(*REQUESTS, *REQUESTS, _restarts(LIVES)), max_size=PART)


def _rounds() -> st.SearchStrategy[list[Move]]:
    """Return a strategy for moves of rounds, which have begun in most cases."""
    begun: list[list[Move]] = [[], [Host(Act.START)], [Host(Act.START), Say(Word.SHOWN)]]
    moves = st.lists(st.one_of(*ROUNDS, *ROUNDS, *ROUNDS, _restarts(LIVES)), max_size=PART)
    return st.builds(lambda before, after: [*before, *after], st.sampled_from(begun), moves)


def _mixed() -> st.SearchStrategy[list[Move]]:
    every = (*REQUESTS, *ROUNDS, *OTHERS, _restarts(LIVES))
    return st.lists(st.one_of(*every), max_size=PART)
