"""A statement drives a run: what is claimed is judged, what is not is left out and told."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import tomlkit
from click.testing import CliRunner, Result
from junitparser import JUnitXml

from vhint.wire.features import Feature, Features
from vhint.wire.queues import Queue, QueueMode
from vhint_conformance import runner, statement
from vhint_conformance.case import Case, Role
from vhint_conformance.cli.main import vhint_command
from vhint_conformance.collection import UsageError
from vhint_conformance.report import markdown, sarif
from vhint_conformance.report.html import page
from vhint_conformance.report.json_report import SCHEMA_FILE
from vhint_conformance.report.load import load as load_report
from vhint_conformance.report.model import ExitStatus, Report
from vhint_conformance.runner import RunOptions
from vhint_conformance.statement.claims import why_not
from vhint_conformance.statement.comparison import compare
from vhint_conformance.statement.offered import Offered, ask
from vhint_conformance.targets import resolve, resolve_driver
from vhint_conformance.variants import PACKED, Rings
from vhint_conformance.verdict import Verdict

Write = Callable[[Callable[[Any], object]], Path]
ONE = ("reporting.one-page@",)


def vhint(*words: object) -> Result:
    return CliRunner().invoke(vhint_command, [*map(str, words)], standalone_mode=False)


@pytest.fixture(scope="module")
def drafted() -> str:
    return vhint("ics", "reference").output


@pytest.fixture
def state(tmp_path: Path, drafted: str) -> Write:
    """Write the reference device's statement with a change."""

    def write(change: Callable[[Any], object]) -> Path:
        value = tomlkit.parse(drafted)
        change(value)
        if "hint-pfn" not in value["profiles"]:
            del value["limits"]["hint_max_count"], value["limits"]["hint_min_order"]
        path = tmp_path / "statement.toml"
        path.write_text(tomlkit.dumps(value))
        return path

    return write


def judge(path: Path, *select: str, target: str = "reference") -> Report:
    return runner.run(RunOptions(target, ics=path, select=select or ONE))


# Drafts


def test_a_draft_is_a_sound_statement_that_holds(state: Write) -> None:
    path = state(lambda _: None)
    assert vhint("ics", "check", path).output == f"{path}: sound\n"
    report = judge(path)
    assert report.exit_status is ExitStatus.CONFORMS
    assert report.comparison is not None
    assert (report.comparison.too_much, report.comparison.left_out) == ((), ())
    assert report.not_claimed == {}


def test_a_draft_says_what_was_seen(drafted: str) -> None:
    value = tomlkit.parse(drafted).unwrap()
    assert value["profiles"] == [
        "balloon",
        "reporting",
        "free-page-hint",
        "hint-pfn",
        "hint-bitmap",
    ]
    assert value["rings"] == ["split", "packed"]
    assert (value["limits"]["hint_max_count"], value["limits"]["hint_min_order"]) == (1024, 0)
    assert set(value["limits"]["queue_sizes"]) == set(Queue)


@pytest.mark.parametrize("name", ["reference:plain", "reference:spec-fixed"])
def test_a_draft_follows_the_target(name: str, tmp_path: Path) -> None:
    path = tmp_path / "new.toml"
    result = vhint("ics", "draft", name, "-o", path)
    assert result.return_value == 0, result.exception
    stated = statement.load(path)
    offered = ask(resolve(name))
    assert (stated.features, stated.queue_mode) == (offered.features, offered.queue_mode)
    assert "exists" in str(vhint("ics", "draft", name, "-o", path).exception)


def test_a_driver_is_drafted_by_what_it_accepts(tmp_path: Path) -> None:
    path = tmp_path / "driver.toml"
    path.write_text(vhint("ics", "reference", "--role", "driver").output)
    stated = statement.load(path)
    assert stated.role is Role.DRIVER
    assert stated.features == ask(resolve_driver("reference")).features
    assert "hint-pfn" in stated.profiles


# What is run


