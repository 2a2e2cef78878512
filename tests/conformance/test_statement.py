"""`vhint ics check`: what is wrong with a statement, said so that one can mend it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
import tomlkit
from click.testing import CliRunner

from vhint_conformance.cli.main import vhint_command

EXAMPLE = files("vhint_spec") / "schemas" / "ics.example.toml"
Change = Callable[[dict[str, Any]], object]


def check(*arguments: object) -> tuple[int, str]:
    result = CliRunner().invoke(
        vhint_command, ["ics", "check", *map(str, arguments)], standalone_mode=False
    )
    status = result.return_value if result.exception is None else 2
    return int(status), result.output + (str(result.exception) if result.exception else "")


@pytest.fixture
def statement(tmp_path: Path) -> Path:
    path = tmp_path / "statement.toml"
    path.write_text(EXAMPLE.read_text())
    return path


def edit(path: Path, change: Change) -> None:
    value = tomlkit.parse(path.read_text())
    change(value)
    path.write_text(tomlkit.dumps(value))


def test_the_example_is_sound(statement: Path) -> None:
    assert check(statement) == (0, f"{statement}: sound\n")


def deviate(**entry: str) -> Change:
    return lambda value: value["deviations"][0].update(entry)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (
            deviate(slug="ring.device.no-procesing-before-driver-ok"),
            "driver-ok; did you mean ring.device.no-processing-before-driver-ok",
        ),
        (
            deviate(slug="hint.driver.use-once"),
            ": deviations[0].slug: no requirement is called hint.driver.use-once",
        ),
        (
            deviate(slug="reporting.driver.no-touch-until-use"),
            "slug: reporting.driver.no-touch-until-use binds the driver, not the device",
        ),
        (deviate(slug="Not A Slug"), ": deviations[0].slug: 'Not A Slug' is not of the form"),
        (
            lambda value: value["not_checked"].append(value["not_checked"][0]),
            "not_checked[1].slug: hint.device.copy-before-touch stands there 2 times",
        ),
        (lambda value: value.pop("role"), "line 1: 'role' is missing"),
        (
            lambda value: value["limits"].pop("host_page_sizes"),
            "limits: 'host_page_sizes' is missing",
        ),
        (
            lambda value: value["limits"].update(guest_page_sizes=[4096]),
            "the members contradict each other: host_page_sizes and queue_sizes are a device's",
        ),
        (
            lambda value: value.update(profiles=["balloon"]),
            "each other: hint_max_count and hint_min_order are a device's that claims hint-pfn",
        ),
        (
            lambda value: value.update(profiles=["hint-bitmap"]),
            "each other: Who claims hint-bitmap claims hint-pfn",
        ),
        (lambda value: value.update(date="2026-02-30"), ": date: '2026-02-30' is not a 'date'"),
        (
            lambda value: value.update(schema="vhint-ics/2"),
            "line 1: schema: 'vhint-ics/1' was expected",
        ),
        (
            lambda value: value.update(profiles=["baloon"]),
            "line 6: profiles[0]: 'baloon' is not known; did you mean balloon?",
        ),
        (lambda value: value.update(rols=1), "rols: there is no member 'rols'; did you mean role?"),
        (
            lambda value: value["limits"]["queue_sizes"].update(inflate=0),
            "limits.queue_sizes.inflate: 0 is less than the minimum of 1",
        ),
        (lambda value: value.pop("date"), "'date' is a dependency of 'report'"),
        (lambda value: value.update(deviations=[7]), "deviations[0]: 7 is not of type 'object'"),
        (lambda value: value.update(deviations={}), "deviations: {} is not of type 'array'"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(
    statement: Path, change: Change, complaint: str
) -> None:
    edit(statement, change)
    status, output = check(statement)
    assert status == 1
    assert f"{statement}: " in output
    assert complaint in output
    assert "sound" not in output


@pytest.mark.parametrize("data", [b"", b"{", b"\xff", b"[]", b"7", b"a = " + b"[" * 100_000])
def test_what_is_no_statement_is_refused(statement: Path, data: bytes) -> None:
    statement.write_bytes(data)
    status, output = check(statement)
    assert status == 1
    assert output.startswith(f"{statement}: ")


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    status, output = check(tmp_path / "none.toml")
    assert (status, "none.toml cannot be read: No such file" in output) == (2, True)


def test_the_report_is_the_one_that_is_named(statement: Path, tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    report.write_text('{"schema": "vhint-report/1"}')
    status, output = check(statement, "--report", report)
    assert (status, "report.digest: expected the SHA-256" in output) == (1, True)
    digest = hashlib.sha256(report.read_bytes()).hexdigest()
    edit(statement, lambda value: value["report"]["digest"].update(value=digest))
    assert check(statement, "--report", report)[0] == 0
    report.write_text("{}")
    assert "report.schema: the file's is None" in check(statement, "--report", report)[1]
    report.write_text("none")
    assert ": report: the file is not JSON" in check(statement, "--report", report)[1]
