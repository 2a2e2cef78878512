import json

import pytest

from tests.report.samples import FULL, as_values, discarded_neighbour, hostile, report, saved
from vhint_conformance.report import json_report
from vhint_conformance.report.load import UnreadableReport, load


@pytest.mark.parametrize(
    "what",
    [FULL, report(), report(discarded_neighbour()), report(target_error="no", target_hint="apt")],
    ids=["full", "empty", "evidence", "not-started"],
)
def test_a_report_is_read_back_as_it_was(tmp_path, what):
    found = load(saved(tmp_path / "r.json", what))
    assert as_values(found) == as_values(what)
    assert found.exit_status is what.exit_status


def test_a_hostile_one_is_only_text(tmp_path):
    found = load(saved(tmp_path / "r.json", hostile()))
    assert as_values(found) == as_values(hostile())


def test_what_an_older_version_wrote(tmp_path):
    values = as_values(FULL)
    for name in ("vhint", "created", "duration_s", "stopped", "not_run", "expectations", "role"):
        del values[name]
    for case in values["cases"]:
        for name in ("role", "evidence", "title", "level", "hint", "violations", "fault"):
            del case[name]
    path = tmp_path / "old.json"
    path.write_text(json.dumps(values))
    found = load(path)
    assert found.summary == FULL.summary
    assert found.created == ""


def test_what_a_newer_version_may_add(tmp_path):
    values = as_values(FULL) | {"colour": "blue"}
    values["cases"][0]["colour"] = ["blue"]
    path = tmp_path / "new.json"
    path.write_text(json.dumps(values))
    assert load(path).summary == FULL.summary


TEXT = json_report.dumps(FULL)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "not JSON.*line 1, column 1; it is cut off"),
        (TEXT[: len(TEXT) // 2], "not JSON.*line"),
        (TEXT[:-3], "it is cut off"),
        ("[]", 'expected "schema": "vhint-report/1", there is none'),
        ("{}", "there is none; such a file is written by vhint conform"),
        ('{"schema": "vhint-report/2"}', 'seen "vhint-report/2"; it was written by another vers'),
        ('{"schema": 7}', "seen 7"),
        ('{"schema": "vhint-report/1"}', "at the top: .* is a required property"),
        ('{"schema": NaN}', "NaN is no JSON"),
        ("[" * 100_000, "not JSON that can be read"),
        ("9" * 5000, "not JSON that can be read"),
        (TEXT.replace('"fail",', '"failed",', 1), r"at cases\[1\].verdict"),
        (TEXT.replace('"must"', "7", 1), "at level"),
    ],
)
def test_what_is_no_report_is_refused_with_its_place(tmp_path, text, complaint):
    path = tmp_path / "r.json"
    path.write_text(text)
    with pytest.raises(UnreadableReport, match=complaint) as found:
        load(path)
    assert str(found.value).startswith(f"{path}: ")
    assert len(str(found.value)) < 500 + len(str(path))


def test_bytes_that_are_no_text(tmp_path):
    path = tmp_path / "r.json"
    path.write_bytes(b'{"schema": "\xff"}')
    with pytest.raises(UnreadableReport, match="not UTF-8, at byte 12"):
        load(path)


def test_half_a_surrogate_pair_is_replaced(tmp_path):
    values = as_values(FULL)
    values["target"] = "qemu \ud800"
    values["cases"][0]["observations"] = {"\udfff": ["\ud800"]}
    path = tmp_path / "r.json"
    path.write_text(json.dumps(values))
    found = load(path)
    assert found.target == "qemu ?"
    json_report.dumps(found).encode()


def test_a_trace_that_is_none_is_refused(tmp_path):
    values = as_values(report(discarded_neighbour()))
    values["cases"][0]["evidence"]["trace"][3] = '{"n": 3, "event": "Exploded"}'
    path = tmp_path / "r.json"
    path.write_text(json.dumps(values))
    with pytest.raises(UnreadableReport, match=r"the trace of hint\.sample"):
        load(path)


@pytest.mark.parametrize(("name", "why"), [("no.json", "No such file"), ("", "Is a directory")])
def test_a_file_that_cannot_be_read(tmp_path, name, why):
    with pytest.raises(UnreadableReport, match=why):
        load(tmp_path / name)
