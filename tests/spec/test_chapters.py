"""The chapters: what they refer to exists, and what they show is true."""

from __future__ import annotations

import copy
import fnmatch
import json
import re
import tomllib
from collections.abc import Callable
from importlib.resources import files
from typing import Any

import jsonschema
import pytest

from vhint.wire import command, config, hint_ack, hint_request, pfn_array, statistics, vring
from vhint.wire.bitmap import Bitmap
from vhint.wire.command import CommandId
from vhint.wire.config import BalloonConfig
from vhint.wire.errors import WireError
from vhint.wire.features import Feature, Features
from vhint.wire.hint_ack import Acknowledgement, Status
from vhint.wire.hint_request import BitmapRequest, Blocks, PfnRequest
from vhint.wire.pfn_array import PfnArray
from vhint.wire.queues import Queue, QueueMode, queue_map
from vhint.wire.statistics import Statistics
from vhint.wire.vring import Descriptor, UsedElement
from vhint_spec import load

SPEC = files("vhint_spec")
CHAPTERS = {
    path.name: path.read_text(encoding="utf-8")
    for path in sorted((SPEC / "chapters").iterdir(), key=lambda path: path.name)
    if path.name.endswith(".md")
}
NAMES = {
    "introduction.md",
    "terms.md",
    "device-and-queues.md",
    "wire-formats.md",
    "driver.md",
    "device.md",
    "state-machines.md",
    "page-ownership.md",
    "shared-bitmap.md",
    "security.md",
    "conformance.md",
    "history.md",
}
FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
each_chapter = pytest.mark.parametrize(("name", "text"), CHAPTERS.items(), ids=CHAPTERS)


def roles(text: str, role: str) -> set[str]:
    """What the chapter names with {role}`...`."""
    return set(re.findall(rf"{{{role}}}`([^`]+)`", text))


def test_the_chapters_are_there() -> None:
    assert set(CHAPTERS) == NAMES


@each_chapter
def test_one_title_which_comes_first(name: str, text: str) -> None:
    assert text.startswith("# ")
    assert len(re.findall(r"^# ", FENCE.sub("", text), re.MULTILINE)) == 1


@each_chapter
def test_fences_are_closed(name: str, text: str) -> None:
    assert "```" not in FENCE.sub("", text)


@each_chapter
def test_requirements_exist(name: str, text: str) -> None:
    assert roles(text, "req") - set(load()) == set()


@each_chapter
def test_requirement_lists_are_not_empty(name: str, text: str) -> None:
    pattern = re.compile(r"^```\{requirements\} (.+)\n((?::\w+: .*\n)*)```$", re.MULTILINE)
    assert len(pattern.findall(text)) == text.count("```{requirements}")
    for globs, options in pattern.findall(text):
        role = re.search(r":role: (\w+)", options)
        for glob in globs.split():
            found = fnmatch.filter(load(), glob)
            assert any(role is None or load()[slug].role == role[1] for slug in found), glob


@each_chapter
def test_bugs_exist(name: str, text: str) -> None:
    bugs = pytest.importorskip("vhint_spec.bugs")
    assert roles(text, "bug") - set(bugs.load()) == set()


@each_chapter
def test_errata_exist(name: str, text: str) -> None:
    errata = pytest.importorskip("vhint_spec.errata")
    assert roles(text, "erratum") - set(errata.load()) == set()


@each_chapter
def test_obligations_are_quoted_only(name: str, text: str) -> None:
    """The words of RFC 2119 stand in capitals beside a requirement, or not at all."""
    prose = FENCE.sub("", text)
    for paragraph in re.split(r"\n\s*\n", prose):
        for line in paragraph.split("\n") if paragraph.startswith("|") else [paragraph]:
            if re.search(r"\b(MUST|SHALL|SHOULD|MAY)\b", line):
                assert roles(line, "req"), line
    plain = re.sub(r"\{\w+\}`[^`]*`|`[^`]*`|\*[^*\n]+\*", "", prose)
    assert re.findall(r"\b(?:must|shall|should|may)\b", plain) == []


@each_chapter
def test_links_lead_somewhere(name: str, text: str) -> None:
    labels = {
        label for text in CHAPTERS.values() for label in re.findall(r"^\((\S+)\)=$", text, re.M)
    }
    for target in re.findall(r"\]\(([^)\s]+)\)", FENCE.sub("", text)):
        known = target[1:] in labels if target.startswith("#") else target in CHAPTERS
        assert known, target


def test_labels_are_unique() -> None:
    labels = [
        label for text in CHAPTERS.values() for label in re.findall(r"^\((\S+)\)=$", text, re.M)
    ]
    assert len(labels) == len(set(labels))


# The examples of the wire formats: rows of bytes, each with the field that they are.

