"""`vhint init`: what it writes builds without a warning, passes smoke, and conforms."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests import peers
from tests.stdio.tools import nothing_left, run, vhint
from vhint_conformance.scaffold import LANGUAGES
from vhint_conformance.verdict import Verdict

SOME = (
    "reporting.one-page",
    "hint.sound-request*",
    "hint.refuse-type*",
    "balloon.target-follows-host",
)
WARNINGS = ["-std=c11", "-Wall", "-Wextra", "-Wpedantic", "-Werror"]


def made(language: str, folder: Path) -> str:
    """Write a harness into a folder, build it, and return the command that runs it."""
    written = vhint("init", language, str(folder))
    assert written.exit_code == 0, written.output
    if language == "python":
        return f"{sys.executable} {folder / 'harness.py'}"
    peers.program("gcc", "gcc libc6-dev")
    program = folder / "harness"
    sanitizers = ["-fsanitize=address,undefined", "-fno-sanitize-recover"]
    subprocess.run(["gcc", *WARNINGS, *sanitizers, "-o", program, folder / "harness.c"], check=True)
    return str(program)


@pytest.mark.parametrize("language", LANGUAGES)
def test_it_works_as_it_is_written(language: str, tmp_path: Path) -> None:
    command = made(language, tmp_path / "my-balloon")
    with nothing_left():
        tried = vhint("smoke", f"stdio:{command}")
    assert tried.exception is None
    assert tried.return_value == 0, tried.output
    assert "my-balloon 0.1" in tried.output
    if language != "c":  # one is enough; test_it_conforms_altogether has all
        return
    with nothing_left():
        report = run(command, *SOME, validate=True)
    assert {each.verdict for each in report.outcomes} <= {Verdict.PASS, Verdict.NOT_APPLICABLE}
    assert report.summary[Verdict.PASS] >= 6
    assert report.versions == {"my-balloon": "0.1", "language": report.versions["language"]}
    discarded = [each.effectiveness["discarded_pages"] for each in report.outcomes
                 if each.id == "reporting.one-page"]  # fmt: skip
    assert discarded == [1]


@pytest.mark.long
@pytest.mark.parametrize("language", LANGUAGES)
def test_it_conforms_altogether(language: str, tmp_path: Path) -> None:
    report = run(made(language, tmp_path / "my-balloon"), "*", validate=True)
    assert report.having(Verdict.FAIL, Verdict.ERROR, Verdict.INCONCLUSIVE) == []
    assert report.summary[Verdict.PASS] > 150


def test_the_makefile_builds_it(tmp_path: Path) -> None:
    peers.program("make", "make")
    peers.program("cc", "gcc libc6-dev")
    vhint("init", "c", str(tmp_path / "it"))
    subprocess.run(["make", "--silent", "-C", tmp_path / "it"], check=True)
    assert (tmp_path / "it" / "harness").exists()


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_readme_has_five_lines(language: str, tmp_path: Path) -> None:
    vhint("init", language, str(tmp_path / "it"))
    assert len((tmp_path / "it" / "README.md").read_text().splitlines()) <= 6


def test_nothing_is_ever_overwritten(tmp_path: Path) -> None:
    mine = tmp_path / "Makefile"
    mine.write_text("all:\n")
    refused = vhint("init", "c", str(tmp_path))
    assert "nothing was written" in str(refused.exception)
    assert str(mine) in str(refused.exception)
    assert [path.name for path in tmp_path.iterdir()] == ["Makefile"]
    assert mine.read_text() == "all:\n"


@pytest.mark.parametrize("place", ["/proc/nowhere/it", "/dev/null/it"])
def test_a_place_that_cannot_be_written_is_told(place: str) -> None:
    refused = vhint("init", "python", place)
    assert "directory" in str(refused.exception)
