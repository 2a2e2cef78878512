"""The vectors of historic formats: every message and layout has some, and who differs is right."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.vectors.consume_history import AS_READ_BY_A_WALK, MESSAGES, interpreted, problem
from tests.vectors.files import FORMATS
from vhint.wire.errors import WireError
from vhint.wire.history import PROFILES

INFORMATIVE = {name: file for name, file in FORMATS.items() if file["status"] == "informative"}


def test_the_informative_files_are_those_of_the_profiles() -> None:
    assert INFORMATIVE.keys() == {*MESSAGES, AS_READ_BY_A_WALK}
    assert not any(vector["requirements"] for f in INFORMATIVE.values() for vector in f["vectors"])
    for profile in PROFILES.values():
        assert any(name.startswith(profile.name) for name in INFORMATIVE)


@pytest.mark.parametrize("name", MESSAGES)
def test_every_layout_has_valid_and_invalid_vectors(name: str) -> None:
    found = {
        (vector["result"], layout)
        for vector in INFORMATIVE[name]["vectors"]
        for layout in vector.get("layouts", (None,))
    }
    layouts = [str(layout) for layout in MESSAGES[name].layouts] or [None]
    assert found == {(result, layout) for result in ("valid", "invalid") for layout in layouts}


@pytest.mark.parametrize("name", MESSAGES)
def test_the_declaration_says_the_same(name: str) -> None:
    for vector in INFORMATIVE[name]["vectors"]:
        data, given = bytes.fromhex(vector["hex"]), vector["parameters"]
        for layout in vector.get("layouts", (None,)):
            if vector["result"] == "valid":
                interpreted(name, data, given, layout)
                continue
            with pytest.raises(WireError) as caught:
                interpreted(name, data, given, layout)
            wanted = vector["error"]
            assert (caught.value.path, caught.value.offset) == (wanted["path"], wanted["offset"])


def test_guests_that_write_the_same_share_a_vector() -> None:
    for file in INFORMATIVE.values():
        seen = set()
        for vector in file["vectors"]:
            stem = vector["id"].removesuffix(f"-{vector.get('layouts', [''])[0]}")
            what = (stem, vector["hex"], json.dumps(vector.get("error")))
            assert what not in seen, vector["id"]
            seen.add(what)


def swapped(vector: dict[str, Any], layout: str) -> dict[str, Any]:
    return vector | {"layouts": [layout]}


@pytest.mark.parametrize(
    ("name", "vector", "other"),
    [
        ("lal-v8-array", "one-lp64-little", "lp64-big"),
        ("lal-v8-array", "one-lp64-little", "ilp32-little"),
        ("lal-v9-request", "thousand-lp64-big", "lp64-big-modern"),
        ("lal-v9-request-as-read", "thousand-lp64-little", "lp64-big"),
        ("lal-v10-request", "capacity-lp64-little", "ilp32-little"),
        ("li-packed-v5-response", "block-lp64-little", "lp64-big"),
        ("li-bitmap-2016-report", "first-and-last-big-64-lp64-big", "ilp32-big"),
        ("wang-chunks-v9-chunks", "one-lp64-little", "lp64-big"),
    ],
)
def test_a_wrong_layout_is_found_out(name: str, vector: str, other: str) -> None:
    file = INFORMATIVE[name]
    (chosen,) = (each for each in file["vectors"] if each["id"] == f"{name}.{vector}")
    assert problem(file, chosen) is None
    assert problem(file, swapped(chosen, other)) is not None


def test_one_way_vectors_are_needed() -> None:
    """Bytes that nobody looks at: the vector says so, or building would give them back."""
    one_way = [
        (file, vector)
        for file in INFORMATIVE.values()
        for vector in file["vectors"]
        if vector.get("one_way")
    ]
    assert {file["id"] for file, _ in one_way} == {
        "lal-hypercall-order",
        "lal-hypercall-pages",
        "lal-v10-request",
        "lal-v10-request-as-read",
        "lal-v11-buffer-as-read",
        "lal-v8-array",
        "lal-v9-array",
        "lal-v9-request-as-read",
    }
