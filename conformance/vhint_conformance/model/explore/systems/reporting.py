"""Free page reporting: a delayed worker, a mark on what the host knows, one report at a time.

What it is for is liveness: every page that stays free is reported in the end, and a page that
nobody has touched is not reported for ever.  Budgets, capacities and delays are left open.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from itertools import product

from vhint.guest.page_life import STEPS as PAGE_STEPS
from vhint.guest.page_life import PageEvent
from vhint.guest.page_life import PageState as P
from vhint.guest.reporting_worker import STEPS as WORKER_STEPS
from vhint.guest.reporting_worker import ReportingEvent as E
from vhint.guest.reporting_worker import ReportingState as S
from vhint_conformance.model.explore.layout import Field
from vhint_conformance.model.explore.rules import Model, Symmetry
from vhint_conformance.model.explore.systems.bounds import Bounds
from vhint_conformance.model.explore.systems.buddy import Block, Zones
from vhint_conformance.model.explore.systems.builder import Builder, Values

PLACES = (P.ALLOCATED, P.FREE, P.REPORTED, P.ISOLATED, P.OFFERED, P.ACKNOWLEDGED)
STATES = tuple(S)
RESTING, SEARCHING, WAITING, RETURNING = range(4)
NO_REPORT, AVAILABLE, TAKEN, USED = range(4)


class Mark(Enum):
    """What becomes of the mark when a reported page comes back."""

    KEPT = auto()
    """It is set: the host knows that the page is free."""
    LOST = auto()
    """It is forgotten, so the page is news to the worker."""


@dataclass(frozen=True, slots=True)
class ReportingDesign:
    """How the worker works; the default is sound.

    A worker that is deaf takes no note of a page that is freed while a pass is under way.
    """

    mark: Mark = Mark.KEPT
    deaf: bool = False


class _Reporting:
    def __init__(self, bounds: Bounds, design: ReportingDesign) -> None:
        self.bounds, self.design = bounds, design
        self.zones = Zones(bounds.pages, 1, min(1, bounds.max_order))
        self.build = Builder()
        add = self.build.layout.add
        self.worker = add("worker", len(STATES))
        self.phase = add("phase", 4)
        self.worked = add("worked", 2)
        self.report = add("report", 4)
        self.page = [add(f"page {p}", len(PLACES)) for p in range(bounds.pages)]
        self.done = [add(f"discarded {p}", 2) for p in range(bounds.pages)]
        # A pass looks at what was free when it began; what comes to the lists meanwhile is new.
        self.new = [add(f"new {p}", 2) for p in range(bounds.pages)]

    def at(self, page: int, place: P) -> dict[Field, int]:
        return {self.page[page]: PLACES.index(place)}

    def moved(self, page: int, before: P, event: PageEvent) -> tuple[Values, dict[Field, int]]:
        return self.at(page, before), self.at(page, PAGE_STEPS[before, event])

    def worker_moves(self, event: E) -> list[tuple[Values, dict[Field, int]]]:
        return [
            ({self.worker: STATES.index(before)}, {self.worker: STATES.index(after)})
            for (before, happening), after in WORKER_STEPS.items()
            if happening is event
        ]

    def listed(self, during_pass: bool) -> list[tuple[Values, dict[Field, int]]]:
        """Return what a page that comes to the lists does to the worker."""
        if self.design.deaf and during_pass:
            return [({}, {})]
        return self.worker_moves(E.PAGE_FREED)

    def users(self, page: int) -> None:
        """Add processes; a freed page that merges with a reported one takes its mark away."""
        step, block = self.build.step, Block(0, page, 0)
        for place in (P.FREE, P.REPORTED):
            when, then = self.moved(page, place, PageEvent.ALLOCATE)
            label = f"a process allocates page {page} and writes to it"
            step("process", label, when, {**then, self.new[page]: 0}, environment=True)
        when, then = self.moved(page, P.ALLOCATED, PageEvent.FREE)
        buddy = self.zones.buddy(block)
        for phase, resting in product(range(4), (True, False)):
            if (phase == RESTING) is not resting:
                continue
            for before, after in self.listed(not resting):
                now = {**when, **before, self.phase: phase}
                freed = {**then, **after, self.new[page]: int(not resting)}
                label = f"a process frees page {page}"
                if buddy is None:
                    step("process", label, now, freed, environment=True)
                    continue
                other = buddy.first
                marked, unmarked = self.moved(other, P.REPORTED, PageEvent.UNMARK)
                step(
                    "process",
                    f"{label}; it merges with page {other}, which loses its mark",
                    {**now, **marked},
                    {**freed, **unmarked, self.new[other]: int(not resting)},
                    environment=True,
                )
                step("process", label, now, freed, unless=[marked], environment=True)

    def passes(self) -> None:
        """Add the passes of the worker."""
        step = self.build.step
        for before, after in self.worker_moves(E.RUN):
            step(
                "worker",
                "the worker begins a pass",
                {**before, self.phase: RESTING},
                {**after, self.phase: SEARCHING, **dict.fromkeys(self.new, 0)},
            )
        for page in range(self.bounds.pages):
            when, then = self.moved(page, P.FREE, PageEvent.ISOLATE)
            step(
                "worker",
                f"the worker isolates page {page}",
                {**when, self.phase: SEARCHING},
                {**then, self.new[page]: 0},
            )
        self._offer()
        for before, after in self.worker_moves(E.FINISH):
            step(
                "worker",
                "the worker finds nothing more and ends the pass",
                {**before, self.phase: SEARCHING},
                {**after, self.phase: RESTING, self.worked: 0},
                unless=[
                    left
                    for p in range(self.bounds.pages)
                    for left in (self.at(p, P.ISOLATED), {**self.at(p, P.FREE), self.new[p]: 0})
                ],
            )
        for before, after in self.worker_moves(E.BUDGET_SPENT):
            step(
                "worker",
                "the worker has spent its budget and ends the pass",
                {**before, self.phase: SEARCHING, self.worked: 1},
                {**after, self.phase: RESTING, self.worked: 0},
                unless=[self.at(p, P.ISOLATED) for p in range(self.bounds.pages)],
            )

    def _offer(self) -> None:
        pages = range(self.bounds.pages)
        for members in product((False, True), repeat=self.bounds.pages):
            chosen = [p for p in pages if members[p]]
            if not chosen:
                continue
            when: dict[Field, int] = {self.phase: SEARCHING, self.report: NO_REPORT}
            then: dict[Field, int] = {self.phase: WAITING, self.report: AVAILABLE, self.worked: 1}
            for page in chosen:
                before, after = self.moved(page, P.ISOLATED, PageEvent.OFFER)
                when |= before
                then |= after
            rest = [self.at(p, P.ISOLATED) for p in pages if p not in chosen]
            names = ", ".join(map(str, chosen))
            self.build.step("worker", f"the worker reports pages {names}", when, then, unless=rest)

    def host(self) -> None:
        """Add a host that discards page by page and then uses the report."""
        step, pages = self.build.step, range(self.bounds.pages)
        step("host", "the host takes the report", {self.report: AVAILABLE}, {self.report: TAKEN})
        for page in pages:
            named = {**self.at(page, P.OFFERED), self.report: TAKEN, self.done[page]: 0}
            step("host", f"the host discards page {page}", named, {self.done[page]: 1})
        step(
            "host",
            "the host uses the report",
            {self.report: TAKEN},
            {self.report: USED},
            unless=[{**self.at(p, P.OFFERED), self.done[p]: 0} for p in pages],
        )

    def returns(self) -> None:
        """Add the way back of what was reported."""
        step, pages = self.build.step, range(self.bounds.pages)
        for page in pages:
            when, then = self.moved(page, P.OFFERED, PageEvent.USE)
            step(
                "driver",
                f"the driver takes page {page} over",
                {**when, self.report: USED},
                {**then, self.done[page]: 0},
            )
        step(
            "driver",
            "the report is finished",
            {self.report: USED, self.phase: WAITING},
            {self.report: NO_REPORT, self.phase: RETURNING},
            unless=[self.at(p, P.OFFERED) for p in pages],
        )
        kept = self.design.mark is Mark.KEPT
        event = PageEvent.RETURN_REPORTED if kept else PageEvent.RETURN
        for page in pages:
            when, then = self.moved(page, P.ACKNOWLEDGED, event)
            label = f"page {page} goes back to the buddy lists" + ("" if kept else ", unmarked")
            for before, after in [({}, {})] if kept else self.listed(during_pass=True):
                step(
                    "driver",
                    label,
                    {**when, **before, self.phase: RETURNING},
                    {**then, **after, self.new[page]: int(not kept)},
                )
        step(
            "worker",
            "the worker goes on with its pass",
            {self.phase: RETURNING},
            {self.phase: SEARCHING},
            unless=[self.at(p, P.ACKNOWLEDGED) for p in pages],
        )

    def symmetries(self) -> list[Symmetry]:
        """Return the renamings of pages that keep buddies buddies."""
        return [
            Symmetry(
                f"pages {images}",
                {
                    group[image].name: group[page].name
                    for group in (self.page, self.done, self.new)
                    for page, image in enumerate(images)
                },
            )
            for images in self.zones.renamings()
        ][1:]

    def describe(self, state: int) -> str:
        """Say where the pages are and what the worker does."""
        pages = [f"{p}: {PLACES[f.of(state)].name.lower()}" for p, f in enumerate(self.page)]
        worker = STATES[self.worker.of(state)].name.lower()
        return f"{'; '.join(pages)}; the worker is {worker}"


def reporting(name: str, bounds: Bounds, design: ReportingDesign | None = None) -> Model:
    """Return the model: all pages in use at first; it owes a report of every page that is free."""
    system = _Reporting(bounds, design or ReportingDesign())
    pages = range(bounds.pages)
    for page in pages:
        system.users(page)
    system.passes()
    system.host()
    system.returns()
    for page in pages:
        system.build.never(
            "reporting.driver.never-report-in-use",
            f"page {page} is in use and being discarded",
            {**system.at(page, P.ALLOCATED), system.report: TAKEN, system.done[page]: 1},
        )
    idle = {system.worker: STATES.index(S.IDLE), system.phase: RESTING, system.report: NO_REPORT}
    return system.build.model(
        name,
        {},
        {"pages": bounds.pages, "max_order": system.zones.max_order},
        system.describe,
        symmetries=system.symmetries(),
        settled=idle,
        owed=[system.at(page, P.FREE) for page in pages],
    )