EXAMPLE = re.compile(
    r"^```\{code-block\} text\n:name: (hex-\S+)\n:caption: [^\n]*\n\n(.*?)^```$", re.M | re.S
)
ROW = re.compile(r"([0-9a-f]{2}(?: [0-9a-f]{2})*)  +(\S.*?) = (.*?)(?:  \(.*\))?")
EXAMPLES: dict[str, str] = dict(EXAMPLE.findall(CHAPTERS["wire-formats.md"]))


def rows(example: str) -> list[tuple[bytes, str, str]]:
    """The bytes, field and value of each line; every line has them."""
    matches = [ROW.fullmatch(line) for line in example.splitlines()]
    assert all(matches), example
    return [(bytes.fromhex(match[1]), match[2], match[3]) for match in matches if match]


def example_bytes(name: str) -> bytes:
    return b"".join(data for data, _, _ in rows(EXAMPLES[name]))


SOUND: dict[str, tuple[Callable[[bytes], Any], Callable[[Any], bytes], Any]] = {
    "hex-hint-pfn": (
        hint_request.parse,
        hint_request.build,
        PfnRequest(0x2A, Blocks.of([(0x200, 9), (0x100000, 10)])),
    ),
    "hex-hint-pfn-ack": (
        lambda data: hint_ack.parse(data, 2),
        hint_ack.build,
        Acknowledgement(0x2A, Status.OK, 2, Bitmap.from_indices(2, [0, 1])),
    ),
    "hex-hint-bitmap": (
        hint_request.parse,
        hint_request.build,
        BitmapRequest(0x2B, 0x400, 9, Bitmap.from_indices(12, [0, 2, 9])),
    ),
    "hex-hint-bitmap-ack": (
        lambda data: hint_ack.parse(data, 12),
        hint_ack.build,
        Acknowledgement(0x2B, Status.PARTIAL, 2, Bitmap.from_indices(12, [0, 9])),
    ),
    "hex-hint-bitmap-ack-short": (
        lambda data: hint_ack.parse(data, 12),
        hint_ack.build,
        Acknowledgement(0x2B, Status.PARTIAL, 2, Bitmap.from_indices(8, [0])),
    ),
    "hex-hint-refusal": (
        lambda data: hint_ack.parse(data, 12),
        hint_ack.build,
        Acknowledgement(0x2B, Status.MALFORMED, 0),
    ),
    "hex-hint-empty": (
        hint_request.parse,
        hint_request.build,
        PfnRequest(0x2C, Blocks.of([])),
    ),
    "hex-hint-top": (
        hint_request.parse,
        hint_request.build,
        PfnRequest(1, Blocks.of([((1 << 52) - (1 << 40), 40)])),
    ),
    "hex-inflate": (pfn_array.parse, pfn_array.build, PfnArray.of([1, 0x100, 0x100000])),
    "hex-statistics": (
        statistics.parse,
        statistics.build,
        Statistics.of([(4, 64 << 20), (2, 1000), (10, 3)]),
    ),
    "hex-command-round": (command.parse, command.build, CommandId(0x80000001)),
    "hex-command-stop": (command.parse, command.build, command.STOP),
    "hex-command-done": (command.parse, command.build, command.DONE),
    "hex-config": (
        config.parse,
        config.build,
        BalloonConfig(0x1000, 0x800, 0, 0, 0, 0, 1024, 0),
    ),
    "hex-report": (
        lambda data: [vring.parse_descriptor(data[at : at + 16]) for at in range(0, len(data), 16)],
        lambda table: b"".join(map(vring.build_descriptor, table)),
        [Descriptor(0x200000, 0x200000, 3, 1), Descriptor(0x40000000, 0x400000, 2, 0)],
    ),
    "hex-report-used": (vring.parse_used_element, vring.build_used_element, UsedElement(0, 0)),
}
BAD = {"hex-hint-bad-padding", "hex-hint-bad-aligned"}


