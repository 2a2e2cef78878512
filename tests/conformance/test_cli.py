import json
import os
import pty
import select
import signal
import subprocess
import time
from pathlib import Path

import jsonschema
import pytest
from junitparser import JUnitXml

import vhint
from vhint_conformance.mutants import MUTANTS
from vhint_conformance.report import json_report


def test_version_and_help(vhint_says) -> None:
    assert vhint_says("--version") == (0, f"vhint, version {vhint.__version__}\n", "")
    status, out, _ = vhint_says("conform", "--help")
    assert status == 0
    assert "could not be started" in out
    assert "[-- PYTEST_ARGS...]" in out


@pytest.mark.parametrize(
    ("select", "status", "end"),
    [
        (["sound.*"], 0, "conforms: 3 passed, 1 not applicable"),
        (["sound.*", "bad.*"], 1, "does not conform: 3 failed, 3 passed, 1 not applicable"),
        (["sound.*", "lost.died"], 3, "no verdict: the target died: signal 11 (in lost.died)"),
        (["sound.*", "open.inconclusive"], 4, "but 1 MUST case is inconclusive"),
        (["sound.*", "open.fault"], 4, "but 1 case is in error"),
        (["sound.absent"], 4, "nothing was judged"),
    ],
)
def test_exit_status(fake_suite, vhint_says, select: list[str], status: int, end: str) -> None:
    words = [word for glob in select for word in ("--select", glob)]
    code, out, err = vhint_says("conform", "fake", *words)
    assert code == status
    assert end in out
    assert err == ""


@pytest.mark.parametrize("target", ["fake-missing", "fake-broken"])
def test_a_target_that_does_not_start(fake_suite, vhint_says, tmp_path, target: str) -> None:
    path = tmp_path / "r.json"
    status, out, err = vhint_says("conform", target, "--json", path)
    assert status == 3
    assert "could not be started" in out
    assert err == ""
    loaded = json.loads(path.read_text())
    jsonschema.validate(loaded, json.loads(json_report.SCHEMA_FILE.read_text()))
    assert loaded["not_run"]
    assert loaded["summary"]["pass"] == 0


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["conform"], "name a TARGET"),
        (["conform", "fkae"], "did you mean fake?"),
        (["conform", "fake", "sound.passes"], "unexpected extra argument"),
        (["conform", "fake", "--select", "sound.pases"], "did you mean sound.passes"),
        (["conform", "fake", "--level", "may"], "Invalid value for '--level'"),
        (["conform", "fake", "--json", "/no/such/place/r.json"], "no directory /no/such/place"),
        (["conform", "fake", "--json", "/proc/r.json"], "/proc/r.json: cannot be written"),
        (["conform", "fake", "--junit", "/"], "is a directory"),
        (["conform", "fake", "--trace", "/dev/null/x"], "cannot be used for traces"),
        (["conform", "fake", "--json", "r.x", "--junit", "r.x"], "both name r.x"),
        (["conform", "fake", "--expect", "/no/such/file.toml"], "No such file"),
        (["conform", "fake", "--", "--no-such-option"], "unrecognized arguments"),
        (["conform", "fake", "--seed", "x"], "not a valid integer"),
        (["requirements", "fake.device.frist"], "did you mean fake.device.first"),
        (["no-such-verb"], "No such command"),
    ],
)
def test_wrong_usage_is_one_complaint(fake_suite, vhint_says, words, complaint: str) -> None:
    status, out, err = vhint_says(*words)
    assert status == 2
    assert complaint in err
    assert "Traceback" not in err
    assert out == ""


def test_a_truncated_expectations_file(fake_suite, vhint_says, tmp_path: Path) -> None:
    path = tmp_path / "e.toml"
    path.write_text('schema = "vhint-expectations/1"\n[[expect]]\nslug = "a')
    status, out, err = vhint_says("conform", "fake", "--expect", path)
    assert status == 2
    assert f"{path}: line 3: not valid TOML" in err
    assert out == ""


