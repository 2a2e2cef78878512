"""The Kaitai specification: what its own compiler makes of it decides as the declarations do.

The compiler is an npm package (``npm install -g kaitai-struct-compiler``), which few machines have.
"""

from __future__ import annotations

import importlib.util
import io
import json
import os
import shutil
import subprocess
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests import peers
from tests.export import corpus
from tests.export.oracle import Case, Refusal, Values, judge
from vhint.export import export
from vhint.export.kaitai import ident
from vhint.export.shape import Array, Bits, Field, Leading, Number, Parts, Variant
from vhint.export.words import camel, snake

kaitaistruct = peers.module("kaitaistruct", "kaitaistruct")
yaml = peers.module("yaml", "pyyaml")

KAITAI = "kaitai-struct-compiler"
COMPILE = """
const compiler = require("kaitai-struct-compiler");
const text = require("fs").readFileSync(0, "utf8");
compiler.compile("python", JSON.parse(text), null, false).then(
    files => process.stdout.write(Object.values(files)[0]),
    error => { console.error(String(error)); process.exit(1); });
"""
KINDS = {
    "EndOfStreamError": {"short_input"},
    "ValidationExprError": {
        "trailing_bytes",
        "padding_not_zero",
        "wrong_length",
        "unknown_value",
    },
    "ValidationGreaterThanError": {"out_of_range"},
    "ValidationLessThanError": {"out_of_range"},
    "ValidationNotEqualError": {"reserved_not_zero"},
    "ValidationNotInEnumError": {"unknown_value"},
}


def compiled(specification: str) -> str:
    """What the compiler makes of a specification in Python."""
    node = shutil.which("node")
    found = (
        node
        and subprocess.run(
            ["npm", "root", "-g"], capture_output=True, text=True, check=False
        ).stdout.strip()
    )
    paths = [os.environ.get("NODE_PATH", ""), found or ""]
    if not node or not any((Path(p) / KAITAI).is_dir() for p in paths if p):
        peers.missing("no Kaitai compiler: npm install -g kaitai-struct-compiler", KAITAI)
    done = subprocess.run(
        [node, "-e", COMPILE],
        input=json.dumps(yaml.safe_load(specification)),
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"NODE_PATH": os.pathsep.join(filter(None, paths))},
        timeout=300,
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    return done.stdout


def load(text: str, path: Path) -> ModuleType:
    path.write_text(text)
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def parser(tmp_path_factory: pytest.TempPathFactory) -> Any:
    path = tmp_path_factory.mktemp("kaitai") / "vhint.py"
    return load(compiled(str(export("kaitai", ["*"]))), path).Vhint


def parse(parser: Any, case: Case) -> Values | str:
    """The values, or the name of the error."""
    group = next(each for each in case.format.groups if case.layout in each.layouts)
    kind = getattr(parser, camel(snake(case.format.name) + group.suffix))
    stream = kaitaistruct.KaitaiStream(io.BytesIO(case.data))
    try:
        message = kind(*case.parameters, stream)
    except (EOFError, kaitaistruct.KaitaiStructError) as error:
        return type(error).__name__
    values: Values = {}
    _read(message, group.tree, "", values)
    return values


def _read(node: Any, fields: tuple[Field, ...], path: str, values: Values) -> None:
    for field in fields:
        value = getattr(node, ident(field.name), None)
        match field:
            case Number() if field.is_shown and value is not None:
                values[path + field.name] = str(int(getattr(value, "value", value)))
            case Parts():
                for part in field.parts:
                    values[f"{path}{field.name}.{part.name}"] = str(getattr(value, part.name))
            case Bits():
                _bits(node, field, path, value, values)
            case Leading(numbers):
                _read(node, numbers, path, values)
            case Variant():
                chosen = getattr(node, field.key)
                case = next(each for each in field.cases if each.value == chosen.value)
                _read(value, case.fields, path, values)
            case Array():
                values[f"{field.name}.count"] = str(len(value))
                for i, each in enumerate(value):
                    if field.is_plain:
                        values[f"{field.name}[{i}]"] = str(each)
                    else:
                        _read(each, field.element, f"{field.name}[{i}].", values)
            case _ if value is not None and hasattr(field, "number"):
                values[path + field.name] = str(value)


def _bits(node: Any, field: Bits, path: str, value: bytes, values: Values) -> None:
    if field.is_leading and not value:
        return
    owner = node if field.count.scope != "message" else getattr(node, "_parent", node)
    for name in field.count.names:
        owner = getattr(owner, name)
    count = min(owner * field.count.scale, 8 * len(value))
    number = int.from_bytes(value, "little")
    values[path + field.name] = "".join("01"[number >> i & 1] for i in range(count))


def disagreements(parser: Any, cases: tuple[Case, ...]) -> list[str]:
    found = []
    for case in cases:
        wanted, seen = judge(case), parse(parser, case)
        agreed = (
            wanted.kind in KINDS[seen]
            if isinstance(seen, str) and isinstance(wanted, Refusal)
            else wanted == seen
        )
        if not agreed:
            found.append(f"{case.id}: {case.line}: expected {wanted}, seen {seen}")
    return found


def test_every_vector(parser: Any) -> None:
    assert disagreements(parser, corpus.vectors()) == []


def test_mutants(parser: Any) -> None:
    assert disagreements(parser, corpus.mutants(2500)) == []


def test_a_single_format_is_the_root(tmp_path: Path) -> None:
    text = compiled(str(export("kaitai", ["hint-request"])))
    root = load(text, tmp_path / "hint_request.py").HintRequest
    message = root.from_bytes(bytes([1, *bytes(15)]))
    assert message.body.blocks == []
