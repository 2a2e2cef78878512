"""The requirement registry: its data, and the loader's answers to bad data."""

from __future__ import annotations

import dataclasses
import re
import tomllib
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import pytest

import vhint_spec
from vhint_spec import Observation, RegistryError, Requirement, load, schema

DATA = files("vhint_spec") / "requirements"
TOPICS = {"statistics.toml": "stats-", "poison.toml": "poison-"}
WORDS = r"\b(MUST NOT|MUST|SHALL NOT|SHALL|SHOULD NOT|SHOULD|MAY)\b"

HEADS: dict[str, dict[str, Any]] = {
    path.name: tomllib.loads(path.read_text(encoding="utf-8"))
    for path in sorted(DATA.iterdir(), key=lambda path: path.name)
}
RAW: list[tuple[str, dict[str, Any]]] = [
    (name, entry) for name, data in HEADS.items() for entry in data["requirement"]
]
VALIDATOR = jsonschema.Draft202012Validator(schema())
each_file = pytest.mark.parametrize("file", HEADS)
"""A test a file: one for each of the hundreds of entries takes long to report that all is well."""


def entries(file: str) -> list[dict[str, Any]]:
    return [entry for name, entry in RAW if name == file]


@each_file
def test_entries_follow_the_schema(file: str) -> None:
    found = {entry["slug"]: [*VALIDATOR.iter_errors(entry)] for entry in entries(file)}
    assert {slug: errors for slug, errors in found.items() if errors} == {}


@each_file
def test_slugs_name_profile_and_role_and_fit_their_file(file: str) -> None:
    for entry in entries(file):
        profile, role, what = entry["slug"].split(".", 2)
        assert (profile, role) == (entry["profile"], entry["role"]), entry["slug"]
        assert profile in HEADS[file]["profiles"], entry["slug"]
        if profile == "balloon":
            for other, topic in TOPICS.items():
                assert what.startswith(topic) is (other == file), entry["slug"]


@each_file
def test_texts_have_exactly_their_level(file: str) -> None:
    for entry in entries(file):
        assert re.findall(WORDS, entry["text"]) == [entry["level"]], entry["slug"]
        stray = re.search(r"\b(must|shall|should|may)\b", entry["text"])
        assert not stray, entry["slug"]


@each_file
def test_texts_are_one_or_two_sentences(file: str) -> None:
    for entry in entries(file):
        sentences = re.split(r"(?<=[.])\s+(?=[A-Z0-9])", entry["text"])
        assert entry["text"].endswith("."), entry["slug"]
        assert len(sentences) <= 2, entry["slug"]
        assert entry["rationale"].endswith("."), entry["slug"]


def test_schema_is_sound() -> None:
    jsonschema.Draft202012Validator.check_schema(schema())


def test_schema_is_a_fresh_copy() -> None:
    schema().clear()
    assert schema()["title"] == "Requirement"


def test_schema_and_dataclass_have_the_same_fields() -> None:
    described = schema()
    names = [field.name for field in dataclasses.fields(Requirement)]
    assert list(described["properties"]) == names
    assert set(names) - set(described["required"]) == {"review"}
    assert tuple(described["properties"]["profile"]["enum"]) == vhint_spec.PROFILES
    assert tuple(described["properties"]["level"]["enum"]) == vhint_spec.LEVELS
    assert tuple(described["properties"]["status"]["enum"]) == vhint_spec.STATUSES
    observed = described["properties"]["observed"]["items"]
    assert tuple(observed["enum"]) == vhint_spec.OBSERVATIONS


def test_files_name_only_the_profiles_they_have() -> None:
    for name, data in HEADS.items():
        assert set(data["profiles"]) == {entry["profile"] for file, entry in RAW if file == name}


def test_titles_are_unique() -> None:
    titles = [data["title"] for data in HEADS.values()]
    assert len(set(titles)) == len(titles)


def test_files_stay_readable() -> None:
    for path in DATA.iterdir():
        assert len(path.read_text(encoding="utf-8").splitlines()) <= 600, path.name


def test_slugs_are_unique_and_all_loaded_in_order() -> None:
    slugs = [entry["slug"] for _, entry in RAW]
    assert len(set(slugs)) == len(slugs)
    assert list(load()) == slugs


def test_texts_are_unique() -> None:
    texts = [entry["text"] for _, entry in RAW]
    assert len(set(texts)) == len(texts)


def test_load_is_cached_and_read_only() -> None:
    registry = load()
    assert load() is registry
    with pytest.raises(TypeError):
        registry["x"] = registry["hint.device.use-once"]  # type: ignore[index]
    with pytest.raises(dataclasses.FrozenInstanceError):
        registry["hint.device.use-once"].level = "MAY"  # type: ignore[misc]


def test_given_directory_equals_packaged() -> None:
    assert list(load(DATA).items()) == list(load().items())


@pytest.mark.parametrize(
    "slug",
    [
        "hint.driver.never-report-reallocated",
        "hint.driver.return-every-acknowledged",
        "reporting.device.used-length-zero",
    ],
)
def test_names_that_other_documents_use(slug: str) -> None:
    assert load()[slug].slug == slug


def test_every_public_name_exists() -> None:
    assert all(hasattr(vhint_spec, name) for name in vhint_spec.__all__)


# Bad data.

HEAD = 'title = "Ring"\nprofiles = ["ring"]\n'
GOOD = {
    "slug": '"ring.device.be-good"',
    "profile": '"ring"',
    "role": '"device"',
    "level": '"MUST"',
    "text": '"The device MUST be good."',
    "rationale": '"It is."',
    "source": '"vhint, derived from nothing"',
    "since": '"0.1"',
    "status": '"stable"',
    "invariants": '["I3"]',
    "observed": '["memory: holes"]',
}