def test_every_example_is_checked() -> None:
    assert set(EXAMPLES) == set(SOUND) | BAD
    assert CHAPTERS["wire-formats.md"].count("{code-block}") == len(EXAMPLES)


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_annotation_says_what_the_bytes_say(name: str) -> None:
    for data, field, value in rows(EXAMPLES[name]):
        if value.startswith("bits "):
            set_bits = [n for n in range(8 * len(data)) if data[n // 8] >> n % 8 & 1]
            assert value == "bits " + ", ".join(map(str, set_bits)), field
        else:
            assert int(value, 0) == int.from_bytes(data, "little"), field


@pytest.mark.parametrize("name", SOUND)
def test_the_codecs_agree_with_an_example(name: str) -> None:
    parse, build, value = SOUND[name]
    assert parse(example_bytes(name)) == value
    assert build(value) == example_bytes(name)


def test_the_bad_examples_are_bad() -> None:
    with pytest.raises(WireError):
        hint_request.parse(example_bytes("hex-hint-bad-padding"))
    request = hint_request.parse(example_bytes("hex-hint-bad-aligned"))
    assert isinstance(request, PfnRequest)
    assert request.blocks.first_misaligned() == 0


NONE = "\N{EN DASH}"
"""What the table of queue numbers has for a queue that does not exist."""


def test_the_table_of_queue_numbers() -> None:
    bits, numbers = "([0-9, ]+)", rf"([{NONE}*0-9 ]+)"
    row = rf"^\| {bits} \| {bits} \| {numbers} \| {numbers} \| {numbers} \|$"
    table = re.findall(row, CHAPTERS["device-and-queues.md"], re.M)
    assert len(table) == 11
    order = (Queue.STATS, Queue.FREE_PAGE, Queue.REPORTING, Queue.HINTING)
    for offers, accepts, *columns in table:
        offered = Features.of(*map(int, offers.split(",")))
        accepted = Features.of(*map(int, accepts.split(",")))
        for mode, shown in zip(QueueMode, columns, strict=True):
            found = queue_map(mode, offered, accepted)
            expected = " ".join(str(found.get(queue, NONE)) for queue in order)
            assert shown.replace("*", "") == expected, (offers, accepts, mode)


# The conformance statement.


def document(name: str) -> dict[str, Any]:
    text = (SPEC / "schemas" / name).read_text(encoding="utf-8")
    loaded: dict[str, Any]
    loaded = json.loads(text) if name.endswith(".json") else tomllib.loads(text)
    if "date" in loaded:
        loaded["date"] = loaded["date"].isoformat()
    return loaded


def is_valid(statement: dict[str, Any]) -> bool:
    return jsonschema.Draft202012Validator(document("ics.schema.json")).is_valid(statement)


def test_the_schema_of_statements_is_sound() -> None:
    jsonschema.Draft202012Validator.check_schema(document("ics.schema.json"))


def test_the_example_is_valid_and_its_slugs_bind_its_role() -> None:
    example = document("ics.example.toml")
    jsonschema.Draft202012Validator(document("ics.schema.json")).validate(example)
    for entry in example["deviations"] + example["not_checked"]:
        assert load()[entry["slug"]].role == example["role"]
    limits = example["limits"]
    assert 4096 << limits["hint_min_order"] >= max(limits["host_page_sizes"])


def test_the_chapter_shows_the_example() -> None:
    shown = re.search(r":name: ics-example\n\n(.*?)^```$", CHAPTERS["conformance.md"], re.M | re.S)
    assert shown is not None
    assert shown[1] == (SPEC / "schemas" / "ics.example.toml").read_text(encoding="utf-8")


def test_the_chapter_explains_every_member() -> None:
    members = document("ics.schema.json")["properties"]
    for member in [*members, *members["limits"]["properties"]]:
        assert f"`{member}`" in CHAPTERS["conformance.md"], member


@pytest.mark.parametrize("member", document("ics.schema.json")["required"])
def test_a_statement_without_a_needed_member_is_refused(member: str) -> None:
    statement = document("ics.example.toml")
    del statement[member]
    assert not is_valid(statement)


@pytest.mark.parametrize(
    "change",
    [
        {"schema": "vhint-ics/2"},
        {"role": "host"},
        {"profiles": []},
        {"profiles": ["hint-bitmap"]},
        {"profiles": ["lal-v8"]},
        {"role": "driver"},
        {"limits": {"host_page_sizes": [4000], "hint_max_count": 1, "hint_min_order": 0}},
        {"limits": {"guest_page_sizes": [4096], "hint_max_count": 1, "hint_min_order": 0}},
        {"limits": {"host_page_sizes": [4096], "hint_max_count": 1, "hint_min_order": 41}},
        {"limits": {"host_page_sizes": [4096], "hint_max_count": 0, "hint_min_order": 0}},
        {"limits": {"host_page_sizes": [4096]}},
        {"features": ["NO_SUCH"]},
        {"deviations": [{"slug": "ring.device.in-order", "reason": "It does not."}]},
        {"surprise": 1},
    ],
    ids=str,
)
def test_a_wrong_statement_is_refused(change: dict[str, Any]) -> None:
    assert not is_valid(document("ics.example.toml") | change)


def test_a_driver_states_the_pages_of_the_guest() -> None:
    statement = copy.deepcopy(document("ics.example.toml"))
    statement |= {"role": "driver", "limits": {"guest_page_sizes": [4096, 65536]}}
    assert is_valid(statement)
    assert not is_valid(statement | {"limits": {"guest_page_sizes": [4096], "hint_min_order": 0}})


def test_the_schema_knows_every_feature_and_queue() -> None:
    members = document("ics.schema.json")["properties"]
    assert members["features"]["items"]["enum"] == [feature.name for feature in Feature]
    queues = members["limits"]["properties"]["queue_sizes"]["propertyNames"]["enum"]
    assert queues == list(Queue)


def test_private_members_are_left_alone() -> None:
    assert is_valid(document("ics.example.toml") | {"x-anything": {"at": ["all"]}})
