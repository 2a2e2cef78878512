"""Replaying a saved file on a target: vectors on devices, programs of moves on drivers."""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Protocol

from vhint_conformance import bench as benches
from vhint_conformance import targets
from vhint_conformance.case import Case
from vhint_conformance.collection import UsageError
from vhint_conformance.judge import Judge
from vhint_conformance.live_replay import LiveReplay
from vhint_conformance.report.evidence import with_evidence
from vhint_conformance.report.model import Fault, Outcome, Report, now
from vhint_conformance.targets import DriverTarget, TargetSettings
from vhint_conformance.targets.base import Target
from vhint_conformance.vectors import store
from vhint_conformance.vectors.model import FORMAT, Json
from vhint_conformance.verdict import (
    Failed,
    Inconclusive,
    NotApplicable,
    TargetError,
    TargetNotStarted,
    Verdict,
)
from vhint_conformance.watchdog import DeadlineExceeded, Watch, deadline
from vhint_conformance.witness import Witness

MOVES = "vhint-driver-moves/1"
"""The format of a file with a program for a driver."""

ALWAYS = "ring.device.use-chain-once"
"""What every replay looks at, if the vector names nothing that a device could break."""


def load(path: Path) -> Json:
    """Return the value of a file; raise `UsageError` if it cannot be read."""
    try:
        return store.load(path)
    except (OSError, ValueError) as error:
        raise UsageError(f"{path} cannot be read: {error}") from error


def load_vectors(path: Path) -> list[Json]:
    """Return the vectors of a stateful file; raise `UsageError` for anything else."""
    return vectors_in(load(path), path)


def vectors_in(value: Json, path: Path) -> list[Json]:
    """Return the vectors of a stateful file; raise `UsageError` for anything else."""
    kind = value.get("kind") if isinstance(value, dict) else None
    if kind != "stateful" or value.get("format") != FORMAT:
        raise UsageError(f"{path} is no file of stateful vectors ({FORMAT}): kind {kind!r}")
    problem = _problem(value)
    if problem:
        raise UsageError(f"{path} is not as the schema has it: {problem}")
    vectors: list[Json] = value["vectors"]
    return vectors


def _problem(value: Json) -> str | None:
    try:
        from vhint_conformance.vectors.lint import _against_schema
    except ModuleNotFoundError:
        return None
    try:
        return next(iter(_against_schema("stateful", value)), None)
    except ModuleNotFoundError:  # jsonschema is not installed: the steps are read with care
        return None


def replay_on(
    name: str, path: Path, seconds: float = 60.0, settings: TargetSettings | None = None
) -> Report:
    """Replay everything in a file on a target, and return the report.

    Moves of a driver's program (`vhint fuzz --role driver`) are for drivers, vectors for devices.
    """
    begun = time.monotonic()
    value = load(path)
    words = ["vhint", "conform", name, *(settings.words() if settings else [])]
    repro = shlex.join([*words, "--replay", str(path)])
    replay: Replay
    try:
        if isinstance(value, dict) and value.get("format") == MOVES:
            from vhint_conformance.fuzz.driver.replay import DriverReplay

            replay = DriverReplay(targets.resolve_driver(name), value, path)
        else:
            replay = DeviceReplay(targets.resolve(name, settings), vectors_in(value, path))
    except (targets.UnknownTarget, targets.WrongSettings) as error:
        raise UsageError(str(error)) from error
    try:
        versions = replay.target.versions()
        outcomes = tuple(_settled(blank, play, seconds, repro) for blank, play in replay.plays())
    except TargetNotStarted as error:
        hint = error.hint
        return Report(name, {}, (), created=now(), target_error=str(error), target_hint=hint)
    finally:
        replay.target.close()
    return Report(
        target=name,
        versions=versions,
        outcomes=outcomes,
        created=now(),
        duration_s=round(time.monotonic() - begun, 3),
    )


Play = Callable[[Callable[[Witness], object]], object]
"""Plays something, having told who looks on; raises what a case raises."""


class Replay(Protocol):
    """What is replayed: the target, and each outcome as it is before its play is judged."""

    @property
    def target(self) -> Target | DriverTarget:
        """What is judged."""

    def plays(self) -> Iterator[tuple[Outcome, Play]]:
        """Yield every play with its blank outcome."""


@dataclass(frozen=True, slots=True)
class DeviceReplay:
    """Vectors on a device."""

    target: Target
    vectors: list[Json]

    def plays(self) -> Iterator[tuple[Outcome, Play]]:
        """Yield each vector's."""
        for vector in self.vectors:
            named = tuple(slug for slug in vector["requirements"] if ".device." in slug)
            info = Case(vector["id"], vector["comment"], named or (ALWAYS,))
            yield blank_of(info), partial(self._play, info, vector["steps"])

    def _play(self, info: Case, steps: list[Json], told: Callable[[Witness], object]) -> None:
        with benches.open_bench(self.target, info, 0, None) as bench:
            told(bench.witness)
            LiveReplay(bench, steps).run()


def blank_of(info: Case) -> Outcome:
    """Return the outcome of a case before it is judged."""
    return Outcome(
        id=info.id,
        title=info.title,
        requirements=info.requirements,
        role=info.role.value,
        verdict=Verdict.ERROR,
    )


def _settled(blank: Outcome, play: Play, seconds: float, repro: str) -> Outcome:
    watch = Watch()
    error: BaseException | None = None
    seen: list[Witness] = []
    try:
        with deadline(seconds, watch):
            play(seen.append)
    except (Failed, Inconclusive, NotApplicable, TargetError, DeadlineExceeded) as raised:
        error = raised
    blank = replace(blank, repro=repro)
    settled = Judge((), seconds).judge(blank, DeadlineExceeded() if watch.expired else error)
    assert settled.fault is not Fault.SUITE or settled.message  # noqa: S101
    return with_evidence(settled, seen[0]) if seen else settled
