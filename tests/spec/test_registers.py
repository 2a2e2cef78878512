"""The registers of clauses, bugs and errata: their data, their schemas, their loaders."""

from __future__ import annotations

import dataclasses
import tomllib
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from vhint_spec import RegistryError, bugs, clauses, errata, load, schema
from vhint_spec.bugs import Bug, Confidence
from vhint_spec.clauses import Clause, Label
from vhint_spec.errata import Erratum

ROOT = files("vhint_spec")
FOLDERS = {"clauses": ("label", "clause"), "bugs": ("bug", "bug"), "errata": ("erratum", "erratum")}


def tables(folder: str) -> list[dict[str, Any]]:
    return [
        entry
        for path in sorted((ROOT / folder).iterdir(), key=lambda path: path.name)
        if path.name.endswith(".toml")
        for entry in tomllib.loads(path.read_text(encoding="utf-8"))[FOLDERS[folder][0]]
    ]


@pytest.mark.parametrize("folder", FOLDERS)
def test_tables_follow_their_schema(folder: str) -> None:
    validator = jsonschema.Draft202012Validator(schema(FOLDERS[folder][1]))
    validator.check_schema(schema(FOLDERS[folder][1]))
    for entry in tables(folder):
        validator.validate(entry)


@pytest.mark.parametrize("folder", FOLDERS)
def test_files_stay_readable(folder: str) -> None:
    for path in (ROOT / folder).iterdir():
        assert len(path.read_text(encoding="utf-8").splitlines()) <= 600, path.name


def test_schemas_and_dataclasses_agree() -> None:
    assert set(schema("bug")["properties"]) == {field.name for field in dataclasses.fields(Bug)}
    assert set(schema("erratum")["properties"]) == {
        field.name for field in dataclasses.fields(Erratum)
    }
    label = schema("clause")
    counted = {"title", "file", "line", "counted"}
    assert set(label["properties"]) | counted == {f.name for f in dataclasses.fields(Label)}
    assert set(label["$defs"]["clause"]["properties"]) | {"label", "legacy"} == {
        field.name for field in dataclasses.fields(Clause)
    }
    for name in ("bug", "erratum"):
        text = str(schema(name))
        assert all(repr(str(confidence)) in text for confidence in Confidence)


# Clauses.

BALLOON = {
    "FB-R": 3, "OP-R": 12, "ST-R": 8, "FH-R": 10, "PP-R": 3, "PR-R": 6,
    "FB-D": 1, "OP-D": 2, "ST-D": 2, "FH-D": 6, "PP-D": 1, "PR-D": 2,
    "FB-L": 2, "CF-L": 1, "OP-L": 2, "OP-LD": 1, "ST-L": 1, "ST-LD": 1, "FH-L": 1,
}  # fmt: skip


def test_every_balloon_clause_is_listed_and_carried() -> None:
    expected = {f"{stem}{n}" for stem, count in BALLOON.items() for n in range(1, count + 1)}
    found = {
        clause.id: clause
        for label in clauses.labels().values()
        if label.file == "device-types/balloon/description.tex"
        for clause in label.clauses
    }
    assert set(found) == expected
    assert all(clause.slugs for clause in found.values())
    assert {clause.id for clause in found.values() if clause.legacy} == {
        name for name in expected if "-L" in name
    }


def test_labels_are_the_official_ones() -> None:
    name = "drivernormative:Device Types / Memory Balloon Device / Feature bits"
    label = clauses.labels()[name]
    assert (label.role, label.counted, label.line, label.legacy) == ("driver", 3, 54, False)
    assert label.title == "Driver Requirements: Feature bits"
    assert [clause.id for clause in label.clauses] == ["FB-R1", "FB-R2", "FB-R3"]


def test_clauses_listed_equal_statements_counted() -> None:
    assert set(clauses.labels()) == set(clauses.sections())
    for name, label in clauses.labels().items():
        assert label.counted == clauses.sections()[name].counted
        if not label.left_out:
            assert len(label.clauses) == label.counted, name


def test_both_ways_between_clauses_and_slugs() -> None:
    for slug, carried in clauses.of_slug().items():
        assert slug in load()
        assert all(slug in clauses.load()[clause.id].slugs for clause in carried)


