"""The per-CPU workers: wake, lock, re-check, isolate, report."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise, product

from vhint.guest.page_life import PageEvent
from vhint.guest.page_life import PageState as P
from vhint.guest.worker import WorkerEvent as E
from vhint.guest.worker import WorkerState as W
from vhint_conformance.model.explore.layout import Field
from vhint_conformance.model.explore.rules import Act, Deed
from vhint_conformance.model.explore.systems import tables
from vhint_conformance.model.explore.systems.bounds import Recheck, Release
from vhint_conformance.model.explore.systems.buddy import Block
from vhint_conformance.model.explore.systems.builder import Values
from vhint_conformance.model.explore.systems.hint.state import (
    NO_RESET,
    SLOT_AVAILABLE,
    SLOT_FREE,
    HintingSystem,
    page_names,
)


def wake(system: HintingSystem, cpu: int) -> None:
    """Let a worker take the captured entries over, at whatever threshold."""
    when, then = system.move(cpu, W.IDLE, E.WAKE)
    hook, scan = system.hook[cpu], system.scan[cpu]
    for values in product(range(1 + len(system.zones.blocks)), repeat=len(hook)):
        if not values[0] or any(not a and b for a, b in pairwise(values)):
            continue
        system.build.step(
            f"worker {cpu}",
            f"worker {cpu} wakes and takes {_entries_text(values)} over",
            {**when, **dict(zip(hook, values, strict=True)), **dict.fromkeys(scan, 0)},
            {**then, **dict.fromkeys(hook, 0), **dict(zip(scan, values, strict=True))},
        )
    _done(system, cpu)


def _done(system: HintingSystem, cpu: int) -> None:
    """Let a worker go to sleep; without a device it lets go of everything first."""
    actor = f"worker {cpu}"
    before, after = system.move(cpu, W.SCANNING, E.DONE)
    nothing_left = {**before, **dict.fromkeys(system.scan[cpu], 0)}
    live: Values = {system.reset: NO_RESET}
    system.build.step(actor, f"{actor} is done", {**nothing_left, **live}, after)
    system.build.step(
        actor,
        f"{actor} is done, and there is no device",
        {**nothing_left, **dict.fromkeys(system.second[cpu], 0)},
        after,
        unless=[live],
    )
    for block, entry, first in _entries(system, cpu):
        system.build.step(
            actor,
            f"{actor} passes over {block}, as there is no device",
            {**before, **first},
            {entry: 0},
            unless=[live],
        )


def _entries(system: HintingSystem, cpu: int) -> Iterator[tuple[Block, Field, dict[Field, int]]]:
    """Yield each block that can be the first entry left: its field, and the state of the array."""
    array = system.scan[cpu]
    for i, entry in enumerate(array):
        for block, value in system.entry_values.items():
            yield block, entry, {entry: value, **dict.fromkeys(array[:i], 0)}


def check(system: HintingSystem, cpu: int) -> None:
    """Let a worker lock, re-check, isolate, append: each a step that others can come between."""
    worker = _Worker(system, cpu)
    worker.unlock()
    for entry_block, entry, first in _entries(system, cpu):
        worker.lock(entry_block, first)
        for block in system.zones.holding(entry_block):
            worker.find(entry_block, block, entry, first)
        worker.pass_over(entry_block, entry, first)
    for block in system.zones.blocks:
        worker.isolate(block)
        worker.append(block)


class _Worker:
    def __init__(self, system: HintingSystem, cpu: int) -> None:
        self.system, self.cpu = system, cpu
        self.actor = f"worker {cpu}"
        self.recheck = system.design.recheck
        # A lock is taken for an entry: it is not released before one was looked at.
        self.worked, self.found = system.worked[cpu], system.found[cpu]

    def step(
        self, label: str, when: Values, then: Values, *, unless: Sequence[Values] = ()
    ) -> None:
        self.system.build.step(self.actor, f"{self.actor} {label}", when, then, unless=unless)

    def mine(self, block: Block) -> dict[Field, int]:
        return {self.system.lock[block.zone]: 1 + self.cpu}

    def lock(self, block: Block, first: Values) -> None:
        before, after = self.system.move(self.cpu, W.SCANNING, E.LOCK)
        when = {**before, **first, **self.system.unlocked(block)}
        self.step(f"locks zone {block.zone}", when, {**after, **self.mine(block)})

    def unlock(self) -> None:
        before, after = self.system.move(self.cpu, W.LOCKED, E.UNLOCK)
        for zone, lock in enumerate(self.system.lock):
            when = {**before, lock: 1 + self.cpu, self.worked: 1}
            self.step(f"unlocks zone {zone}", when, {**after, lock: 0, self.worked: 0})

    def find(self, entry_block: Block, block: Block, entry: Field, first: Values) -> None:
        """Settle on the free block that holds the entry's; a reference may insist on the same."""
        before, after = self.system.move(self.cpu, W.LOCKED, E.FIND)
        when = {**before, **first, **self.mine(block)}
        found = self.system.entry_values[block]
        then = {**after, entry: 0, self.worked: 1, self.found: found}
        if self.recheck is Recheck.NEVER:
            if block == entry_block:
                self.step(f"takes it that {block} is still free", when, then)
            return
        if self.recheck is Recheck.OUTSIDE_LOCK:
            then |= {self.system.lock[block.zone]: 0}
        whole = self.system.merged(block)
        when |= self.system.at(block, P.FREE)
        self.step(f"finds {block} free", when, then, unless=whole)

    def pass_over(self, block: Block, entry: Field, first: Values) -> None:
        """Leave a block where it is: it is not free, or its zone is below its watermark."""
        before, after = self.system.move(self.cpu, W.LOCKED, E.PASS_OVER)
        when = {**before, **first, **self.mine(block)}
        self.step(f"passes over {block}", when, {**after, entry: 0, self.worked: 1})

    def isolate(self, block: Block) -> None:
        """Take a block off the free list: a sound worker knows that it is there.

        One that does not know takes the pages off whatever they are on.  A page that is in use
        stays in use as far as its user is concerned: that is how its content gets lost.
        """
        before, after = self.system.move(self.cpu, W.CHECKED, E.ISOLATE)
        held = self.mine(block)
        if self.recheck is Recheck.OUTSIDE_LOCK:
            held = self.system.unlocked(block)
        when = {**before, **held, self.found: self.system.entry_values[block]}
        then = {**after, **self.mine(block)}
        isolated = tables.page_moves(PageEvent.ISOLATE)[P.FREE]
        free, gone = tables.PLACES.index(P.FREE), tables.PLACES.index(isolated)
        pages = [self.system.page[p] for p in block.pages]
        self.step(
            f"isolates {block}",
            {**when, **dict.fromkeys(pages, free)},
            {**then, **dict.fromkeys(pages, gone)},
        )
        if self.recheck is Recheck.UNDER_LOCK:
            return
        for places in product(range(len(tables.PLACES)), repeat=len(pages)):
            if set(places) != {free}:
                now = dict(zip(pages, places, strict=True))
                self.step(
                    f"isolates {block}, of which not every page is free",
                    {**when, **now},
                    {**then, **{page: gone for page, place in now.items() if place == free}},
                )

    def append(self, block: Block) -> None:
        before, after = self.system.move(self.cpu, W.HOLDING, E.APPEND)
        found = self.system.entry_values[block]
        second = {self.system.second[self.cpu][p]: 1 for p in block.pages}
        self.step(
            f"puts {block} into the second array",
            {**before, **self.mine(block), self.found: found},
            {**after, self.found: 0, **second},
        )


