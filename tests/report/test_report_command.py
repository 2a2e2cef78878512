import json
from pathlib import Path

import pytest
from junitparser import JUnitXml

from tests.report.samples import FAILED, FULL, hostile, outcome, report, saved
from vhint_conformance.report import files
from vhint_conformance.verdict import Verdict

BETTER = report(outcome(Verdict.PASS, FAILED.id))
BAD = report(FAILED)
FORMS = {
    "r.html": "<!DOCTYPE html>",
    "r.md": "## ",
    "r.sarif": '{\n  "$schema"',
    "r.xml": "<?xml",
    "r.badge.json": '{\n  "schemaVersion": 1',
}


@pytest.mark.parametrize("name", FORMS)
def test_the_name_of_the_file_says_the_form(vhint_says, tmp_path, name):
    source = saved(tmp_path / "in.json", FULL)
    assert vhint_says("report", source, source, "-o", tmp_path / name) == (0, "", "")
    assert (tmp_path / name).read_text().startswith(FORMS[name])


@pytest.mark.parametrize("form", ["html", "markdown", "sarif", "junit", "badge"])
def test_a_form_on_the_standard_output_is_what_the_file_holds(vhint_says, tmp_path, form):
    source = saved(tmp_path / "in.json", FULL)
    status, out, err = vhint_says("report", source, "--to", form)
    assert (status, err) == (0, "")
    vhint_says("report", source, "--to", form, "-o", tmp_path / "out")
    assert (tmp_path / "out").read_text() == out


def test_a_saved_report_reads_on_the_terminal_as_it_did(vhint_says, tmp_path):
    status, out, err = vhint_says("report", saved(tmp_path / "in.json", FULL))
    assert (status, err) == (0, "")
    assert "does not conform: 1 failed, 1 passed" in out
    assert "the page lost" in out


def test_several_reports_on_the_terminal(vhint_says, tmp_path):
    paths = [saved(tmp_path / f"{n}.json", each) for n, each in enumerate((BAD, BETTER, FULL))]
    status, out, _ = vhint_says("report", *paths)
    assert status == 0
    assert "qemu, run 1" in out
    assert "Fail in some and pass in others (1)\n  case.fail\n" in out


def test_a_suite_of_junit_for_each_report(vhint_says, tmp_path):
    paths = [saved(tmp_path / f"{n}.json", each) for n, each in enumerate((BAD, BETTER))]
    vhint_says("report", *paths, "-o", tmp_path / "r.xml")
    first, second = JUnitXml.fromstring((tmp_path / "r.xml").read_bytes())
    assert (first.failures, second.failures) == (1, 0)


@pytest.mark.parametrize(
    ("old", "new", "status", "said"),
    [(BETTER, BAD, 1, "worse"), (BAD, BETTER, 0, "nothing fails"), (BAD, report(), 0, "1 gone")],
)
def test_a_difference(vhint_says, tmp_path, old, new, status, said):
    paths = [saved(tmp_path / "old.json", old), saved(tmp_path / "new.json", new)]
    code, out, err = vhint_says("report", "--diff", *paths)
    assert (code, err) == (status, "")
    assert said in out
    code, out, _ = vhint_says("report", "--diff", *paths, "--to", "json")
    assert (code, json.loads(out)["exit_status"]) == (status, status)
    assert vhint_says("report", "--diff", *paths, "-o", tmp_path / "d.md")[0] == status
    assert (tmp_path / "d.md").read_text().startswith("## ")
    assert vhint_says("report", "--diff", *paths, "-o", tmp_path / "d.json")[0] == status
    json.loads((tmp_path / "d.json").read_text())


def test_links_to_the_site(vhint_says, tmp_path, monkeypatch):
    source = saved(tmp_path / "in.json", BAD)
    there = "https://example.org/v/requirements/reporting-device.html"
    assert (
        there in vhint_says("report", source, "--to", "html", "--site", "https://example.org/v")[1]
    )
    monkeypatch.setenv("VHINT_SITE", "https://example.org/v")
    assert there in vhint_says("report", source, "--to", "markdown")[1]


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["report"], "Missing argument"),
        (["report", "no.json"], "no.json: cannot be read: No such file or directory"),
        (["report", "{foreign}"], 'expected "schema": "vhint-report/1"'),
        (["report", "{cut}"], "not JSON"),
        (["report", "{good}", "{cut}", "-o", "r.html"], "not JSON"),
        (["report", "{good}", "-o", "r.pdf"], "which form is that to have?"),
        (["report", "{good}", "-o", "r.json"], "which form is that to have?"),
        (["report", "{good}", "--to", "json"], "--to json goes with --diff"),
        (["report", "{good}", "--to", "text", "-o", "x"], "text goes to the standard output"),
        (["report", "{good}", "-o", "/no/such/r.html"], "there is no directory /no/such"),
        (["report", "{good}", "--diff"], "--diff compares two reports; 1 are named"),
        (["report", "{good}", "{good}", "--diff", "-o", "r.html"], "not as html"),
    ],
)
def test_wrong_usage_and_files_of_others(vhint_says, tmp_path, monkeypatch, words, complaint):
    monkeypatch.chdir(tmp_path)
    good = saved(tmp_path / "good.json", FULL)
    Path("foreign.json").write_text('{"cases": []}')
    Path("cut.json").write_text(good.read_text()[:500])
    names = {"good": good, "foreign": tmp_path / "foreign.json", "cut": tmp_path / "cut.json"}
    status, out, err = vhint_says(*(word.format(**names) for word in words))
    assert status == 2
    assert complaint in " ".join(err.split())
    assert out == ""
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "cut.json", "foreign.json", "good.json",
    ]  # fmt: skip