def test_an_expectation_of_nothing(fake_suite, vhint_says, write_expectations) -> None:
    status, _, err = vhint_says("conform", "fake", "--expect", write_expectations(("sund.*", "")))
    assert status == 2
    assert "'sund.*' names no case and no requirement" in err


def test_list_needs_no_target_and_says_it_all(fake_suite, vhint_says) -> None:
    for words in ([], ["fake-missing"]):
        status, out, _ = vhint_says("conform", *words, "--list", "--select", "sound.*")
        assert status == 0
        assert "sound.sizes[1]  MUST\n    It works in every size\n" in out
        assert "    checks fake.device.first\n" in out
        assert "\n4 cases; 23 more are left out" in out


def test_reports_are_written(fake_suite, vhint_says, tmp_path: Path) -> None:
    words = ["--select", "sound.*", "--select", "bad.*", "--trace", tmp_path / "t"]
    files = ["--json", tmp_path / "r.json", "--junit", tmp_path / "r.xml"]
    assert vhint_says("conform", "fake", *words, *files)[0] == 1
    loaded = json.loads((tmp_path / "r.json").read_text())
    jsonschema.validate(loaded, json.loads(json_report.SCHEMA_FILE.read_text()))
    assert loaded["exit_status"] == 1
    assert len(loaded["cases"]) == 7
    assert JUnitXml.fromfile(str(tmp_path / "r.xml")).failures == 3
    assert len(list((tmp_path / "t").iterdir())) == 6


def test_json_on_standard_output_is_nothing_but_json(fake_suite, vhint_says) -> None:
    status, out, err = vhint_says("conform", "fake", "--select", "sound.*", "--json", "-")
    assert status == 0
    assert json.loads(out)["summary"]["pass"] == 3
    assert "conforms" in err


def test_the_rerun_command_reruns_that_case(fake_suite, vhint_says, tmp_path: Path) -> None:
    vhint_says("conform", "fake", "--select", "bad.one", "--json", tmp_path / "r.json")
    words = json.loads((tmp_path / "r.json").read_text())["cases"][0]["repro"].split()
    status, out, _ = vhint_says(*words[1:])
    assert status == 1
    assert "does not conform: 1 failed, 0 passed" in out


def test_requirements(vhint_says) -> None:
    status, out, _ = vhint_says("requirements")
    assert status == 0
    assert "MUST NOT    reporting.device.containment" in out
    _, out, _ = vhint_says("requirements", "reporting.device.containment")
    assert "VIRTIO 1.4" in out
    _, out, _ = vhint_says("requirements", "reporting.device.c*", "--json")
    assert "reporting.device.containment" in {entry["slug"] for entry in json.loads(out)}


def test_an_internal_fault_is_one_line(fake_suite, vhint_says, monkeypatch) -> None:
    monkeypatch.setattr("vhint_conformance.cli.conform.run", lambda *_: 1 / 0)
    status, _, err = vhint_says("conform", "fake")
    assert status == 4
    assert "internal fault: ZeroDivisionError" in err
    assert "VHINT_DEBUG=1" in err
    assert "Traceback" not in err
    monkeypatch.setenv("VHINT_DEBUG", "1")
    assert "Traceback" in vhint_says("conform", "fake")[2]


# The real thing


def test_the_reference_conforms(vhint_says, tmp_path: Path) -> None:
    path = tmp_path / "r.json"
    words = ["--select", "reporting.*", "--level", "should", "--role", "device", "--rings", "split"]
    status, out, err = vhint_says("conform", "reference", *words, "--json", path)
    assert (status, err) == (0, "")
    assert "\nconforms: " in out
    loaded = json.loads(path.read_text())
    jsonschema.validate(loaded, json.loads(json_report.SCHEMA_FILE.read_text()))
    assert loaded["summary"]["pass"] >= 20


