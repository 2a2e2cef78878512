"""Looking a step up in a state table, and the error for what the table has not."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import TypeVar

State = TypeVar("State", bound=Enum)
Step = TypeVar("Step", bound=Enum)


class UndefinedStepError(Exception):
    """A state table has no such step: which state, which event, and what the state allows."""

    def __init__(self, state: Enum, event: Enum, allowed: tuple[Enum, ...]) -> None:
        names = ", ".join(each.name for each in allowed) or "nothing"
        super().__init__(
            f"{type(state).__name__} {state.name} has no step for {event.name}; "
            f"expected one of: {names}"
        )
        self.state = state
        self.event = event


def follow(steps: Mapping[tuple[State, Step], State], state: State, event: Step) -> State:
    """Return the state that follows, or raise `UndefinedStepError`."""
    try:
        return steps[state, event]
    except KeyError:
        allowed = tuple(known for before, known in steps if before is state)
        raise UndefinedStepError(state, event, allowed) from None
