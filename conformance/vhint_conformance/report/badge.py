"""The verdict as a badge: the JSON of a shields.io endpoint.

Put the file where it can be fetched, and its address into
``https://img.shields.io/endpoint?url=...``.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from vhint_conformance.report.model import ExitStatus, Report
from vhint_conformance.verdict import Verdict

COLOURS = {
    ExitStatus.CONFORMS: "brightgreen",
    ExitStatus.VIOLATED: "red",
    ExitStatus.TARGET: "lightgrey",
    ExitStatus.UNSETTLED: "yellow",
    ExitStatus.INTERRUPTED: "lightgrey",
}


def dumps(reports: Sequence[Report], site: str = "") -> str:  # noqa: ARG001 - it has no links
    """Return the badge of one report, or of several together."""
    worst = max((report.exit_status for report in reports), key=_gravity)
    badge = {
        "schemaVersion": 1,
        "label": "vhint",
        "message": message(reports),
        "color": COLOURS[worst],
        "isError": worst in (ExitStatus.TARGET, ExitStatus.INTERRUPTED),
    }
    return json.dumps(badge, indent=2) + "\n"


def message(reports: Sequence[Report]) -> str:
    """Return what the badge says.

    An expected failure is no pass: a target that has some conforms with that many exceptions.
    """
    if len(reports) > 1:
        good = sum(report.exit_status is ExitStatus.CONFORMS for report in reports)
        return f"{good} of {len(reports)} conform"
    (report,) = reports
    failed, known, passed = (
        len(report.having(verdict))
        for verdict in (Verdict.FAIL, Verdict.EXPECTED_FAIL, Verdict.PASS)
    )
    match report.exit_status:
        case ExitStatus.CONFORMS:
            exceptions = f", {known} known failing" if known else ""
            return f"conforms ({passed} passed{exceptions})"
        case ExitStatus.VIOLATED:
            if failed:
                return f"{failed} failed"
            return "claims too much" if report.claims_too_much else "expectations out of date"
        case ExitStatus.TARGET:
            return "target not running"
        case ExitStatus.INTERRUPTED:
            return "interrupted"
        case _:
            return "unsettled"


def _gravity(status: ExitStatus) -> int:
    order = (
        ExitStatus.CONFORMS,
        ExitStatus.UNSETTLED,
        ExitStatus.INTERRUPTED,
        ExitStatus.TARGET,
        ExitStatus.VIOLATED,
    )
    return order.index(status)
