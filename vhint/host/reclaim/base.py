"""What the device asks of a back end, and what it is told."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

from vhint.ring import GuestMemory
from vhint.spans import PAGE, Span, merge


@dataclass(frozen=True, slots=True)
class Failure:
    """A range that the host did not give up, and why, in the operating system's words.

    Some of it may be gone all the same: a system call that fails can have done a part.
    """

    span: Span
    reason: str


@dataclass(frozen=True, slots=True)
class Discarded:
    """What became of a discard: `spans` are gone for certain, `failures` perhaps in part.

    Both are sorted and do not overlap.  What is in neither was not touched.
    """

    spans: tuple[Span, ...] = ()
    failures: tuple[Failure, ...] = ()

    @property
    def touched(self) -> tuple[Span, ...]:
        """Everything whose content may be lost."""
        return merge([*self.spans, *(failure.span for failure in self.failures)])


class Reclaimer(ABC):
    """Takes guest memory back; the device has validated and rounded every span before.

    `page` is the smallest unit in bytes that it can discard.  Discarded memory reads as zeros
    until it is written; it never changes later by itself, so that lazy ways (MADV_FREE) are no
    back end (`hint.device.content-stable-after-use`).
    """

    page: int = PAGE

    def __init__(self, memory: GuestMemory) -> None:
        self.memory = memory

    @abstractmethod
    def discard(self, spans: Sequence[Span]) -> Discarded:
        """Discard whole host pages, in any order and overlapping or not; say what came of it.

        A range that cannot be discarded does not keep the others from it, and raises nothing.
        """
