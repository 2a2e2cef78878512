"""The first of the two passes of a run: which cases are there, and which of them were chosen.

Under xdist the process that reports never collects, so this is how it can know that nothing has
been lost; and `--list` and complaints about a selection need nothing else.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from vhint_conformance.case import Case
from vhint_conformance.plugin import RUN, case_of


class UsageError(Exception):
    """What the user asked for cannot be done; the text says why and what to do instead."""


@dataclass(frozen=True, slots=True)
class Collection:
    """All cases by pytest's node id, and the node ids that are to run.

    `broken` maps a file that could not be read to the reason; `strays` are tests without the
    `@case` mark: both are faults of the suite.  `unclaimed` are the ids of all cases that a
    statement does not speak of; `not_claimed` maps those that would have run to the reason.
    """

    cases: dict[str, Case]
    selected: tuple[str, ...]
    broken: dict[str, str]
    strays: tuple[str, ...]
    unclaimed: frozenset[str] = frozenset()
    not_claimed: Mapping[str, str] = field(default_factory=dict)

    @property
    def requirements(self) -> dict[str, tuple[str, ...]]:
        """The requirements of every case, by its id."""
        return {case.id: case.requirements for case in self.cases.values()}

    @property
    def files(self) -> tuple[str, ...]:
        """The files of what is to run, so that the second pass need not look at the others."""
        return tuple(dict.fromkeys(nodeid.partition("::")[0] for nodeid in self.selected))

    @property
    def claimed(self) -> dict[str, tuple[str, ...]]:
        """The same for the cases that a statement, if there is one, speaks of."""
        return {
            case: slugs for case, slugs in self.requirements.items() if case not in self.unclaimed
        }


@dataclass
class _Collector:
    """A pytest plugin that listens to a collection."""

    cases: dict[str, Case] = field(default_factory=dict)
    selected: list[str] = field(default_factory=list)
    broken: dict[str, str] = field(default_factory=dict)
    strays: list[str] = field(default_factory=list)
    unclaimed: frozenset[str] = frozenset()
    not_claimed: dict[str, str] = field(default_factory=dict)

    @pytest.hookimpl(trylast=True)
    def pytest_configure(self, config: pytest.Config) -> None:
        """Keep pytest's own report off the terminal."""
        silence(config)

    def pytest_itemcollected(self, item: pytest.Item) -> None:
        """Note every case, before anything is deselected."""
        case = case_of(item)
        if case is not None:
            self.cases[item.nodeid] = case

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Note what is left."""
        self.selected = [item.nodeid for item in session.items]
        run = session.config.stash[RUN]
        self.unclaimed, self.not_claimed = frozenset(run.unclaimed), run.not_claimed
        self.strays = [item.nodeid for item in session.items if case_of(item) is None]

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Note what cannot be collected."""
        if report.failed:
            lines = report.longreprtext.strip().splitlines()
            self.broken[report.nodeid] = lines[-1].removeprefix("E").strip() if lines else ""


def silence(config: pytest.Config) -> None:
    """Take pytest's terminal reporter out (`-p no:terminal` would take its options out too)."""
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    if reporter is not None:
        config.pluginmanager.unregister(reporter)


def arguments(cases: Path, more: Sequence[str], files: Sequence[str] = ()) -> list[str]:
    """Return the arguments with which pytest sees the cases and nothing of the user's own tests.

    `files` are those below `cases` to look at; none means all.
    """
    return [
        *([str(cases / name) for name in files] or [str(cases)]),
        f"-c{cases / 'pytest.ini'}",
        f"--rootdir={cases}",
        f"--confcutdir={cases}",
        "-pno:cacheprovider",
        "-pvhint_conformance.plugin",
        "--continue-on-collection-errors",
        *more,
    ]


def collect(cases: Path, more: Sequence[str], files: Sequence[str] = ()) -> Collection:
    """Collect without running anything; raise `UsageError` if pytest refuses the arguments.

    `files` are those below `cases` to look at; none means all.
    """
    listener = _Collector()
    said = io.StringIO()
    with contextlib.redirect_stderr(said), contextlib.redirect_stdout(said):
        status = pytest.main([*arguments(cases, more, files), "--collect-only"], plugins=[listener])
    if status in (pytest.ExitCode.USAGE_ERROR, pytest.ExitCode.INTERNAL_ERROR):
        lines = [line.strip() for line in said.getvalue().splitlines() if line.strip()]
        errors = [line for line in lines if "error: " in line.lower()] or lines[-1:]
        reason = "; ".join(line.removeprefix("ERROR: ") for line in errors)
        raise UsageError(f"the cases cannot be collected: {reason}")
    if status == pytest.ExitCode.INTERRUPTED:
        raise KeyboardInterrupt
    return Collection(
        listener.cases,
        tuple(listener.selected),
        listener.broken,
        tuple(listener.strays),
        listener.unclaimed,
        listener.not_claimed,
    )
