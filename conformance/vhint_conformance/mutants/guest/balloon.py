"""Faults of the balloon, the driver's half."""

from __future__ import annotations

from vhint.guest.page_life import PageEvent
from vhint.guest.profiles.balloon import ACTOR, Balloon
from vhint.wire.queues import Queue
from vhint_conformance.mutants.guest.base import GuestMutant, guest

EVERY = "hint.driver.return-every-acknowledged"
WAIT = "balloon.driver.wait-for-deflate"


class DeflatesEarly(Balloon):
    """Asks for pages back whose inflate request is still outstanding."""

    @property
    def wants_to_deflate(self) -> bool:
        """Whether the target is below, whatever is on its way."""
        return self.target < self.size and self.deflating is None

    def deflate(self, count: int | None = None) -> None:
        """Take the pages that are on their way, too."""
        if self.inflating and not self.pages:
            self._add(Queue.DEFLATE, self.inflating.pages[-1:])
        else:
            super().deflate(count)


class NeverWaits(Balloon):
    """Uses pages again before their deflate request is used, whatever was negotiated."""

    @property
    def must_tell_host(self) -> bool:
        """Whether to wait: never."""
        return False


class UsesInflating(Balloon):
    """Gives pages back to the allocator while their inflate request is outstanding."""

    def inflate(self) -> None:
        """Offer pages, and keep the last one for other uses."""
        super().inflate()
        if self.inflating and len(self.inflating.pages) > 1:
            page = self.inflating.pages.pop()
            self.memory.give_back(page, ACTOR)


class NoDeflateRequest(Balloon):
    """Takes pages out of the balloon without telling anybody."""

    def deflate(self, count: int | None = None) -> None:
        """Put them back as they are."""
        count = self.size - self.target if count is None else count
        taken, self.pages = self.pages[-count:], self.pages[:-count]
        self._move(taken, PageEvent.RESET)
        self.returning += taken


class Leaks(Balloon):
    """Forgets the pages of the balloon when the device is reset."""

    def reset_done(self) -> None:
        """Forget them."""
        self.pages = []
        super().reset_done()


class Oscillates(Balloon):
    """Rounds up to four pages in both directions, and so never reaches the target."""

    def look(self) -> None:
        """Read the target, and inflate past it."""
        super().look()
        self.goal = -(-self.target // 4) * 4 if self.target else 0

    goal = 0

    @property
    def wants_to_inflate(self) -> bool:
        """Whether a whole unit is missing."""
        wanted, self.target = self.target, self.goal
        try:
            return wanted > self.size and super().wants_to_inflate
        finally:
            self.target = wanted

    def inflate(self) -> None:
        """Give whole units."""
        wanted, self.target = self.target, self.goal
        super().inflate()
        self.target = wanted

    def deflate(self, count: int | None = None) -> None:
        """Take whole units back."""
        super().deflate(count or min(4, len(self.pages)))


class FillsNothing(Balloon):
    """Reuses deflated pages without filling them with the poison value."""

    def return_one(self) -> None:
        """Return a page as it is."""
        poison, self.poison = self.poison, None
        super().return_one()
        self.poison = poison


MUTANTS = (
    GuestMutant(
        "deflate-before-inflate-used",
        "asks to deflate a page whose inflate request has not been used",
        "balloon.driver.no-deflate-before-inflate-use", "BalloonPages",
        guest(balloon_kind=DeflatesEarly),
    ),
    GuestMutant(
        "page-used-before-deflate-used",
        "uses a page before its deflate request was used, in spite of MUST_TELL_HOST",
        WAIT, "BalloonPages", guest(balloon_kind=NeverWaits),
    ),
    GuestMutant(
        "page-used-while-inflating",
        "uses a page while the inflate request that names it is outstanding",
        "balloon.driver.wait-for-inflate", "BalloonPages", guest(balloon_kind=UsesInflating),
        also=(EVERY,),
    ),
    GuestMutant(
        "deflate-without-request",
        "takes pages out of the balloon without a deflate request",
        "balloon.driver.deflate-through-queue", "BalloonPages",
        guest(balloon_kind=NoDeflateRequest),
    ),
    GuestMutant(
        "balloon-leaked-on-removal",
        "forgets the pages of the balloon when the device is reset",
        EVERY, "BalloonPages", guest(balloon_kind=Leaks),
        also=("balloon.driver.return-on-remove", "hint.driver.return-outstanding-after-reset",),
    ),
    GuestMutant(
        "balloon-oscillates",
        "rounds up to four pages in both directions and never comes to rest",
        "balloon.driver.no-deflate-below-target", "BalloonPages",
        guest(balloon_kind=Oscillates),
    ),
    GuestMutant(
        "no-poison-after-deflate",
        "reuses deflated pages without filling them with poison_val",
        "balloon.driver.poison-fill-deflated", "BalloonPages", guest(balloon_kind=FillsNothing),
    ),
)  # fmt: skip
"""Guest mutants of the balloon."""