def test_a_full_disk_is_a_complaint_and_no_loss(vhint_says, tmp_path):
    source = saved(tmp_path / "in.json", FULL)
    status, _, err = vhint_says("report", source, "--to", "html", "-o", "/dev/full")
    assert status == 2
    assert "/dev/full: could not be written: No space left on device" in " ".join(err.split())


# From a run


def test_a_run_writes_every_form_at_once(fake_suite, vhint_says, tmp_path):
    outputs = {"json": "r.json", "junit": "r.xml", "html": "r.html", "markdown": "r.md",
               "sarif": "r.sarif", "badge": "r.badge.json"}  # fmt: skip
    words = [word for name, path in outputs.items() for word in (f"--{name}", tmp_path / path)]
    status, _, err = vhint_says("conform", "fake", "--select", "bad.*", *words)
    assert (status, err) == (1, "")
    assert sorted(path.name for path in tmp_path.glob("r.*")) == sorted(outputs.values())
    for name, start in FORMS.items():
        assert (tmp_path / name).read_text().startswith(start)
    # The run and its saved report tell the same.
    for name in ("r.md", "r.html", "r.sarif"):
        again = tmp_path / f"again-{name}"
        assert vhint_says("report", tmp_path / "r.json", "-o", again)[0] == 0
        assert again.read_text() == (tmp_path / name).read_text()


def test_one_form_goes_to_the_standard_output(fake_suite, vhint_says):
    status, out, _ = vhint_says("conform", "fake", "--select", "sound.*", "--badge", "-")
    assert status == 0
    assert json.loads(out)["message"] == "conforms (3 passed)"


def test_the_summary_of_a_ci_step_is_added_to(vhint_says, tmp_path, monkeypatch):
    source = saved(tmp_path / "in.json", BETTER)
    summary, other = tmp_path / "summary.md", tmp_path / "other.md"
    for path in (summary, other):
        path.write_text("what another step said\n\n")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    for path in (summary, summary, other):
        vhint_says("report", source, "--to", "markdown", "-o", path)
    assert summary.read_text().startswith("what another step said\n\n## ")
    assert summary.read_text().count("vhint: `qemu` conforms") == 2
    assert other.read_text().startswith("## ")


def test_two_options_for_one_file(fake_suite, vhint_says, tmp_path):
    path = tmp_path / "r"
    status, _, err = vhint_says("conform", "fake", "--html", path, "--sarif", path)
    assert status == 2
    assert "--html and --sarif both name" in " ".join(err.split())


def test_a_report_that_cannot_be_written_costs_no_other(
    fake_suite, vhint_says, tmp_path, monkeypatch
):
    write = files.write

    def full(path: Path, text: str) -> None:
        if path.suffix == ".html":
            raise files.Unwritable(f"{path}: could not be written: No space left on device")
        write(path, text)

    monkeypatch.setattr(files, "write", full)
    words = ["--html", tmp_path / "r.html", "--json", tmp_path / "r.json"]
    words += ["--sarif", tmp_path / "r.sarif"]
    status, out, err = vhint_says("conform", "fake", "--select", "bad.one", *words)
    assert status == 2
    assert "does not conform" in out
    assert "r.html: could not be written: No space left" in err
    assert json.loads((tmp_path / "r.json").read_text())["exit_status"] == 1
    assert (tmp_path / "r.sarif").exists()
    assert not (tmp_path / "r.html").exists()


def test_a_hostile_report_in_every_form(vhint_says, tmp_path):
    source = saved(tmp_path / "in.json", hostile())
    for form in ("html", "markdown", "sarif", "junit", "badge", "text"):
        status, out, err = vhint_says("report", source, source, "--to", form)
        assert (status, err) == (0, "")
        assert "\x1b" not in out
        if form == "junit":
            assert len(list(JUnitXml.fromstring(out.encode()))) == 2
