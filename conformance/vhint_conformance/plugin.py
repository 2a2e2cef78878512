"""The pytest plugin that runs conformance cases.

`vhint conform` uses it for you.  A pytest of your own loads it where `--vhint-target` is given
(`vhint_conformance.pytest_entry` sees to that), or by `-p vhint_conformance.plugin`.  A case is a
function with the `@case` mark.  Its `bench` is opened just before the function is called and closed
just after, and the verdict is that of both together, so that what the oracles find in the end
counts for the case.  (Hence the `bench` exists only inside the function: fixtures of your own
cannot use it.)

Each case's `Outcome` travels as JSON in the report's `user_properties`, which survive xdist, an
interrupt and the crash of another worker.  In pytest's terms a failed, inconclusive or errored case
fails, one that is not applicable is skipped, an expected failure is xfailed, and a pass that an
expectation forbids fails.
"""

from __future__ import annotations

import inspect
import json
import shlex
import time
from collections import Counter
from collections.abc import Generator
from contextlib import AbstractContextManager, suppress
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest

from vhint_conformance import bench as benches
from vhint_conformance import expectations as expect
from vhint_conformance import statement as statements
from vhint_conformance import targets
from vhint_conformance.case import ABOUT_A_BUS, MARK, Case, Role
from vhint_conformance.case_modules import pytest_collect_file, pytest_pycollect_makemodule
from vhint_conformance.driver_bench import opening as driver_benches
from vhint_conformance.driver_bench.bench import DriverBench
from vhint_conformance.judge import Judge, plain
from vhint_conformance.pair_bench import opening as pair_benches
from vhint_conformance.pair_bench.bench import PairBench
from vhint_conformance.plugin_options import pytest_addoption, rings_in, settings_in
from vhint_conformance.report.evidence import with_evidence
from vhint_conformance.report.model import Fault, Outcome
from vhint_conformance.ring_words import checked_in_packed, in_packed
from vhint_conformance.selection import Level, Selection, level_of
from vhint_conformance.statement import Statement, role_of
from vhint_conformance.statement.claims import why_not
from vhint_conformance.statement.comparison import Comparison, compare
from vhint_conformance.statement.offered import ask
from vhint_conformance.targets import AnyTarget, Target
from vhint_conformance.targets.driver import DriverTarget
from vhint_conformance.targets.pair import PairTarget
from vhint_conformance.variants import MARK as ONLY
from vhint_conformance.variants import SPLIT, Rings, Variant, concerning
from vhint_conformance.verdict import Failed, TargetDied, TargetError, Verdict
from vhint_conformance.watchdog import DeadlineExceeded, Watch, deadline
from vhint_spec import registry

__all__ = [
    "PROPERTY",
    "RUN",
    "Run",
    "bench",
    "case_of",
    "outcome_in",
    "pytest_addoption",
    "pytest_collect_file",
    "pytest_pycollect_makemodule",
]

PROPERTY = "vhint-outcome"
VARIANT = "vhint_variant"
PLAIN = "plain"
AnyBench = benches.Bench | DriverBench | PairBench
NATIVE = (pytest.fail.Exception, pytest.skip.Exception)  # these do not derive from Exception
_OUTCOME = pytest.StashKey[Outcome]()
RUN = pytest.StashKey["Run"]()
NOT_CLAIMED = "vhint-not-claimed"


def pytest_configure(config: pytest.Config) -> None:
    """Check the options and take part in the run."""
    config.addinivalue_line("markers", f"{MARK}(info): a conformance case")
    run = Run(config)
    config.stash[RUN] = run
    config.pluginmanager.register(run, "vhint-run")


@pytest.fixture
def vhint_variant(request: pytest.FixtureRequest) -> object:
    """Return the variant of the target in which a case runs."""
    return request.param


@pytest.fixture
def bench() -> object:
    """Stand in for the bench, which the case gets when its function is called."""
    return None


def case_of(item: pytest.Item) -> Case | None:
    """Return what an item's mark says, or None if it is no conformance case."""
    mark = item.get_closest_marker(MARK)
    if mark is None:
        return None
    info = cast(Case, mark.args[0])
    callspec = getattr(item, "callspec", None)
    if callspec is None:
        return info
    variant: Variant = callspec.params.get(VARIANT, SPLIT)
    # The variant is the last parameter, and the only one that every case may have.
    parameter = callspec.id
    if VARIANT in callspec.params:
        parameter = parameter.removesuffix(variant.name or PLAIN).removesuffix("-")
    name = f"{info.id}[{parameter}]" if parameter else info.id
    checked = info.requirements
    if variant.rings is Rings.PACKED:
        checked = checked_in_packed(checked)
    return replace(info, id=variant.names(name), requirements=checked, variant=variant)


