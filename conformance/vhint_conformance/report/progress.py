"""What a person sees while long work is done: a bar on a terminal, a line each elsewhere."""

from __future__ import annotations

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Column
from rich.text import Text

from vhint_conformance.report.console import printable, watched
from vhint_conformance.report.model import Outcome
from vhint_conformance.report.verbosity import Verbosity
from vhint_conformance.verdict import Verdict

WORDS = {
    Verdict.PASS: ("pass", "green"),
    Verdict.FAIL: ("fail", "bold red"),
    Verdict.INCONCLUSIVE: ("inconclusive", "yellow"),
    Verdict.NOT_APPLICABLE: ("not applicable", "dim"),
    Verdict.EXPECTED_FAIL: ("expected fail", "cyan"),
    Verdict.ERROR: ("error", "bold magenta"),
}
"""How a verdict is called, and its colour."""

QUIET = (Verdict.PASS, Verdict.NOT_APPLICABLE)
"""Verdicts that a progress bar counts without a line of their own."""


def line(outcome: Outcome) -> Text:
    """Return one line that tells an outcome."""
    word, style = WORDS[outcome.verdict]
    text = Text(no_wrap=True)
    text.append(f"{word:<14}", style)
    text.append(f"  {printable(outcome.id)}  {outcome.duration_s:.2f} s")
    return text


class Lines:
    """One plain line per case."""

    def __init__(self, console: Console) -> None:
        self.console = console

    def begin(self, total: int) -> None:
        """Prepare nothing."""

    def started(self, case: str) -> None:
        """Wait: a case is told when it is over."""

    def finished(self, outcome: Outcome) -> None:
        """Print the line."""
        self.console.print(line(outcome), soft_wrap=True)

    def end(self) -> None:
        """Clean up nothing."""


class Silence:
    """Nothing at all."""

    def begin(self, total: int) -> None:
        """Say nothing."""

    def started(self, case: str) -> None:
        """Say nothing."""

    def finished(self, outcome: Outcome) -> None:
        """Say nothing."""

    def end(self) -> None:
        """Say nothing."""


def time_left_bar(console: Console, *, bounded: bool = False) -> Progress:
    """Return a bar with the time that is left and what is being done, gone when it is over.

    It shows how many of how many are done; or, if the work is `bounded` by a time in seconds, how
    many of those are gone.  Where no person watches it is not drawn.
    """
    return Progress(
        BarColumn(bar_width=20),
        *(
            (TextColumn("{task.completed:.0f} of {task.total:.0f} s"),)
            if bounded
            else (MofNCompleteColumn(), TimeRemainingColumn(compact=True), TextColumn("left"))
        ),
        TextColumn(
            "{task.description}",
            markup=False,
            table_column=Column(ratio=1, no_wrap=True, overflow="ellipsis"),
        ),
        console=console,
        transient=True,
        expand=True,
        redirect_stdout=False,
        redirect_stderr=False,
        disable=not watched(console),
    )


class Bar:
    """A progress bar with the name of the case; what is not simply good gets a line above it.

    With `every` all cases get one.
    """

    def __init__(self, console: Console, *, every: bool = False) -> None:
        self.console = console
        self.every = every
        self.bar = time_left_bar(console)
        self.task: TaskID | None = None

    def begin(self, total: int) -> None:
        """Show the bar."""
        self.task = self.bar.add_task("", total=total)
        self.bar.start()

    def started(self, case: str) -> None:
        """Show the name of the case."""
        if self.task is not None:
            self.bar.update(self.task, description=printable(case))

    def finished(self, outcome: Outcome) -> None:
        """Move on."""
        if self.every or outcome.verdict not in QUIET:
            self.console.print(line(outcome), soft_wrap=True)
        if self.task is not None:
            self.bar.advance(self.task)

    def end(self) -> None:
        """Take the bar away."""
        self.bar.stop()


def make_progress(
    console: Console, verbosity: Verbosity = Verbosity.NORMAL
) -> Lines | Bar | Silence:
    """Return the bar if a person watches, else lines."""
    if verbosity is Verbosity.QUIET:
        return Silence()
    if watched(console):
        return Bar(console, every=verbosity is Verbosity.VERBOSE)
    return Lines(console)
