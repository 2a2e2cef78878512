"""What a program has to know of its target before it can be compiled for it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from vhint.spans import PAGE, Span
from vhint.wire import config
from vhint.wire.features import Feature, Features
from vhint_conformance.bench import DEFAULT, Bench
from vhint_conformance.case import Capability
from vhint_conformance.cases.hint_ledger import HintLedger
from vhint_conformance.fuzz.moves import HINT_UNITS, UNITS
from vhint_conformance.targets.migration.arrived import AllBut
from vhint_conformance.verdict import NotApplicable

ROUNDS = frozenset({Capability.STARTS_ROUNDS, Capability.SHOWS_CONFIG})
FEWEST = 3
"""Blocks without which there is nothing to fuzz."""

STRUCTURES = 2 << 20
"""Bytes at the end of usable memory that the driver has for itself."""


@dataclass(frozen=True, slots=True)
class Setting:
    """A target, as far as programs depend on it.

    `base` is the first address of the units, `order` the order of a unit, `end` the first address
    behind RAM, `room` the entries of the shortest queue as it comes, `count` the most blocks of a
    request.  `abilities` are the target's; `rounds` is whether it asks for hints when it is told
    to, `alone` whether nothing but hints may go on meanwhile, as memory is really migrated.
    `units` and `hint_units` are how many blocks there is memory for.
    """

    offered: Features
    base: int
    order: int
    end: int
    room: int
    count: int
    abilities: frozenset[Capability] = frozenset()
    rounds: bool = False
    alone: bool = False
    units: int = UNITS
    hint_units: int = HINT_UNITS

    def unit(self, number: int) -> Span:
        """Return where a unit lies."""
        size = PAGE << self.order
        return Span(self.base + number * size, size)

    def those(self, numbers: Iterable[int]) -> tuple[int, ...]:
        """Return the units that are meant, of which there are fewer if they are large."""
        found = (
            number % self.units
            if number < UNITS
            else self.units + (number - UNITS) % self.hint_units
            for number in numbers
        )
        return tuple(dict.fromkeys(found))

    def can(self, capability: Capability) -> bool:
        """Whether the target can do this, or lets it be done."""
        return capability in self.abilities


def setting_of(bench: Bench) -> Setting:
    """Return what a program has to know of a target; leaves it reset."""
    order, count = 0, 1
    offered = bench.offered
    if Feature.HINTING in offered:
        if Capability.SHOWS_CONFIG in bench.session.capabilities:
            order, count = _number(bench, "hint_min_order"), _number(bench, "hint_max_count")
        else:
            offered -= Features.of(Feature.HINTING, Feature.HINTING_BITMAP)
    rings = bench.start(accept=DEFAULT | Features.of(Feature.FREE_PAGE_HINT)).rings
    room = min(ring.layout.size for ring in rings.values())
    rounds, alone = _rounds(bench)
    bench.reset()
    usable = bench.memory.usable
    size = PAGE << order
    base = -(-usable.start // size) * size
    fits = min((usable.end - STRUCTURES - base) // size - 1, UNITS + HINT_UNITS)
    if fits < FEWEST:
        raise NotApplicable(f"the target's memory is too small for {FEWEST} blocks of {size} bytes")
    end = max(start + length for start, length in bench.limits.ram)
    abilities = bench.session.capabilities
    return Setting(
        offered,
        base,
        order,
        end,
        room,
        count,
        abilities,
        rounds,
        alone,
        fits - fits // 3,
        fits // 3,
    )


def _rounds(bench: Bench) -> tuple[bool, bool]:
    """Return whether the target asks for hints, and whether a migration goes on meanwhile."""
    if not bench.session.capabilities >= ROUNDS or Feature.FREE_PAGE_HINT not in bench.offered:
        return False, False
    ledger = HintLedger(bench)
    try:
        ledger.begin()
    except NotApplicable:
        return False, False
    ledger.let_finish()
    shows = Capability.SHOWS_DESTINATION in bench.session.capabilities
    return True, shows and not isinstance(bench.control.arrived(), AllBut)


def _number(bench: Bench, field: str) -> int:
    data = bench.transport.read_config(config.field_offset(field), config.field_size(field))
    return int.from_bytes(data, "little")
