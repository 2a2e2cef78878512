"""Run the cases against a target, with pytest underneath, and return what was found.

pytest runs in this process on the installed cases, by their absolute path and with our own
configuration, so that neither the user's `conftest.py` nor PYTEST_ADDOPTS take part.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Container, Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import FrameType
from typing import Protocol

import pytest

from vhint_conformance import expectations as expect
from vhint_conformance import statement, targets
from vhint_conformance.case import Case, Role
from vhint_conformance.collection import Collection, UsageError, arguments, collect, silence
from vhint_conformance.jobs import jobs_for, words
from vhint_conformance.judge import DEBUG
from vhint_conformance.plugin import RUN, outcome_in
from vhint_conformance.report.model import Fault, Outcome, Report, now
from vhint_conformance.selection import Level, Selection, close_names, level_of
from vhint_conformance.statement.comparison import Comparison
from vhint_conformance.targets import AnyTarget
from vhint_conformance.targets.base import TargetSettings
from vhint_conformance.variants import ANY_RINGS, Rings
from vhint_conformance.verdict import TargetNotStarted, Verdict
from vhint_spec import registry

CASES = Path(__file__).resolve().parent / "cases"
"""The directory of the cases that ship with the suite."""


@dataclass(frozen=True, slots=True)
class RunOptions:
    """What a user asked for; `pytest_args` are handed through to pytest.

    `files` are those under `cases` to look at, for who knows where the cases are that are wanted
    and has no time to look at all; by default every one.
    `ics` is a conformance statement; `level` None is the statement's, or MUST.  `jobs` is how many
    processes run the cases, None: as many as are of use.
    """

    target: str
    settings: TargetSettings = field(default_factory=TargetSettings)
    role: Role | None = None
    select: tuple[str, ...] = ()
    level: Level | None = None
    rings: tuple[Rings, ...] = ANY_RINGS
    trace: Path | None = None
    ics: Path | None = None
    expect: tuple[Path, ...] = ()
    no_expect: bool = False
    seed: int = 0
    deadline: float = 60.0
    pytest_args: tuple[str, ...] = ()
    jobs: int | None = 1
    cases: Path = field(default_factory=lambda: CASES)
    files: tuple[str, ...] = ()

    def for_pytest(self) -> list[str]:
        """Return the options in the plugin's words."""
        words = [f"--vhint-target={self.target}"]
        words += [f"--vhint-level={self.level}"] if self.level else []
        words += [f"--vhint-ics={self.ics}"] if self.ics else []
        words += self.settings.words("--vhint-")
        words += [f"--vhint-seed={self.seed}", f"--vhint-deadline={self.deadline}"]
        if self.rings != ANY_RINGS:
            words.append(f"--vhint-rings={','.join(self.rings)}")
        words += [f"--vhint-role={self.role}"] if self.role else []
        words += [f"--vhint-select={glob}" for glob in self.select]
        words += [f"--vhint-trace={self.trace.absolute()}"] if self.trace else []
        words += [f"--vhint-expect={path}" for path in self.expect]
        words += ["--vhint-no-expect"] if self.no_expect else []
        return [*words, *self.pytest_args]


class Progress(Protocol):
    """Whoever wants to know how a run goes; called in the main thread, between cases."""

    def begin(self, total: int) -> None:
        """Learn how many cases will run."""

    def started(self, case: str) -> None:
        """Learn that a case has begun; under xdist several are under way at once."""

    def finished(self, outcome: Outcome) -> None:
        """Learn what a case found."""

    def end(self) -> None:
        """Learn that no more cases will run, whatever the reason."""


def listing(options: RunOptions, roles: Container[Role] = frozenset(Role)) -> Collection:
    """Return the cases and which of them the options select; needs no target.

    `roles` are those in which a target can be judged.  Raises `UsageError` if nothing is selected.
    """
    with _own_environment():
        collection = collect(options.cases, options.for_pytest(), options.files)
    selected = [
        nodeid
        for nodeid in collection.selected
        if nodeid not in collection.cases or collection.cases[nodeid].role in roles
    ]
    collection = replace(collection, selected=tuple(selected))
    _check_globs(options, collection)
    return collection


