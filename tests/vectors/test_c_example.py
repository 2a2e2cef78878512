"""The example in C: it compiles without a warning, agrees with the vectors, and can disagree."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.peers import compiler
from tests.vectors.files import FOLDER, MANIFEST

EXAMPLES = Path(__file__).parents[2] / "examples"
FLAGS = ["-std=c99", "-Wall", "-Wextra", "-pedantic", "-Werror", "-O1"]
FILES = (
    "format/hint-request-pfn.json",
    "format/hint-request-bitmap.json",
    "format/hint-ack.json",
    "function/queue-map.json",
    "format/config-space.json",
    "format/statistics.json",
    "format/pfn-array.json",
    *(entry["path"] for entry in MANIFEST["files"] if entry["kind"] == "stateful"),
)
PAGE_200 = '{"length": "4096", "start": "2097152"}'
HISTORY = {Path(path).stem: path for path in FILES}


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("c") / "vectors"
    source = EXAMPLES / "vectors.c"
    done = subprocess.run(
        [compiler(), *FLAGS, "-o", made, source], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return made


def run(program: Path, *folder: Path) -> tuple[int, str, str]:
    done = subprocess.run(
        [program, *folder], capture_output=True, text=True, check=False, timeout=60
    )
    return done.returncode, done.stdout, done.stderr


def test_it_agrees_with_the_vectors(program: Path) -> None:
    count = sum(json.loads((FOLDER / name).read_text())["count"] for name in FILES)
    said = f"{count} vectors, 0 failures\n"
    assert run(program, FOLDER) == (0, said, "")
    assert said in (EXAMPLES.parent / "docs/how-to/use-the-vectors.md").read_text()


def test_usage_and_files_that_are_none(program: Path, tmp_path: Path) -> None:
    assert run(program)[0] == 2
    status, _, err = run(program, tmp_path)
    assert (status, "no file of the format vhint-vectors/1" in err) == (2, True)
    for text in (
        "",
        "{",
        '{"format": 1e3}',
        '{"format": "vhint-vectors/2"}',
        "[" * 1000,
        '"\\u0041"',
    ):
        path = tmp_path / FILES[0]
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        assert run(program, tmp_path)[0] == 2, text


@pytest.mark.parametrize(
    ("file", "identity", "old", "new"),
    [
        (FILES[0], "one-page", '"pfn": "256"', '"pfn": "257"'),
        (FILES[0], "flag-0", '"offset": 2', '"offset": 4'),
        (FILES[0], "order-41", '"out-of-range"', '"unknown-value"'),
        (FILES[0], "misaligned", '"MALFORMED"', '"UNSUPPORTED"'),
        (FILES[1], "7-bits", '"1111111"', '"1111110"'),
        (FILES[2], "leading-byte", '"lost": "101111111111"', '"lost": "101111110000"'),
        (FILES[2], "wrong-cookie", '"action": "reset"', '"action": "return"'),
        (FILES[3], "offered-1-3-accepted-3", '"free_page": 2', '"free_page": 3'),
        (FILES[4], "length-24", '"poison_val": 2863311530', '"poison_val": 2863311531'),
        (FILES[4], "length-24", '"hint_max_count": null', '"hint_max_count": 0'),
        (FILES[4], "short-at-9", '"offset": 8', '"offset": 9'),
        (FILES[5], "two", '"value": "1152921504606846977"', '"value": "1152921504606846976"'),
        (FILES[5], "short-at-12", '"tag": 4', '"tag": 5'),
        (FILES[6], "three", "511", "510"),
        (FILES[6], "after-ram", '"may_discard": []', f'"may_discard": [{PAGE_200}]'),
        (HISTORY["life-reporting"], "served", '"device_owns"', '"driver_owns"'),
        (HISTORY["life-balloon"], "tells-host", '"outstanding": ["b"]', '"outstanding": []'),
        (HISTORY["life-free-page-hint"], "one-byte-taken-back", '"driver_owns"', '"device_owns"'),
        (HISTORY["life-hinting"], "accepted", '"outstanding": []', '"outstanding": ["a"]'),
    ],
)
def test_it_finds_a_wrong_vector(
    program: Path, tmp_path: Path, file: str, identity: str, old: str, new: str
) -> None:
    copy = Path(shutil.copytree(FOLDER, tmp_path / "vectors"))
    value = json.loads((copy / file).read_text())
    name = f"{value['id']}.{identity}"
    (index,) = (n for n, vector in enumerate(value["vectors"]) if vector["id"] == name)
    text = json.dumps(value["vectors"][index])
    assert old in text
    value["vectors"][index] = json.loads(text.replace(old, new))
    (copy / file).write_text(json.dumps(value))
    status, out, err = run(program, copy)
    assert status == 1
    assert ", 0 failures" not in out
    assert all(line.startswith(f"{name}: ") for line in err.splitlines())
