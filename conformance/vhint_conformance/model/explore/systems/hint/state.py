"""What the parts of the system look at and change: the fields of a state."""

from __future__ import annotations

from vhint.guest.page_life import PageState
from vhint.guest.worker import STEPS as WORKER_STEPS
from vhint.guest.worker import WorkerEvent, WorkerState
from vhint_conformance.model.explore.layout import Field
from vhint_conformance.model.explore.systems import tables
from vhint_conformance.model.explore.systems.bounds import Bounds, Design, Discard
from vhint_conformance.model.explore.systems.buddy import Block, Zones
from vhint_conformance.model.explore.systems.builder import Builder, Values

WORKER_PLACES = (
    WorkerState.IDLE,
    WorkerState.SCANNING,
    WorkerState.LOCKED,
    WorkerState.CHECKED,
    WorkerState.HOLDING,
    WorkerState.REPORTING,
    WorkerState.KICKING,
)
SLOT_FREE, SLOT_AVAILABLE, SLOT_TAKEN, SLOT_USED = range(4)
SLOT_NAMES = ("free", "available", "taken by the host", "used")
NO_RESET, RESET_ASKED, RESET_DONE = range(3)


class HintingSystem:
    """The fields of a system of one design within bounds, and the rules collected so far."""

    def __init__(self, bounds: Bounds, design: Design) -> None:
        self.bounds, self.design = bounds, design
        self.zones = Zones(bounds.pages, bounds.zones, bounds.max_order)
        self.entry_values = {block: i + 1 for i, block in enumerate(self.zones.blocks)}
        self.build = Builder()
        add, entries = self.build.layout.add, 1 + len(self.zones.blocks)
        pages, cpus, slots = range(bounds.pages), range(bounds.cpus), range(bounds.requests)
        self.worker = [add(f"worker {c}", len(WORKER_PLACES)) for c in cpus]
        self.worked = [add(f"worked {c}", 2) for c in cpus]
        self.lock = [add(f"lock {z}", 1 + bounds.cpus) for z in range(bounds.zones)]
        self.slot = [add(f"request {r}", len(SLOT_NAMES)) for r in slots]
        self.reset = add("reset", 3)
        self.resets = add("resets", bounds.resets + 1)
        self.page = [add(f"page {p}", len(tables.PLACES)) for p in pages]
        self.freed = [add(f"freed {c}", entries) for c in cpus]
        self.found = [add(f"found {c}", entries) for c in cpus]
        self.hook = self._arrays("captured", entries)
        self.scan = self._arrays("scanned", entries)
        self.second = [[add(f"isolated {c}.{p}", 2) for p in pages] for c in cpus]
        self.named = [[add(f"named {r}.{p}", 2) for p in pages] for r in slots]
        self.done = [[add(f"discarded {r}.{p}", 2) for p in pages] for r in slots]
        self.late = (
            [[add(f"owed {r}.{p}", 2) for p in pages] for r in slots]
            if design.discard is Discard.AFTER_USE
            else []
        )

    def _arrays(self, name: str, values: int) -> list[list[Field]]:
        return [
            [self.build.layout.add(f"{name} {c}.{i}", values) for i in range(self.bounds.entries)]
            for c in range(self.bounds.cpus)
        ]

    def at(self, pages: Block | range, place: PageState) -> dict[Field, int]:
        """Say that pages are in a place."""
        value = tables.PLACES.index(place)
        numbers = pages.pages if isinstance(pages, Block) else pages
        return {self.page[p]: value for p in numbers}

    def unlocked(self, block: Block) -> dict[Field, int]:
        """Say that nobody holds the lock of a block's zone."""
        return {self.lock[block.zone]: 0}

    def merged(self, block: Block) -> list[Values]:
        """Say when a free block is part of a larger one: its buddy is free too."""
        buddy = self.zones.buddy(block)
        return [self.at(buddy, PageState.FREE)] if buddy else []

    def move(self, cpu: int, before: WorkerState, event: WorkerEvent) -> tuple[Values, Values]:
        """Return the worker's place before and after a step of its table."""
        after = WORKER_STEPS[before, event]
        place = self.worker[cpu]
        return (
            {place: WORKER_PLACES.index(before)},
            {place: WORKER_PLACES.index(after)},
        )

    def settled(self) -> Values:
        """Nothing captured, isolated, offered or on its way back."""
        places = (self.scan, self.hook, self.second, self.named)
        fields = [field for group in places for row in group for field in row]
        return {
            **dict.fromkeys(fields, 0),
            **dict.fromkeys((*self.worker, *self.freed, *self.found), 0),
            **dict.fromkeys(self.slot, SLOT_FREE),
        }

    def describe(self, state: int) -> str:
        """Say where the pages are and what is outstanding."""
        places = [tables.NAMES[tables.PLACES[field.of(state)]] for field in self.page]
        parts = [f"{p}: {place}" for p, place in enumerate(places)]
        for slot, field in enumerate(self.slot):
            if field.of(state) != SLOT_FREE:
                named = [p for p, bit in enumerate(self.named[slot]) if bit.of(state)]
                parts.append(f"request {slot} {SLOT_NAMES[field.of(state)]}: {page_names(named)}")
        return "; ".join(parts)


def page_names(pages: list[int]) -> str:
    """Return page numbers in words."""
    return "pages " + ", ".join(map(str, pages)) if len(pages) != 1 else f"page {pages[0]}"