def run(
    options: RunOptions,
    progress: Progress | None = None,
    until: Callable[[Outcome], bool] | None = None,
    collection: Collection | None = None,
) -> Report:
    """Judge the target; raise `UsageError` for what cannot be done at all.

    `until` is asked after every case whether the run may stop.  `collection` spares collecting,
    to who knows already which cases there are and which of them the options select.
    An interrupt (or SIGTERM, or SIGHUP) ends the run with a report of what was done so far.
    """
    begun = time.monotonic()
    try:
        stated = statement.load(options.ics) if options.ics else None
        role = statement.role_of(options.role, stated)
        judged = targets.judged(options.target, role, options.settings)
        expected = expect.gather(judged.values(), options.expect, options.no_expect)
    except (
        targets.UnknownTarget,
        targets.WrongSettings,
        expect.ExpectationsError,
        statement.StatementError,
    ) as error:
        raise UsageError(str(error)) from error
    if stated:
        expected = (*stated.deviations, *expected)
        options = replace(options, level=options.level or stated.level)
    if len(judged) == 1:  # the cases of the other role are not its
        options = replace(options, role=next(iter(judged)))
    collection = collection or listing(options, judged)
    complaints = expect.unknown(expected, collection.requirements, registry.load())
    if complaints:
        raise UsageError("\n".join(complaints))
    listener = _Listener(collection, progress, until)
    with _own_environment(), _signals_interrupt():
        versions, missing, hint = _versions(judged.values(), listener)
        if not (missing or listener.interrupted):
            files = options.files or collection.files
            jobs = jobs_for(
                options.jobs, judged.values(), len(collection.selected), options.pytest_args
            )
            more = [*words(jobs), *options.for_pytest()]
            pytest.main(arguments(options.cases, more, files), plugins=[listener])
    stopped = "interrupted" if listener.interrupted else missing or listener.stopped
    outcomes, not_run = _account(collection, listener, stopped)
    applied = expect.for_target(expected, options.target, lambda: versions)
    return Report(
        target=options.target,
        versions=versions,
        outcomes=outcomes,
        created=now(),
        seed=options.seed,
        level=options.level or Level.MUST,
        role=options.role or "all",
        expectations=applied,
        out_of_date=expect.out_of_date(
            applied,
            collection.claimed,
            {outcome.id: outcome.verdict for outcome in outcomes},
            {each.requirement for outcome in outcomes for each in outcome.seen_broken},
        ),
        statement=stated,
        comparison=listener.comparison,
        not_claimed=collection.not_claimed,
        deselected=len(collection.cases)
        - len(collection.selected)
        - len(collection.not_claimed)
        + len(collection.strays),
        not_run=not_run,
        stopped=stopped,
        interrupted=listener.interrupted,
        target_error=missing,
        target_hint=hint,
        duration_s=round(time.monotonic() - begun, 3),
    )


