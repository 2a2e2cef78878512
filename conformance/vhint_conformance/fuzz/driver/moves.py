"""What happens to a fuzzed driver: moves of its guest, of its device, and of its host.

As on the other side a move says as little as it can and means something anyhow: what cannot be
done when its turn comes is left out.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from hypothesis import strategies as st

from vhint.wire.queues import Queue
from vhint_conformance.driver_bench.answers import BAD_ANSWERS
from vhint_conformance.driver_bench.offer import OFFERS


@dataclass(frozen=True, slots=True)
class Begin:
    """Put a device before the driver: an offer by name, its ring format, and its queues' size.

    `size` 0 is as the offer has it.
    """

    offer: str = "full"
    packed: bool = False
    size: int = 0


@dataclass(frozen=True, slots=True)
class Allocate:
    """Have memory allocated and filled in the guest, in pages."""

    pages: int


@dataclass(frozen=True, slots=True)
class Free:
    """Look whether what was allocated has its content, and free it."""

    which: int


@dataclass(frozen=True, slots=True)
class Press:
    """Have all memory used that the guest has left, and freed."""


@dataclass(frozen=True, slots=True)
class Work:
    """Let driver and guest do so many things."""

    turns: int


@dataclass(frozen=True, slots=True)
class Wait:
    """Let tenths of seconds of the guest's time go by."""

    tenths: int


class Manner(StrEnum):
    """How a request is answered."""

    SOUND = "soundly"
    PART = "for a part of its blocks"
    REFUSED = "with a refusal"
    BAD = "with a bad acknowledgement"
    LENGTH = "with a wrong length"


@dataclass(frozen=True, slots=True)
class Answer:
    """Answer one of the outstanding requests of a queue; `lose`: its pages are discarded before."""

    queue: Queue
    which: int
    manner: Manner = Manner.SOUND
    amount: int = 0
    lose: bool = True


@dataclass(frozen=True, slots=True)
class Lose:
    """Discard the pages of all outstanding requests of a queue, and answer none."""

    queue: Queue


@dataclass(frozen=True, slots=True)
class Serve:
    """Answer everything soundly from now on as it comes, or nothing."""

    on: bool


@dataclass(frozen=True, slots=True)
class Stray:
    """Use an id that no outstanding request has; `again`: one that had been used already."""

    queue: Queue
    again: bool
    length: int = 0


@dataclass(frozen=True, slots=True)
class Interrupt:
    """Notify the driver of a queue, or of its configuration, when there is nothing new."""

    queue: Queue | None


class Field(StrEnum):
    """A field of config space that the device changes, or what about it."""

    TARGET = "num_pages"
    ROUND = "a new command id"
    STOP = "STOP"
    DONE = "DONE"


@dataclass(frozen=True, slots=True)
class Configure:
    """Change config space, and say so, unless `quiet`."""

    field: Field
    value: int = 0
    quiet: bool = False


@dataclass(frozen=True, slots=True)
class DemandReset:
    """Ask for a reset; `slow`: one takes its time from now on, up to the next such move."""

    slow: bool = False


@dataclass(frozen=True, slots=True)
class Reload:
    """Have the driver removed and loaded again."""


Move = (
    Begin
    | Allocate
    | Free
    | Press
    | Work
    | Wait
    | Answer
    | Lose
    | Serve
    | Stray
    | Interrupt
    | Configure
    | DemandReset
    | Reload
)
MOVES: dict[str, type[Move]] = {
    kind.__name__.lower(): kind
    for kind in (
        Begin, Allocate, Free, Press, Work, Wait, Answer, Lose, Serve, Stray, Interrupt, Configure,
        DemandReset, Reload,
    )
}  # fmt: skip
"""The moves by the name that they have in a file."""

SIZES = (0, 4, 8, 32)
LENGTHS = (0, 1, 15, 4096, 0xFFFFFFFF)
PARTS, PART = 5, 10
_queues = st.sampled_from(Queue)
_answered = st.sampled_from((Queue.HINTING, Queue.REPORTING, *Queue))


def _answers(*manners: Manner) -> st.SearchStrategy[Move]:
    return st.builds(
        Answer, _answered, st.integers(0, 3), st.sampled_from(manners), st.integers(0, 63),
        st.booleans(),
    )  # fmt: skip


GUEST: tuple[st.SearchStrategy[Move], ...] = (
    st.builds(Allocate, st.integers(1, 1024)),
    st.builds(Free, st.integers(0, 3)),
    st.builds(Free, st.integers(0, 3)),
    st.builds(Work, st.integers(1, 60)),
    st.builds(Work, st.integers(1, 60)),
    st.builds(Wait, st.integers(1, 20)),
    st.builds(Press),
)
SOUND: tuple[st.SearchStrategy[Move], ...] = (
    _answers(Manner.SOUND, Manner.PART, Manner.REFUSED),
    _answers(Manner.SOUND, Manner.PART),
    st.builds(Lose, _queues),
    st.builds(Serve, st.booleans()),
    st.builds(Configure, st.sampled_from(Field), st.integers(0, 600), st.just(False)),
    st.builds(Interrupt, st.one_of(st.none(), _queues)),
)
"""What sound devices and hosts do."""
HOSTILE: tuple[st.SearchStrategy[Move], ...] = (
    _answers(Manner.BAD, Manner.LENGTH),
    st.builds(Stray, _queues, st.booleans(), st.sampled_from(LENGTHS)),
    st.builds(Configure, st.sampled_from(Field), st.integers(0, 0xFFFFFFFF), st.booleans()),
    st.builds(DemandReset, st.booleans()),
    st.builds(Reload),
)


def programs(steps: int, *, any_offer: bool, fills: bool) -> st.SearchStrategy[list[Move]]:
    """Return a strategy for programs of up to so many moves, beside the one that begins them.

    `any_offer` is whether the target takes offers of any make, `fills` those for a guest that
    fills its free pages.  A program is made of several lists, some without hostility.
    """
    names = [name for name, offer in OFFERS.items() if fills or not offer.fills]
    sizes = st.sampled_from(SIZES) if any_offer else st.just(0)
    first = st.builds(Begin, st.sampled_from(names), st.booleans(), sizes)
    quiet = st.lists(st.one_of(*GUEST, *SOUND), max_size=PART)
    hostile = st.lists(st.one_of(*GUEST, *SOUND, *HOSTILE), max_size=PART)
    parts = [st.one_of(quiet, hostile)] * PARTS
    return st.tuples(first, *parts).map(
        lambda each: [each[0], *[move for part in each[1:] for move in part][:steps]]
    )


def bad_answer(amount: int) -> str:
    """Return which bad acknowledgement a number means."""
    return BAD_ANSWERS[amount % len(BAD_ANSWERS)]
