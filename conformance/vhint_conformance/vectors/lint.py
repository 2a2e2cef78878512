"""What must hold of the vector files as they are, wherever they came from.

The tables and the codecs are not looked at: a linter that shared them with the generator would
share its mistakes.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from vhint_conformance.vectors import steps
from vhint_conformance.vectors.model import Json
from vhint_conformance.vectors.render import canonical, meaning
from vhint_conformance.vectors.store import schema
from vhint_conformance.vectors.values import problem
from vhint_spec import registry

if TYPE_CHECKING:
    from jsonschema import Draft202012Validator

MANIFEST = "manifest.json"
KINDS = ("format", "function", "stateful")


def lint(directory: Path) -> list[str]:
    """Say everything that is wrong with the files in a folder; each line begins with the file.

    Raises `ModuleNotFoundError` if jsonschema is not installed.
    """
    found: list[str] = []
    values: dict[str, Json] = {}
    for path in sorted(directory.rglob("*.json")):
        name = path.relative_to(directory).as_posix()
        text = path.read_bytes()
        try:
            value = json.loads(text)
        except ValueError as error:
            found.append(f"{name}: not JSON: {error}")
            continue
        if canonical(value).encode() != text:
            found.append(
                f"{name}: not canonical: sort keys, indent by one space, end with a newline"
            )
        kind = "manifest" if name == MANIFEST else name.partition("/")[0]
        if kind not in (*KINDS, "manifest"):
            found.append(f"{name}: not in a folder of {', '.join(KINDS)}")
            continue
        broken = [f"{name}: {line}" for line in _against_schema(kind, value)]
        found += broken
        if not broken:
            values[name] = value
    manifest = values.pop(MANIFEST, None)
    for name, value in values.items():
        found += [f"{name}: {line}" for line in _file(name, value)]
    found += _across(values)
    if manifest is None:
        return [*found, f"{MANIFEST}: missing or broken"]
    return found + [f"{MANIFEST}: {line}" for line in _manifest(directory, manifest, values)]


@cache
def _validator(kind: str) -> Draft202012Validator:
    from jsonschema import Draft202012Validator
    from referencing import Registry, Resource

    common = Resource.from_contents(schema("common"))
    return Draft202012Validator(schema(kind), registry=common @ Registry())


def _against_schema(kind: str, value: Json) -> Iterator[str]:
    for error in sorted(_validator(kind).iter_errors(value), key=lambda error: error.json_path):
        yield f"{error.json_path}: {error.message[:160]}"


def _file(name: str, value: Json) -> Iterator[str]:
    stem = Path(name).stem
    if value["id"] != stem:
        yield f"id is {value['id']}, but the file is called {stem}"
    if value["count"] != len(value["vectors"]):
        yield f"count is {value['count']}, but there are {len(value['vectors'])} vectors"
    ids = [vector["id"] for vector in value["vectors"]]
    if ids != sorted(ids):
        yield "vectors are not sorted by id"
    used = {key for vector in value["vectors"] for key in vector["notes"]}
    yield from _names("note", used - value["notes"].keys(), "not explained")
    yield from _names("note", value["notes"].keys() - used, "explained, but no vector has it")
    for vector in value["vectors"]:
        for line in _vector(value, vector):
            yield f"{vector['id']}: {line}"


def _vector(file: Json, vector: Json) -> Iterator[str]:
    if not vector["id"].startswith(f"{file['id']}."):
        yield f"does not begin with {file['id']}."
    known = registry.load()
    yield from _names("requirement", {*vector["requirements"]} - known.keys(), "not known")
    match file["kind"]:
        case "format":
            yield from _format(file, vector)
        case "stateful":
            yield from _history(vector)


def _format(file: Json, vector: Json) -> Iterator[str]:
    if "decoded" in vector and (what := problem(vector["decoded"], file["types"], file["enums"])):
        yield f"decoded: {what}"
    if vector["result"] == "invalid" and vector["error"]["offset"] > len(vector["hex"]) // 2:
        yield "the offence lies behind the last byte"
    for name, expected in vector.get("device", {}).items():
        if name not in file["settings"]:
            yield f"setting {name}: not described"
        if file["queue"] is None:
            yield "a device is expected to do something, but the file names no queue"
        if vector["result"] == "invalid" and expected.get("result") == "valid":
            yield f"setting {name}: a device accepts what a parser refuses"
        yield from _names(
            "requirement", {*expected["requirements"]} - {*vector["requirements"]}, "not listed"
        )


def _history(vector: Json) -> Iterator[str]:
    listed = vector["steps"]
    violated = {slug for step in listed for slug in step.get("violates", ())}
    if (vector["result"] == "violation") is not bool(violated):
        yield f"result is {vector['result']}, with {len(violated)} requirements broken"
    yield from _names("requirement", violated - {*vector["requirements"]}, "not listed")
    if [step["step"] for step in listed].count("end") != 1 or listed[-1]["step"] != "end":
        yield "it does not end once, with the last step"
    offered: set[str] = set()
    labels: set[str] = set()
    for number, step in enumerate(listed):
        if step["step"] not in steps.EVERY:
            yield f"step {number}: {step['step']} is nobody's"
        if step["step"] == "offer":
            if step["request"] in offered:
                yield f"step {number}: {step['request']} is offered twice"
            offered.add(step["request"])
        if step["step"] == "use" and step["request"] not in offered:
            yield f"step {number}: {step['request']} was not offered"
        if "not_before" in step and step["not_before"] not in labels:
            yield f"step {number}: there is no step {step['not_before']} before it"
        if "label" in step:
            labels.add(step["label"])


def _across(values: Mapping[str, Json]) -> Iterator[str]:
    places: dict[str, list[str]] = {}
    for name, value in values.items():
        for vector in value["vectors"]:
            places.setdefault(vector["id"], []).append(name)
    for identity, names in sorted(places.items()):
        if len(names) > 1:
            yield f"{names[0]}: {identity}: used {len(names)} times ({', '.join(names)})"


def _manifest(directory: Path, manifest: Json, values: Mapping[str, Json]) -> Iterator[str]:
    listed = {entry["path"]: entry for entry in manifest["files"]}
    for path, times in Counter(entry["path"] for entry in manifest["files"]).items():
        if times > 1:
            yield f"{path}: listed {times} times"
    yield from _names("file", values.keys() - listed.keys(), "not listed")
    for path, entry in listed.items():
        if path not in values:
            yield f"{path}: listed, but missing or broken"
            continue
        value = values[path]
        expected = {
            "count": value["count"],
            "ids": {vector["id"]: meaning(vector) for vector in value["vectors"]},
            "kind": value["kind"],
            "path": path,
            "sha256": hashlib.sha256((directory / path).read_bytes()).hexdigest(),
            "title": value["title"],
        }
        for key, wanted in expected.items():
            if entry[key] != wanted:
                yield f"{path}: {key} is not that of the file"
    if manifest["count"] != sum(entry["count"] for entry in manifest["files"]):
        yield "count is not the sum of the files' counts"
    ids = {identity for entry in manifest["files"] for identity in entry["ids"]}
    yield from _names("id", ids & manifest["retired"].keys(), "retired, but in use")


def _names(what: str, names: Iterable[str], problem: str) -> Iterator[str]:
    for name in sorted(names):
        yield f"{what} {name}: {problem}"
