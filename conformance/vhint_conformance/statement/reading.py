"""Reading a statement, and saying everything that is wrong with it.

Checked here is what the statement shows by itself (steps 1 and 2 of the chapter's list) and, with
the report at hand, that it is the one named (step 3).
"""

from __future__ import annotations

import datetime
import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from vhint_conformance import toml_text
from vhint_conformance.case import Role
from vhint_conformance.selection import close_names
from vhint_conformance.statement.model import Statement
from vhint_spec import load as load_registry

if TYPE_CHECKING:
    from jsonschema import ValidationError

Json = Any
Place = Sequence[str | int]
LISTS = ("deviations", "not_checked")


class StatementError(ValueError):
    """A statement that cannot be used; the text says where and why, a line for each fault."""


def schema() -> Json:
    """Return the JSON Schema of statements."""
    path = files("vhint_spec") / "schemas" / "ics.schema.json"
    return json.loads(path.read_text(encoding="utf-8"))


def load(path: Path) -> Statement:
    """Return the statement in a file, or raise `StatementError`."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise StatementError(f"{path}: {error.strerror or error}") from error
    found = problems(data)
    if found:
        raise StatementError("\n".join(f"{path}: {line}" for line in found))
    return Statement.of(_plain(toml_text.parse(data)), str(path))


def role_of(asked: Role | None, statement: Statement | None) -> Role | None:
    """Return the role to judge, or raise `StatementError` if the statement is about another."""
    if statement is None or asked in (None, statement.role):
        return statement.role if statement else asked
    raise StatementError(
        f"{statement.source}: it is about a {statement.role}; --role {asked} was asked for"
    )


def problems(data: bytes) -> list[str]:
    """Say everything that is wrong with a statement; each line begins with the place in it.

    >>> problems(b"schema = ")
    ['line 1: not valid TOML: Invalid value at the end of the file: is it cut short?']
    """
    try:
        value = _plain(toml_text.parse(data))
    except toml_text.NotToml as error:
        return [str(error)]
    text = data.decode()
    found = [*_against_schema(value), *_slugs(value)]
    return list(dict.fromkeys(_placed(text, place, what) for place, what in found))


def report_problems(data: bytes, report: bytes) -> list[str]:
    """Say why a report is not the one that a sound statement names."""
    named = toml_text.parse(data).get("report")
    if named is None:
        return ["the statement names no report: add [report]"]
    text = data.decode()
    found: list[tuple[Place, str]] = []
    digest = hashlib.sha256(report).hexdigest()
    if digest != named["digest"]["value"]:
        found.append((["report", "digest"], f"expected the SHA-256 of the report, {digest}"))
    try:
        value = json.loads(report)
    except ValueError:
        found.append((["report"], "the file is not JSON"))
    else:
        seen = value.get("schema") if isinstance(value, dict) else None
        if seen != named["schema"]:
            what = f"the file's is {seen!r}, the statement has another"
            found.append((["report", "schema"], what))
    return [_placed(text, place, what) for place, what in found]


def _plain(value: Json) -> Json:
    """Return TOML values in JSON's terms: a date as the string that it is written as."""
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_plain(each) for each in value]
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    return value


def _placed(text: str, place: Place, what: str) -> str:
    r"""Return a complaint with its line and the way to the value.

    >>> _placed("[a]\nb = [1]\n", ["a", "b", 0], "wrong")
    'line 2: a.b[0]: wrong'
    """
    way = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in place)
    words = [f"line {toml_text.line_of(text, place)}", way.removeprefix("."), what]
    return ": ".join(word for word in words if word)


def _against_schema(statement: Json) -> Iterator[tuple[Place, str]]:
    from jsonschema import Draft202012Validator, FormatChecker

    rules = schema()
    validator = Draft202012Validator(rules, format_checker=FormatChecker(("date",)))
    for error in sorted(validator.iter_errors(statement), key=lambda error: error.json_path):
        place = list(error.absolute_path)
        if error.validator == "additionalProperties" and isinstance(error.schema, dict):
            known = error.schema.get("properties", {})
            for name in _members(error):
                if name not in known:
                    yield [*place, name], _unknown(name, known)
            continue
        yield place, _reason(error, rules)


def _reason(error: ValidationError, rules: Json) -> str:
    """Say in a line what the schema minds; where it is a rule over several members, the rule."""
    where = list(error.absolute_schema_path)
    if where[0] == "allOf" and error.validator != "required":
        return f"the members contradict each other: {rules['allOf'][where[1]]['$comment']}"
    if error.validator == "pattern":
        return f"{error.instance!r:.80} is not of the form {error.validator_value}"
    if error.validator == "required":
        return error.message.replace("is a required property", "is missing")
    if error.validator == "enum":
        wrong = str(error.instance)
        known = [str(each) for each in cast(list[Json], error.validator_value)]
        close = close_names(wrong, known, 1)
        hint = f"did you mean {close[0]}?" if close else f"known: {', '.join(known)}"
        return f"{wrong!r:.80} is not known; {hint}"
    return error.message[:200]


def _members(error: ValidationError) -> list[str]:
    return [name for name in cast(Json, error.instance) if not name.startswith("x-")]


def _unknown(name: str, known: Json) -> str:
    close = close_names(name, known, 1)
    hint = f"did you mean {close[0]}?" if close else f"known: {', '.join(known)}"
    return f"there is no member {name!r:.80}; {hint}"


def _slugs(statement: dict[str, Json]) -> Iterator[tuple[Place, str]]:
    """Hold the slugs to the registry: they exist, bind the role, and stand there once."""
    registry = load_registry()
    times: Counter[str] = Counter()
    for member in LISTS:
        entries = statement.get(member)
        for n, entry in enumerate(entries if isinstance(entries, list) else ()):
            slug = entry.get("slug") if isinstance(entry, dict) else None
            if not isinstance(slug, str):
                continue  # the schema has said so
            times[slug] += 1
            where = (member, n, "slug")
            if slug not in registry:
                close = close_names(slug, registry)
                hint = f"; did you mean {' or '.join(close)}?" if close else ""
                yield where, f"no requirement is called {slug}{hint}"
            elif registry[slug].role != statement.get("role"):
                yield where, f"{slug} binds the {registry[slug].role}, not {_role(statement)}"
            elif times[slug] > 1:
                yield where, f"{slug} stands there {times[slug]} times; once will do"


def _role(statement: dict[str, Json]) -> str:
    role = statement.get("role")
    return f"the {role}" if isinstance(role, str) else "a role that is not stated"