def test_what_is_not_claimed_is_left_out_by_name(state: Write) -> None:
    def less(value: Any) -> None:
        value["profiles"] = ["balloon"]
        value["rings"] = ["split"]

    report = judge(state(less), "balloon.inflate-one-page", "reporting.one-page")
    assert {outcome.id for outcome in report.outcomes} == {"balloon.inflate-one-page"}
    assert report.not_claimed == {
        "balloon.inflate-one-page@packed": "packed rings are not claimed",
        "reporting.one-page": "the profile reporting is not claimed",
        "reporting.one-page@packed": "the profile reporting is not claimed",
    }
    assert report.exit_status is ExitStatus.CONFORMS
    assert report.comparison is not None
    assert "the profile reporting (PAGE_REPORTING (bit 5))" in report.comparison.left_out


def test_a_selection_of_what_is_not_claimed_is_wrong_usage(state: Write) -> None:
    path = state(lambda value: value.update(profiles=["balloon"]))
    with pytest.raises(UsageError, match=r"does not claim it \(the profile reporting is not"):
        judge(path)


def test_the_level_and_the_role_are_the_statement_s(state: Write) -> None:
    path = state(lambda value: value.update(level="should"))
    assert judge(path).level == "should"
    with pytest.raises(UsageError, match="it is about a device; --role driver was asked for"):
        runner.run(RunOptions("reference", ics=path, role=Role.DRIVER))


CONTAINMENT = Case("one", "One", ("reporting.device.containment", "ring.device.x"))


@pytest.mark.parametrize(
    ("case", "change", "reason"),
    [
        (CONTAINMENT, {}, ""),
        (CONTAINMENT, {"profiles": ["balloon"]}, "the profile reporting is not claimed"),
        (Case("c", "C", ("virtio.device.x",)), {"profiles": ["balloon"]}, ""),
        (
            Case("c", "C", ("ring.device.x",), features=(Feature.EVENT_IDX,)),
            {"features": ["VERSION_1"]},
            "the feature EVENT_IDX is not claimed",
        ),
        (
            Case("c", "C", ("ring.device.x",), features=(Feature.HINTING,)),
            {"profiles": ["balloon"]},
            "the profile hint-pfn is not claimed",
        ),
        (Case("c", "C", ("x.driver.y",), Role.DRIVER), {}, "the role driver is not claimed"),
        (
            Case("c", "C", ("ring.device.x",), variant=PACKED),
            {"rings": ["split"]},
            "packed rings are not claimed",
        ),
        (Case("c", "C", ("ring.device.x",), rings=(), variant=PACKED), {"rings": ["split"]}, ""),
    ],
)
def test_why_a_case_is_not_claimed(
    state: Write, case: Case, change: dict[str, Any], reason: str
) -> None:
    assert why_not(statement.load(state(lambda value: value.update(change))), case) == reason


# What is expected


def test_a_deviation_is_an_expected_failure(state: Write) -> None:
    def deviate(value: Any) -> None:
        entry = {
            "slug": "balloon.device.inflate-containment",
            "reason": "It takes the neighbour",
            "link": "https://example.org/1",
            "message": "bytes discarded",
        }
        value["deviations"] = tomlkit.aot()
        value["deviations"].append(tomlkit.item(entry))
        value["rings"] = ["split"]

    path = state(deviate)
    report = judge(path, "balloon.inflate-one-page@", target="mutant:discard-neighbour")
    assert [outcome.verdict for outcome in report.outcomes] == [Verdict.EXPECTED_FAIL]
    assert report.exit_status is ExitStatus.CONFORMS
    every_case_of_it = judge(path, "balloon.device.inflate-containment")
    assert every_case_of_it.exit_status is ExitStatus.VIOLATED
    assert [item.slug for item in every_case_of_it.out_of_date] == [
        "balloon.device.inflate-containment"
    ]


# What is claimed too much


