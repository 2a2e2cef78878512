"""`vhint explore` as a user meets it."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from vhint_conformance.cli import main as command
from vhint_conformance.model.explore.catalogue import SYSTEMS
from vhint_conformance.replay import load_vectors, replay_on
from vhint_conformance.verdict import Verdict

Call = Callable[..., tuple[int, str, str]]


@pytest.fixture
def explore(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Call:
    """Call `vhint explore` in this process; return its exit status and what it printed."""
    monkeypatch.setenv("COLUMNS", "200")

    def call(*words: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["vhint", "explore", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            command.main()
        out, err = capfd.readouterr()
        return int(ended.value.code or 0), out, err

    return call


def test_proved_stands_beside_its_bounds(explore: Call) -> None:
    status, out, _ = explore("isolating", "--pages", 1)
    assert status == 0
    assert "pages 1, cpus 1, zones 1, max order 1, entries 1, requests 1, resets 1" in out
    assert "proved within these bounds" in out
    assert "states/s" in out


def test_refuted_shows_the_shortest_run_and_where_it_leads(explore: Call) -> None:
    status, out, _ = explore("no-recheck", "--pages", 2)
    assert status == 1
    assert "The shortest run to a violation: hint.driver.never-report-reallocated" in out
    assert "The shortest run to a loss: hint.driver.never-report-reallocated" in out
    assert "its content is lost" in out


def test_a_limit_is_no_pass(explore: Call) -> None:
    status, out, _ = explore("isolating", "--max-states", 100)
    assert status == 4
    assert "undetermined" in out
    assert "this is no pass" in out
    assert "proved" not in out


def test_the_outcome_as_json_and_as_a_diagram(explore: Call, tmp_path: Path) -> None:
    found, diagram = tmp_path / "found.json", tmp_path / "found.mmd"
    explore("one-bit-clear-first", "--json", found, "--mermaid", diagram)
    data = json.loads(found.read_text())
    assert data["schema"] == "vhint-exploration/1"
    assert data["verdict"] == "refuted"
    assert data["bounds"] == {"blocks": 3}
    assert len(data["counterexample"]["steps"]) == 4
    assert diagram.read_text().startswith("sequenceDiagram\n    participant p0 as guest")


def test_the_run_as_a_vector_that_can_be_replayed(explore: Call, tmp_path: Path) -> None:
    file = tmp_path / "found.json"
    assert explore("acknowledge-before-discard", "--pages", 2, "--vector", file)[0] == 1
    vector = load_vectors(file)[0]
    assert vector["result"] == "violation"
    assert "hint.device.no-effect-after-use" in vector["requirements"]
    report = replay_on("mutant:ack-before-discard", file)
    assert [outcome.verdict for outcome in report.outcomes] == [Verdict.FAIL]
    report = replay_on("reference", file)
    assert [outcome.verdict for outcome in report.outcomes] == [Verdict.PASS]


def test_a_model_for_spin(explore: Call, tmp_path: Path) -> None:
    assert explore("isolating", "--promela", tmp_path / "model.pml")[0] == 0
    assert "active proctype" in (tmp_path / "model.pml").read_text()


def test_every_system_is_listed(explore: Call) -> None:
    status, out, _ = explore("--list")
    assert status == 0
    assert [line.split()[0] for line in out.splitlines()] == list(SYSTEMS)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["isolatin"], "did you mean isolating?"),
        (["isolating", "--pages", "0"], "it can be 1 to 16"),
        (["isolating", "--zones", "2"], "cannot be split evenly"),
        (["claim-and-revoke", "--json", "/nowhere/x.json"], "cannot be written"),
        (["one-bit-clear-first", "--vector", "x.json"], "has no queue"),
    ],
)
def test_wrong_usage(explore: Call, words: list[str], says: str) -> None:
    status, _, err = explore(*words)
    assert status == 2
    assert says in err
