"""Faults of free page reporting, the driver's half."""

from __future__ import annotations

from vhint.guest.guest import Guest
from vhint.guest.memory import Block, Buddy, Zone
from vhint.guest.page_life import PageEvent
from vhint.guest.profiles.reporting import ACTOR, Phase, Reporting
from vhint_conformance.model.reference_guest import Mutation
from vhint_conformance.mutants.guest.base import GuestMutant, guest

EVERY = "reporting.driver.return-every-page"
TOUCH = "reporting.driver.no-touch-until-use"
CHURN = "reporting.driver.avoid-needless-access"


class LosesMark(Reporting):
    """Returns pages without the reported mark, so that they are news again at once."""

    def return_one(self) -> None:
        """Return a block as if nobody had reported it."""
        self._worked, worked = False, self._worked
        block = self.isolated[0] if self.isolated else None
        super().return_one()
        self._worked = worked
        if block is not None:
            self.page_listed(block)


class IgnoresMark(Reporting):
    """Does not look at the reported mark."""

    def next_block(self, zone: Zone, order: int) -> Block | None:
        """Take any free block."""
        return next(iter(zone.buddy.blocks(order)), None)

    def _finish(self) -> None:
        super()._finish()
        self.started()


class ReturnsAtOnce(Reporting):
    """Does not wait for the device."""

    def kick(self) -> None:
        """Notify, and take the pages for used."""
        super().kick()
        self._take_over(PageEvent.USE)
        self._worked = True


class ReturnsFirstOnly(Reporting):
    """Returns the first block of a report and forgets the others."""

    def _take_over(self, event: PageEvent) -> None:
        super()._take_over(event)
        del self.isolated[1:]


class FillsNothing(Reporting):
    """Reports pages without filling them with the poison value."""

    def search(self) -> None:
        """Search as if there were no poison."""
        poison, self.poison = self.poison, None
        super().search()
        self.poison = poison


class LeaksOnReset(Reporting):
    """Forgets the report that the device had when it was reset."""

    def reset_done(self) -> None:
        """Forget it."""
        if self.phase in (Phase.KICKING, Phase.WAITING):
            self.isolated = []
        super().reset_done()


class ReportsInUse(Reporting):
    """Takes a block off no list before it reports it, so that it can be allocated meanwhile."""

    def search(self) -> None:
        """Isolate a block, and let the allocator have it again before it is reported."""
        before = len(self.isolated)
        super().search()
        for block in self.isolated[before:]:
            self.memory.give_back(block, ACTOR, quiet=True)


class SplitsLoseMark(Buddy):
    """Forgets that a block was reported when it is split."""

    def take(self, order: int) -> Block | None:
        """Take a block, and drop the mark of what is left of a larger one."""
        before = set(self._heads)
        found = super().take(order)
        self._reported -= set(self._heads) - before
        return found


def _split_badly(made: Guest) -> None:
    for zone in made.memory.zones:
        zone.buddy.__class__ = SplitsLoseMark


MUTANTS = (
    GuestMutant(
        "reported-mark-lost",
        "loses the reported mark on return, so that untouched pages are reported for ever",
        CHURN, "ReportedPages", guest(reporting_kind=LosesMark),
        also=("hint.driver.no-stranded-isolation",),
    ),
    GuestMutant(
        "reported-mark-ignored",
        "passes over the free lists again and again and reports whatever it finds",
        CHURN, "ReportedPages", guest(reporting_kind=IgnoresMark),
        also=("hint.driver.no-stranded-isolation",),
    ),
    GuestMutant(
        "reported-mark-lost-on-split",
        "loses the reported mark of a block's other half when it splits the block",
        CHURN, "ReportedPages", Mutation(prepare=_split_badly),
    ),
    GuestMutant(
        "reports-without-waiting",
        "returns reported pages before the device has used the report",
        TOUCH, "ReportedPages", guest(reporting_kind=ReturnsAtOnce),
    ),
    GuestMutant(
        "report-lost-rest",
        "returns only the first block of a report",
        EVERY, "ReportedPages", guest(reporting_kind=ReturnsFirstOnly),
        also=("hint.driver.return-every-acknowledged",),
    ),
    GuestMutant(
        "no-poison-before-report",
        "reports pages without filling them with poison_val",
        "reporting.driver.poison-before-report", "ReportedPages",
        guest(reporting_kind=FillsNothing),
    ),
    GuestMutant(
        "reports-in-use",
        "reports blocks that are still in the free lists and can be allocated",
        "reporting.driver.never-report-in-use", "ReportedPages",
        guest(reporting_kind=ReportsInUse),
        also=("hint.driver.no-allocate-while-outstanding", TOUCH,
              "hint.driver.never-report-reallocated"),
    ),
    GuestMutant(
        "report-leaks-on-reset",
        "forgets the pages of a report that was outstanding at a reset",
        EVERY, "ResetsAnywhere", guest(reporting_kind=LeaksOnReset),
        also=("hint.driver.return-every-acknowledged",
              "hint.driver.return-outstanding-after-reset"),
    ),
)  # fmt: skip
"""Guest mutants of reporting."""
