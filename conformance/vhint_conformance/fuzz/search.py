"""Searching for a program that a device fails at, and shrinking it, in a bounded time."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from hypothesis import HealthCheck, Phase, given, seed, settings

from vhint_conformance import bench as benches
from vhint_conformance.case import Case
from vhint_conformance.fuzz.compiling import compiled, described
from vhint_conformance.fuzz.draws import by_the_seed_alone
from vhint_conformance.fuzz.moves import Move, programs
from vhint_conformance.fuzz.options import Options
from vhint_conformance.fuzz.playing import Recorded, play, vector_of
from vhint_conformance.fuzz.setting import Setting, setting_of
from vhint_conformance.targets.base import Target
from vhint_conformance.verdict import Failed, NotApplicable, TargetDied, Violation
from vhint_conformance.watchdog import DeadlineExceeded, Watch, deadline

CASE = Case("ring.random-traffic", "Random traffic, valid and nearly valid", ())
PATIENCE = 20.0
"""Seconds after which a program is taken to hang."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What came of a search: nothing, or the shortest failing program and how it fails.

    `vector` is the value of a file for `--replay`; there is none of a target that died, or that
    did not fail again.
    """

    seed: int
    examples: int
    moves: tuple[Move, ...] = ()
    violations: tuple[Violation, ...] = ()
    died: str = ""
    vector: dict[str, Any] = field(default_factory=dict)

    @property
    def sound(self) -> bool:
        """Whether nothing was found."""
        return not self.violations and not self.died

    @property
    def scenario(self) -> list[str]:
        """A sentence for each move of the program."""
        return described(self.moves)


class _Hung(Exception):  # noqa: N818 - not an error of ours
    """A program did not come to its end."""


class _OutOfTime(BaseException):
    """The time is up; not an `Exception`, so that Hypothesis does not take it for a failure."""


@dataclass(slots=True)
class _Search:
    """The state of one search."""

    target: Target
    options: Options
    setting: Setting
    until: float
    told: Callable[[int, float, bool], object] | None = None
    examples: int = 0
    smallest: list[Move] | None = None
    failure: Exception | None = None
    sound: set[str] = field(default_factory=set)

    def try_out(self, moves: list[Move]) -> None:
        """Play a program, and note it if it fails."""
        if time.monotonic() > self.until:
            raise _OutOfTime
        program = json.dumps(compiled(moves, self.setting))
        if program in self.sound:
            return  # another way to say what was played already
        self.examples += 1
        if self.told:
            left = self.until - time.monotonic()
            self.told(self.examples, max(left, 0.0), self.smallest is not None)
        try:
            self._play(moves)
        except NotApplicable:
            self.sound.add(program)
        except (Failed, TargetDied, _Hung) as error:
            if self.smallest is None:
                self.until = time.monotonic() + self.options.seconds
            self.smallest, self.failure = moves, error
            raise
        else:
            self.sound.add(program)

    def _play(self, moves: list[Move]) -> None:
        watch = Watch()
        try:
            with (
                deadline(PATIENCE, watch),
                benches.open_bench(self.target, CASE, self.options.seed, None) as bench,
            ):
                play(bench, moves, self.setting)
        except DeadlineExceeded as error:
            raise _Hung(f"no end within {PATIENCE:g} s") from error


def drawn(
    options: Options, use: Callable[[list[Move]], None], *, shrink: bool, tame: bool = False
) -> None:
    """Call `use` with one drawn program after the other; the seed decides which they are.

    `tame` ones harm nobody, and leave the format of the rings alone.
    """
    phases = (Phase.generate, Phase.shrink) if shrink else (Phase.generate,)

    @seed(options.seed)
    @settings(
        max_examples=options.examples,
        deadline=None,
        database=None,
        derandomize=False,
        report_multiple_bugs=False,
        phases=phases,
        suppress_health_check=list(HealthCheck),
    )
    @given(programs(options.steps, tame=tame))
    def each(moves: list[Move]) -> None:
        use(moves)

    with by_the_seed_alone():
        each()


def search(
    target: Target, options: Options, told: Callable[[int, float, bool], object] | None = None
) -> Finding:
    """Search for a program that the target fails at; raises `TargetNotStarted` or `NotApplicable`.

    The first failure is shrunk, then played once more to write its history down.  `told` learns
    how many programs were played, how many seconds are left, and whether it is being shrunk.
    """
    with benches.open_bench(target, CASE, options.seed, None) as bench:
        setting = setting_of(bench)
    state = _Search(target, options, setting, time.monotonic() + options.seconds, told)
    try:
        drawn(options, state.try_out, shrink=options.shrink)
    except _OutOfTime:
        pass
    except Exception:
        if state.smallest is None:
            raise
    if state.smallest is None:
        return Finding(options.seed, state.examples)
    return _written_down(state)


def _written_down(state: _Search) -> Finding:
    """Play the smallest program once more and return its history with what it breaks."""
    moves = state.smallest or []
    recorded: Recorded | None = None
    failure = state.failure
    try:
        with benches.open_bench(state.target, CASE, state.options.seed, None) as bench:
            recorded = Recorded(bench, compiled(moves, state.setting))
            recorded.run()
    except (Failed, TargetDied) as error:
        failure = error
    violations = tuple(failure.violations) if isinstance(failure, Failed) else ()
    vector: dict[str, Any] = {}
    if recorded is not None and violations:
        vector = vector_of(state.target.name, recorded.history(), violations[0], moves)
    died = "" if isinstance(failure, Failed) else str(failure)
    return Finding(state.options.seed, state.examples, tuple(moves), violations, died, vector)
