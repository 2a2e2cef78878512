"""The allocator and its users: they do what they like at any time."""

from __future__ import annotations

from itertools import product

from vhint.guest.page_life import PageEvent
from vhint.guest.page_life import PageState as P
from vhint_conformance.model.explore.rules import Act, Deed
from vhint_conformance.model.explore.systems import tables
from vhint_conformance.model.explore.systems.buddy import Block
from vhint_conformance.model.explore.systems.hint.state import HintingSystem


def allocator(system: HintingSystem) -> None:
    """Add processes that allocate and free, in any order and at any time."""
    step = system.build.step
    for block in system.zones.blocks:
        for before, after in tables.page_moves(PageEvent.ALLOCATE).items():
            if before is P.FREE:
                step(
                    "process",
                    f"a process allocates {block} and writes to it",
                    {**system.at(block, before), **system.unlocked(block)},
                    system.at(block, after),
                    environment=True,
                    act=Act(Deed.WRITE, pages=tuple(block.pages)),
                )
            elif block.order == 0:
                step(
                    "process",
                    f"a process allocates {block} from a per-CPU list and writes to it",
                    system.at(block, before),
                    system.at(block, after),
                    environment=True,
                    act=Act(Deed.WRITE, pages=tuple(block.pages)),
                )
        _free(system, block)
        if block.order == 0:
            parked = tables.page_moves(PageEvent.DRAIN)[P.PER_CPU]
            step(
                "allocator",
                f"a per-CPU list gives {block} to the buddy lists",
                {**system.at(block, P.PER_CPU), **system.unlocked(block)},
                system.at(block, parked),
                environment=True,
            )
            step(
                "allocator",
                f"a per-CPU list is filled up with {block}",
                {**system.at(block, P.FREE), **system.unlocked(block)},
                system.at(block, tables.page_moves(PageEvent.PARK)[P.FREE]),
                environment=True,
            )


def _free(system: HintingSystem, block: Block) -> None:
    """Let a block be freed by any CPU, to the buddy lists or to a per-CPU list."""
    moves = tables.page_moves(PageEvent.FREE)
    ways = [(moves[P.ALLOCATED], "", system.unlocked(block))]
    if block.order == 0:
        parked = tables.page_moves(PageEvent.PARK)[P.ALLOCATED]
        ways.append((parked, " to a per-CPU list", {}))
    for (place, where, lock), cpu in product(ways, range(system.bounds.cpus)):
        freed = system.freed[cpu]
        system.build.step(
            f"CPU {cpu}",
            f"CPU {cpu} frees {block}{where}",
            {**system.at(block, P.ALLOCATED), **lock, freed: 0},
            {**system.at(block, place), freed: system.entry_values[block]},
            environment=True,
        )


def hooks(system: HintingSystem, cpu: int) -> None:
    """Let the free hook store what its CPU has freed, if there is room and a device.

    Between the free and the hook the block is free for everybody: it can be allocated again.
    """
    freed, array = system.freed[cpu], system.hook[cpu]
    for block, value in system.entry_values.items():
        for i, entry in enumerate(array):
            system.build.step(
                f"CPU {cpu}",
                f"the free hook of CPU {cpu} captures {block}",
                {freed: value, entry: 0},
                {freed: 0, entry: value},
                unless=[{earlier: 0} for earlier in array[:i]],
            )
        system.build.step(
            f"CPU {cpu}",
            f"the free hook of CPU {cpu} passes over {block}",
            {freed: value},
            {freed: 0},
        )