def test_every_source_is_a_listed_file() -> None:
    assert {label.file for label in clauses.labels().values()} == set(clauses.SOURCES)
    assert not set(clauses.SOURCES) & set(clauses.ELSEWHERE)


def test_clause_id_in_two_labels(tmp_path: Path) -> None:
    (tmp_path / "standard.json").write_text("[]")
    (tmp_path / "a.toml").write_text(
        'title = "A"\n'
        + "".join(
            f'[[label]]\nlabel = "sec:{name}"\n[[label.clauses]]\n'
            'id = "XX-1"\nlevel = "MAY"\ntext = "Be."\nleft_out = "So."\n'
            for name in "ab"
        )
    )
    with pytest.raises(RegistryError, match="XX-1: is already under sec:a"):
        clauses.load(tmp_path)


@pytest.mark.parametrize("content", ["", "[{}]", '[{"label": 3}]'])
def test_bad_snapshot(tmp_path: Path, content: str) -> None:
    (tmp_path / "standard.json").write_text(content)
    with pytest.raises(RegistryError, match=r"^standard\.json: cannot be read"):
        clauses.sections(tmp_path)


# Bugs and errata.


def test_bugs_are_confirmed_only_by_what_was_read() -> None:
    kinds = {bug.confidence: bug.confirmed for bug in bugs.load().values()}
    assert kinds == {
        Confidence.HISTORY: True,
        Confidence.POSTING: True,
        Confidence.THREAD: True,
        Confidence.SECONDARY: False,
        Confidence.INFERRED: False,
    }


def test_bugs_lead_to_requirements_and_back() -> None:
    assert "Q2" in {bug.id for bug in bugs.of_slug()["hint.device.no-partial-coverage"]}
    assert all(slug in load() for slug in bugs.of_slug())
    assert len(bugs.load()) >= 110


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"confidence": '"rumour"'}, "confidence is 'rumour', not one of history"),
        ({"references": '"QEMU 1"'}, "references is not a list"),
        ({"references": "[3]"}, "an item of references is not one line of text"),
        ({"slugs": '["a", "a"]'}, "slugs names one twice"),
        ({"invariants": '["I22"]'}, "an item of invariants is 'I22'"),
        ({"text": ""}, "lacks text"),
    ],
)
def test_bad_bug(tmp_path: Path, change: dict[str, str], problem: str) -> None:
    good = {
        "id": '"Q1"',
        "implementation": '"QEMU"',
        "references": "[]",
        "text": '"It broke."',
        "invariants": '["I1"]',
        "confidence": '"history"',
    }
    lines = (f"{key} = {value}" for key, value in {**good, **change}.items() if value)
    (tmp_path / "a.toml").write_text("\n".join(['title = "A"', "[[bug]]", *lines]))
    with pytest.raises(RegistryError) as caught:
        bugs.load(tmp_path)
    assert str(caught.value).startswith(f"a.toml: Q1: {problem}")


def test_errata_name_what_they_settle() -> None:
    for erratum in errata.load().values():
        assert any(reading.taken for reading in erratum.readings)
        assert set(erratum.sources) <= set(clauses.load())
        assert set(erratum.slugs) <= set(load())


def test_bad_reading_says_which(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text(
        'title = "A"\n[[erratum]]\nid = "x"\ntitle = "X"\nkind = "hole"\nsources = []\n'
        'problem = "P."\ntaken = "T."\nwhy = "W."\n'
        '[[erratum.readings]]\ntext = "R."\nwho = "all"\n'
        '[[erratum.readings]]\ntext = "R."\nwho = "all"\ntaken = "yes"\n'
    )
    with pytest.raises(RegistryError, match=r"x: readings 2: taken is not true or false"):
        errata.load(tmp_path)


@pytest.mark.parametrize("register", [clauses, bugs, errata])
def test_registers_are_read_once_and_cannot_be_changed(register: Any) -> None:
    loaded = register.load()
    assert loaded == register.load()
    with pytest.raises(TypeError):
        loaded["x"] = next(iter(loaded.values()))
