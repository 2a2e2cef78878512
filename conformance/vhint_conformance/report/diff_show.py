"""What changed between two runs, for people, for a CI job's summary and for programs."""

from __future__ import annotations

import json
from collections.abc import Iterator

from rich.console import Console
from rich.text import Text

from vhint_conformance.report.console import print_block, styled
from vhint_conformance.report.diff import Change, Diff, Kind
from vhint_conformance.report.markdown_text import code, in_html, plain
from vhint_conformance.report.model import Outcome, Report
from vhint_conformance.report.progress import WORDS
from vhint_conformance.report.runs import versions
from vhint_conformance.verdict import Verdict

SCHEMA = "vhint-report-diff/1"
STYLES = {
    Kind.NEWLY_FAILING: "bold red",
    Kind.UNSETTLED: "bold yellow",
    Kind.NEWLY_PASSING: "bold green",
}
MOST_VIOLATIONS = 3


def print_diff(diff: Diff, console: Console) -> None:
    """Print the changes, the verdict last."""
    for kind in Kind:
        changes = diff.of(kind)
        if not changes:
            continue
        console.print()
        title = Text(f"{kind.capitalize()} ({len(changes)})", STYLES.get(kind, "bold"))
        print_block(console, title)
        for change in changes:
            print_block(console, Text.assemble(styled(change.id, "bold"), f"  {words(change)}"), 2)
            for said in details(change):
                print_block(console, styled(said), 4)
            if change.new and change.kind in STYLES and change.new.verdict is not Verdict.PASS:
                # Never broken into lines, so that it can be copied.
                console.print(styled(f"    {change.new.repro}", "italic"), soft_wrap=True)
    console.print()
    style = {1: "bold red", 4: "bold yellow"}.get(int(diff.exit_status), "bold green")
    print_block(console, styled(verdict(diff), style))


def verdict(diff: Diff) -> str:
    """Return the line that sums it up."""
    counts = [f"{len(diff.of(kind))} {kind}" for kind in Kind if diff.of(kind)]
    said = ", ".join([*counts, f"{diff.same} unchanged"])
    match int(diff.exit_status):
        case 1:
            return f"worse: {said}"
        case 4:
            return f"not settled: {said}{_lost(diff.new)}"
        case _:
            return f"nothing fails that did not fail before: {said}"


def _lost(new: Report) -> str:
    if new.target_error:
        return f"; the target could not be started: {new.target_error}"
    return f"; {len(new.not_run)} not run ({new.stopped})" if new.not_run else ""


def words(change: Change) -> str:
    """Say which verdicts a case had.

    >>> words(Change("a", Kind.GONE, Outcome("a", (), Verdict.PASS), None))
    'was pass'
    """
    old, new = (WORDS[each.verdict][0] if each else "" for each in (change.old, change.new))
    if not old:
        return new
    if not new:
        return f"was {old}"
    return f"{old} -> {new}" if old != new else f"{new}, by other requirements"


def details(change: Change) -> Iterator[str]:
    """Yield what is to be known of a case that does not end well any more, or ends otherwise."""
    if change.new is None or change.new.verdict in (Verdict.PASS, Verdict.NOT_APPLICABLE):
        return
    if change.kind not in (Kind.NEWLY_FAILING, Kind.UNSETTLED, Kind.CHANGED, Kind.NEW):
        return
    found = change.new.violations
    yield from map(str, found[:MOST_VIOLATIONS])
    if len(found) > MOST_VIOLATIONS:
        yield f"and {len(found) - MOST_VIOLATIONS} more"
    if not found and change.new.message:
        yield change.new.message


def as_markdown(diff: Diff) -> str:
    """Return the changes as Markdown."""
    sign = {1: "\N{CROSS MARK}", 4: "\N{WARNING SIGN}"}.get(
        int(diff.exit_status), "\N{WHITE HEAVY CHECK MARK}"
    )
    lines = [f"## {sign} vhint: {code(_name(diff.old))} → {code(_name(diff.new))}", ""]
    lines += [plain(verdict(diff)), ""]
    for kind in Kind:
        changes = diff.of(kind)
        if not changes:
            continue
        is_open = " open" if kind in STYLES else ""
        lines += [f"<details{is_open}><summary>{kind.capitalize()} ({len(changes)})</summary>", ""]
        for change in changes:
            lines.append(f"- {code(change.id)}: {in_html(words(change))}")
            lines += [f"  - {code(said)}" for said in details(change)]
            if change.new and change.new.verdict is Verdict.FAIL and change.new.repro:
                lines.append(f"  - {code(change.new.repro)}")
        lines += ["", "</details>", ""]
    return "\n".join(lines).rstrip("\n") + "\n\n"


def as_json(diff: Diff) -> str:
    """Return the changes as JSON, `vhint-report-diff/1`."""
    values = {
        "schema": SCHEMA,
        "old": _run(diff.old),
        "new": _run(diff.new),
        "exit_status": int(diff.exit_status),
        "unchanged": diff.same,
        **{kind.replace(" ", "_"): [_change(change) for change in diff.of(kind)] for kind in Kind},
    }
    return json.dumps(values, indent=2, ensure_ascii=False) + "\n"


def _run(report: Report) -> dict[str, object]:
    return {
        "target": report.target,
        "versions": dict(report.versions),
        "created": report.created,
        "summary": report.summary,
        "exit_status": int(report.exit_status),
    }


def _change(change: Change) -> dict[str, object]:
    return {"id": change.id, "old": _side(change.old), "new": _side(change.new)}


def _side(outcome: Outcome | None) -> dict[str, object] | None:
    if outcome is None:
        return None
    return {
        "verdict": outcome.verdict.value,
        "requirements": sorted({each.requirement for each in outcome.violations}),
        "message": outcome.message,
    }


def _name(report: Report) -> str:
    return ", ".join(filter(None, (report.target, versions(report), report.created)))
