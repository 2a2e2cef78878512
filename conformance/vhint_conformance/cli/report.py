"""`vhint report`: show saved reports, turn them into other forms, compare two of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from vhint_conformance.report import files
from vhint_conformance.report.console import make_console
from vhint_conformance.report.formats import FORMATS, format_of, put, write
from vhint_conformance.report.load import UnreadableReport, load
from vhint_conformance.report.model import ExitStatus, Report
from vhint_conformance.report.runs import SITE

FILE = click.Path(path_type=Path)
TEXT, JSON, MARKDOWN = "text", "json", "markdown"


@click.command(short_help="Show, convert, compare saved reports.")
@click.argument("reports", nargs=-1, required=True, type=FILE, metavar="REPORT.json...")
@click.option(
    "--to",
    type=click.Choice([TEXT, JSON, *FORMATS]),
    help="The form to write; by default what the name after -o says, or text.",
)
@click.option("-o", "--output", type=FILE, metavar="FILE", help="Write there (-: stdout).")
@click.option("--diff", "is_diff", is_flag=True, help="Compare two reports, the older one first.")
@click.option(
    "--site",
    default="",
    envvar=SITE,
    metavar="URL",
    help=f"Where the site with the specification is, for links to requirements (or ${SITE}).",
)
def report(
    reports: tuple[Path, ...], to: str | None, output: Path | None, is_diff: bool, site: str
) -> int:
    """Show reports that `vhint conform --json` has saved, one or several beside each other.

    \b
    Exit status:
      0  done; with --diff: nothing fails that did not fail before
      1  with --diff: a case fails newly
      2  wrong usage, or a file that cannot be read or written
      4  with --diff: nothing fails newly, but a case is no longer settled

    \b
    For example:
      vhint report run.json
      vhint report qemu.json linux.json crosvm.json -o report.html
      vhint report run.json --to markdown >> "$GITHUB_STEP_SUMMARY"
      vhint report --diff old.json new.json
    """  # noqa: D301 - click wants the character itself
    try:
        form = _form(to, output, is_diff=is_diff)
        if output and str(output) != "-":
            files.check_file(output)
        loaded = [load(path) for path in reports]
        if is_diff:
            return _diff(loaded, form, output)
        _report(loaded, form, output, site)
    except (files.Unwritable, UnreadableReport) as error:
        raise click.UsageError(str(error)) from error
    return int(ExitStatus.CONFORMS)


def _form(to: str | None, output: Path | None, *, is_diff: bool) -> str:
    """Return the name of the form to write, or raise a complaint about the options."""
    form = to
    if form is None and output is not None and str(output) != "-":
        known = format_of(output)
        form = known.name if known else JSON if output.suffix == ".json" and is_diff else None
        if form is None:
            names = ", ".join(f"{each.endings[0]} ({each.name})" for each in FORMATS.values())
            raise click.UsageError(
                f"{output}: which form is that to have? Say --to, or end the name in {names}"
            )
    form = form or TEXT
    if is_diff and form not in (TEXT, JSON, MARKDOWN):
        raise click.UsageError(f"--diff is told as {TEXT}, {MARKDOWN} or {JSON}, not as {form}")
    if not is_diff and form == JSON:
        raise click.UsageError("the reports are JSON already; --to json goes with --diff")
    if form == TEXT and output is not None and str(output) != "-":
        raise click.UsageError("text goes to the standard output; leave -o out")
    return form


def _report(reports: Sequence[Report], form: str, output: Path | None, site: str) -> None:
    if form != TEXT:
        write(FORMATS[form], output or Path("-"), reports, site)
        return
    from vhint_conformance.report.overview import print_overview
    from vhint_conformance.report.terminal import print_report
    from vhint_spec import registry

    if len(reports) == 1:
        print_report(make_console(), reports[0], registry.load())
    else:
        print_overview(make_console(), reports)


def _diff(reports: Sequence[Report], form: str, output: Path | None) -> int:
    from vhint_conformance.report import diff_show
    from vhint_conformance.report.diff import compare

    if len(reports) != 2:
        raise click.UsageError(f"--diff compares two reports; {len(reports)} are named")
    found = compare(*reports)
    if form == TEXT:
        diff_show.print_diff(found, make_console())
    else:
        text = diff_show.as_json(found) if form == JSON else diff_show.as_markdown(found)
        put(output or Path("-"), text, is_markdown=form == MARKDOWN)
    return int(found.exit_status)
