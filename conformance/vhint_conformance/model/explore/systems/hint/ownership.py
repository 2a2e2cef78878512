"""What leads to a loss sooner or later: a page that is named and not the device's."""

from __future__ import annotations

from itertools import combinations, product

from vhint.guest.page_life import PageState as P
from vhint_conformance.model.explore.systems import tables
from vhint_conformance.model.explore.systems.hint.state import (
    SLOT_AVAILABLE,
    SLOT_TAKEN,
    HintingSystem,
)


def ownership(system: HintingSystem) -> None:
    """Forbid that a page is named which is not the device's, or named twice."""
    never = system.build.never
    for page, place in product(range(system.bounds.pages), tables.PLACES):
        here = system.at(range(page, page + 1), place)
        if place is not P.ISOLATED:
            for second in system.second:
                never(
                    "hint.driver.never-report-reallocated",
                    f"page {page} is to be reported and is {tables.NAMES[place]}",
                    {second[page]: 1, **here},
                )
        if place is not P.OFFERED:
            for slot, status in product(
                range(system.bounds.requests), (SLOT_AVAILABLE, SLOT_TAKEN)
            ):
                never(
                    system.design.breaks,
                    f"page {page} is outstanding and is {tables.NAMES[place]}",
                    {system.slot[slot]: status, system.named[slot][page]: 1, **here},
                )
    for page, (one, other) in product(
        range(system.bounds.pages), combinations(range(system.bounds.requests), 2)
    ):
        never(
            "hint.driver.no-overlap-outstanding",
            f"page {page} is named in two requests",
            {system.named[one][page]: 1, system.named[other][page]: 1},
        )
