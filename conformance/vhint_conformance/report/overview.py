"""Several reports beside each other on a terminal: a row each, then the cases that differ."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from vhint_conformance.report.console import print_block, styled
from vhint_conformance.report.model import Report
from vhint_conformance.report.progress import WORDS
from vhint_conformance.report.runs import labels
from vhint_conformance.report.verdict_line import verdict_line
from vhint_conformance.verdict import Verdict

MOST = 20
"""Cases that are named."""


def print_overview(console: Console, reports: Sequence[Report]) -> None:
    """Print a table of the runs and name the cases that fail in some and pass in others."""
    names = labels(reports)
    columns = [verdict for verdict in Verdict if any(each.summary[verdict] for each in reports)]
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("run", overflow="fold")
    for verdict in columns:
        word, style = WORDS[verdict]
        table.add_column(word, justify="right", style=style, header_style=style)
    for name, report in zip(names, reports, strict=True):
        counts = [str(report.summary[verdict] or "-") for verdict in columns]
        table.add_row(styled(name), *counts)
    print_block(console, table)
    verdicts: dict[str, set[Verdict]] = {}
    for report in reports:
        for outcome in report.outcomes:
            verdicts.setdefault(outcome.id, set()).add(outcome.verdict)
    differ = [name for name, seen in verdicts.items() if {Verdict.FAIL, Verdict.PASS} <= seen]
    if differ:
        console.print()
        print_block(console, styled(f"Fail in some and pass in others ({len(differ)})", "bold"))
        print_block(console, styled("\n".join(differ[:MOST])), 2)
        if len(differ) > MOST:
            more = f"and {len(differ) - MOST} more; -o report.html has the whole matrix"
            print_block(console, styled(more), 2)
    console.print()
    for name, report in zip(names, reports, strict=True):
        line, style, _ = verdict_line(report)
        print_block(console, styled(f"{name}: {line}", style))
