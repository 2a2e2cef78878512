"""Reading saved reports back, whoever wrote them.

What comes from a file is hostile: it is held against the schema before anything looks at it, and
text that no output format could hold is replaced.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

from vhint_conformance.report.evidence import Evidence, EvidenceError
from vhint_conformance.report.json_report import SCHEMA, SCHEMA_FILE
from vhint_conformance.report.load_expectation import expectation
from vhint_conformance.report.load_statement import statement
from vhint_conformance.report.model import ExitStatus, Fault, Outcome, Report
from vhint_conformance.selection import Level
from vhint_conformance.verdict import Verdict, Violation

LARGEST = 256 << 20
"""Bytes of the largest file that is read."""


class UnreadableReport(Exception):  # noqa: N818 - what is wrong with the file
    """A file is no report; the text says which, where in it, and what was expected."""


def load(path: Path) -> Report:
    """Return the report that a file holds, or raise `UnreadableReport`."""
    values = _parsed(path)
    said = values.get("schema") if isinstance(values, dict) else None
    if said != SCHEMA:
        if isinstance(said, str) and said.startswith("vhint-report/"):
            advice = "it was written by another version of vhint"
        else:
            advice = "such a file is written by vhint conform TARGET --json FILE"
        seen = f"seen {json.dumps(said):.60}" if said is not None else "there is none"
        expected = f'expected "schema": "{SCHEMA}", {seen}'
        raise UnreadableReport(f"{path}: not a report that can be read: {expected}; {advice}")
    error = next(_validator().iter_errors(values), None)
    if error is not None:
        place = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in error.path)
        raise UnreadableReport(
            f"{path}: not a sound report: at {place.lstrip('.') or 'the top'}: {error.message:.200}"
        )
    try:
        report = _report(_clean(values))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        # Of the statement and the deviations in it the schema says little.
        raise UnreadableReport(f"{path}: not a sound report: its statement: {error}") from error
    _check_evidence(path, report)
    return report


def _parsed(path: Path) -> Any:
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST + 1)
    except OSError as error:
        raise UnreadableReport(f"{path}: cannot be read: {error.strerror}") from error
    if len(data) > LARGEST:
        raise UnreadableReport(f"{path}: too large: reports of up to {LARGEST >> 20} MiB are read")
    try:
        return json.loads(data.decode("utf-8"), parse_constant=_no_constant)
    except UnicodeDecodeError as error:
        raise UnreadableReport(f"{path}: not UTF-8, at byte {error.start}") from error
    except json.JSONDecodeError as error:
        cut = "; it is cut off" if error.pos >= len(data.decode().rstrip()) else ""
        where = f"line {error.lineno}, column {error.colno}"
        raise UnreadableReport(f"{path}: not JSON: {error.msg}, {where}{cut}") from error
    except (ValueError, RecursionError) as error:
        raise UnreadableReport(f"{path}: not JSON that can be read: {error}") from error


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


@functools.cache
def _validator() -> Draft202012Validator:
    return Draft202012Validator(json.loads(SCHEMA_FILE.read_text(encoding="utf-8")))


def _clean(value: Any) -> Any:
    """Return the values with halves of surrogate pairs replaced: UTF-8 has no form for them."""
    if isinstance(value, str):
        return value if value.isascii() else value.encode("utf-8", "replace").decode("utf-8")
    if isinstance(value, list):
        return [_clean(each) for each in value]
    if isinstance(value, dict):
        return {_clean(name): _clean(each) for name, each in value.items()}
    return value


def _report(values: Mapping[str, Any]) -> Report:
    failed_start = values.get("target_error") or {"message": "", "hint": ""}
    stated, comparison = statement(values["statement"]) if values.get("statement") else (None, None)
    expectations = [(expectation(each), each) for each in values.get("expectations", ())]
    return Report(
        target=values["target"],
        versions=values["versions"],
        outcomes=tuple(_outcome(each) for each in values["cases"]),
        seed=values.get("seed", 0),
        level=Level(values.get("level", "must")),
        role=values.get("role", "all"),
        expectations=tuple(item for item, _ in expectations),
        out_of_date=tuple(item for item, each in expectations if each.get("out_of_date")),
        deselected=values.get("deselected", 0),
        statement=stated,
        comparison=comparison,
        not_claimed={each["id"]: each["reason"] for each in values.get("not_claimed", ())},
        not_run=tuple(values.get("not_run", ())),
        stopped=values.get("stopped") or "",
        interrupted=values.get("exit_status") == ExitStatus.INTERRUPTED,
        target_error=failed_start["message"],
        target_hint=failed_start["hint"],
        duration_s=values.get("duration_s", 0.0),
        created=values.get("created", ""),
        suite=values.get("vhint", ""),
    )


def _outcome(values: Mapping[str, Any]) -> Outcome:
    fault = values.get("fault")
    return Outcome(
        id=values["id"],
        requirements=tuple(values["requirements"]),
        verdict=Verdict(values["verdict"]),
        title=values.get("title", ""),
        level=Level(values.get("level", "must")),
        message=values["message"],
        hint=values.get("hint", ""),
        duration_s=values["duration_s"],
        repro=values["repro"],
        observations=values["observations"],
        effectiveness=values.get("effectiveness"),
        violations=_violations(values.get("violations", ())),
        advice=_violations(values.get("advice", ())),
        expectations=tuple(expectation(each) for each in values.get("expectations", ())),
        fault=Fault(fault) if fault else None,
        role=values.get("role", ""),
        evidence=values.get("evidence"),
    )


def _violations(values: Iterable[Mapping[str, str]]) -> tuple[Violation, ...]:
    return tuple(
        Violation(each["requirement"], each["expected"], each["seen"], each["where"])
        for each in values
    )


def _check_evidence(path: Path, report: Report) -> None:
    for outcome in report.outcomes:
        if outcome.evidence is not None:
            try:
                Evidence.from_json(outcome.evidence)
            except EvidenceError as error:
                raise UnreadableReport(
                    f"{path}: not a sound report: the trace of {outcome.id}: {error}"
                ) from error
