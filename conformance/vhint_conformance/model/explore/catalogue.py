"""What `vhint explore` knows: each system by name, with what is claimed of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields

from vhint_conformance.model.explore.rules import Model
from vhint_conformance.model.explore.search import Verdict
from vhint_conformance.model.explore.systems import shared_bitmap
from vhint_conformance.model.explore.systems.bounds import (
    Bounds,
    Design,
    Discard,
    Recheck,
    Release,
    TakeBack,
)
from vhint_conformance.model.explore.systems.hint import hinting
from vhint_conformance.model.explore.systems.reporting import Mark, ReportingDesign, reporting

Make = Callable[[Bounds, bool], Model]
"""Makes the model within bounds; the second argument asks for violations of ownership too."""


@dataclass(frozen=True, slots=True)
class System:
    """A system to explore: a line about it, what is claimed, which bounds count.

    `breaks` is what a counterexample shows to be broken, or None for a sound system.  With
    `in_the_end` no step is wrong, but what becomes of the system when it is left alone: it goes on
    for ever, or stops and owes something (which need not break a requirement: hints are optional).
    """

    name: str
    summary: str
    breaks: str | None
    make: Make
    bounded_by: tuple[str, ...]
    in_the_end: bool = False

    @property
    def expected(self) -> Verdict:
        """The verdict on safety that is claimed."""
        return Verdict.REFUTED if self.breaks and not self.in_the_end else Verdict.PROVED

    @property
    def expected_liveness(self) -> Verdict:
        """The verdict on liveness that is claimed, of a system that is safe."""
        return Verdict.REFUTED if self.in_the_end else Verdict.PROVED


_ALL = tuple(field.name for field in fields(Bounds))


def _hinting(name: str, summary: str, design: Design, breaks: str | None = None) -> System:
    def make(bounds: Bounds, ownership: bool) -> Model:
        return hinting(name, bounds, design, ownership=ownership)

    return System(name, summary, breaks, make, _ALL)


def _reporting(
    name: str, summary: str, design: ReportingDesign | None = None, breaks: str | None = None
) -> System:
    return System(
        name,
        summary,
        breaks,
        lambda bounds, _: reporting(name, bounds, design),
        ("pages", "max_order"),
        in_the_end=design is not None,
    )


def _bitmap(
    name: str, summary: str, make: Callable[[Bounds], Model], breaks: str | None = None
) -> System:
    return System(name, summary, breaks, lambda bounds, _: make(bounds), ("pages", "resets"))


SYSTEMS: Mapping[str, System] = {
    system.name: system
    for system in (
        _hinting("isolating", "the talk's design: re-check and isolate under the lock", Design()),
        _hinting(
            "no-recheck",
            "captured blocks are reported without looking whether they are still free",
            Design(recheck=Recheck.NEVER),
            "hint.driver.never-report-reallocated",
        ),
        _hinting(
            "recheck-outside-lock",
            "the re-check is made before the zone lock is taken for isolating",
            Design(recheck=Recheck.OUTSIDE_LOCK),
            "hint.driver.never-report-reallocated",
        ),
        _hinting(
            "release-on-offer",
            "blocks go back to the allocator when the request is offered, not when it is used",
            Design(release=Release.ON_OFFER),
            "hint.driver.no-allocate-while-outstanding",
        ),
        _hinting(
            "acknowledge-before-discard",
            "the host uses a request first and discards when it gets round to it",
            Design(discard=Discard.AFTER_USE),
            "hint.device.no-effect-after-use",
        ),
        _hinting(
            "take-back-before-reset-done",
            "the driver takes outstanding blocks back as soon as it has asked for a reset",
            Design(take_back=TakeBack.RESET_ASKED),
            "hint.driver.no-return-before-reset-done",
        ),
        _reporting("reporting", "free page reporting: a pass, a mark, one report at a time"),
        _reporting(
            "reporting-mark-lost",
            "pages come back from a report without the mark, and are reported again, for ever",
            ReportingDesign(mark=Mark.LOST),
            "reporting.driver.no-endless-rereport",
        ),
        _reporting(
            "reporting-deaf",
            "a page that is freed during a pass requests no other pass, and is never reported",
            ReportingDesign(deaf=True),
        ),
        _bitmap(
            "one-bit-clear-first",
            "shared bitmap, one bit a block: the host clears the bit, then discards",
            lambda bounds: shared_bitmap.one_bit(bounds.pages, clear_first=True),
            shared_bitmap.DISCARD,
        ),
        _bitmap(
            "one-bit-discard-first",
            "shared bitmap, one bit a block: the host discards, then clears the bit",
            lambda bounds: shared_bitmap.one_bit(bounds.pages, clear_first=False),
            shared_bitmap.DISCARD,
        ),
        _bitmap(
            "claim-and-revoke",
            "shared bitmap, a state a block, exchanged atomically by both sides",
            lambda bounds: shared_bitmap.claim_and_revoke(bounds.pages, resets=bounds.resets),
        ),
        _bitmap(
            "claim-without-swap",
            "claim and revoke by a guest that loads a word and stores it in another step",
            lambda bounds: shared_bitmap.claim_and_revoke(
                bounds.pages, swaps=False, resets=bounds.resets
            ),
            shared_bitmap.ALLOCATE,
        ),
        _bitmap(
            "claim-taken-back-before-reset-done",
            "claim and revoke by a guest that takes claimed blocks back when it asks for a reset",
            lambda bounds: shared_bitmap.claim_and_revoke(
                bounds.pages, resets=max(1, bounds.resets), waits_for_reset=False
            ),
            shared_bitmap.TAKE_CLAIMED,
        ),
    )
}
"""Systems by name: the sound ones, and what is claimed not to be."""