def test_a_mutant_violates_what_it_is_said_to(vhint_says, tmp_path: Path) -> None:
    path = tmp_path / "r.json"
    wanted = MUTANTS["discard-neighbour"].requirement
    words = ["--select", wanted, "--select", "balloon.inflate-one-page", "--json", path]
    status, out, _ = vhint_says("conform", "mutant:discard-neighbour", *words)
    assert status == 1
    assert wanted in out
    violations = [v for case in json.loads(path.read_text())["cases"] for v in case["violations"]]
    assert wanted in {violation["requirement"] for violation in violations}


# In a process of its own


@pytest.mark.parametrize(
    ("number", "more"),
    [
        (signal.SIGINT, []),
        (signal.SIGTERM, []),
        (signal.SIGINT, ["-j2"]),
        (signal.SIGTERM, ["-j2"]),
    ],
)
def test_an_interrupt_reports_what_was_done(
    fake_script, tmp_path: Path, number: int, more: list[str]
) -> None:
    log, path = tmp_path / "log", tmp_path / "r.json"
    words = ["conform", "fake", "--select", "sound.*", "--select", "slow.waits"]
    words += ["--select", "bare.*", "--json", str(path), *more]
    process = subprocess.Popen(
        [*fake_script, *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "FAKE_LOG": str(log)},
        start_new_session=True,
        # A shell's background job ignores SIGINT, and its children would inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    until = time.monotonic() + 60
    while not (log.exists() and "waiting" in log.read_text()) and time.monotonic() < until:
        time.sleep(0.05)
    if more and number == signal.SIGINT:  # as a terminal does: to the whole group
        os.killpg(process.pid, number)
    else:
        process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "interrupted: " in out
    assert "Traceback" not in err
    loaded = json.loads(path.read_text())
    assert {case["id"]: case["verdict"] for case in loaded["cases"]}["sound.passes"] == "pass"
    assert "slow.waits" in loaded["not_run"]
    assert "closed slow.waits" in log.read_text()


def unread(words: list[str]) -> tuple[int, str]:
    """Run a command whose output nobody reads; return its exit status and what it complained."""
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = subprocess.run(
            words, stdout=writer, stderr=subprocess.PIPE, text=True, timeout=60, check=False
        )
    finally:
        os.close(writer)
    return done.returncode, done.stderr


def test_nobody_reads_the_report(fake_script, tmp_path: Path) -> None:
    path = tmp_path / "r.json"
    words = ["conform", "fake", "--select", "sound.*", "--json", str(path)]
    assert unread([*fake_script, *words]) == (0, "")
    assert json.loads(path.read_text())["summary"]["pass"] == 3


def test_nobody_reads_the_requirements(fake_script) -> None:
    assert unread([*fake_script, "requirements"]) == (0, "")


@pytest.mark.parametrize("colour", [True, False])
def test_on_a_terminal(fake_script, colour: bool) -> None:
    words = [*fake_script, "conform", "fake", "--select", "sound.*", "--select", "bad.one"]
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "80"}
    environment |= {} if colour else {"NO_COLOR": "1"}
    pid, terminal = pty.fork()
    if pid == 0:
        os.execve(words[0], words, environment)  # noqa: S606
    said = b""
    while select.select([terminal], [], [], 20)[0]:
        try:
            data = os.read(terminal, 65536)
        except OSError:  # the other end has closed
            break
        if not data:
            break
        said += data
    os.close(terminal)
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    assert status == 1
    text = said.decode()
    assert "5/5" in text or "4/5" in text
    assert "does not conform: 1 failed, 3 passed, 1 not applicable" in text
    assert ("\x1b[1;31m" in text) is colour


def test_a_trace_that_cannot_be_written_costs_no_verdict(
    fake_suite, vhint_says, tmp_path: Path
) -> None:
    (tmp_path / "sound.sizes[1].jsonl").mkdir()
    words = ["--select", "sound.sizes*", "--trace", tmp_path, "--json", tmp_path / "r.json"]
    status, out, err = vhint_says("conform", "fake", *words)
    assert status == 0, out + err
    assert "Traces not written\n  Is a directory  1 case\n" in out
    case, *_ = json.loads((tmp_path / "r.json").read_text())["cases"]
    assert case["observations"]["trace not written"] == "Is a directory"
