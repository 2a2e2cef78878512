"""`vhint vectors`: the files are what the tables make, sound, and keep their promises."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from tests.vectors.files import FOLDER, MANIFEST
from vhint_conformance.cli import main as command
from vhint_conformance.vectors import generate, store, tables
from vhint_conformance.vectors.lint import lint
from vhint_conformance.vectors.model import FORMAT
from vhint_conformance.vectors.render import canonical
from vhint_conformance.vectors.tables import balloon, features, hint_ack, hint_round_lives

Say = Callable[..., tuple[int, str, str]]
make_all = cache(generate.texts)


@pytest.fixture(autouse=True)
def make_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make all files once: that they are the same each time is one of the tests."""
    monkeypatch.setattr(generate, "texts", make_all)


def test_generation_is_deterministic() -> None:
    assert make_all.__wrapped__() == make_all()


@pytest.fixture
def says(capfd: Any, monkeypatch: pytest.MonkeyPatch) -> Say:
    """Call `vhint vectors`; return exit status, output, errors."""

    def call(*words: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["vhint", "vectors", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            command.main()
        out, err = capfd.readouterr()
        return int(ended.value.code or 0), out, err

    return call


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the files to spoil."""
    return Path(shutil.copytree(FOLDER, tmp_path / "vectors"))


@pytest.fixture(scope="module")
def few_texts() -> dict[str, str]:
    chosen = (
        hint_ack.FILE,
        balloon.PFN_ARRAY,
        features.FEATURES,
        features.NEGOTIATION,
        hint_round_lives.FILE,
    )
    return make_all.__wrapped__(chosen)


@pytest.fixture
def few(tmp_path: Path, few_texts: dict[str, str]) -> Path:
    """A few small files to spoil."""
    generate.write(tmp_path, few_texts)
    return tmp_path


def edit(path: Path, change: Callable[[Any], object]) -> None:
    value = json.loads(path.read_text())
    change(value)
    path.write_text(canonical(value))


def test_the_files_are_what_the_tables_make(says: Say) -> None:
    assert says("generate", "--check") == (0, f"{FOLDER}: as the tables make it\n", "")


def test_the_files_are_sound(says: Say) -> None:
    assert says("lint") == (0, f"{FOLDER}: sound\n", "")


def test_path_and_list(says: Say) -> None:
    assert says("path") == (0, f"{FOLDER}\n", "")
    assert (FOLDER / "README.md").is_file()
    status, out, _ = says("list")
    assert (status, len(out.splitlines())) == (0, MANIFEST["count"])
    status, out, _ = says("list", "hint-ack.ok-*")
    assert "valid      hint-ack.ok-all  OK with a result bit for each block\n" in out
    status, _, err = says("list", "hint-ack.ok-al")
    assert (status, "did you mean hint-ack.ok-all" in err) == (2, True)


@pytest.mark.parametrize("words", [("list",), ("lint",)])
def test_a_folder_without_vectors(says: Say, tmp_path: Path, words: tuple[str, ...]) -> None:
    status, _, err = says(*words, "--directory", tmp_path)
    assert (status, "has no manifest.json" in err) == (2, True)


def test_generation_is_complete(says: Say, tmp_path: Path) -> None:
    status, out, _ = says("generate", "--directory", tmp_path)
    assert status == 0
    assert f"{len(MANIFEST['files']) + 1} files written" in out
    for name, text in generate.texts().items():
        assert (tmp_path / name).read_text() == text == (FOLDER / name).read_text()


def test_check_says_what_differs(says: Say, copy: Path) -> None:
    edit(copy / "format/hint-ack.json", lambda value: value.update(title="Another"))
    (copy / "format/features.json").unlink()
    (copy / "format/extra.json").write_text("{}\n")
    status, out, err = says("generate", "--check", "--directory", copy)
    assert status == 1
    assert "3 files would change" in out
    assert err.splitlines() == [
        "format/extra.json: made by no table",
        "format/features.json: missing",
        "format/hint-ack.json: differs from what the tables make",
    ]


def test_a_published_id_keeps_its_meaning(says: Say, copy: Path) -> None:
    def change(manifest: Any) -> None:
        ids = next(f for f in manifest["files"] if f["path"] == "format/hint-ack.json")["ids"]
        ids["hint-ack.ok-all"] = "0" * 16
        ids["hint-ack.once-there"] = "1" * 16
        manifest["retired"]["hint-ack.ok-10"] = "a reason"

    edit(copy / "manifest.json", change)
    status, out, err = says("generate", "--directory", copy)
    assert (status, "nothing written" in out) == (1, True)
    assert err.splitlines() == [
        "hint-ack.ok-10: was retired and is used again; choose a new id",
        f"hint-ack.ok-all: means something else than before; choose a new id, or leave {FORMAT}",
        "hint-ack.once-there: was published and is gone; enter it into RETIRED",
    ]
    status, _, err = says("generate", "--directory", copy, "--redefine", "hint-ack.*")
    assert (status, err) == (0, "")


def test_a_table_that_contradicts_the_codecs_makes_nothing() -> None:
    good = hint_ack.FILE
    first = good.vectors[0]
    wrong = replace(good, vectors=[replace(first, data=first.data[:-1])])
    with pytest.raises(generate.VectorError, match=r"hint-ack\.empty-request: the codec refuses"):
        make_all.__wrapped__([wrong])


def test_a_few_files_are_sound_before_they_are_spoilt(few: Path) -> None:
    assert lint(few) == []


def first_vector(key: str, value: object) -> Callable[[Any], object]:
    return lambda file: file["vectors"][0].update({key: value})


@pytest.mark.parametrize(
    ("path", "change", "complaint"),
    [
        ("format/hint-ack.json", lambda f: f.update(count=1), "count is 1, but there are"),
        ("format/hint-ack.json", lambda f: f["vectors"].reverse(), "not sorted by id"),
        ("format/hint-ack.json", lambda f: f["vectors"].pop(), "count is"),
        ("format/hint-ack.json", lambda f: f["notes"].clear(), "note above-2-53: not explained"),
        ("format/hint-ack.json", first_vector("id", "hint-ack.ok-all"), "used 2 times"),
        ("format/hint-ack.json", first_vector("id", "other.name"), "does not begin with hint-ack."),
        ("format/hint-ack.json", first_vector("hex", "AB"), "does not match"),
        ("format/hint-ack.json", first_vector("hex", "abc"), "does not match"),
        ("format/hint-ack.json", first_vector("result", "acceptable"), "is not one of"),
        ("format/hint-ack.json", first_vector("extra", 1), "unexpected"),
        (
            "format/hint-ack.json",
            first_vector("requirements", ["hint.device.no-such-thing"]),
            "requirement hint.device.no-such-thing: not known",
        ),
        (
            "format/pfn-array.json",
            lambda f: f["vectors"][-1]["decoded"]["pfns"].append("1"),
            "decoded: pfns: [2]: '1' is no 'u32'",
        ),
        (
            "format/pfn-array.json",
            lambda f: f["settings"].clear(),
            "setting default: not described",
        ),
        ("function/negotiation.json", first_vector("gives", None), "$.vectors[0]"),
        (
            "stateful/life-free-page-hint.json",
            lambda f: f["vectors"][0]["steps"].pop(),
            "does not end once",
        ),
        (
            "stateful/life-free-page-hint.json",
            first_vector("result", "ok"),
            "with 1 requirements broken",
        ),
        ("manifest.json", lambda m: m.update(count=1), "not the sum"),
        ("manifest.json", lambda m: m["files"].pop(), "not listed"),
        ("manifest.json", lambda m: m.update(format="vhint-vectors/0"), "was expected"),
        (
            "manifest.json",
            lambda m: m["retired"].update({"hint-ack.ok-all": "gone"}),
            "retired, but in use",
        ),
    ],
)
def test_the_linter_finds(
    few: Path, path: str, change: Callable[[Any], object], complaint: str
) -> None:
    edit(few / path, change)
    found = lint(few)
    assert any(complaint in line for line in found), found
    assert all(line.partition(":")[0].endswith(".json") for line in found)
    if path != "manifest.json":
        broken = [line for line in found if line.startswith("manifest.json")]
        assert broken, "a changed file no longer has the checksum of the manifest"


def test_the_linter_finds_another_form_and_no_json(few: Path) -> None:
    path = few / "format/features.json"
    path.write_text(json.dumps(json.loads(path.read_text()), indent=2))
    (few / "format/hint-ack.json").write_text("{")
    found = lint(few)
    assert any("features.json: not canonical" in line for line in found)
    assert any("hint-ack.json: not JSON" in line for line in found)


def test_lint_exits_with_1(says: Say, few: Path) -> None:
    (few / "format/hint-ack.json").write_text("{")
    status, out, err = says("lint", "--directory", few)
    assert status == 1
    assert "problems" in out
    assert "Traceback" not in err


@pytest.mark.parametrize("name", ["common", "format", "function", "stateful", "manifest"])
def test_schemas_are_schemas(name: str) -> None:
    jsonschema.Draft202012Validator.check_schema(store.schema(name))


def test_every_table_is_in_the_manifest() -> None:
    paths = {Path(entry["path"]).stem for entry in MANIFEST["files"]}
    assert paths == {file.name for file in tables.FILES}
    assert MANIFEST["format"] == FORMAT