def outcome_in(report: pytest.TestReport) -> Outcome | None:
    """Return the outcome that a report carries, if it does."""
    found = [value for name, value in report.user_properties if name == PROPERTY]
    return Outcome.from_json(json.loads(cast(str, found[-1]))) if found else None


class Run:
    """The hooks of one pytest run, and what they share."""

    def __init__(self, config: pytest.Config) -> None:
        option = config.option
        self.seed: int = option.vhint_seed
        self.deadline: float = option.vhint_deadline
        self.trace = Path(option.vhint_trace) if option.vhint_trace else None
        self.target_name: str = option.vhint_target or "reference"
        self.settings = settings_in(option)
        self.own_files = [Path(name) for name in option.vhint_expect]
        self.worker = hasattr(config, "workerinput")
        try:
            self.statement = statements.load(Path(option.vhint_ics)) if option.vhint_ics else None
            role = role_of(Role(option.vhint_role) if option.vhint_role else None, self.statement)
        except statements.StatementError as error:
            raise pytest.UsageError(str(error)) from error
        self.no_expect: bool = option.vhint_no_expect
        try:
            rings = rings_in(option.vhint_rings)
        except ValueError as error:
            raise pytest.UsageError(f"--rings: {error}") from error
        claimed = self.statement.level if self.statement else Level.MUST
        level = Level(option.vhint_level) if option.vhint_level else claimed
        self.selection = Selection(role, tuple(option.vhint_select), level, rings)
        self.unclaimed: set[str] = set()
        self.not_claimed: dict[str, str] = {}
        self.comparison: Comparison | None = None
        self.cases: dict[str, tuple[str, ...]] = {}
        self.outcomes: dict[str, Outcome] = {}
        self.out_of_date: tuple[expect.Expectation, ...] = ()
        self._judge: Judge | None = None
        self._next: Case | None = None
        self.collect_only: bool = option.collectonly
        self.targets: dict[Role, AnyTarget] = {}
        if self.collect_only:
            with suppress(targets.UnknownTarget, targets.WrongSettings):
                self.targets = targets.judged(self.target_name, role, self.settings)
        else:
            try:
                self.targets = targets.judged(self.target_name, role, self.settings)
                self.expectations = (
                    *(self.statement.deviations if self.statement else ()),
                    *expect.gather(self.targets.values(), self.own_files, self.no_expect),
                )
            except (
                targets.UnknownTarget,
                targets.WrongSettings,
                expect.ExpectationsError,
            ) as error:
                raise pytest.UsageError(str(error)) from error

    def judge(self) -> Judge:
        """Return the judge, with the expectations for the target's version.

        The version is asked for only now, because a target that is not there must cost verdicts
        and not the report.
        """
        if self._judge is None:
            applied = expect.for_target(self.expectations, self.target_name, self.versions)
            self._judge = Judge(applied, self.deadline, self.selection.level)
        return self._judge

    def versions(self) -> dict[str, str]:
        """Return the versions of what is judged."""
        found: dict[str, str] = {}
        for target in self.targets.values():
            found |= target.versions()
        return found

    def open_bench(self, case: Case) -> AbstractContextManager[AnyBench]:
        """Return the bench of a case, by its role."""
        trace = self._trace_file(case)
        target = self.targets[case.role]
        if isinstance(target, DriverTarget):
            return driver_benches.open_driver_bench(target, case, self.seed, trace)
        if isinstance(target, PairTarget):
            return pair_benches.open_pair_bench(target, case, trace)
        return benches.open_bench(target.in_variant(case.variant), case, self.seed, trace)

    @pytest.hookimpl(trylast=True)  # so that the variant is the last parameter
    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Make a case for each variant of the target that concerns it."""
        mark = metafunc.definition.get_closest_marker(MARK)
        if mark is None:
            return
        info = cast(Case, mark.args[0])
        target = self.targets.get(info.role)
        variants = (SPLIT,) if target is None else target.variants
        rings = info.rings
        about_bus = ABOUT_A_BUS & frozenset(info.capabilities)
        if Rings.SPLIT in rings and (about_bus or not checked_in_packed(info.requirements)):
            rings = (Rings.SPLIT,)
        chosen = concerning(rings, variants, buses=info.buses)
        if chosen == (SPLIT,):
            return
        metafunc.fixturenames.append(VARIANT)
        names = [variant.name or PLAIN for variant in chosen]
        metafunc.parametrize(VARIANT, chosen, ids=names, indirect=True)

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(
        self, config: pytest.Config, items: list[pytest.Item]
    ) -> None:
        """Note all cases; keep those selected, and tests that are no cases."""
        selected: list[pytest.Item] = []
        dropped: list[pytest.Item] = []
        for item in items:
            case = case_of(item)
            if case is None:
                selected.append(item)
                continue
            if case.id in self.cases:
                raise pytest.UsageError(f"two cases are called {case.id}")
            self.cases[case.id] = case.requirements
            level = level_of(case.requirements, registry.load())
            admitted = self.selection.admits(case, level)
            admitted = admitted and (self.collect_only or case.role in self.targets)
            if self.statement and (reason := why_not(self.statement, case, level)):
                self.unclaimed.add(case.id)
                if admitted:
                    self.not_claimed[case.id] = reason
                    admitted = False
            (selected if admitted else dropped).append(item)
        if dropped:
            config.hook.pytest_deselected(items=dropped)
            items[:] = selected

    @pytest.hookimpl(wrapper=True)
    def pytest_pyfunc_call(self, pyfuncitem: pytest.Function) -> Generator[None, object, object]:
        """Call a case with an open bench, and judge how it ended."""
        case = case_of(pyfuncitem)
        if case is None:
            return (yield)
        blank = self._blank(case)
        started = time.perf_counter()
        used: AnyBench | None = None
        error: BaseException | None = None
        of_body: BaseException | None = None
        result: object = None
        watch = Watch()
        try:
            with deadline(self.deadline, watch):
                self.judge()
                if "bench" not in pyfuncitem.fixturenames:
                    result = yield
                else:
                    with self.open_bench(case) as used:
                        self._prepare_next()
                        pyfuncitem.funcargs["bench"] = used
                        try:
                            result = yield
                        except BaseException as raised:
                            of_body = raised
                            if isinstance(raised, Failed):
                                used.witness.blame(raised.violations)
                            raise
                    # Closing a bench has no business to turn a failure into a pass.
                    error = of_body
        except pytest.exit.Exception:
            raise
        except (Exception, SystemExit, DeadlineExceeded, *NATIVE) as raised:  # noqa: BLE001
            error = raised  # whatever it was, the judge gives it a name
            if used is None:
                self._prepare_next()
        died = isinstance(error, TargetDied) and not watch.expired
        if died and getattr(self.targets[case.role], "retries", False):
            used, error, watch = self._again(pyfuncitem, case, f"tried again: {error}")
        if watch.expired:  # even if something on the way out hid it
            error = of_body if isinstance(of_body, Failed) else DeadlineExceeded()
        if isinstance(error, Failed) and case.variant.rings is Rings.PACKED:
            found = error.violations
            error = Failed([replace(v, requirement=in_packed(v.requirement)) for v in found])
        outcome = replace(
            blank,
            duration_s=round(time.perf_counter() - started, 6),
            observations=plain(used.observations) or {} if used else {},
            effectiveness=plain(used.effectiveness) if used else None,
        )
        outcome = self._settle(pyfuncitem, outcome, error, whole=of_body is None)
        if used is not None:
            outcome = pyfuncitem.stash[_OUTCOME] = with_evidence(outcome, used.witness)
        _tell_pytest(outcome)
        return result

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, nextitem: pytest.Item | None) -> None:
        """Note which case comes next."""
        self._next = case_of(nextitem) if nextitem else None

    def _prepare_next(self) -> None:
        """Let what the next case needs start while this one runs: there are two processors."""
        target = self.targets.get(self._next.role) if self._next else None
        if self._next and isinstance(target, Target):
            target.in_variant(self._next.variant).prepare()

    def _again(
        self, item: pytest.Function, case: Case, reason: str
    ) -> tuple[AnyBench | None, BaseException | None, Watch]:
        """Call a case once more on a fresh target, which the report does not hide."""
        watch = Watch()
        used: AnyBench | None = None
        error: BaseException | None = None
        wanted = set(inspect.signature(item.obj).parameters)
        try:
            with deadline(self.deadline, watch), self.open_bench(case) as used:
                item.funcargs["bench"] = used
                item.obj(**{name: item.funcargs[name] for name in wanted})
        except (Exception, SystemExit, DeadlineExceeded, *NATIVE) as raised:  # noqa: BLE001
            error = raised
        if used is not None:
            used.observations.setdefault("retried", []).append(reason)
        return used, error, watch

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Put the outcome into the report; make one if a fixture failed."""
        report = yield
        case = case_of(item)
        if case is None:
            return report
        outcome = item.stash.get(_OUTCOME, None)
        if call.when != "call":
            if call.excinfo is None:
                return report
            if outcome is None or outcome.verdict is not Verdict.FAIL:
                outcome = self._settle(item, self._blank(case), call.excinfo.value)
        if outcome is not None:
            report.user_properties.append((PROPERTY, json.dumps(outcome.as_json())))
        return report

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note the outcome, wherever the case ran."""
        outcome = outcome_in(report)
        if outcome is not None:
            self.outcomes[outcome.id] = outcome

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Judge the expectations that speak of requirements.

        Only where the cases were collected: the controller of an xdist run does not know which
        cases were left out.  (`vhint conform -- -n 2` does.)
        """
        if self.collect_only:
            return
        if self.worker:
            session.config.workeroutput[NOT_CLAIMED] = self.not_claimed  # type: ignore[attr-defined]
        elif self.statement:
            self._compare(session, self.statement)
        if self._judge is None or not self.cases:
            return
        self.out_of_date = expect.out_of_date(
            self._judge.expectations,
            {case: slugs for case, slugs in self.cases.items() if case not in self.unclaimed},
            {case: outcome.verdict for case, outcome in self.outcomes.items()},
            {each.requirement for o in self.outcomes.values() for each in o.seen_broken},
        )
        if self.out_of_date and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def _compare(self, session: pytest.Session, statement: Statement) -> None:
        """Hold the statement against what the target offers, if it is there to be asked."""
        target = self.targets.get(statement.role)
        if target is None or isinstance(target, PairTarget):
            return
        try:
            self.comparison = compare(statement, ask(target))
        except TargetError as error:
            self.comparison = Comparison(unknown=str(error))
        if self.comparison.too_much and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: object) -> None:
        """Learn from an xdist worker what was not claimed: the controller collects nothing."""
        self.not_claimed |= getattr(node, "workeroutput", {}).get(NOT_CLAIMED, {})

    def pytest_unconfigure(self) -> None:
        """End the target, should it outlive its cases."""
        if not self.collect_only:
            for target in self.targets.values():
                target.close()

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Name the expectations that the run refuted, and what the statement is about."""
        for item in self.out_of_date:
            terminalreporter.line(f"FAILED {expect.complaint(item)}", red=True)
        for reason, count in Counter(self.not_claimed.values()).items():
            terminalreporter.line(f"{reason}: {count} {'case' if count == 1 else 'cases'} not run")
        if self.statement and self.comparison:
            for line in self.comparison.left_out:
                terminalreporter.line(f"offered and not claimed: {line}")
            for line in self.comparison.too_much:
                terminalreporter.line(f"FAILED {self.statement.source}: {line}", red=True)
            if self.comparison.unknown:
                terminalreporter.line(f"statement not compared: {self.comparison.unknown}")

    def _blank(self, case: Case) -> Outcome:
        level = level_of(case.requirements, registry.load())
        words = ["vhint", "conform", self.target_name, *self.settings.words()]
        words += ["--select", case.id if case.variant.name else f"{case.id}{self._only(case)}"]
        words += ["--level", "should"] if level is Level.SHOULD else []
        words += ["--ics", self.statement.source] if self.statement else []
        words += ["--no-expect"] if self.no_expect else []
        for name in self.own_files:
            words += ["--expect", str(name)]
        words += ["--seed", str(self.seed)]
        return Outcome(
            id=case.id,
            title=case.title,
            role=case.role.value,
            level=level,
            requirements=case.requirements,
            verdict=Verdict.ERROR,
            repro=shlex.join(words),
        )

    def _only(self, case: Case) -> str:
        """Return what must follow the id of a case in the plain variant to mean it alone."""
        variants = self.targets[case.role].variants if case.role in self.targets else (SPLIT,)
        return ONLY if len(concerning(case.rings, variants, buses=case.buses)) > 1 else ""

    def _trace_file(self, case: Case) -> Path | None:
        if self.trace is None:
            return None
        self.trace.mkdir(parents=True, exist_ok=True)
        safe = "".join(
            letter if letter.isalnum() or letter in "-._[]@" else "_" for letter in case.id
        )
        return self.trace / f"{safe}.jsonl"

    def _settle(
        self,
        item: pytest.Item,
        outcome: Outcome,
        error: BaseException | None,
        *,
        whole: bool = False,
    ) -> Outcome:
        """Return the outcome with its verdict; stop the run if the target cannot be started.

        `whole` says that the case came to its end.
        """
        judge = self._judge or Judge((), self.deadline, self.selection.level)
        settled = judge.judge(outcome, error, whole=whole)
        item.stash[_OUTCOME] = settled
        if settled.fault is Fault.NOT_STARTED:
            item.session.shouldstop = settled.message
        return settled


def _tell_pytest(outcome: Outcome) -> None:
    """Raise what makes pytest report the outcome in its own words, without a traceback."""
    if outcome.verdict is Verdict.PASS:
        return
    if outcome.verdict is Verdict.NOT_APPLICABLE:
        raise pytest.skip.Exception(f"not applicable: {outcome.message}")
    if outcome.verdict is Verdict.EXPECTED_FAIL:
        reasons = "; ".join(f"{item.reason} ({item.link})" for item in outcome.expectations)
        raise pytest.xfail.Exception(reasons)
    lines = [f"{outcome.verdict}: {outcome.id}: {outcome.message}"]
    lines += [outcome.hint] if outcome.hint else []
    lines += [f"rerun: {outcome.repro}"]
    raise pytest.fail.Exception("\n".join(lines), pytrace=False)
