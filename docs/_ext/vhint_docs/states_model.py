"""Reading a transition table: its states and events, their docstrings, and the order to draw in.

>>> from vhint.host import status
>>> machine = read(status.STEPS)
>>> [state.name for state in machine.states]
['RESET', 'ACKNOWLEDGED', 'DRIVER', 'FEATURES_OK', 'LIVE']
>>> machine.arrows[0]
Arrow(source=0, target=1, events=('ACKNOWLEDGE',))
"""

from __future__ import annotations

import importlib
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from sphinx.errors import PycodeError
from sphinx.pycode import ModuleAnalyzer


class NotATable(TypeError):  # noqa: N818 - what the author of a page asks about
    """What was named is no table of transitions."""


@dataclass(frozen=True, slots=True)
class Named:
    """A state or an event with what its docstring says."""

    name: str
    docs: str


@dataclass(frozen=True, slots=True)
class Arrow:
    """The events that lead from one state to another; states by their place."""

    source: int
    target: int
    events: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Machine:
    """A whole table, its states from the first one outwards."""

    states: tuple[Named, ...]
    events: tuple[Named, ...]
    steps: tuple[tuple[str, str, str], ...]
    arrows: tuple[Arrow, ...]


def find(path: str) -> Mapping[Any, Any]:
    """Return the table at ``module:NAME``; raises `NotATable`."""
    module, _, name = path.partition(":")
    try:
        found = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise NotATable(f"there is no {path}: {error}") from error
    if not isinstance(found, Mapping) or not found:
        raise NotATable(f"{path} is no table of transitions, but {type(found).__name__}")
    return found


def read(table: Mapping[Any, Any]) -> Machine:
    """Read ``{(state, event): state}``, all members of enumerations; raises `NotATable`."""
    steps: list[tuple[Enum, Enum, Enum]] = []
    for key, target in table.items():
        if not isinstance(key, tuple) or len(key) != 2:
            raise NotATable(f"{key!r} is no pair of a state and an event")
        state, event = key
        if not all(isinstance(each, Enum) for each in (state, event, target)):
            raise NotATable(f"{key!r} -> {target!r} are not all members of enumerations")
        steps.append((state, event, target))
    states = _outwards(steps)
    places = {state: place for place, state in enumerate(states)}
    arrows: dict[tuple[int, int], list[str]] = {}
    for state, event, target in steps:
        arrows.setdefault((places[state], places[target]), []).append(_name(event))
    return Machine(
        tuple(Named(_name(state), docs_of(state)) for state in states),
        tuple(Named(_name(event), docs_of(event)) for event in dict.fromkeys(s[1] for s in steps)),
        tuple(
            (_name(state), _name(event), _name(target))
            for state, event, target in sorted(steps, key=lambda step: places[step[0]])
        ),
        tuple(Arrow(*ends, tuple(events)) for ends, events in arrows.items()),
    )


def docs_of(member: Enum) -> str:
    """Return the docstring that stands under a member in its class; "" if there is none."""
    kind = type(member)
    try:
        found = ModuleAnalyzer.for_module(kind.__module__).find_attr_docs()
    except PycodeError:
        return ""
    lines = found.get((kind.__qualname__, member.name or ""), [])
    return " ".join(" ".join(lines).split())


def _name(member: Enum) -> str:
    return member.name or str(member.value)


def _outwards(steps: list[tuple[Enum, Enum, Enum]]) -> list[Enum]:
    """Return the states by distance from the first, in the order of the enumeration within one.

    What cannot be reached comes last.
    """
    first = steps[0][0]
    after: dict[Enum, list[Enum]] = {}
    for state, _, target in steps:
        after.setdefault(state, []).append(target)
        after.setdefault(target, [])
    distance = {first: 0}
    waiting = deque([first])
    while waiting:
        state = waiting.popleft()
        for target in after[state]:
            if target not in distance:
                distance[target] = distance[state] + 1
                waiting.append(target)
    declared = {state: place for place, state in enumerate(type(first))}
    return sorted(after, key=lambda state: (distance.get(state, len(after)), declared[state]))
