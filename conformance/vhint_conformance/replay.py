"""Replaying a file of stateful vectors on a target: each on a fresh device, with a verdict."""

from __future__ import annotations

import shlex
import time
from pathlib import Path

from vhint_conformance import bench as benches
from vhint_conformance import targets
from vhint_conformance.bench import Bench
from vhint_conformance.case import Case, Role
from vhint_conformance.collection import UsageError
from vhint_conformance.judge import Judge
from vhint_conformance.live_replay import LiveReplay
from vhint_conformance.report.evidence import with_evidence
from vhint_conformance.report.model import Fault, Outcome, Report, now
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

ALWAYS = "ring.device.use-chain-once"
"""What every replay looks at, if the vector names nothing that a device could break."""


def load_vectors(path: Path) -> list[Json]:
    """Return the vectors of a stateful file; raise `UsageError` for anything else."""
    try:
        value = store.load(path)
    except (OSError, ValueError) as error:
        raise UsageError(f"{path} cannot be read: {error}") from error
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


def replay_on(name: str, path: Path, seconds: float = 60.0) -> Report:
    """Replay every vector of a file on a target, and return the report."""
    begun = time.monotonic()
    vectors = load_vectors(path)
    try:
        target = targets.resolve(name)
    except targets.UnknownTarget as error:
        raise UsageError(str(error)) from error
    try:
        versions = target.versions()
    except TargetNotStarted as error:
        hint = error.hint
        return Report(name, {}, (), created=now(), target_error=str(error), target_hint=hint)
    outcomes = tuple(_outcome(target, vector, path, seconds) for vector in vectors)
    return Report(
        target=name,
        versions=versions,
        outcomes=outcomes,
        created=now(),
        duration_s=round(time.monotonic() - begun, 3),
    )


def _outcome(target: Target, vector: Json, path: Path, seconds: float) -> Outcome:
    requirements = tuple(s for s in vector["requirements"] if ".device." in s) or (ALWAYS,)
    blank = Outcome(
        id=vector["id"],
        title=vector["comment"],
        requirements=requirements,
        role=Role.DEVICE.value,
        verdict=Verdict.ERROR,
        repro=shlex.join(["vhint", "conform", target.name, "--replay", str(path)]),
    )
    info = Case(vector["id"], vector["comment"], requirements)
    watch = Watch()
    error: BaseException | None = None
    used: Bench | None = None
    try:
        with (
            deadline(seconds, watch),
            benches.open_bench(target, info, 0, None) as bench,
        ):
            used = bench
            LiveReplay(bench, vector["steps"]).run()
    except (Failed, Inconclusive, NotApplicable, TargetError, DeadlineExceeded) as raised:
        error = raised
    settled = Judge((), seconds).judge(blank, DeadlineExceeded() if watch.expired else error)
    assert settled.fault is not Fault.SUITE or settled.message  # noqa: S101
    return with_evidence(settled, used.witness) if used else settled
