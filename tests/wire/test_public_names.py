"""The public names of the codecs, pinned: what stands in `public_names.json` is promised.

The promise is in docs/how-to/use-the-codecs.md. To add a name, run

    python -m tests.wire.test_public_names

and look at the difference: lines may come, but none may go or change without a new version that
says so in the change log.
"""

import ast
import enum
import importlib
import importlib.util
import json
import pkgutil
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import vhint.wire
from vhint.wire.errors import WireError
from vhint.wire.formats import FORMATS

PINNED = Path(__file__).with_name("public_names.json")
NOT_PROMISED = {
    "build_source",
    "codec",
    "columns",
    "declared",
    "derive",
    "integers",
    "leading_codec",
    "parse_source",
    "plan",
    "records",
    "schema",
    "sized",
    "source",
}
"""Modules of `vhint.wire` that make the codecs, and are not the codecs."""


def modules() -> list[str]:
    found = pkgutil.walk_packages(vhint.wire.__path__, "vhint.wire.")
    public = [each.name for each in found if each.name.split(".")[2] not in NOT_PROMISED]
    return ["vhint.wire", *sorted(public)]


def names(module: str) -> dict[str, str]:
    """The public names that a module makes or says it has, each with what it is."""
    loaded = importlib.import_module(module)
    spec = importlib.util.find_spec(module)
    assert spec is not None
    assert spec.origin is not None
    tree = ast.parse(Path(spec.origin).read_text(encoding="utf-8"))
    found = set(getattr(loaded, "__all__", ()))
    for node in tree.body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            found.add(node.name)
        elif isinstance(node, (ast.Assign, ast.AnnAssign)):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            found |= {target.id for target in targets if isinstance(target, ast.Name)}
    public = sorted(name for name in found if not name.startswith("_"))
    return {name: kind(getattr(loaded, name)) for name in public}


def kind(value: Any) -> str:
    if isinstance(value, type) and issubclass(value, enum.Enum):
        return "members " + " ".join(f"{each.name}={each.value}" for each in value)
    if isinstance(value, type) and is_dataclass(value):
        return "fields " + " ".join(field.name for field in fields(value))
    if isinstance(value, type) and issubclass(value, WireError):
        return f"error, a {value.__base__.__name__}"
    if isinstance(value, type):
        return "class"
    return "function" if callable(value) and not hasattr(value, "sizeof") else "value"


def formats() -> dict[str, str]:
    return {
        form.id: " ".join((form.status, *form.parameters, *form.layouts))
        for form in FORMATS.values()
    }


def current() -> dict[str, dict[str, str]]:
    return {"formats": formats(), **{module: names(module) for module in modules()}}


def test_no_public_name_changes_by_accident() -> None:
    pinned = json.loads(PINNED.read_text())
    now = current()
    gone = {
        f"{group}.{name}: {what}, now {now.get(group, {}).get(name, 'gone')}"
        for group, members in pinned.items()
        for name, what in members.items()
        if now.get(group, {}).get(name) != what
    }
    assert not gone, "promised names are gone, or are something else"
    new = {f"{group}.{name}" for group in now for name in now[group].keys() - pinned.get(group, {})}
    assert not new, "new public names: pin them, see the docstring of this file"


def test_errors_are_of_one_family_with_these_parts() -> None:
    error = WireError("path", 3, "expected", "seen", format="format")
    assert isinstance(error, ValueError)
    assert (error.path, error.offset, error.expected, error.seen, error.format) == (
        "path",
        3,
        "expected",
        "seen",
        "format",
    )


if __name__ == "__main__":
    PINNED.write_text(json.dumps(current(), indent=1) + "\n")
