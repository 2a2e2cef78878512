"""The report as JSON, `vhint-report/1`; `vhint-report-1.schema.json` beside it describes it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from vhint_conformance.expectations import Expectation
from vhint_conformance.report.model import Outcome, Report
from vhint_conformance.verdict import Violation

SCHEMA = "vhint-report/1"
SCHEMA_FILE = Path(__file__).with_name("vhint-report-1.schema.json")


def as_json(report: Report) -> dict[str, Any]:
    """Return the report as plain values."""
    return {
        "schema": SCHEMA,
        "vhint": report.suite,
        "created": report.created,
        "target": report.target,
        "versions": dict(report.versions),
        "summary": report.summary,
        "exit_status": int(report.exit_status),
        "seed": report.seed,
        "level": report.level.value,
        "role": report.role,
        "duration_s": report.duration_s,
        "stopped": report.stopped or None,
        "target_error": (
            {"message": report.target_error, "hint": report.target_hint}
            if report.target_error
            else None
        ),
        "deselected": report.deselected,
        "statement": _statement(report),
        "not_claimed": [
            {"id": case, "reason": reason} for case, reason in report.not_claimed.items()
        ],
        "not_run": list(report.not_run),
        "expectations": [
            _expectation(item)
            | {
                "out_of_date": item in report.out_of_date,
                "cases": [case.id for case in report.outcomes if item in case.expectations],
            }
            for item in report.expectations
        ],
        "cases": [_case(outcome) for outcome in report.outcomes],
    }


def dumps(report: Report) -> str:
    """Return the report as the text of a JSON file."""
    return json.dumps(as_json(report), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def _statement(report: Report) -> dict[str, Any] | None:
    stated, comparison = report.statement, report.comparison
    if stated is None:
        return None
    return {
        "source": stated.source,
        "name": stated.name,
        "version": stated.version,
        "role": stated.role.value,
        "level": stated.level.value,
        "profiles": list(stated.profiles),
        "rings": list(stated.rings),
        "transports": None if stated.transports is None else list(stated.transports),
        "queue_map_mode": stated.queue_mode.value,
        "features": None if stated.features is None else [bit.name for bit in stated.features],
        "limits": {
            "page_sizes": list(stated.page_sizes),
            "queue_sizes": {queue.value: size for queue, size in stated.queue_sizes.items()},
            "hint_max_count": stated.hint_max_count,
            "hint_min_order": stated.hint_min_order,
        },
        "deviations": [_expectation(item) for item in stated.deviations],
        "claims_too_much": list(comparison.too_much) if comparison else [],
        "offered_and_not_claimed": list(comparison.left_out) if comparison else [],
        "not_compared": comparison.unknown if comparison else report.stopped or "the run ended",
    }


def _case(outcome: Outcome) -> dict[str, Any]:
    return {
        "id": outcome.id,
        "title": outcome.title,
        "role": outcome.role,
        "level": outcome.level.value,
        "requirements": list(outcome.requirements),
        "verdict": outcome.verdict.value,
        "message": outcome.message,
        "hint": outcome.hint,
        "duration_s": outcome.duration_s,
        "repro": outcome.repro,
        "observations": dict(outcome.observations),
        "effectiveness": (
            dict(outcome.effectiveness) if outcome.effectiveness is not None else None
        ),
        "violations": [_violation(item) for item in outcome.violations],
        "advice": [_violation(item) for item in outcome.advice],
        "expectations": [_expectation(item) for item in outcome.expectations],
        "fault": outcome.fault.value if outcome.fault else None,
        "evidence": dict(outcome.evidence) if outcome.evidence is not None else None,
    }


def _violation(item: Violation) -> dict[str, str]:
    return {
        "requirement": item.requirement,
        "expected": item.expected,
        "seen": item.seen,
        "where": item.where,
    }


def _expectation(item: Expectation) -> dict[str, Any]:
    return {
        "slug": item.slug,
        "reason": item.reason,
        "link": item.link,
        "message": item.message or None,
        "versions": item.versions or None,
        "source": item.source,
    }
