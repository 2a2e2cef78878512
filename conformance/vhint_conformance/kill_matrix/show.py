"""The matrix for people: a line for each subject as it is done, and the whole at the end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from itertools import groupby
from typing import Self

from rich.console import Console
from rich.text import Text

from vhint_conformance.kill_matrix.result import GOOD, Matrix, Row, Verdict
from vhint_conformance.kill_matrix.subjects import Subject
from vhint_conformance.report.console import printable
from vhint_conformance.report.progress import time_left_bar
from vhint_conformance.report.verbosity import Verbosity

STYLES = {
    Verdict.KILLED: "green",
    Verdict.PASSED: "green",
    Verdict.MISATTRIBUTED: "bold yellow",
    Verdict.SURVIVED: "bold red",
    Verdict.FALSE_ALARM: "bold red",
    Verdict.BROKEN: "bold magenta",
}


def line(row: Row) -> Text:
    """Return one line that tells a row: what became of whom, by which case, in what time."""
    text = Text(no_wrap=True)
    text.append(f"{row.verdict:<18}", STYLES[row.verdict])
    text.append(f"{printable(row.name):<40}{row.seconds:>6.1f} s")
    if row.kill is not None:
        text.append(f"  {printable(row.kill.requirement)} ({printable(row.kill.by)})")
    elif row.verdict is Verdict.PASSED:
        text.append(f"  {row.judged} cases")
    return text


def details(row: Row) -> str:
    """Say what a row that is not good has instead of what it should have."""
    said = [f"{row.verdict}: {row.name}"]
    if row.violates:
        said.append(f"  it violates {', '.join(row.violates)}")
    if row.named:
        said.append(f"  named were  {', '.join(row.named)}")
    if row.note:
        said.append(f"  {printable(row.note)}")
    return "\n".join(said)


class Progress:
    """Tells each row as it is done, over a bar with the time that is left; use it with `with`.

    Quiet tells those only that are not as they should be.
    """

    def __init__(
        self, console: Console, total: int, verbosity: Verbosity = Verbosity.NORMAL
    ) -> None:
        self._console = console
        self._total = total
        self._quiet = verbosity is Verbosity.QUIET
        self._done = 0
        self._bar = time_left_bar(console)
        self._task = self._bar.add_task("", total=total)

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._bar.stop()

    def __call__(self, row: Row) -> None:
        """Print the row behind how many are done."""
        self._done += 1
        self._bar.update(self._task, advance=1, description=printable(row.name))
        if self._quiet and row.good:
            return
        text = Text(f"{self._done:>4}/{self._total}  ")
        self._console.print(text + line(row), soft_wrap=True)


def print_matrix(console: Console, matrix: Matrix, verbosity: Verbosity = Verbosity.NORMAL) -> None:
    """Print group by group who found whom, then what is wrong, then the sums.

    Quiet leaves out the groups.
    """
    shown = () if verbosity is Verbosity.QUIET else matrix.rows
    for (role, group), found in groupby(shown, key=lambda row: (row.role, row.group)):
        console.print(f"\n{role}: {group}", style="bold")
        for row in found:
            console.print(Text("  ") + line(row), soft_wrap=True)
    wrong = [row for row in matrix.rows if not row.good]
    for row in wrong:
        console.print(f"\n{details(row)}", soft_wrap=True)
    console.print(f"\n{summary(matrix.rows)}; {matrix.seconds:.0f} s", soft_wrap=True)


def summary(rows: Iterable[Row]) -> str:
    """Say how many of how many are as they should be.

    >>> summary([])
    'nothing was judged'
    """
    rows = list(rows)
    counts = Counter(row.verdict for row in rows)
    mutants = [row for row in rows if row.violates]
    sound = len(rows) - len(mutants)
    said = []
    if mutants:
        said.append(f"{counts[Verdict.KILLED]} of {len(mutants)} mutants killed by their name")
    if sound:
        said.append(f"{counts[Verdict.PASSED]} of {sound} sound implementations passed")
    wrong = (verdict for verdict in Verdict if verdict not in GOOD and counts[verdict])
    said += [f"{counts[verdict]} {verdict}" for verdict in wrong]
    return ", ".join(said) or "nothing was judged"


def print_list(console: Console, subjects: Iterable[Subject]) -> None:
    """Print the subjects under headings, one line each."""
    every = list(subjects)
    width = max((len(subject.name) for subject in every), default=0)
    for (role, group), found in groupby(every, key=lambda each: (each.role, each.group)):
        console.print(f"\n{role}: {group}", style="bold")
        for subject in found:
            told = [subject.violates[0]] if subject.violates else []
            told += [f"re-enacts {', '.join(subject.bugs)}"] if subject.bugs else []
            tail = f"  [{'; '.join(told)}]" if told else ""
            console.print(
                Text(f"  {subject.name:<{width}}  {subject.summary}{tail}"), soft_wrap=True
            )
