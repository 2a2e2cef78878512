"""`vhint conform TARGET --replay FILE`: histories on live devices."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from vhint_conformance.collection import UsageError
from vhint_conformance.model.campaign import broken_machine
from vhint_conformance.model.run import run_machine
from vhint_conformance.replay import load_vectors, replay_on
from vhint_conformance.report.model import ExitStatus
from vhint_conformance.vectors import store
from vhint_conformance.verdict import Verdict

STATEFUL = sorted((store.directory() / "stateful").glob("*.json"))


@pytest.mark.parametrize("path", STATEFUL, ids=lambda path: path.stem)
def test_the_reference_conforms_in_every_history(path: Path) -> None:
    report = replay_on("reference", path)
    assert {o.id: o.message for o in report.having(Verdict.FAIL, Verdict.ERROR)} == {}
    assert report.exit_status is ExitStatus.CONFORMS
    assert len(report.outcomes) == len(load_vectors(path))


@pytest.fixture(scope="module")
def found(tmp_path_factory) -> Path:
    result = run_machine(broken_machine("ack-before-discard"), shrink=False)
    path = tmp_path_factory.mktemp("found") / f"{result.vector['id']}.json"
    result.save(path)
    return path


def test_a_shrunk_failure_is_seen_again_where_it_came_from_and_nowhere_else(found: Path) -> None:
    broken = replay_on("mutant:ack-before-discard", found)
    assert broken.exit_status is ExitStatus.VIOLATED
    slugs = {v.requirement for outcome in broken.outcomes for v in outcome.violations}
    assert "hint.device.no-effect-after-use" in slugs
    for name in ("reference", "reference:discards-nothing"):
        report = replay_on(name, found)
        assert report.exit_status is ExitStatus.CONFORMS, report.outcomes


def test_what_a_target_does_not_offer_is_not_applicable(found: Path) -> None:
    report = replay_on("reference:plain", found)
    assert [outcome.verdict for outcome in report.outcomes] == [Verdict.NOT_APPLICABLE]
    assert "does not offer" in report.outcomes[0].message
    assert report.exit_status is ExitStatus.UNSETTLED


def test_the_history_of_a_broken_driver_blames_no_device(tmp_path: Path) -> None:
    result = run_machine(broken_machine("capture-without-recheck"))
    path = tmp_path / "driver.json"
    result.save(path)
    assert result.vector["vectors"][0]["result"] == "ok"
    assert result.violation
    assert result.violation.requirement in result.vector["vectors"][0]["requirements"]
    assert replay_on("reference", path).exit_status is ExitStatus.CONFORMS


@pytest.mark.parametrize("text", ["", "[]", '{"kind": "format"}', '{"kind": "stateful"}'])
def test_other_files_are_refused_in_words(tmp_path: Path, text: str) -> None:
    path = tmp_path / "bad.json"
    path.write_text(text)
    with pytest.raises(UsageError, match=r"bad\.json"):
        replay_on("reference", path)


def test_a_file_that_the_schema_refuses_says_where(tmp_path: Path) -> None:
    value = json.loads(STATEFUL[0].read_text())
    value["vectors"][0]["steps"][0] = {"step": "explode"}
    path = tmp_path / "bad.json"
    path.write_text(json.dumps(value))
    with pytest.raises(UsageError, match="not as the schema has it"):
        replay_on("reference", path)
