"""The suite in the pytest of a project that has nothing to do with it."""

from __future__ import annotations

import datetime
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from junitparser import JUnitXml

from vhint_conformance import pytest_entry
from vhint_conformance.statement import drafting
from vhint_conformance.statement.offered import ask
from vhint_conformance.targets import resolve

ROOT = Path(__file__).parents[2]
CASES = "vhint_conformance.cases.device.test_reporting"
PYTEST_INI = """
[pytest]
addopts = --strict-markers --strict-config --doctest-modules -p no:cacheprovider -rA
filterwarnings = error
python_files = check_*.py
python_functions = check_*
testpaths = checks
"""
CONFTEST = """
import sys
import pytest

@pytest.fixture
def bench():
    return "mine"

def pytest_report_header(config):
    return f"loaded: {sorted(name for name in sys.modules if name.startswith('vhint'))}"
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with tests of its own, in an environment where vhint is installed."""
    project, site = tmp_path / "project", tmp_path / "site"
    installed = site / "vhint_here-1.dist-info"
    (project / "checks").mkdir(parents=True)
    installed.mkdir(parents=True)
    (installed / "METADATA").write_text("Metadata-Version: 2.1\nName: vhint-here\nVersion: 1\n")
    (installed / "entry_points.txt").write_text(f"[pytest11]\nvhint = {pytest_entry.__name__}\n")
    (project / "pytest.ini").write_text(PYTEST_INI)
    (project / "checks" / "conftest.py").write_text(CONFTEST)
    (project / "checks" / "check_own.py").write_text(
        "def check_own(bench):\n    assert bench == 'mine'\n"
    )
    monkeypatch.setenv("PYTHONPATH", ":".join([*map(str, sys.path[1:]), str(site)]))
    monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)
    return project


def run(project: Path, *words: str) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *words],
        cwd=project, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    return done.returncode, done.stdout + done.stderr


def test_the_entry_point_is_declared() -> None:
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert declared["project"]["entry-points"]["pytest11"] == {"vhint": pytest_entry.__name__}


def test_a_run_without_the_option_loads_nothing(project: Path) -> None:
    status, output = run(project)
    assert (status, "1 passed" in output) == (0, True), output
    assert "loaded: ['vhint_conformance', 'vhint_conformance.pytest_entry']" in output


def test_help_shows_how_it_begins(project: Path) -> None:
    assert "--vhint-target=NAME" in run(project, "--help")[1]


def test_cases_run_beside_the_tests_of_the_project(project: Path) -> None:
    words = ("--vhint-target=mutant:discard-neighbour", "--vhint-select=reporting.one-page")
    words += ("-k", "one_page or own", "--junitxml=out.xml", "checks")
    status, output = run(project, "--pyargs", CASES, *words)
    assert status == 1, output
    assert "fail: reporting.one-page: reporting.device.containment: " in output
    assert "rerun: vhint conform mutant:discard-neighbour --select reporting.one-page" in output
    (suite,) = JUnitXml.fromfile(str(project / "out.xml"))
    assert (suite.tests, suite.failures, suite.errors) == (2, 1, 0)
    assert {case.name for case in suite} == {"test_one_page", "check_own"}


def test_by_hand_as_well_and_on_several_processes(project: Path) -> None:
    draft = ask(resolve("reference"))
    text = drafting.draft("reference", draft, {"vhint": "1"}, (), datetime.date(2026, 1, 1))
    text = text.replace('rings = ["split", "packed"]', 'rings = ["split"]')
    (project / "ics.toml").write_text(
        text.replace("hint_max_count = 1024", "hint_max_count = 9999")
    )
    words = ("-p", "vhint_conformance.plugin", "--vhint-target=reference", "-n", "1")
    words += ("--vhint-ics=ics.toml", "--vhint-select=reporting.one-page")
    status, output = run(project, *words, "--pyargs", CASES)
    assert "1 passed" in output
    assert "packed rings are not claimed: 1 case not run" in output
    assert "offered and not claimed: packed rings" in output
    assert "FAILED ics.toml: limits.hint_max_count: 9999 is claimed; the target offers" in output
    assert status == 1, output
