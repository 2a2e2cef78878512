"""Writing the vector files from the tables, or saying how they differ."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path

from vhint_conformance.selection import matches
from vhint_conformance.vectors.agree import disagreement
from vhint_conformance.vectors.model import (
    FORMAT,
    FormatFile,
    FunctionFile,
    HistoryFile,
    Json,
    VectorFile,
)
from vhint_conformance.vectors.render import canonical, folder, manifest, render
from vhint_conformance.vectors.replay import replay_problem
from vhint_conformance.vectors.tables import FILES, RETIRED

MANIFEST = "manifest.json"


class VectorError(ValueError):
    """The tables do not make sound vectors; the message has a line for each problem."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


def texts(
    files: Sequence[VectorFile] = FILES, retired: Mapping[str, str] = RETIRED
) -> dict[str, str]:
    """Return the text of every JSON file by its path in the folder.

    Raises `VectorError` if a table contradicts the project's codecs, functions or monitors.
    """
    rendered = [(file, value, canonical(value)) for file in files for value in [render(file)]]
    problems = [
        f"{identity}: {what}"
        for file, value, _ in rendered
        for identity, what in _wrong(file, value)
    ]
    if problems:
        raise VectorError(problems)
    made = {f"{folder(file)}/{file.name}.json": text for file, _, text in rendered}
    made[MANIFEST] = canonical(manifest(rendered, dict(retired)))
    return made


def _wrong(file: VectorFile, value: Json) -> Iterator[tuple[str, str]]:
    match file:
        case FormatFile(codec=codec, types=types):
            for vector in value["vectors"]:
                if what := disagreement(codec, types, vector):
                    yield vector["id"], what
        case FunctionFile(check=check):
            for call in file.vectors:
                if what := check(call):
                    yield f"{file.name}.{call.name}", what
        case HistoryFile():
            for vector in value["vectors"]:
                if what := replay_problem(vector["steps"]):
                    yield vector["id"], what


def differences(directory: Path, made: Mapping[str, str]) -> list[str]:
    """Say which files of the folder are not what the tables make."""
    present = {str(path.relative_to(directory)) for path in directory.rglob("*.json")}
    found = [f"{path}: made by no table" for path in sorted(present - made.keys())]
    found += [f"{path}: missing" for path in sorted(made.keys() - present)]
    for path in sorted(present & made.keys()):
        if (directory / path).read_text(encoding="utf-8") != made[path]:
            found.append(f"{path}: differs from what the tables make")
    return found


def broken_promises(
    directory: Path, made: Mapping[str, str], redefine: Collection[str] = ()
) -> list[str]:
    """Say which published ids would vanish, mean something else, or come back.

    What was published is read from the manifest in the folder; ids that match `redefine` may
    change.
    """
    try:
        old = json.loads((directory / MANIFEST).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return []
    new = json.loads(made[MANIFEST])
    if old["format"] != new["format"]:
        return []
    before, now = _ids(old), _ids(new)
    found = [
        f"{name}: was published and is gone; enter it into RETIRED"
        for name in before.keys() - now.keys() - new["retired"].keys()
    ]
    found += [
        f"{name}: was retired and is used again; choose a new id"
        for name in now.keys() & (new["retired"].keys() | old["retired"].keys())
    ]
    found += [
        f"{name}: means something else than before; choose a new id, or leave {FORMAT}"
        for name in before.keys() & now.keys()
        if before[name] != now[name]
    ]
    return sorted(
        line for line in found if not any(matches(glob, line.split(":")[0]) for glob in redefine)
    )


def _ids(value: Json) -> dict[str, str]:
    return {name: digest for file in value["files"] for name, digest in file["ids"].items()}


def write(directory: Path, made: Mapping[str, str]) -> None:
    """Write the files, and remove JSON files that no table makes."""
    for path in directory.rglob("*.json"):
        if str(path.relative_to(directory)) not in made:
            path.unlink()
    for name, text in made.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
