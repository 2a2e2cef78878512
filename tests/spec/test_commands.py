"""`vhint requirements` and `vhint errata`, as a user meets them."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from vhint_conformance.cli.main import vhint_command
from vhint_spec import errata, load


def vhint(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(vhint_command, arguments)
    return result.exit_code, result.output


def test_requirement_shows_clause_erratum_bug_and_observers() -> None:
    status, output = vhint("requirements", "balloon.driver.no-deflate-below-target")
    assert status == 0
    assert "OP-R4 (drivernormative:Device Types / Memory Balloon Device" in output
    assert "deflate-comparison:" in output
    assert "device: rings" in output
    status, output = vhint("requirements", "balloon.device.inflate-containment")
    assert "Q1, QEMU (history):" in output


def test_requirement_as_json_has_the_same() -> None:
    status, output = vhint("requirements", "--json", "balloon.driver.stats-size-multiple")
    (entry,) = json.loads(output)
    assert status == 0
    assert [clause["id"] for clause in entry["clauses"]] == ["ST-R5"]
    assert entry["clauses"][0]["label"].startswith("drivernormative:")
    assert entry["errata"] == ["statistics-entry-size"]
    assert entry["observed"] == ["device: rings"]
    assert entry["bugs"] == []


def test_all_requirements_as_json() -> None:
    assert [entry["slug"] for entry in json.loads(vhint("requirements", "--json")[1])] == [*load()]


def test_errata_are_listed_one_a_line() -> None:
    status, output = vhint("errata")
    assert status == 0
    assert len(output.splitlines()) == len(errata.load())


def test_erratum_shows_readings_and_the_one_taken() -> None:
    output = " ".join(vhint("errata", "queue-numbering")[1].split())
    assert "taken compact-offered:" in output
    assert "reading compact-accepted:" in output
    assert "balloon.driver.queue-map-follows-device" in output


def test_errata_as_json() -> None:
    (entry,) = json.loads(vhint("errata", "--json", "statistics-entry-size")[1])
    assert entry["sources"] == ["ST-R5"]
    assert [reading["taken"] for reading in entry["readings"]] == [True, False]


@pytest.mark.parametrize("command", ["requirements", "errata"])
def test_wrong_name_is_refused_with_a_hint(command: str) -> None:
    status, output = vhint(command, "queue-numbring")
    assert status == 2
    assert "is called queue-numbring" in output


def test_wrong_erratum_proposes_the_right_one() -> None:
    assert "did you mean queue-numbering?" in vhint("errata", "queue-numbring")[1]
