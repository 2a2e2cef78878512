"""Implementation conformance statements (``vhint-ics/1``): what is wrong with one.

Source: the chapter on conformance, "The statement".  Checked here is what the statement shows by
itself (steps 1 and 2 of its list) and, with the report at hand, that it is the one named (step 3).
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from vhint_conformance.selection import close_names
from vhint_spec import load

if TYPE_CHECKING:
    from jsonschema import ValidationError

Json = Any
LISTS = ("deviations", "not_checked")


def schema() -> Json:
    """Return the JSON Schema of statements."""
    path = files("vhint_spec") / "schemas" / "ics.schema.json"
    return json.loads(path.read_text(encoding="utf-8"))


def problems(data: bytes) -> list[str]:
    """Say everything that is wrong with a statement; each line begins with the place in it.

    Raises `ModuleNotFoundError` if jsonschema is not installed.

    >>> problems(b"{")
    ['line 1, column 2: not JSON: Expecting property name enclosed in double quotes']
    """
    try:
        statement = json.loads(data)
    except json.JSONDecodeError as error:
        return [f"line {error.lineno}, column {error.colno}: not JSON: {error.msg}"]
    except (UnicodeDecodeError, RecursionError) as error:
        return [f"not JSON: {error}"]
    found = list(dict.fromkeys(_against_schema(statement)))
    if isinstance(statement, dict):
        found += _slugs(statement)
    return found


def report_problems(data: bytes, report: bytes) -> list[str]:
    """Say why a report is not the one that a sound statement names."""
    statement = json.loads(data)
    named = statement["report"]
    found = []
    digest = hashlib.sha256(report).hexdigest()
    if digest != named["digest"]["value"]:
        found.append(f"$.report.digest: expected the SHA-256 of the report, {digest}")
    try:
        value = json.loads(report)
    except ValueError:
        return [*found, "$.report: the file is not JSON"]
    seen = value.get("schema") if isinstance(value, dict) else None
    if seen != named["schema"]:
        found.append(f"$.report.schema: the file's is {seen!r}, the statement has another")
    return found


def _against_schema(statement: Json) -> Iterator[str]:
    from jsonschema import Draft202012Validator, FormatChecker

    rules = schema()
    validator = Draft202012Validator(rules, format_checker=FormatChecker(("date",)))
    for error in sorted(validator.iter_errors(statement), key=lambda error: error.json_path):
        yield f"{error.json_path}: {_reason(error, rules)}"


def _reason(error: ValidationError, rules: Json) -> str:
    """Say in a line what the schema minds; where it is a rule over several members, the rule."""
    where = list(error.absolute_schema_path)
    if where[0] == "allOf" and error.validator != "required":
        return f"the members contradict each other: {rules['allOf'][where[1]]['$comment']}"
    if error.validator == "pattern":
        return f"{error.instance!r:.80} is not of the form {error.validator_value}"
    return error.message[:200]


def _slugs(statement: dict[str, Json]) -> Iterator[str]:
    """Hold the slugs to the registry: they exist, bind the role, and stand there once."""
    registry = load()
    times: Counter[str] = Counter()
    for member in LISTS:
        entries = statement.get(member)
        for n, entry in enumerate(entries if isinstance(entries, list) else ()):
            slug = entry.get("slug") if isinstance(entry, dict) else None
            if not isinstance(slug, str):
                continue  # the schema has said so
            times[slug] += 1
            where = f"$.{member}[{n}].slug"
            if slug not in registry:
                close = close_names(slug, registry)
                hint = f"; did you mean {' or '.join(close)}?" if close else ""
                yield f"{where}: no requirement is called {slug}{hint}"
            elif registry[slug].role != statement.get("role"):
                yield f"{where}: {slug} binds the {registry[slug].role}, not {_role(statement)}"
    for slug, number in times.items():
        if number > 1:
            yield f"$: {slug} stands there {number} times; once will do"


def _role(statement: dict[str, Json]) -> str:
    role = statement.get("role")
    return f"the {role}" if isinstance(role, str) else "a role that is not stated"
