"""Running a machine outside pytest, with a result instead of an exception."""

from __future__ import annotations

import contextlib
import io
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, Verbosity, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from vhint_conformance.model.history import vector_file, write_vector
from vhint_conformance.model.machines.base import GuestMachine, RequirementBroken
from vhint_conformance.model.setup import Setup
from vhint_conformance.verdict import Violation

EXAMPLES = 200
"""The ordinary budget of one run."""

STEPS = 30
"""Rules of one example."""

SHOWN = 24
"""Sentences of a scenario that are shown; what never ends is cut short in the middle."""


@dataclass(frozen=True, slots=True)
class Result:
    """What a machine found: nothing, or the shortest failure, as sentences.

    `error` is what the implementation under test raised, if it was that; `setup` is the guest and
    the host of the failure, `examples` how many were tried, `vector` the value of a vector file.

    >>> print(Result("HintPages", examples=200))
    HintPages: nothing found in 200 examples
    """

    machine: str
    violation: Violation | None = None
    error: str = ""
    scenario: tuple[str, ...] = ()
    setup: Setup | None = None
    examples: int = 0
    vector: dict[str, Any] = field(default_factory=dict)

    @property
    def sound(self) -> bool:
        """Whether nothing was found."""
        return self.violation is None and not self.error

    def save(self, path: Path) -> None:
        """Write the failure as a stateful vector, for `vhint conform TARGET --replay FILE`.

        Raises `ValueError` if there is none.
        """
        if not self.vector:
            raise ValueError(f"{self.machine} found nothing, so there is nothing to save")
        write_vector(path, self.vector)

    def __str__(self) -> str:
        if self.sound:
            return f"{self.machine}: nothing found in {self.examples} examples"
        lines = [f"{self.machine}: {self.violation or self.error}"]
        changed = self.setup.differences() if self.setup else {}
        if changed:
            lines.append(f"with {', '.join(f'{name}={value}' for name, value in changed.items())}")
        lines += [f"{number:>3}. {text}" for number, text in enumerate(self.scenario, 1)]
        return "\n".join(lines)


def run_machine(
    machine: type[GuestMachine],
    *,
    examples: int = EXAMPLES,
    steps: int = STEPS,
    seeded: int | None = None,
    shrink: bool = True,
) -> Result:
    """Run a machine and return what it found.

    `seeded` None takes the same examples every time.  Without `shrink` the first failure is
    returned as it was found.  The last machine that runs is the shrunk one, so what it recorded
    is the shortest scenario.
    """
    last: list[GuestMachine] = []
    tried = 0

    def make() -> GuestMachine:
        nonlocal tried
        tried += 1
        last[:] = [machine()]
        return last[0]

    chosen = settings(
        max_examples=examples,
        stateful_step_count=steps,
        derandomize=seeded is None,
        database=None,
        deadline=None,
        phases=[Phase.generate, *([Phase.shrink] if shrink else [])],
        print_blob=False,
        report_multiple_bugs=False,
        verbosity=Verbosity.quiet,
        suppress_health_check=list(HealthCheck),
    )
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            factory = make if seeded is None else seed(seeded)(make)
            run_state_machine_as_test(factory, settings=chosen)  # type: ignore[arg-type]
    except RequirementBroken as error:
        return _failure(machine, last[0], error.violation, "", tried)
    except Exception as error:
        if not last or last[0].world is None or last[0].world.crash is not error:
            raise
        return _failure(machine, last[0], None, f"{type(error).__name__}: {error}", tried)
    return Result(machine.__name__, examples=tried)


def _failure(
    machine: type[GuestMachine], made: GuestMachine, found: Violation | None, error: str, tried: int
) -> Result:
    world = made.running
    scenario = shortened(world.scenario)
    vector = vector_file(machine.__name__, world.history.steps, found, scenario)
    return Result(machine.__name__, found, error, scenario, world.setup, tried, vector)


def shortened(scenario: Sequence[str]) -> tuple[str, ...]:
    """Cut a scenario that goes round in circles short.

    >>> len(shortened([str(number) for number in range(500)])) == SHOWN + 1
    True
    """
    if len(scenario) <= SHOWN:
        return tuple(scenario)
    left = len(scenario) - SHOWN
    return (*scenario[: SHOWN - 2], f"({left} more like these)", *scenario[-2:])


def random_seed() -> int:
    """Return a seed that no run had before."""
    return random.SystemRandom().randrange(1 << 32)
