"""What was seen on one host: samples of its memory, what its guests did, and what follows from it.

Nothing here looks at anything: who measures adds samples, who drives guests adds notes, and every
figure is worked out from those.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum, StrEnum, auto

from vhint_conformance.demo.plan import Mode, Scene

MOSTLY = 0.9
"""The share of what was freed that has to be back for it to count as reclaimed.

A kernel keeps some of it: what does not make up whole blocks, and what it has put to other use.
"""


@dataclass(frozen=True, slots=True)
class Sample:
    """A look at a host.

    `at` is seconds since the scene began; `used` the bytes that the memory files of all its guests
    take (allocated blocks); `requests` and `pages` (of 4 KiB) what the guests have offered so far.
    """

    at: float
    used: int
    requests: int = 0
    pages: int = 0
    guests: int = 0


class Stage(StrEnum):
    """What a guest has come to."""

    STARTED = auto()
    """It has booted and its driver runs."""
    ALLOCATED = auto()
    """Its application has allocated memory and written to all of it."""
    FREED = auto()
    """The application begins to free it."""
    SETTLED = auto()
    """The memory has come back to the host, or was waited for long enough."""
    TURNED_AWAY = auto()
    """With it the host needed more than its budget: it was ended."""
    INTACT = auto()
    """What it had kept was read again at its end and is whole."""
    CORRUPT = auto()
    """What it had kept is not what it was."""


@dataclass(frozen=True, slots=True)
class Note:
    """Guest number `guest` (from 1) came to a stage."""

    at: float
    guest: int
    stage: Stage


class Ending(Enum):
    """Why a run ended."""

    DONE = auto()
    """Everything that was planned has happened."""
    FULL = auto()
    """The budget had no room for another guest."""
    INTERRUPTED = auto()
    """Somebody ended the demonstration."""
    FAILED = auto()
    """A guest did not start, or died; `Run.error` says more."""


@dataclass(frozen=True, slots=True)
class Reclaim:
    """What came of one free.

    `freed` and `reclaimed` are bytes; `seconds` is how long it took until 90 % of what was freed
    was back, None if that was not seen; `half` the same for one half; `watched` is how long was
    looked; `requests` and `pages` what the guest offered in that time.
    """

    freed: int
    reclaimed: int
    seconds: float | None
    half: float | None
    watched: float
    requests: int
    pages: int


@dataclass(slots=True)
class Run:
    """One host in one scene: `size` is what its guests free, `budget` what they may take."""

    scene: Scene
    mode: Mode
    size: int
    budget: int | None = None
    samples: list[Sample] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    ending: Ending | None = None
    error: str = ""

    # What has happened

    def times(self, stage: Stage) -> tuple[Note, ...]:
        """Return the notes of a stage, oldest first."""
        return tuple(note for note in self.notes if note.stage is stage)

    @property
    def last(self) -> Sample:
        """The newest sample; one of nothing if there is none."""
        return self.samples[-1] if self.samples else Sample(0.0, 0)

    @property
    def peak(self) -> int:
        """The most that was in use at once."""
        return max((sample.used for sample in self.samples), default=0)

    def peak_since(self, at: float) -> int:
        """Return the most that was in use from that time on."""
        return max((sample.used for sample in self.samples if sample.at >= at), default=0)

    def exceeded_since(self, at: float) -> bool:
        """Whether the budget was not enough from that time on."""
        return self.budget is not None and self.peak_since(at) > self.budget

    @property
    def fitted(self) -> int:
        """How many guests have done their work within the budget."""
        return len({note.guest for note in self.times(Stage.SETTLED)})

    @property
    def is_bound(self) -> bool:
        """Whether `fitted` is all that fit, seen by one more that did not."""
        return self.ending is Ending.FULL

    @property
    def is_whole(self) -> bool:
        """Whether it came to its end, and not to another one."""
        return self.ending in (Ending.DONE, Ending.FULL)

    # What came back

    def reclaims(self) -> Iterator[Reclaim]:
        """Yield what came of every free, each looked at until the guests' next allocation or end.

        It means something only where one guest at a time does anything.
        """
        frees = self.times(Stage.FREED)
        for number, freed in enumerate(frees):
            ends = [note.at for note in self.notes if note.at > freed.at]
            settled = [note.at for note in self.times(Stage.SETTLED) if note.at >= freed.at]
            until = settled[0] if settled else min(ends, default=self.last.at)
            if number + 1 < len(frees):
                until = min(until, frees[number + 1].at)
            yield self.reclaim(freed.at, until)

    def reclaim(self, freed_at: float, until: float) -> Reclaim:
        """Work out what came back between a free and another moment."""
        before = _at(self.samples, freed_at)
        after = [sample for sample in self.samples if freed_at <= sample.at <= until] or [before]
        least = min(sample.used for sample in after)

        def reached(share: float) -> float | None:
            enough = before.used - self.size * share
            return next((s.at - freed_at for s in after if s.used <= enough), None)

        return Reclaim(
            self.size,
            max(0, before.used - least),
            reached(MOSTLY),
            reached(0.5),
            max(0.0, after[-1].at - freed_at),
            after[-1].requests - before.requests,
            after[-1].pages - before.pages,
        )

    def is_reclaimed_since(self, freed_at: float) -> bool:
        """Whether nearly all of what was freed then is back."""
        return self.reclaim(freed_at, self.last.at).seconds is not None


def _at(samples: list[Sample], moment: float) -> Sample:
    """Return the last sample that is not later; an empty one before all."""
    found = Sample(0.0, 0)
    for sample in samples:
        if sample.at > moment:
            break
        found = sample
    return found