@dataclass
class _Listener:
    """A pytest plugin that gathers outcomes, by node id."""

    collection: Collection
    progress: Progress | None
    until: Callable[[Outcome], bool] | None = None
    session: pytest.Session | None = None
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    crashed: dict[str, str] = field(default_factory=dict)
    stopped: str = ""
    interrupted: bool = False

    @pytest.hookimpl(trylast=True)
    def pytest_configure(self, config: pytest.Config) -> None:
        silence(config)

    def pytest_sessionstart(self, session: pytest.Session) -> None:
        self.session = session
        if self.progress:
            self.progress.begin(len(self.collection.selected))

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        case = self.collection.cases.get(nodeid)
        if self.progress and case:
            self.progress.started(case.id)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        outcome = outcome_in(report)
        if outcome is not None:
            self.outcomes[report.nodeid] = outcome
        elif report.failed and report.nodeid not in self.outcomes:
            self.crashed[report.nodeid] = report.longreprtext.strip()
        # Only after its teardown is a case's verdict final.
        final = self.outcomes.get(report.nodeid)
        if report.when == "teardown" and final:
            _show_traceback(final)
            if self.progress:
                self.progress.finished(final)
            if self.until and self.until(final) and self.session:
                self.session.shouldstop = "enough is known"

    def pytest_keyboard_interrupt(self, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        # pytest and xdist derive their own reasons to stop, such as `-x`, from KeyboardInterrupt.
        said = str(excinfo.value)
        if type(excinfo.value) is KeyboardInterrupt or "keyboard-interrupt" in said:
            self.interrupted = True
        else:
            self.stopped = said

    def pytest_internalerror(self, excrepr: object) -> bool:
        # The cases that are left without an outcome will say so; the place is for us to mend.
        self.crashed[""] = str(excrepr).strip().rpartition("\n")[2]
        if os.environ.get(DEBUG):
            sys.stderr.write(f"{excrepr}\n")
        return True

    @property
    def comparison(self) -> Comparison | None:
        """What the statement claims too much, once the run is over."""
        return self.session.config.stash[RUN].comparison if self.session else None

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        self.stopped = self.stopped or str(session.shouldfail or session.shouldstop or "")
        if self.progress:
            self.progress.end()


def _account(collection: Collection, listener: _Listener, stopped: str) -> _Accounts:
    """Return an outcome, or a place among those not run, for everything that was selected."""
    outcomes = [
        _error(nodeid, None, f"the cases in this file cannot be read: {reason}")
        for nodeid, reason in collection.broken.items()
    ]
    not_run = []
    for nodeid in collection.selected:
        case = collection.cases.get(nodeid)
        if nodeid in listener.outcomes:
            outcomes.append(listener.outcomes[nodeid])
        elif case is None:
            outcomes.append(_error(nodeid, None, "this test is not marked as a case"))
        elif nodeid in listener.crashed:
            message = f"no verdict: {listener.crashed[nodeid] or 'its process crashed'}"
            outcomes.append(_error(case.id, case, message))
        elif stopped:
            not_run.append(case.id)
        else:
            reason = listener.crashed.get("", "nobody reported one")
            outcomes.append(_error(case.id, case, f"no verdict: {reason}"))
    return tuple(outcomes), tuple(not_run)


_Accounts = tuple[tuple[Outcome, ...], tuple[str, ...]]


def _error(name: str, case: Case | None, message: str) -> Outcome:
    requirements = case.requirements if case else ()
    return Outcome(
        id=name,
        title=case.title if case else "",
        role=case.role.value if case else "",
        level=level_of(requirements, registry.load()) if case else Level.MUST,
        requirements=requirements,
        verdict=Verdict.ERROR,
        message=message,
        fault=Fault.SUITE,
    )


def _versions(judged: Iterable[AnyTarget], listener: _Listener) -> tuple[dict[str, str], str, str]:
    """Return the targets' versions, or why one could not be started and what to do about it.

    To start one can take as long as a guest takes to boot; the listener learns of an interrupt.
    """
    found: dict[str, str] = {}
    try:
        for target in judged:
            found |= target.versions()
    except TargetNotStarted as error:
        return {}, str(error), error.hint
    except KeyboardInterrupt:
        listener.interrupted = True
    finally:
        for target in judged:
            target.close()
    return found, "", ""


def _check_globs(options: RunOptions, collection: Collection) -> None:
    """Raise `UsageError` if a glob names nothing, or nothing is selected."""
    cases = list(collection.cases.values())
    for glob in options.select:
        if not any(Selection(globs=(glob,)).names(case) for case in cases):
            names = {name for case in cases for name in (case.id, *case.requirements)}
            close = close_names(glob, names)
            hint = f"did you mean {' or '.join(close)}?" if close else "see --list"
            raise UsageError(f"--select {glob}: no case and no requirement matches; {hint}")
    if collection.selected or collection.broken:
        return
    if collection.not_claimed:
        reasons = "; ".join(dict.fromkeys(collection.not_claimed.values()))
        raise UsageError(f"the selection is empty: {options.ics} does not claim it ({reasons})")
    level = options.level or Level.MUST
    wider = Selection(options.role, options.select, Level.SHOULD, options.rings)
    levels = [level_of(case.requirements, registry.load()) for case in cases]
    own = Selection(options.role, options.select, level, options.rings)
    if any(own.admits(case, each) for case, each in zip(cases, levels, strict=True)):
        raise UsageError("the selection is empty: the arguments after -- leave no case")
    weaker = any(wider.admits(case, each) for case, each in zip(cases, levels, strict=True))
    hint = "--level should takes some" if weaker and level is Level.MUST else "see --list"
    raise UsageError(f"the selection is empty: no case matches all of it; {hint}")


def _show_traceback(outcome: Outcome) -> None:
    if outcome.traceback:  # there is one only while debugging
        sys.stderr.write(outcome.traceback)


@contextlib.contextmanager
def _own_environment() -> Iterator[None]:
    """Keep the options that a user keeps for pytest of their own out of our runs."""
    saved = os.environ.pop("PYTEST_ADDOPTS", None)
    try:
        yield
    finally:
        if saved is not None:
            os.environ["PYTEST_ADDOPTS"] = saved


@contextlib.contextmanager
def _signals_interrupt() -> Iterator[None]:
    """Let SIGTERM and SIGHUP end the run as Ctrl-C does: the target closed, the report written."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = {
        number: signal.signal(number, interrupt) for number in (signal.SIGTERM, signal.SIGHUP)
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