def report(system: HintingSystem, cpu: int) -> None:
    """Let the second array become a request, at whatever threshold or time."""
    actor = f"worker {cpu}"
    second = system.second[cpu]
    for before, live in ((W.SCANNING, {system.reset: NO_RESET}), (W.IDLE, {})):
        when, then = system.move(cpu, before, E.REPORT)
        system.build.step(
            actor,
            f"{actor} has to report",
            {**when, **live},
            then,
            unless=[dict.fromkeys(second, 0)],
        )
    when, then = system.move(cpu, W.REPORTING, E.OFFER)
    offer = tables.page_moves(PageEvent.OFFER)[P.ISOLATED]
    gone = offer if system.design.release is Release.ON_USE else P.FREE
    for slot, members in product(
        range(system.bounds.requests), product((0, 1), repeat=system.bounds.pages)
    ):
        chosen = [p for p, member in enumerate(members) if member]
        if not chosen:
            continue
        # Of a page that is in use no place changes: its user knows nothing of this.
        for isolated in _subsets(chosen, system.design.recheck is Recheck.UNDER_LOCK):
            places = {system.page[p]: tables.PLACES.index(P.ISOLATED) for p in isolated}
            others = [
                {system.page[p]: tables.PLACES.index(P.ISOLATED)}
                for p in chosen
                if p not in isolated
            ]
            system.build.step(
                actor,
                f"{actor} offers request {slot} with {page_names(chosen)}",
                {
                    **when,
                    **dict(zip(second, members, strict=True)),
                    system.slot[slot]: SLOT_FREE,
                    system.reset: NO_RESET,
                    **places,
                },
                {
                    **then,
                    **dict.fromkeys(second, 0),
                    system.slot[slot]: SLOT_AVAILABLE,
                    **{system.named[slot][p]: 1 for p in chosen},
                    **{system.page[p]: tables.PLACES.index(gone) for p in isolated},
                },
                unless=others,
                act=Act(Deed.OFFER, slot, tuple(chosen)),
            )
    system.build.step(
        actor,
        f"{actor} finds no device to offer to",
        when,
        then,
        unless=[{system.reset: NO_RESET}],
    )
    system.build.step(
        actor, f"{actor} finds nothing left to offer", {**when, **dict.fromkeys(second, 0)}, then
    )
    _withdraw(system, cpu)
    kick, kicked = system.move(cpu, W.KICKING, E.KICK)
    system.build.step(actor, f"{actor} notifies the device", kick, kicked)


def _withdraw(system: HintingSystem, cpu: int) -> None:
    """Let what waits to be reported go back, under memory pressure or without a device."""
    back = tables.page_moves(PageEvent.RETURN)[P.ISOLATED]
    live: Values = {system.reset: NO_RESET}
    for page, waiting in enumerate(system.second[cpu]):
        here = range(page, page + 1)
        lock = system.lock[system.zones.zone_of(page)]
        when = {**system.at(here, P.ISOLATED), waiting: 1, lock: 0}
        then = {**system.at(here, back), waiting: 0}
        label = f"page {page}, which waits to be reported, goes back"
        system.build.step("driver", f"{label} under pressure", when, then, environment=True)
        system.build.step("driver", f"{label}, as there is no device", when, then, unless=[live])


def _subsets(pages: list[int], only_all: bool) -> Iterator[list[int]]:
    for members in product((1,) if only_all else (0, 1), repeat=len(pages)):
        yield [page for page, member in zip(pages, members, strict=True) if member]


def _entries_text(values: Sequence[int]) -> str:
    number = sum(map(bool, values))
    return "1 entry" if number == 1 else f"{number} entries"
