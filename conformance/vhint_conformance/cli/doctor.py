"""`vhint doctor`: what is installed, what each target needs, and how to get it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict
from itertools import groupby

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from vhint_conformance.cli.verbosity import verbosity, verbosity_options
from vhint_conformance.doctor import Finding, Health, examine
from vhint_conformance.exit_status import ExitStatus
from vhint_conformance.report.console import make_console, print_block, say, styled
from vhint_conformance.report.verbosity import Verbosity

SCHEMA = "vhint-doctor/1"
STYLES = {
    Health.OK: "green",
    Health.DEGRADED: "yellow",
    Health.ABSENT: "dim",
    Health.BROKEN: "bold red",
}


@click.command()
@click.option("--json", "as_json", is_flag=True, help=f"Print the findings as JSON ({SCHEMA}).")
@verbosity_options
def doctor(as_json: bool) -> int:
    """Say what is installed, what each target needs, how to get it, and what is degraded.

    Nothing is judged and no target is started.  Exit status 0 unless something is broken, then 1:
    what is optional and not there breaks nothing.

    \b
    For example:
      vhint doctor
      vhint doctor -q                 only what is not as it should be
      vhint doctor --json > here.json
    """  # noqa: D301 - click wants the character itself
    findings = examine()
    broken = any(finding.health is Health.BROKEN for finding in findings)
    if as_json:
        shown = {"schema": SCHEMA, "broken": broken, "findings": [asdict(f) for f in findings]}
        say(json.dumps(shown, indent=2, ensure_ascii=False))
    else:
        _print(make_console(), findings)
    return int(ExitStatus.VIOLATED if broken else ExitStatus.CONFORMS)


def _print(console: Console, findings: Iterable[Finding]) -> None:
    findings = list(findings)
    quiet = verbosity() is Verbosity.QUIET
    shown = [each for each in findings if not quiet or each.health is not Health.OK]
    for group, members in groupby(shown, key=lambda finding: finding.group):
        console.print(styled(group, "bold underline"))
        grid = Table.grid(padding=(0, 2, 0, 0))
        grid.add_column(no_wrap=True)
        grid.add_column(no_wrap=True, overflow="ellipsis", max_width=22)
        grid.add_column(overflow="fold")
        for finding in members:
            style = STYLES[finding.health]
            grid.add_row(Text(finding.health, style=style), styled(finding.name), _told(finding))
        print_block(console, grid, 2)
        console.print()
    console.print(styled(_summary(findings)), soft_wrap=True)


def _told(finding: Finding) -> Text:
    lines = [styled(finding.found)]
    wrong = finding.health is not Health.OK
    if finding.needed_for and (wrong or verbosity() is Verbosity.VERBOSE):
        lines.append(styled(f"needed for {finding.needed_for}", "dim"))
    if finding.remedy and wrong:
        lines.append(Text.assemble(("to get it: ", "dim"), styled(finding.remedy)))
    return Text("\n").join(lines)


def _summary(findings: Iterable[Finding]) -> str:
    findings = list(findings)
    wrong = {
        health: [each.name for each in findings if each.health is health]
        for health in (Health.BROKEN, Health.DEGRADED, Health.ABSENT)
    }
    if wrong[Health.BROKEN]:
        return f"broken: {', '.join(wrong[Health.BROKEN])}"
    if wrong[Health.DEGRADED]:
        return f"works; degraded: {', '.join(wrong[Health.DEGRADED])}"
    absent = f"; optional and not there: {', '.join(wrong[Health.ABSENT])}"
    return f"all is well{absent if wrong[Health.ABSENT] else ''}"
