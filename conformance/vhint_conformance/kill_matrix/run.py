"""Running the matrix: a child process for each subject, several at once, each with a deadline."""

from __future__ import annotations

import gc
import multiprocessing
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkProcess

from vhint_conformance import runner
from vhint_conformance.collection import Collection
from vhint_conformance.kill_matrix.judge import MACHINE, import_machines, judge
from vhint_conformance.kill_matrix.result import COMMITTED, Matrix, Row, Verdict
from vhint_conformance.kill_matrix.subjects import Subject
from vhint_conformance.oracle.memory import prepare_picture
from vhint_conformance.runner import RunOptions
from vhint_conformance.selection import Level

DEADLINE = 900.0
"""Seconds after which a subject's process is ended."""

POLL = 1.0
"""Seconds between looks at the deadlines."""

ENDING = 5.0
"""Seconds that a process has to end once it has answered."""


@dataclass(frozen=True, slots=True)
class Options:
    """How to run: `jobs` at once; `full` runs every case instead of stopping at the kill."""

    jobs: int = 2
    full: bool = False
    deadline: float = DEADLINE


@dataclass(frozen=True, slots=True)
class _Running:
    subject: Subject
    process: ForkProcess
    begun: float


def run_matrix(
    subjects: Sequence[Subject],
    options: Options | None = None,
    told: Callable[[Row], object] = lambda _: None,
) -> Matrix:
    """Judge all subjects and return their rows in order; `told` hears of each as it is done.

    The suite is collected once, in this process; children inherit it.  What killed a mutant
    in the committed matrix is tried first.
    """
    options = options or Options()
    begun = time.monotonic()
    killers = _killers()
    suite = runner.listing(RunOptions("reference", level=Level.SHOULD))
    prepare_picture()
    if any(killers.get(subject.name, "").startswith(MACHINE) for subject in subjects):
        import_machines()
    # What runs every case takes longest: it goes first, so that no job waits for it at the end.
    waiting = deque(sorted(subjects, key=lambda subject: not subject.sound))
    running: dict[Connection, _Running] = {}
    rows: dict[str, Row] = {}
    gc.freeze()  # so that children need not look through what they inherit
    try:
        while waiting or running:
            while waiting and len(running) < options.jobs:
                subject = waiting.popleft()
                killer = killers.get(subject.name, "")
                connection, process = _start(subject, suite, options.full, killer)
                running[connection] = _Running(subject, process, time.monotonic())
            for connection in _ready(running, options.deadline):
                done = running.pop(connection)
                row = _end(connection, done, options.deadline)
                rows[row.name] = row
                told(row)
    finally:
        gc.unfreeze()
        for each in running.values():
            each.process.kill()
            each.process.join()
    ordered = tuple(rows[subject.name] for subject in subjects)
    return Matrix(ordered, options.full, time.monotonic() - begun)


def _killers() -> dict[str, str]:
    """Return what killed each mutant of the committed matrix; nothing if there is none."""
    try:
        rows = Matrix.load(COMMITTED).rows
    except (OSError, ValueError):
        return {}
    return {row.name: row.kill.by for row in rows if row.kill}


def _start(
    subject: Subject, suite: Collection, full: bool, killer: str
) -> tuple[Connection, ForkProcess]:
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(
        target=_child, args=(theirs, subject, suite, full, killer), daemon=True
    )
    process.start()
    theirs.close()
    return ours, process


def _child(
    connection: Connection, subject: Subject, suite: Collection, full: bool, killer: str
) -> None:
    try:
        row = judge(subject, suite, full, killer)
    except Exception as error:  # noqa: BLE001 - a mutant may do anything
        row = _no_verdict(subject, f"{type(error).__name__}: {error}", 0.0)
    connection.send(row)


def _ready(running: dict[Connection, _Running], deadline: float) -> list[Connection]:
    """Return the connections that have an answer, are closed, or have had their time."""
    answered = [each for each in wait(list(running), POLL) if isinstance(each, Connection)]
    now = time.monotonic()
    late = [
        connection
        for connection, each in running.items()
        if now - each.begun > deadline and connection not in answered
    ]
    return [*answered, *late]


def _end(connection: Connection, done: _Running, deadline: float) -> Row:
    seconds = time.monotonic() - done.begun
    row: Row | None = None
    if connection.poll():
        try:
            row = connection.recv()
        except EOFError:
            done.process.join(ENDING)
            status = done.process.exitcode
            row = _no_verdict(done.subject, f"its process ended (status {status})", seconds)
    connection.close()
    if row is None:
        done.process.kill()
        row = _no_verdict(done.subject, f"not done within {deadline:g} s", seconds)
    done.process.join(ENDING)
    if done.process.is_alive():
        done.process.kill()
        done.process.join()
    return row


def _no_verdict(subject: Subject, why: str, seconds: float) -> Row:
    return Row(
        subject.name,
        subject.role,
        subject.group,
        Verdict.BROKEN,
        subject.violates,
        seconds=round(seconds, 1),
        note=why,
    )
