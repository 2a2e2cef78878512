"""Validation of every message, both ways, against the schema that ships with the suite."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from vhint_conformance.targets.harness import messages
from vhint_conformance.targets.harness.messages import ProtocolError

SCHEMA_FILE = Path(__file__).with_name("vhint-harness-1.schema.json")


def check(definition: str, message: Mapping[str, Any]) -> None:
    """Raise `ProtocolError` unless a message is as its definition in the schema says.

    >>> check("request-stop", {"seq": 7})  # doctest: +IGNORE_EXCEPTION_DETAIL
    Traceback (most recent call last):
    vhint_conformance.targets.harness.messages.ProtocolError: is not as the schema has it: 'cmd' ...
    """
    from jsonschema.exceptions import best_match

    error = best_match(_validator(definition).iter_errors(message))
    if error is not None:
        place = error.json_path.removeprefix("$").removeprefix(".")
        seen = f"{place}: {error.message}" if place else error.message
        raise ProtocolError(f"is not as the schema has it: {messages.cut(seen)}")


@lru_cache
def _validator(definition: str) -> Any:
    from jsonschema import Draft202012Validator

    definitions = _definitions()
    if definition not in definitions:
        raise KeyError(f"the schema has no {definition}")
    return Draft202012Validator({"$defs": definitions, "$ref": f"#/$defs/{definition}"})


@lru_cache
def _definitions() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(SCHEMA_FILE.read_text())["$defs"]
    return found
