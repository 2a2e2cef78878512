"""`vhint check`: judge a recorded trace."""

from __future__ import annotations

import json
import sys
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from vhint_conformance.report.model import ExitStatus

if TYPE_CHECKING:
    from vhint_conformance.check.result import Doubt, Finding, Result

EPILOG = """\b
Examples:
  vhint conform qemu --select reporting.one-page --trace traces/
  vhint check traces/reporting.one-page.jsonl
  vhint check --select 'ring.*' qemu.log
  vhint check --role driver --json - < trace.jsonl
"""


@click.command(short_help="Judge a recorded trace.", epilog=EPILOG)
@click.argument("files", nargs=-1, required=True, metavar="TRACE...")
@click.option(
    "--role",
    type=click.Choice(["device", "driver"]),
    default="device",
    show_default=True,
    help="Which side is judged.",
)
@click.option(
    "--select",
    multiple=True,
    metavar="SLUG",
    help="Requirements that count, as slugs or globs; all by default.",
)
@click.option(
    "--kind",
    type=click.Choice(["auto", "vhint", "qemu", "ftrace"]),
    default="auto",
    show_default=True,
    help="Who wrote the trace.",
)
@click.option(
    "--interface",
    type=click.Choice(["modern", "legacy"]),
    help="Which interface was used, where the trace does not tell.",
)
@click.option("--vdev", metavar="ADDRESS", help="The balloon, in a QEMU log of several devices.")
@click.option("--json", "as_json", is_flag=True, help="Print the results as JSON.")
def check(
    files: tuple[str, ...],
    role: str,
    select: tuple[str, ...],
    kind: str,
    interface: str | None,
    vdev: str | None,
    as_json: bool,
) -> int:
    """Judge each TRACE (- is standard input) against the specification.

    Traces are those of `vhint conform --trace`, logs of QEMU's trace events, and what the kernel's
    ftrace prints. The verdict is holds (exit status 0), violated (1) or, where a trace does not
    tell, undetermined (4), which is never a pass.
    """
    from vhint_conformance.check.result import STATUS
    from vhint_conformance.report.console import say

    _known(select)
    address = _address(vdev)
    results = []
    for file in files:
        result = _judge(file, role, select, kind, interface, address)
        results.append((file, result))
        if not as_json:
            say("\n".join(_lines(file, result)))
    if as_json:
        say(json.dumps([{"file": file, **_json(result)} for file, result in results], indent=2))
    statuses = {STATUS[result.verdict] for _, result in results}
    worst = (ExitStatus.VIOLATED, ExitStatus.UNSETTLED, ExitStatus.CONFORMS)
    return int(next(status for status in worst if status in statuses))


def _judge(
    file: str,
    role: str,
    select: tuple[str, ...],
    kind: str,
    interface: str | None,
    vdev: int | None,
) -> Result:
    from vhint_conformance.case import Role
    from vhint_conformance.check.judge import Kind, NoTrace, judge
    from vhint_spec import load

    with ExitStack() as stack:
        try:
            stream = sys.stdin.buffer if file == "-" else stack.enter_context(Path(file).open("rb"))
            return judge(
                stream,
                load(),
                kind=None if kind == "auto" else Kind(kind),
                role=Role(role),
                select=select,
                legacy=None if interface is None else interface == "legacy",
                vdev=vdev,
            )
        except NoTrace as error:
            raise click.UsageError(f"{_name(file)} is no trace: {error}") from error
        except OSError as error:
            raise click.UsageError(f"{_name(file)} cannot be read: {error.strerror}") from error


def _known(select: tuple[str, ...]) -> None:
    from vhint_conformance.cli.requirements import choose
    from vhint_spec import load

    choose(select, load(), "requirement", "vhint requirements")


def _address(text: str | None) -> int | None:
    try:
        return None if text is None else int(text, 16)
    except ValueError:
        raise click.UsageError(f"--vdev {text}: not an address such as 0x55d0c0ffee") from None


def _lines(file: str, result: Result) -> list[str]:
    from vhint_conformance.report.console import printable

    count = f"{result.events} event{'s' * (result.events != 1)}"
    lines = [f"{_name(file)}: {result.verdict}  ({result.kind} trace, {result.role}, {count})"]
    if result.verdict == "violated":
        for finding in result.findings:
            lines += [f"  {line}" for line in _finding(finding)]
    for finding in result.remarks:
        lines += [f"  {line}" for line in _finding(finding, "should: ")]
    lines += [f"  not told: {_doubt(doubt)}" for doubt in result.doubts]
    return [printable(line) for line in lines]


def _finding(finding: Finding, prefix: str = "") -> list[str]:
    broken = finding.violation
    where = f"{broken.where}: " if broken.where else ""
    return [
        f"{prefix}{broken.requirement}",
        f"    line {finding.line}: {finding.event[:120]}",
        f"    {where}expected {broken.expected}",
        f"    seen {broken.seen}",
    ]


def _doubt(doubt: Doubt) -> str:
    return f"line {doubt.line}: {doubt.reason}" if doubt.line else doubt.reason


def _json(result: Result) -> dict[str, Any]:
    return asdict(result)


def _name(file: str) -> str:
    return "standard input" if file == "-" else file
