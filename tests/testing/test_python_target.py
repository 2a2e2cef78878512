"""`vhint conform python:package.module:factory`: whatever it does costs a verdict, no more."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from vhint_conformance import runner, targets
from vhint_conformance.collection import UsageError
from vhint_conformance.replay import replay_on
from vhint_conformance.report.model import ExitStatus, Fault, Report
from vhint_conformance.runner import RunOptions
from vhint_conformance.targets import remote
from vhint_conformance.targets.python import end_children
from vhint_conformance.variants import Rings
from vhint_conformance.vectors import store
from vhint_conformance.verdict import Verdict

SPLIT = (Rings.SPLIT,)  # the other format doubles every case

FAKES = "python:tests.testing.fake_devices"
ONE = ("reporting.one-page",)


@pytest.fixture(autouse=True)
def _tidy():
    yield
    end_children()
    assert children() == []


def children() -> list[str]:
    listed = subprocess.run(
        ["ps", "--ppid", str(os.getpid()), "-o", "args="],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    return [line for line in listed.stdout.splitlines() if "python_child" in line]


def judge(factory: str, *select: str) -> Report:
    return runner.run(RunOptions(target=f"{FAKES}:{factory}", select=select, rings=SPLIT))


def test_a_sound_device_conforms() -> None:
    report = judge("sound", "reporting.order*", "hint.sound-request*", "balloon.inflate*")
    bad = {o.id: o.message for o in report.having(Verdict.FAIL, Verdict.ERROR)}
    assert bad == {}
    assert report.exit_status is ExitStatus.CONFORMS
    assert report.versions == {f"{FAKES}:sound": "3.1"}


def test_a_broken_device_is_found_out() -> None:
    report = judge("broken", "reporting.order*")
    assert report.exit_status is ExitStatus.VIOLATED
    assert {v.requirement for o in report.outcomes for v in o.violations} >= {
        "reporting.device.containment"
    }


@pytest.mark.parametrize(
    ("factory", "says"),
    [
        ("Hanging", "step did not return in time"),
        ("Exiting", "the process exited with status 3 during step"),
        ("Vanishing", "the process exited with status 4 during step"),
        ("Crashing", "the process was ended by SIGSEGV during step"),
        ("Raising", "step raised KeyError: 'x'"),
    ],
)
def test_a_death_costs_a_verdict_and_never_the_report(
    factory: str, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if factory == "Hanging":
        monkeypatch.setattr(remote, "CALL_DEADLINE", 0.5)
    report = judge(factory, "reporting.one-page", "reporting.mixed-orders")
    assert [outcome.fault for outcome in report.outcomes] == [Fault.DIED] * 2
    assert all(says in outcome.message for outcome in report.outcomes), report.outcomes
    assert report.exit_status is ExitStatus.TARGET
    if factory == "Vanishing":
        assert "good bye" in report.outcomes[0].hint


@pytest.mark.parametrize(
    ("factory", "says"),
    [
        (f"{FAKES}:absent", "has no absent"),
        (f"{FAKES}:number", "number is a int, not something to call"),
        (f"{FAKES}:no_device", "made a object, which has no read_status"),
        (f"{FAKES}:raises", "make raised RuntimeError: no luck"),
        ("python:tests.testing.nowhere:x", "there is no module tests.testing.nowhere"),
    ],
)
def test_what_cannot_be_started_is_explained(factory: str, says: str) -> None:
    report = runner.run(RunOptions(target=factory, select=ONE, rings=SPLIT))
    assert report.exit_status is ExitStatus.TARGET
    assert says in report.target_error
    assert "second line" not in report.target_error


@pytest.mark.parametrize("name", ["python:", "python:x", "python:a:b:c", "python:a b:c",
                                  "python:a:1"])  # fmt: skip
def test_other_names_are_refused(name: str) -> None:
    with pytest.raises(targets.UnknownTarget, match=r"python:package\.module:factory"):
        targets.resolve(name)
    with pytest.raises(UsageError):
        runner.run(RunOptions(target=name))


def test_a_history_is_replayed_on_it() -> None:
    path = store.directory() / "stateful" / "life-reporting.json"
    report = replay_on(f"{FAKES}:sound", path)
    assert report.exit_status is ExitStatus.CONFORMS


def test_the_child_ends_with_its_parent_whatever_it_does(tmp_path: Path) -> None:
    script = tmp_path / "parent.py"
    script.write_text(
        "import sys, time\n"
        "from vhint_conformance.targets.remote import Child\n"
        "child = Child('tests.testing.fake_devices', 'Hanging')\n"
        "print(child.process.pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    parent = subprocess.Popen(
        [sys.executable, str(script)], stdout=subprocess.PIPE, text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )  # fmt: skip
    assert parent.stdout
    pid = int(parent.stdout.readline())
    wait_for(lambda: "python_child" in command_of(pid))
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    parent.stdout.close()
    wait_for(lambda: not command_of(pid))


def command_of(pid: int) -> str:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
        gone = stat.rpartition(")")[2].split()[0] in "ZX"
        return "" if gone else Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
    except OSError:
        return ""


def wait_for(condition, seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_a_device_that_prints_without_end_fills_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 256 MiB the end is shown, and the rest was never kept."""
    monkeypatch.setattr(remote, "CALL_DEADLINE", 60.0)  # it is long, on a busy machine
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    report = judge("Talkative", *ONE)
    outcome = report.outcomes[0]
    assert "the process exited with status 5" in outcome.message
    assert outcome.hint == f"it printed: {'x' * remote.LAST_WORDS}"
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 << 10


def test_a_signal_while_the_target_starts_ends_in_a_report() -> None:
    report = judge("calls_it_off", *ONE)
    assert report.interrupted
    assert report.exit_status is ExitStatus.INTERRUPTED
    assert report.outcomes == ()
    assert {*ONE} <= {*report.not_run}
    assert children() == []
