"""Reports to tell: one with everything, one full of hostile text, one with a real failure."""

import functools
import json
from dataclasses import replace
from pathlib import Path

from vhint.guest import requests
from vhint.spans import PAGE
from vhint_conformance import bench as benches
from vhint_conformance import targets
from vhint_conformance.case import Case
from vhint_conformance.expectations import Expectation
from vhint_conformance.report import json_report
from vhint_conformance.report.evidence import with_evidence
from vhint_conformance.report.model import Fault, Outcome, Report
from vhint_conformance.selection import Level
from vhint_conformance.verdict import Failed, Verdict, Violation

SLUG = "reporting.device.containment"
OTHER = "hint.device.use-once"
KNOWN = Expectation(SLUG, "it is known", "https://example.org/issue/1", source="d.toml")
STALE = Expectation(OTHER, "it was known", "https://example.org/issue/2", source="d.toml")

HOSTILE = (
    "</script><script>document.title='pwned'</script>\"'><img src=x onerror=document.title='pwned'>"
    "<!-- ]]> {{ 7*7 }} {% raw %} `` ` | ** @everyone [x](javascript:alert(1)) \x00\x1b[31m \u202e"
)


def outcome(verdict: Verdict, name: str = "", **more: object) -> Outcome:
    values = {
        "id": name or f"case.{verdict}",
        "requirements": (SLUG,),
        "title": f"It ends with `{verdict}`",
        "repro": f"vhint conform qemu --select case.{verdict} --seed 0",
        "role": "device",
    }
    return Outcome(verdict=verdict, **(values | more))  # type: ignore[arg-type]


VIOLATIONS = tuple(
    Violation(SLUG, "the page kept", "the page lost", f"page {number}") for number in range(9)
)
FAILED = outcome(Verdict.FAIL, violations=VIOLATIONS, message="it broke")
ALL = (
    outcome(Verdict.PASS, effectiveness={"offered_pages": 4, "discarded_pages": 3}),
    FAILED,
    outcome(Verdict.INCONCLUSIVE, message="could not be seen", level=Level.SHOULD),
    outcome(Verdict.NOT_APPLICABLE, message="HINTING is not offered"),
    outcome(Verdict.EXPECTED_FAIL, violations=VIOLATIONS, expectations=(KNOWN,), message="known"),
    outcome(Verdict.ERROR, message="fault in the suite: boom", fault=Fault.SUITE),
)


def report(*outcomes: Outcome, target: str = "qemu", **more: object) -> Report:
    values = {"versions": {"qemu": "7.2"}, "created": "2026-05-06T07:08:09Z"}
    return Report(target, outcomes=outcomes, **(values | more))  # type: ignore[arg-type]


FULL = report(
    *ALL,
    expectations=(KNOWN, STALE),
    out_of_date=(STALE,),
    not_run=("case.x",),
    stopped="-x",
)


def hostile(text: str = HOSTILE) -> Report:
    """A report in which every text that a target or a file could choose is this one."""
    link = Expectation(SLUG, text, f"javascript:alert(1)//{text}", text, "", text)
    outcomes = [
        Outcome(
            id=f"{verdict} {text}",
            requirements=(SLUG, text),
            verdict=verdict,
            title=text,
            message=text,
            hint=text,
            repro=text,
            violations=(
                Violation(text, text, text, text),
                Violation(SLUG, text, text, text),
            ),
            expectations=(link,),
            observations={text: text},
        )
        for verdict in Verdict
    ]
    return Report(
        text, {text: text}, tuple(outcomes), expectations=(link,), out_of_date=(link,),
        not_run=(text,), stopped=text, created=text, suite=text,
    )  # fmt: skip


@functools.cache
def discarded_neighbour() -> Outcome:
    """Let a device that discards one page too many do so, and return what the bench says of it."""
    target = targets.resolve("mutant:discard-neighbour")
    case = Case("hint.sample", "Two blocks are hinted", (OTHER,))
    blank = replace(outcome(Verdict.FAIL, case.id), requirements=case.requirements)
    try:
        with benches.open_bench(target, case, 0, None) as bench:
            bench.start()
            first, second = bench.blocks(2, 1)
            pairs = [(span.start // PAGE, 1) for span in (first, second)]
            bench.exchange(requests.hint_blocks(0x1122, pairs), reuse=False)
    except Failed as failed:
        found = replace(blank, violations=failed.violations, message=str(failed))
        return with_evidence(found, bench.witness)
    raise AssertionError("the mutant does no harm")


def saved(path: Path, what: Report) -> Path:
    """Save a report as `vhint conform --json` does."""
    path.write_text(json_report.dumps(what), encoding="utf-8")
    return path


def as_values(what: Report) -> dict:
    return json.loads(json_report.dumps(what))