def too_much(value: Any) -> None:
    value["profiles"].append("hint-bitmap")
    value["features"] = ["IN_ORDER", "VERSION_1"]
    value["rings"] = ["split", "packed"]
    value["queue_map_mode"] = "spec-fixed"
    value["transports"] = ["ccw"]
    value["limits"]["host_page_sizes"] = [65536]
    value["limits"]["hint_max_count"] = 2000
    value["limits"]["hint_min_order"] = 0
    value["limits"]["queue_sizes"] = {"inflate": 128, "stats": 64}


def test_everything_claimed_too_much_is_named(state: Write) -> None:
    offered = Offered(
        Role.DEVICE,
        Features.of(Feature.VERSION_1, Feature.HINTING),
        (Rings.SPLIT,),
        transports=("mmio", "pci"),
        queue_mode=QueueMode.COMPACT_OFFERED,
        page_size=4096,
        queue_sizes={Queue.INFLATE: 128},
        hint_max_count=1000,
        hint_min_order=2,
    )

    def change(value: Any) -> None:
        value["profiles"] = ["hint-pfn"]
        too_much(value)

    found = compare(statement.load(state(change)), offered)
    assert found.too_much == (
        "profiles: hint-bitmap is claimed, and the target does not offer HINTING_BITMAP (bit 23)",
        "features: IN_ORDER (bit 35) is claimed, and the target does not offer it",
        "rings: packed is claimed, and the target does not offer it",
        "transports: ccw claimed; the target is on mmio, pci",
        "queue_map_mode: spec-fixed claimed; seen compact-offered",
        "limits: pages of 65536 bytes are claimed; the host's have 4096",
        "limits.queue_sizes: stats = 64 is claimed; the target offers 0",
        "limits.hint_max_count: 2000 is claimed; the target offers 1000",
        "limits.hint_min_order: 0 is claimed; the target offers 2",
    )


def test_a_false_statement_fails_the_run_and_stands_in_every_report(
    state: Write, tmp_path: Path
) -> None:
    path = state(lambda value: value["features"].append("IN_ORDER"))
    out, xml = tmp_path / "out.json", tmp_path / "out.xml"
    words = ["--ics", path, "--select", ONE[0], "--json", out, "--junit", xml]
    result = vhint("conform", "reference", *words)
    assert result.return_value == 1, result.exception
    line = "features: IN_ORDER (bit 35) is claimed, and the target does not offer it"
    assert line in " ".join(result.output.split())
    assert "the statement claims more than the target offers: 1 passed" in result.output
    written = json.loads(out.read_text())
    jsonschema.validate(written, json.loads(SCHEMA_FILE.read_text()))
    assert written["statement"]["claims_too_much"] == [line]
    assert written["exit_status"] == 1
    (suite,) = JUnitXml.fromfile(str(xml))
    assert (suite.tests, suite.failures) == (2, 1)
    again = load_report(out)
    assert again.statement == statement.load(path)
    assert again.claims_too_much == (line,)
    assert again.exit_status is ExitStatus.VIOLATED
    for form in (markdown, page, sarif):
        assert "IN_ORDER (bit 35) is claimed, and the target does not" in form.dumps([again])


def test_a_profile_that_nothing_judges_is_not_passed_over(state: Write) -> None:
    report = judge(state(lambda value: value["profiles"].append("shared-bitmap")))
    assert report.exit_status is ExitStatus.UNSETTLED
    assert report.comparison is not None
    assert report.comparison.unknown == "profiles: no case judges shared-bitmap"


def test_a_broken_statement_is_wrong_usage(state: Write) -> None:
    path = state(lambda value: value.update(profiles=["baloon"]))
    with pytest.raises(UsageError, match=r"line \d+: profiles\[0\]: 'baloon' is not known"):
        judge(path)


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["refrence"], "Did you mean reference?"),
        (["chekc"], "No such command 'chekc'"),
        (["draft", "refrence"], "Did you mean reference?"),
        (["qemu-linux"], "a statement is about one"),
    ],
)
def test_who_cannot_be_drafted(words: list[str], complaint: str) -> None:
    result = vhint("ics", *words)
    assert complaint in str(result.exception)
