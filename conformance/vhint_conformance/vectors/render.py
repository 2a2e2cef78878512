"""Vector files as JSON values: what stands in the files, and in which form."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

from vhint_conformance.vectors.model import (
    FORMAT,
    Call,
    Expected,
    FormatFile,
    FunctionFile,
    History,
    HistoryFile,
    Json,
    Setting,
    Vector,
    VectorFile,
)
from vhint_conformance.vectors.tables.common import SETTINGS
from vhint_conformance.vectors.tables.notes import NOTES
from vhint_conformance.vectors.values import spans_to_json

MEANING = ("decoded", "device", "driver", "error", "given", "gives", "hex", "layouts", "one_way",
           "parameters", "result", "steps")  # fmt: skip
"""The members of a vector that must not change under its id."""


def canonical(value: Json) -> str:
    r"""Return the only text that stands for a value: sorted keys, one space of indent.

    >>> canonical({"b": [], "a": "é"})
    '{\n "a": "é",\n "b": []\n}\n'
    """
    return json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def digest(text: str) -> str:
    """Return the SHA-256 of a text, in hex."""
    return hashlib.sha256(text.encode()).hexdigest()


def meaning(vector: Json) -> str:
    """Return 16 hex digits that stand for everything that must not change under the id."""
    return digest(canonical({key: vector[key] for key in MEANING if key in vector}))[:16]


def folder(file: VectorFile) -> str:
    """Return the folder of a file, which is its kind."""
    match file:
        case FormatFile():
            return "format"
        case FunctionFile():
            return "function"
        case HistoryFile():
            return "stateful"


def render(file: VectorFile) -> dict[str, Any]:
    """Return the JSON value of a file; its vectors are sorted by id."""
    vectors: list[dict[str, Any]]
    match file:
        case FormatFile():
            vectors = [_vector(file, vector) for vector in file.vectors]
        case FunctionFile():
            vectors = [_call(file, call) for call in file.vectors]
        case HistoryFile():
            vectors = [_history(file, history) for history in file.vectors]
    used = sorted({key for vector in vectors for key in vector["notes"]})
    made = {
        "count": len(vectors),
        "format": FORMAT,
        "id": file.name,
        "kind": folder(file),
        "notes": {key: {"bugs": list(NOTES[key].bugs), "why": NOTES[key].why} for key in used},
        "source": file.source,
        "title": file.title,
        "vectors": sorted(vectors, key=lambda vector: str(vector["id"])),
    }
    if isinstance(file, FormatFile):
        names = sorted({name for vector in file.vectors for name in vector.device})
        made |= {
            "enums": {name: dict(values) for name, values in file.enums.items()},
            "queue": file.queue,
            "settings": {name: _setting(SETTINGS[name]) for name in names},
            "status": file.status,
            "types": file.types,
        }
    return made


def _common(file: VectorFile, vector: Vector | Call | History, slugs: Iterable[str]) -> Json:
    return {
        "comment": vector.comment,
        "id": f"{file.name}.{vector.name}",
        "notes": sorted(vector.notes),
        "requirements": sorted({*vector.requirements, *slugs}),
    }


def _vector(file: FormatFile, vector: Vector) -> dict[str, Any]:
    slugs = [slug for expected in vector.device.values() for slug in expected.requirements]
    slugs += vector.driver.requirements if vector.driver else ()
    made: dict[str, Any] = _common(file, vector, slugs)
    made["hex"] = vector.data.hex()
    made["parameters"] = dict(vector.parameters)
    if vector.fault is None:
        made |= {"result": "valid", "decoded": vector.decoded}
    else:
        made |= {"result": "invalid", "error": asdict(vector.fault)}
    if vector.layouts:
        made["layouts"] = list(vector.layouts)
    if vector.one_way:
        made["one_way"] = True
    if vector.device:
        made["device"] = {name: _expected(each) for name, each in vector.device.items()}
    if vector.driver:
        lost = vector.driver.lost
        made["driver"] = {
            "action": "reset" if lost is None else "return",
            "cookie": str(vector.driver.cookie),
            "lost": lost,
        }
    return made


def _expected(expected: Expected) -> Json:
    made: dict[str, Json] = {
        "outcomes": list(expected.outcomes),
        "requirements": sorted(expected.requirements),
    }
    if expected.statuses is not None:
        made["statuses"] = list(expected.statuses)
        made["result"] = "valid" if "OK" in expected.statuses else "invalid"
    if expected.may_discard is not None:
        made["may_discard"] = spans_to_json(expected.may_discard)
    if expected.figures is not None:
        made["figures"] = [{"tag": tag, "value": str(value)} for tag, value in expected.figures]
    return made


def _setting(setting: Setting) -> Json:
    return {
        "accepted": list(setting.accepted),
        "comment": setting.comment,
        "hint_max_count": setting.hint_max_count,
        "hint_min_order": setting.hint_min_order,
        "host_page": setting.host_page,
        "poison_val": setting.poison_val,
        "ram": spans_to_json(setting.ram),
        "structures": spans_to_json([setting.structures])[0],
    }


def _call(file: FunctionFile, call: Call) -> dict[str, Any]:
    made: dict[str, Any] = _common(file, call, ())
    made |= {
        "given": dict(call.given),
        "gives": call.gives,
        "result": "invalid" if call.gives is None else "valid",
    }
    return made


def _history(file: HistoryFile, history: History) -> dict[str, Any]:
    violated = [slug for step in history.steps for slug in step.get("violates", ())]
    made: dict[str, Any] = _common(file, history, violated)
    made |= {
        "result": "violation" if violated else "ok",
        "steps": [dict(step) for step in history.steps],
    }
    return made


def manifest(rendered: Sequence[tuple[VectorFile, Json, str]], retired: dict[str, str]) -> Json:
    """Return the manifest of (file, value, text) triples."""
    return {
        "count": sum(value["count"] for _, value, _ in rendered),
        "files": [
            {
                "count": value["count"],
                "ids": {vector["id"]: meaning(vector) for vector in value["vectors"]},
                "kind": value["kind"],
                "path": f"{folder(file)}/{file.name}.json",
                "sha256": digest(text),
                "title": value["title"],
            }
            for file, value, text in sorted(
                rendered, key=lambda each: (folder(each[0]), each[0].name)
            )
        ],
        "format": FORMAT,
        "retired": retired,
    }
