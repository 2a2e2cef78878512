"""A sample of the HTML report, made when the site is: a device with a fault, really judged."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from vhint_conformance import bench, targets
from vhint_conformance.case import Case
from vhint_conformance.report.evidence import with_evidence
from vhint_conformance.report.formats import FORMATS, write
from vhint_conformance.report.model import Outcome, Report
from vhint_conformance.verdict import Failed, Verdict
from vhint_docs.recorders import RECORDERS

if TYPE_CHECKING:
    from sphinx.application import Sphinx

NAME = "sample-report.html"
TARGET = "mutant:discard-neighbour"
EXCHANGES = {
    "hint-pfn": "hint.device.containment",
    "reporting": "reporting.device.containment",
    "statistics": "balloon.device.stats-used-length-zero",
    "reset-with-outstanding": "hint.device.no-effect-after-reset",
}
"""Exchanges of the site's diagrams, each with a requirement that it puts to the test."""


def sample() -> Report:
    """Play exchanges with a device that discards one page too many, and return what was found."""
    outcomes = tuple(_judged(name, slug) for name, slug in EXCHANGES.items())
    return Report(TARGET, targets.resolve(TARGET).versions(), outcomes, role="device")


def _judged(name: str, slug: str) -> Outcome:
    title = (RECORDERS[name].__doc__ or name).strip().rstrip(".")
    case = Case(f"sample.{name}", title, (slug,))
    blank = Outcome(case.id, case.requirements, Verdict.PASS, title, role="device")
    try:
        with bench.open_bench(targets.resolve(TARGET), case, seed=0, trace=None) as opened:
            RECORDERS[name](opened)
    except Failed as failed:
        outcome = Outcome(
            case.id,
            case.requirements,
            Verdict.FAIL,
            title,
            message=str(failed),
            violations=failed.violations,
            role="device",
        )
        return with_evidence(outcome, opened.witness)
    return blank


def make(app: Sphinx, error: Exception | None) -> None:
    """Put the sample beside the site's pages."""
    if error is None and app.builder.format == "html":
        write(FORMATS["html"], Path(app.outdir) / NAME, [sample()])


def setup(app: Sphinx) -> None:
    """Make it when everything else is there."""
    app.connect("build-finished", make)
