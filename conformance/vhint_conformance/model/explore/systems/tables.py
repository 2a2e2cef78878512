"""The reference's own state tables, as far as an exploration tells their states apart.

What a page, a worker or a request may do is looked up in the tables of `vhint.guest` and
`vhint.host` when the rules of a model are made, so a model cannot allow what the reference's
tables do not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum
from typing import TypeVar

from vhint.guest.page_life import BREACHES, PageEvent, PageState
from vhint.guest.page_life import STEPS as PAGE_STEPS

State = TypeVar("State", bound=Enum)
Step = TypeVar("Step", bound=Enum)

COLLAPSED: Mapping[PageState, PageState] = {
    PageState.CAPTURED: PageState.FREE,
    PageState.REPORTED: PageState.FREE,
    PageState.PER_CPU_CAPTURED: PageState.PER_CPU,
}
"""States that differ only by what arrays say of a page, which a model keeps in arrays."""

PLACES: Sequence[PageState] = (
    PageState.FREE,
    PageState.PER_CPU,
    PageState.ALLOCATED,
    PageState.ISOLATED,
    PageState.OFFERED,
    PageState.ACKNOWLEDGED,
)
"""Where a page of the isolating design can be; its index here is its value in a state."""

NAMES: Mapping[PageState, str] = {
    PageState.FREE: "free",
    PageState.PER_CPU: "on a per-CPU list",
    PageState.ALLOCATED: "in use",
    PageState.ISOLATED: "isolated",
    PageState.OFFERED: "the device's",
    PageState.ACKNOWLEDGED: "on its way back",
}
"""Places in words."""


def collapse(state: PageState) -> PageState:
    """Return the state that stands for this one in a model."""
    return COLLAPSED.get(state, state)


def page_moves(event: PageEvent) -> dict[PageState, PageState]:
    """Return where an event takes a page from each place; raises if the table disagrees."""
    moves: dict[PageState, PageState] = {}
    for (before, happening), after in PAGE_STEPS.items():
        if happening is not event or collapse(before) not in PLACES:
            continue
        known = moves.setdefault(collapse(before), collapse(after))
        if known is not collapse(after):
            raise ValueError(f"{event.name} of a {before.name} page depends on what is collapsed")
    return moves


def page_breaches(event: PageEvent) -> dict[PageState, str]:
    """Return, for each place in which an event is no step, the requirement that it breaks."""
    return {
        collapse(before): slug
        for (before, happening), slug in BREACHES.items()
        if happening is event and collapse(before) in PLACES
    }


def fused(steps: Mapping[tuple[State, Step], State], start: State, events: Sequence[Step]) -> State:
    """Return where several steps in a row lead; raises `KeyError` for what the table has not.

    A model may take them as one where nobody else could see a state in between.
    """
    for event in events:
        start = steps[start, event]
    return start