def entry_of(**changes: str | None) -> str:
    lines = (f"{key} = {value}" for key, value in {**GOOD, **changes}.items() if value)
    return "\n".join(["[[requirement]]", *lines, ""])


def test_good_entry_loads(tmp_path: Path) -> None:
    (tmp_path / "ring.toml").write_text(HEAD + entry_of())
    assert load(tmp_path)["ring.device.be-good"] == Requirement(
        slug="ring.device.be-good",
        profile="ring",
        role="device",
        level="MUST",
        text="The device MUST be good.",
        rationale="It is.",
        source="vhint, derived from nothing",
        since="0.1",
        status="stable",
        invariants=("I3",),
        observed=(Observation.MEMORY_HOLES,),
    )


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"slug": '"ring.device.Be-Good"'}, "is not a slug"),
        ({"slug": '"ring.device"'}, "is not a slug"),
        ({"slug": '"ring.driver.be-good"'}, "does not begin with its profile and role"),
        ({"slug": "3"}, "slug is not one line of text"),
        ({"profile": '"rings"'}, "profile is 'rings', not one of"),
        (
            {"profile": '"virtio"', "slug": '"virtio.device.be-good"'},
            "profile virtio does not belong in this file",
        ),
        ({"level": '"SHALL"'}, "level is 'SHALL', not one of"),
        ({"level": '"MUST NOT"'}, "text has MUST where level is MUST NOT"),
        ({"text": '"The device is good."'}, "text has no obligation where level is MUST"),
        ({"text": '"It MUST be good and MUST shine."'}, "text has MUST and MUST where"),
        ({"text": '"It MUST be good and may shine."'}, "text has a stray 'may'"),
        ({"text": '"It MUST be good. Should it?"'}, "text has a stray 'Should'"),
        ({"text": '"It MUST  be good."'}, "text is not one line of text"),
        ({"rationale": None}, "lacks rationale"),
        ({"rationale": '""'}, "rationale is not one line of text"),
        ({"source": '"hearsay"'}, "source cites neither"),
        ({"since": '"soon"'}, "since is 'soon'"),
        ({"status": '"draft"'}, "status is 'draft', not one of"),
        ({"invariants": '["I22"]'}, "an item of invariants is 'I22', not one of I1,"),
        ({"invariants": '"I2"'}, "invariants is not a list"),
        ({"invariants": '["I2", "I2"]'}, "invariants names one twice"),
        ({"observed": '["hearsay"]'}, "an item of observed is 'hearsay', not one of driver: rings"),
        ({"observed": "[]"}, "observed is empty"),
        ({"observed": None}, "observed is empty"),
        ({"observed": '["review"]'}, "what only review can observe needs review"),
        ({"colour": '"red"'}, "unknown fields: colour"),
        (
            {"role": '"driver"', "slug": '"ring.driver.be-good"'},
            "a driver's requirement needs review",
        ),
        ({"level": '"MAY"', "text": '"It MAY be good."'}, "a permission needs review"),
    ],
)
def test_bad_entry(tmp_path: Path, changes: dict[str, str | None], problem: str) -> None:
    (tmp_path / "ring.toml").write_text(HEAD + entry_of(**changes))
    with pytest.raises(RegistryError) as caught:
        load(tmp_path)
    slug = "entry 1" if changes.get("slug") == "3" else changes.get("slug") or GOOD["slug"]
    assert str(caught.value).startswith(f"ring.toml: {slug.strip(chr(34))}: {problem}")
    assert caught.value.file == "ring.toml"


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("title = ", "cannot be read"),
        ("", "title is missing"),
        ("title = 3\n", "title is missing or not a string"),
        ('title = "Ring"\n' + entry_of(), "profiles is missing"),
        ('title = "Ring"\nprofiles = ["rong"]\n' + entry_of(), "unknown profiles: rong"),
        (HEAD, "has no [[requirement]] tables"),
        (HEAD + "requirement = [3]\n", "entry 1: is not a table"),
        (HEAD + "topic = 3\n" + entry_of(), "topic is not a string"),
        (HEAD + "colour = 3\n" + entry_of(), "unknown keys: colour"),
        (
            HEAD + 'topic = "stats"\n' + entry_of(),
            "ring.device.be-good: the last part of the slug does not begin with stats-",
        ),
        (HEAD + entry_of() + entry_of(), "ring.device.be-good: is already in ring.toml"),
    ],
)
def test_bad_file(tmp_path: Path, content: str, problem: str) -> None:
    (tmp_path / "ring.toml").write_text(content)
    with pytest.raises(RegistryError, match=r"^ring\.toml: ") as caught:
        load(tmp_path)
    assert str(caught.value).startswith(f"ring.toml: {problem}")


def test_file_that_is_not_text(tmp_path: Path) -> None:
    (tmp_path / "ring.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(RegistryError, match=r"^ring\.toml: cannot be read"):
        load(tmp_path)


def test_slug_in_two_files_names_both(tmp_path: Path) -> None:
    for name in ("b.toml", "a.toml"):
        (tmp_path / name).write_text(HEAD + entry_of())
    with pytest.raises(RegistryError) as caught:
        load(tmp_path)
    assert str(caught.value) == "b.toml: ring.device.be-good: is already in a.toml"


def test_directory_without_data(tmp_path: Path) -> None:
    with pytest.raises(RegistryError, match="has no TOML files"):
        load(tmp_path)
    with pytest.raises(RegistryError, match="cannot be listed"):
        load(tmp_path / "absent")
