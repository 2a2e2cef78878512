"""Replaying stateful vectors on a live device: the driver's steps are done, the device's awaited.

A vector is a history of two sides.  The driver's steps are the script: they are done as written,
with the same bytes and the same blocks.  A `use` is where the driver looks for its answer: if none
comes the device breaks a requirement, but what it answers may differ from the history, and is
judged by the rules like any answer.  What the recorded device discarded, changed or broke is no
instruction: whether this one does so too is for the oracles to see, from the memory itself.
"""

from __future__ import annotations

import shlex
import time
from collections.abc import Sequence
from pathlib import Path

from vhint.guest import Answer, Draft, Request
from vhint.ring import QueueFullError, RingError
from vhint.spans import Span
from vhint.wire.features import Features
from vhint.wire.queues import Queue
from vhint.wire.status import DeviceStatus
from vhint_conformance import bench as benches
from vhint_conformance import targets
from vhint_conformance.bench import STRUCTURES, Bench
from vhint_conformance.case import Case, Role
from vhint_conformance.cases.hinting import acknowledge
from vhint_conformance.collection import UsageError
from vhint_conformance.judge import Judge
from vhint_conformance.report.evidence import with_evidence
from vhint_conformance.report.model import Fault, Outcome, Report, now
from vhint_conformance.targets.base import Target
from vhint_conformance.vectors import store
from vhint_conformance.vectors.model import FORMAT, Json
from vhint_conformance.vectors.replay import _hinting as with_positions
from vhint_conformance.vectors.values import spans_of
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


class LiveReplay:
    """One vector on one bench."""

    def __init__(self, bench: Bench, steps: Sequence[Json]) -> None:
        self.bench = bench
        self.steps = steps
        self._requests: dict[str, Request] = {}
        self._answers: dict[int, Answer] = {}
        self._expected: dict[int, Json] = {}
        self._excused = True
        usable = bench.memory.usable
        bench.structures = Span(usable.end - STRUCTURES, STRUCTURES)
        for step in steps:
            for span in spans_of([*step.get("blocks", ()), *step.get("spans", ())]):
                mine = step["step"] == "write" or (step["step"] == "offer" and _valid(step))
                if mine and not usable.covers(span):
                    raise NotApplicable(f"{span} is not in the target's usable memory {usable}")
                if span.overlaps(bench.structures):
                    raise NotApplicable(f"{span} is where the driver has to have its rings")

    def run(self) -> None:
        """Take the steps in order."""
        for step in self.steps:
            self.take(step)

    def take(self, step: Json) -> None:
        """Take one step: do it, await it, or leave it to the oracles."""
        bench = self.bench
        match step["step"]:
            case "reset":
                bench.reset()
                self._requests.clear()
                self._answers.clear()
            case "negotiate":
                self._negotiate(Features.of(*step["accepted"]))
            case "set-poison":
                bench.write_poison(step["value"])
            case "driver-ok":
                bench.go_live()
            case "offer":
                self._offer(step)
            case "write":
                bench.observe()
                bench.touch(spans_of(step["spans"]))
            case "use":
                self._await(step["request"])
            case "end":
                for name in tuple(self._requests):
                    self._await(name)
            case _:
                bench.observe()

    def _negotiate(self, accepted: Features) -> None:
        lacking = accepted - self.bench.offered
        if lacking:
            raise NotApplicable(f"the target does not offer {lacking!r}")
        self.bench.start(accept=accepted, live=False)
        self._excused = False

    def _offer(self, step: Json) -> None:
        queue, data = Queue(step["queue"]), bytes.fromhex(step["hex"])
        if queue not in self.bench.driver.rings:
            raise NotApplicable(f"the target has no {queue} queue")
        blocks = spans_of(step["blocks"])
        buffers = queue in (Queue.REPORTING, Queue.FREE_PAGE) and bool(blocks) and not data
        draft = Draft(queue, data, step["room"], blocks, pages_are_buffers=buffers)
        if queue is Queue.HINTING:
            draft = with_positions(draft)
        # Only who says of every chain whether it is valid can hold the device to all of them.
        self._excused |= not step.get("valid", False)
        pieces = step.get("pieces", {})
        try:
            request = self.bench.send(
                draft,
                valid=_valid(step),
                readable_pieces=pieces.get("readable", ()),
                writable_pieces=pieces.get("writable", ()),
                indirect=step.get("indirect", False),
            )
        except QueueFullError as error:
            raise NotApplicable(f"the target's queue is too small: {error}") from error
        self._requests[step["request"]] = request
        if "answer" in step:
            self._expected[request.ticket] = step["answer"]

    def _await(self, name: str) -> None:
        request = self._requests.get(name)
        if request is None:
            return  # a second use, in the history of a device that did so
        queue = request.draft.queue
        if queue is Queue.STATS:
            return  # held until the host wants figures
        bench = self.bench
        status = bench.status()
        if status & DeviceStatus.NEEDS_RESET and not self._excused:
            bench.silent(queue)  # nothing but valid chains, and it cannot use them
        if not status & DeviceStatus.DRIVER_OK or status & DeviceStatus.NEEDS_RESET:
            return  # a device that is not live, or wants to be reset, owes nothing
        while request.ticket not in self._answers:
            if not self._collect(queue):
                return
        del self._requests[name]

    def _collect(self, queue: Queue) -> bool:
        """Take the next answer; return False if the device asked for a reset instead, as it may."""
        bench = self.bench
        if not bench.transport.wait(lambda: self._decided(queue), bench.limits.patience):
            bench.silent(queue)
        if not bench.driver.look(queue, bench.recorder.last):
            if self._excused:
                return False
            bench.silent(queue)
        try:
            answer = bench.driver.collect(queue)
        except RingError:
            answer = None
        if answer is None:
            raise Failed([v for monitor in bench.monitors for v in monitor.violations])
        bench.observe()
        self._answers[answer.request.ticket] = answer
        if queue is Queue.HINTING and answer.request.draft.room >= ACKNOWLEDGEMENT:
            found = acknowledge(bench, answer)
            expected = self._expected.get(answer.request.ticket)
            if expected is not None:
                bench.require(
                    found.status.name in expected["statuses"],
                    expected["requirement"],
                    expected=" or ".join(expected["statuses"]),
                    seen=found.status.name,
                )
        return True

    def _decided(self, queue: Queue) -> bool:
        """Whether an answer waits, or the device has asked for a reset."""
        if self.bench.driver.look(queue, self.bench.recorder.last):
            return True
        return bool(self.bench.transport.read_status() & DeviceStatus.NEEDS_RESET)


def _valid(step: Json) -> bool:
    return bool(step.get("valid", True))


ACKNOWLEDGEMENT = 16
"""Bytes of room that an answer needs."""
