"""The part of the terminal's report that is about a conformance statement."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from vhint_conformance.report.model import Report

SHOWN = 8
"""Cases of one reason that are named; -v and the JSON report have them all."""


def claims(report: Report) -> list[tuple[str, str]]:
    """Return what is claimed, with a label for each line; nothing without a statement."""
    stated = report.statement
    if stated is None:
        return []
    limits = [f"pages of {', '.join(map(str, stated.page_sizes))} bytes"]
    if stated.queue_sizes:
        sizes = (f"{queue} {size}" for queue, size in stated.queue_sizes.items())
        limits.append(f"queues of at most {', '.join(sizes)} entries")
    if stated.hint_max_count is not None:
        limits.append(f"hints of at most {stated.hint_max_count}, order {stated.hint_min_order} up")
    rows = [
        ("claim", f"{stated.title} ({stated.source})"),
        ("profiles", ", ".join(stated.profiles)),
        ("rings", ", ".join(stated.rings)),
        ("transports", ", ".join(stated.transports or ())),
        ("queues", stated.queue_mode),
    ]
    if stated.features is not None:
        rows.append(("features", ", ".join(feature.name for feature in stated.features)))
    rows.append(("limits", "; ".join(limits)))
    rows += [("deviation", f"{item.slug}: {item.reason} {item.link}") for item in stated.deviations]
    if report.comparison:
        rows += [("not claimed", line) for line in report.comparison.left_out]
        rows.append(("not compared", report.comparison.unknown))
    return rows


def not_claimed(report: Report, *, every: bool = False) -> list[tuple[str, str]]:
    """Return how many cases were left out for each reason, and which: the first, or every one."""
    groups: dict[str, list[str]] = defaultdict(list)
    for case, reason in report.not_claimed.items():
        groups[reason].append(case)
    return [
        (f"{len(cases):>3}", f"{reason}: {', '.join(cases) if every else _some(cases)}")
        for reason, cases in sorted(groups.items(), key=lambda item: -len(item[1]))
    ]


def _some(cases: Iterable[str]) -> str:
    """Return the first few names, each variant of a case counted as the case."""
    names = list(dict.fromkeys(case.partition("@")[0].partition("[")[0] for case in cases))
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more
