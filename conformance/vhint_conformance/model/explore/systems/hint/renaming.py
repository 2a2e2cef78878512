"""Renamings of pages, processors and requests under which the system is the same."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import permutations, product

from vhint_conformance.model.explore.rules import Symmetry
from vhint_conformance.model.explore.systems.buddy import Block
from vhint_conformance.model.explore.systems.hint.state import HintingSystem


def symmetries(system: HintingSystem) -> Iterator[Symmetry]:
    """Yield every combination of renamed pages, processors and requests."""
    cpus, slots = range(system.bounds.cpus), range(system.bounds.requests)
    for pages, cpu, slot in product(
        system.zones.renamings(), permutations(cpus), permutations(slots)
    ):
        yield _symmetry(system, pages, cpu, slot)


def _symmetry(
    system: HintingSystem, pages: tuple[int, ...], cpu: tuple[int, ...], slot: tuple[int, ...]
) -> Symmetry:
    """Rename page p to pages[p], processor c to cpu[c], request r to slot[r]."""
    source: dict[str, str] = {}
    values: dict[str, tuple[int, ...]] = {}
    entry = (0, *(system.entry_values[_image(b, pages)] for b in system.zones.blocks))
    owner = (0, *(1 + c for c in cpu))
    for p, image in enumerate(pages):
        source[system.page[image].name] = system.page[p].name
    for c, other in enumerate(cpu):
        source[system.worker[other].name] = system.worker[c].name
        source[system.worked[other].name] = system.worked[c].name
        for blocks in (system.freed, system.found):
            source[blocks[other].name] = blocks[c].name
            values[blocks[other].name] = entry
        for arrays in (system.hook, system.scan):
            for mine, theirs in zip(arrays[c], arrays[other], strict=True):
                source[theirs.name] = mine.name
                values[theirs.name] = entry
        for p, image in enumerate(pages):
            source[system.second[other][image].name] = system.second[c][p].name
    for r, other in enumerate(slot):
        source[system.slot[other].name] = system.slot[r].name
        for bits in (system.named, system.done, *([system.late] if system.late else [])):
            for p, image in enumerate(pages):
                source[bits[other][image].name] = bits[r][p].name
    for lock in system.lock:
        values[lock.name] = owner
    name = f"pages {pages}, processors {cpu}, requests {slot}"
    return Symmetry(name, source, values)


def _image(block: Block, pages: tuple[int, ...]) -> Block:
    return Block(block.zone, min(pages[p] for p in block.pages), block.order)
