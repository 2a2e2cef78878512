"""Hunting for a program that fails, and shrinking it, in a bounded time; of whatever moves."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.strategies import SearchStrategy

from vhint_conformance.fuzz.draws import by_the_seed_alone
from vhint_conformance.fuzz.options import Options
from vhint_conformance.verdict import Failed, NotApplicable, TargetDied, Violation
from vhint_conformance.watchdog import DeadlineExceeded, Watch, deadline

M = TypeVar("M")

PATIENCE = 30.0, 90.0
"""Seconds after which a program is taken to hang, the first time and when it is played again."""

Told = Callable[[int, float, bool], object]
"""Learns how many programs were played, how many seconds are left, and whether one failed."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What came of a hunt: nothing, or the shortest failing program and how it fails.

    `scenario` is a sentence for each move of it; `saved` is the value of a file for `--replay`:
    there is none of a target that died, or that did not fail again.  `known` is how many programs
    met only what is known of the target.
    """

    seed: int
    examples: int
    moves: tuple[Any, ...] = ()
    violations: tuple[Violation, ...] = ()
    died: str = ""
    saved: dict[str, Any] = field(default_factory=dict)
    known: int = 0
    scenario: tuple[str, ...] = ()

    @property
    def sound(self) -> bool:
        """Whether nothing was found."""
        return not self.violations and not self.died


class Hung(Exception):  # noqa: N818 - not an error of ours
    """A program did not come to its end."""


class _OutOfTime(BaseException):
    """The time is up; not an `Exception`, so that Hypothesis does not take it for a failure."""


@dataclass(slots=True)
class Hunt(Generic[M]):
    """One hunt.

    `play` plays a program and raises what a case raises that fails; `key` says which programs are
    the same; `excuses` is whether what one raised is no finding, and whether it is worth counting.
    """

    options: Options
    play: Callable[[list[M]], object]
    key: Callable[[list[M]], str]
    excuses: Callable[[Exception, list[M]], tuple[bool, bool]] = lambda _, __: (False, False)
    told: Told | None = None
    examples: int = 0
    known: int = 0
    smallest: list[M] | None = None
    failure: Exception | None = None
    _sound: set[str] = field(default_factory=set)
    _until: float = 0.0

    def run(self, programs: SearchStrategy[list[M]]) -> bool:
        """Play one program after the other; return whether one failed."""
        self._until = time.monotonic() + self.options.seconds
        try:
            drawn(self.options, programs, self._try_out, shrink=self.options.shrink)
        except _OutOfTime:
            pass
        except Exception:
            if self.smallest is None:
                raise
            # The finding itself, or what Hypothesis says of one that does not show every time.
        return self.smallest is not None

    def _try_out(self, moves: list[M]) -> None:
        """Play a program, and note it if it fails."""
        if time.monotonic() > self._until:
            raise _OutOfTime
        program = self.key(moves)
        if program in self._sound:
            return  # another way to say what was played already
        self.examples += 1
        if self.told:
            left = self._until - time.monotonic()
            self.told(self.examples, max(left, 0.0), self.smallest is not None)
        try:
            self._play(moves)
        except NotApplicable:
            pass
        except (Failed, TargetDied, Hung) as error:
            excused, counts = self.excuses(error, moves)
            self.known += counts
            if not excused:
                if self.smallest is None:
                    self._until = time.monotonic() + self.options.seconds
                self.smallest, self.failure = moves, error
                raise
        self._sound.add(program)

    def _play(self, moves: list[M]) -> None:
        """Play a program; one that comes to no end on a busy machine has a second chance."""
        for seconds in PATIENCE:
            watch = Watch()
            try:
                with deadline(seconds, watch):
                    self.play(moves)
            except DeadlineExceeded:
                continue
            return
        raise Hung(f"no end within {PATIENCE[-1]:g} s")


def drawn(
    options: Options,
    programs: SearchStrategy[list[M]],
    use: Callable[[list[M]], None],
    *,
    shrink: bool,
) -> None:
    """Call `use` with one drawn program after the other; the seed decides which they are."""
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
    @given(programs)
    def each(moves: list[M]) -> None:
        use(moves)

    with by_the_seed_alone():
        each()


def finding_of(
    hunt: Hunt[M],
    failure: Exception | None,
    described: Callable[[Sequence[M]], list[str]],
    saved: dict[str, Any],
) -> Finding:
    """Return what a hunt has found, as it showed when it was played last."""
    tried = hunt.options.seed, hunt.examples
    if hunt.smallest is None:
        return Finding(*tried, known=hunt.known)
    violations = tuple(failure.violations) if isinstance(failure, Failed) else ()
    died = "" if isinstance(failure, Failed) else str(failure)
    moves = hunt.smallest
    said = tuple(described(moves))
    return Finding(*tried, tuple(moves), violations, died, saved, hunt.known, said)
