"""Where the pages of a zone are, in figures: the conservation of memory, checked in one sum.

Free and parked pages are counted by the lists that hold them, the rest by the states in the
ledger: a page that is in no list though it is free, or in a list though it is not, is missed in
the sum (`hint.driver.return-every-acknowledged`).
"""

from __future__ import annotations

from dataclasses import dataclass

from vhint.guest.memory.zone import Zone
from vhint.guest.page_life import AWAY, PageState

BALLOON = (PageState.INFLATING, PageState.BALLOONED, PageState.DEFLATING)


@dataclass(frozen=True, slots=True)
class Account:
    """Pages of one zone, or of all: `total` is the sum of the others at every step."""

    free: int
    per_cpu: int
    used: int
    cached: int
    isolated: int
    ballooned: int
    total: int

    @property
    def balanced(self) -> bool:
        """Whether no page is missing and none is counted twice."""
        return self.sum == self.total

    @property
    def sum(self) -> int:
        """The pages that were found."""
        return self.free + self.per_cpu + self.used + self.cached + self.isolated + self.ballooned

    def __add__(self, other: Account) -> Account:
        return Account(
            self.free + other.free,
            self.per_cpu + other.per_cpu,
            self.used + other.used,
            self.cached + other.cached,
            self.isolated + other.isolated,
            self.ballooned + other.ballooned,
            self.total + other.total,
        )


def account_of(zone: Zone, parked: int) -> Account:
    """Return the account of a zone of which `parked` pages are on per-CPU lists."""
    count = zone.ledger.count
    return Account(
        free=zone.buddy.free_pages,
        per_cpu=parked,
        used=count(PageState.ALLOCATED),
        cached=count(PageState.CACHED),
        isolated=sum(map(count, AWAY)),
        ballooned=sum(map(count, BALLOON)),
        total=zone.pages,
    )
