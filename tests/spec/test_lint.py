"""The linter: clean on our data, and a message for each thing that is broken in a copy."""

from __future__ import annotations

import functools
import re
import runpy
import shutil
import sys
import tomllib
from importlib.resources import files
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from vhint_spec import lint, records

SPEC = Path(str(files("vhint_spec")))
FOLDERS = ("requirements", "clauses", "bugs", "errata")


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    for folder in FOLDERS:
        shutil.copytree(SPEC / folder, tmp_path / folder)
    return tmp_path


@pytest.fixture(autouse=True)
def parse_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Parse each text once: a copy differs from our registers in one file."""
    monkeypatch.setattr(
        records, "tomllib", SimpleNamespace(loads=parsed, TOMLDecodeError=tomllib.TOMLDecodeError)
    )


@functools.cache
def parsed(text: str) -> dict[str, Any]:
    return tomllib.loads(text)


def edit(path: Path, pattern: str, replacement: str) -> None:
    text, times = re.subn(pattern, replacement, path.read_text(), count=1, flags=re.S)
    assert times == 1, f"{pattern} is not in {path.name}"
    path.write_text(text)


def table(path: Path, slug: str) -> str:
    """Return the text of one requirement."""
    pattern = rf'\[\[requirement\]\]\nslug = "{re.escape(slug)}".*?(?=\n\[\[|\Z)'
    (found,) = re.findall(pattern, path.read_text(), re.S)
    return f"{found}\n"


def test_our_registers_are_clean() -> None:
    assert [str(problem) for problem in lint.problems()] == []


def test_duplicate_slug(copy: Path) -> None:
    path = copy / "requirements" / "poison.toml"
    entry = table(path, "balloon.device.poison-config-present")
    path.write_text(f"{path.read_text()}\n{entry}")
    assert "requirements/poison.toml: balloon.device.poison-config-present: is already in " in str(
        lint.problems(copy)[0]
    )


DAMAGE = {
    "rationale dropped": (
        "requirements/ring_device.toml",
        r'(slug = "ring.device.used-id-is-head".*?)rationale = .*?\n(?=source)',
        r"\1",
        "ring.device.used-id-is-head: lacks rationale",
    ),
    "lower case in text": (
        "requirements/ring_device.toml",
        r"The device MUST use all 64 bits",
        "The device must use all 64 bits",
        "ring.device.address-64-bit: text has no obligation where level is MUST",
    ),
    "lower case in rationale": (
        "requirements/ring_device.toml",
        r"Memory above 4 GiB is ordinary",
        "Memory above 4 GiB should be ordinary",
        "ring.device.address-64-bit: has 'should' in lower case",
    ),
    "two obligations by two words": (
        "requirements/ring_device.toml",
        r"The device MUST use all 64 bits",
        "The device MUST be awake and MUST use all 64 bits",
        "ring.device.address-64-bit: text has MUST and MUST where level is MUST",
    ),
    "two obligations in disguise": (
        "requirements/ring_device.toml",
        r"MUST use all 64 bits of a descriptor's address\.",
        "MUST use all 64 bits; the device is to be awake.",
        "ring.device.address-64-bit: text seems to have two obligations",
    ),
    "observed by itself": (
        "requirements/ring_device.toml",
        r'(slug = "ring.device.used-id-is-head".*?)observed = \["driver: rings"\]',
        r'\1observed = ["device: rings"]',
        "ring.device.used-id-is-head: a device cannot be observed by 'device: rings'",
    ),
    "same text twice": (
        "requirements/reporting_device.toml",
        r"The used length of a report SHOULD be 0\.",
        "The used length of a chain on the hinting queue SHOULD be 0.",
        "reporting.device.used-length-zero: has the text of free-page-hint.device.used-length-zero",
    ),
    "source without clause": (
        "requirements/ring_device.toml",
        r'(slug = "ring.device.used-id-is-head".*?)source = """.*?"""',
        r'\1source = "VIRTIO 1.4, Split Virtqueues, Somewhere"',
        "ring.device.used-id-is-head: cites the standard, but no clause leads to it",
    ),
    "source of another title": (
        "requirements/ring_device.toml",
        r"Device Requirements: Message Framing",
        "Device Requirements: Massage Framing",
        "ring.device.framing-independent: source does not end with 'Device Requirements: Mess",
    ),
    "commit that no bug has": (
        "requirements/balloon_device.toml",
        r"ed48c59875",
        "ed48c59876",
        "balloon.device.inflate-containment: rationale names ed48c59876, which no bug refers to",
    ),
    "bug that does not lead back": (
        "bugs/qemu.toml",
        r'"balloon.device.inflate-containment", "hint.device.round-inward"',
        '"hint.device.round-inward"',
        "balloon.device.inflate-containment: rationale names ed48c59875, but Q1 lacks this slug",
    ),
    "prototype that no bug tells of": (
        "bugs/prototypes.toml",
        r'"ring.device.used-id-is-head"',
        '"ring.device.idx-wrap"',
        "ring.device.used-id-is-head: rationale tells of something prototype, but no bug does",
    ),
    "dead slug in a bug": (
        "bugs/qemu.toml",
        r'"balloon.device.inflate-containment", "hint.device.round-inward"',
        '"balloon.device.inflate-containment", "hint.device.round-outward"',
        "Q1: refers to hint.device.round-outward, which is not in requirements",
    ),
    "hypothesis told as a finding": (
        "bugs/firecracker.toml",
        r"seem to go unacknowledged \(from reading source\)",
        "go unacknowledged",
        "F15: is unconfirmed and not phrased so",
    ),
    "dead slug in a clause": (
        "clauses/balloon.toml",
        r'"reporting.driver.no-touch-until-use"',
        '"reporting.driver.no-touch-until-moon"',
        "PR-R3: refers to reporting.driver.no-touch-until-moon, which is not in requirements",
    ),
    "dead erratum in a note": (
        "clauses/balloon.toml",
        r"See erratum statistics-entry-size",
        "See erratum statistics-entry-colour",
        "ST-R5: refers to statistics-entry-colour, which is not in errata",
    ),
    "clause deleted": (
        "clauses/balloon.toml",
        r'\[\[label.clauses\]\]\nid = "PR-R3".*?(?=\[\[)',
        "",
        "Free Page Reporting: has 6 statements, of which 5 are listed",
    ),
    "clause without slug": (
        "clauses/balloon.toml",
        r'(id = "PR-R3"\n.*?)slugs = \[.*?\]\n',
        r"\1",
        "PR-R3: needs slugs or a reason in left_out",
    ),
    "clause of another level": (
        "clauses/balloon.toml",
        r'(id = "PR-R5"\n)level = "SHOULD"',
        r'\1level = "MUST"',
        "PR-R5: is MUST, reporting.driver.prefer-large is SHOULD: note says why",
    ),
    "clause on the other side": (
        "clauses/balloon.toml",
        r'"reporting.driver.no-touch-until-use"',
        '"reporting.device.no-effect-after-use"',
        "PR-R3: binds the driver, reporting.device.no-effect-after-use does not",
    ),
    "unknown label": (
        "clauses/balloon.toml",
        r'Device Types / Memory Balloon Device / Feature bits"',
        'Device Types / Memory Balloon Device / Feature bytes"',
        "Feature bytes: is no label of the standard's",
    ),
    "label deleted": (
        "clauses/mmio.toml",
        r"\[\[label\]\].*?(?=\[\[label\]\])",
        "",
        "MMIO Device Register Layout: has 12 statements, none listed",
    ),
    "dead clause in an erratum": (
        "errata/balloon.toml",
        r'sources = \["ST-R5"\]',
        'sources = ["ST-R9"]',
        "statistics-entry-size: refers to ST-R9, which is not in clauses",
    ),
    "erratum not settled": (
        "errata/balloon.toml",
        r"taken = true\n",
        "",
        "statistics-entry-size: has no reading that is taken",
    ),
    "id used by two registers": (
        "errata/balloon.toml",
        r'id = "statistics-entry-size"',
        'id = "Q1"',
        "Q1: is already in bugs/qemu.toml",
    ),
    "file that is no TOML": (
        "errata/balloon.toml",
        r"^title",
        "title = ",
        "errata/balloon.toml: cannot be read",
    ),
    "file with a bad head": (
        "requirements/poison.toml",
        r'profiles = \["balloon"\]',
        "profiles = []",
        "requirements/poison.toml: profiles is missing",
    ),
    "entry without a type": (
        "bugs/qemu.toml",
        r'invariants = \["I3"\]',
        'invariants = "I3"',
        "bugs/qemu.toml: Q1: invariants is not a list",
    ),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_damage_is_named_with_file_and_entry(copy: Path, name: str) -> None:
    file, pattern, replacement, message = DAMAGE[name]
    edit(copy / file, pattern, replacement)
    found = [str(problem) for problem in lint.problems(copy)]
    assert any(message in problem for problem in found), found[:5]
    assert all(": " in problem and problem.split("/")[0].split(":")[0] for problem in found)


def test_every_problem_is_reported_not_only_the_first(copy: Path) -> None:
    for name in ("rationale dropped", "commit that no bug has", "dead clause in an erratum"):
        file, pattern, replacement, _ = DAMAGE[name]
        edit(copy / file, pattern, replacement)
    found = "\n".join(map(str, lint.problems(copy)))
    for name in ("rationale dropped", "commit that no bug has", "dead clause in an erratum"):
        assert DAMAGE[name][3] in found


@pytest.mark.parametrize("folder", FOLDERS)
def test_missing_folder_is_a_problem(copy: Path, folder: str) -> None:
    shutil.rmtree(copy / folder)
    assert any(problem.file.startswith(folder) for problem in lint.problems(copy))


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int | str | None:
    monkeypatch.setattr(sys, "argv", ["vhint_spec", *arguments])
    try:
        runpy.run_module("vhint_spec", run_name="__main__")
    except SystemExit as error:
        return error.code
    return 0


def test_command_is_one_line_when_clean(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch) == 0
    assert re.fullmatch(r".* requirements, .* errata: no problem found\n", capsys.readouterr().out)


def test_command_lists_problems_and_fails(
    copy: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file, pattern, replacement, message = DAMAGE["clause without slug"]
    edit(copy / file, pattern, replacement)
    assert run(monkeypatch, str(copy)) == "2 problems"
    assert message in capsys.readouterr().out


def test_command_refuses_two_directories(monkeypatch: pytest.MonkeyPatch) -> None:
    assert str(run(monkeypatch, "a", "b")).startswith("usage:")
