"""The delayed worker of free page reporting, with the three states that Linux has.

Freeing a large enough block requests a pass; the worker runs it after a delay, and a request that
comes in while it runs, or a budget that is spent, leads to another pass instead of a longer one.
So reports come in bounded helpings (`reporting.driver.any-time` allows all of it) and pages that
carry the reported mark are left alone (`reporting.driver.avoid-needless-access`).
"""

from __future__ import annotations

from enum import Enum, auto

from vhint.guest.tables import follow


class ReportingState(Enum):
    """Whether a pass over the free lists is wanted or under way."""

    IDLE = auto()
    """Every free block is reported, or too small."""
    REQUESTED = auto()
    """A pass is wanted: it starts after the delay, or after the one under way."""
    ACTIVE = auto()
    """A pass is under way, and no other is wanted yet."""


class ReportingEvent(Enum):
    """What happens to the worker."""

    PAGE_FREED = auto()
    """A block of at least the reporting order came to the free lists without the mark."""
    RUN = auto()
    """The delay is over: a pass begins."""
    BUDGET_SPENT = auto()
    """The pass reported as much as it may of some list: another pass is wanted."""
    FINISH = auto()
    """The pass is over."""
    UNREGISTER = auto()
    """The device is reset or removed: there is nobody to report to."""


S, E = ReportingState, ReportingEvent

STEPS: dict[tuple[ReportingState, ReportingEvent], ReportingState] = {
    (S.IDLE, E.PAGE_FREED): S.REQUESTED,
    (S.REQUESTED, E.PAGE_FREED): S.REQUESTED,
    (S.ACTIVE, E.PAGE_FREED): S.REQUESTED,
    (S.REQUESTED, E.RUN): S.ACTIVE,
    (S.ACTIVE, E.BUDGET_SPENT): S.REQUESTED,
    (S.REQUESTED, E.BUDGET_SPENT): S.REQUESTED,
    (S.ACTIVE, E.FINISH): S.IDLE,
    (S.REQUESTED, E.FINISH): S.REQUESTED,
    (S.IDLE, E.UNREGISTER): S.IDLE,
    (S.REQUESTED, E.UNREGISTER): S.IDLE,
    (S.ACTIVE, E.UNREGISTER): S.IDLE,
}
"""(state, event) to the state that follows; a pass that ends in REQUESTED is followed by one."""


def advance(state: ReportingState, event: ReportingEvent) -> ReportingState:
    """Return the state that follows; raise `UndefinedStepError` for what is no step.

    >>> advance(ReportingState.ACTIVE, ReportingEvent.PAGE_FREED)
    <ReportingState.REQUESTED: 2>
    """
    return follow(STEPS, state, event)
