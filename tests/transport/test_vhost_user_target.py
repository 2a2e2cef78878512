"""The target `vhost-user`: started, connected to, judged, and gone without a trace."""

from __future__ import annotations

import os
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.transport.c_peer import command, compiled, faulty
from vhint.wire.queues import QueueMode
from vhint_conformance import runner
from vhint_conformance.bench import opening
from vhint_conformance.case import Capability
from vhint_conformance.cli.main import vhint_command
from vhint_conformance.report.model import Report
from vhint_conformance.runner import RunOptions
from vhint_conformance.selection import Level
from vhint_conformance.targets import (
    SpawnPer,
    TargetSettings,
    UnknownTarget,
    WrongSettings,
    resolve,
    vhost_user,
)
from vhint_conformance.variants import ANY_RINGS, Rings
from vhint_conformance.verdict import Verdict

SPLIT = (Rings.SPLIT,)  # the other format doubles every case

SHARED = Path("/dev/shm")  # noqa: S108 - looked at only
BAD = (Verdict.FAIL, Verdict.ERROR, Verdict.INCONCLUSIVE)
HOST = shlex.join(
    [sys.executable, "-c", "from vhint_conformance.cli.main import main; main()", "host"]
)


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("c-peer")


@pytest.fixture(autouse=True)
def nothing_is_left(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Every test here leaves no process, no directory and no shared memory behind."""
    place = Path(tempfile.mkdtemp(prefix="vhint-"))  # pytest's own has a path too long for sockets
    monkeypatch.setattr("tempfile.tempdir", str(place))
    shared = in_shared_memory()
    yield
    assert children() == []
    place.rmdir()  # it is empty, or this fails
    assert in_shared_memory() == shared


def in_shared_memory() -> list[Path]:
    """What lies in shared memory, but for the memory of User-Mode Linux that others test."""
    return sorted(each for each in SHARED.iterdir() if not each.name.startswith("vm_file"))


def children() -> list[str]:
    found = subprocess.run(
        ["ps", "--ppid", str(os.getpid()), "-o", "pid=,comm="],
        capture_output=True,
        text=True,
        check=False,
    )
    return [line for line in found.stdout.splitlines() if not line.endswith(" ps")]


def devices() -> list[int]:
    """Return the process ids of the devices in C that run."""
    found = [line.split(maxsplit=1) for line in children()]
    return [int(number) for number, name in found if name.startswith("balloon-")]


def judge(
    spawn: str,
    *select: str,
    name: str = "vhost-user",
    level: Level = Level.SHOULD,
    rings: tuple[Rings, ...] = SPLIT,
    **more: object,
) -> Report:
    settings = TargetSettings(spawn=spawn, **more)  # type: ignore[arg-type]
    return runner.run(RunOptions(name, settings, select=select, level=level, rings=rings))


def bad(report: Report) -> dict[str, str]:
    return {each.id: each.message for each in report.outcomes if each.verdict in BAD}


@pytest.mark.parametrize(
    "select",
    [
        pytest.param((), id="whole", marks=pytest.mark.long),
        pytest.param(("virtio.i*", "reporting.o*"), id="some"),
    ],
)
def test_the_served_reference_passes_what_the_reference_passes(select: tuple[str, ...]) -> None:
    spawn = f"{HOST} --socket {{socket}} --commands {{commands}}"
    rings = SPLIT if select else ANY_RINGS
    report = judge(spawn, *select, spawn_per=SpawnPer.RUN, rings=rings)
    assert (report.target_error, report.stopped, report.not_run) == ("", "", ())
    assert bad(report) == {}
    beyond = {
        each.id: each.message for each in report.outcomes if each.verdict is Verdict.NOT_APPLICABLE
    }
    local = runner.run(
        RunOptions("reference", select=tuple(beyond), level=Level.SHOULD, rings=SPLIT)
    )
    passed = {each.id for each in local.outcomes if each.verdict is Verdict.PASS}
    reasons = set(vhost_user.NEVER_SHOWN.values()) - {
        vhost_user.OF_THE_HOST,
        vhost_user.NEVER_SHOWN[Capability.SHOWS_DESTINATION],  # looked at where it can be
    }
    passed.discard("free-page-hint.id-fragmented")  # it takes a device that makes use of hints
    assert {beyond[name] for name in passed} <= reasons
    if not select:
        assert {beyond[name] for name in passed} == reasons
    assert len(passed) <= 10


@pytest.mark.long
def test_the_served_reference_has_packed_rings() -> None:
    """From a base that is both positions, in sizes that split rings cannot have, and past wraps."""
    select = ("ring.packed-*", "ring.heads", "ring.many-lives", "reporting.one-page")
    report = judge(
        f"{HOST} --socket {{socket}}", *select, rings=(Rings.PACKED,), spawn_per=SpawnPer.RUN
    )
    assert bad(report) == {}
    assert report.summary[Verdict.PASS] >= 17


@pytest.mark.long
@pytest.mark.parametrize("mode", QueueMode)
def test_the_numbering_is_found_out(mode: QueueMode) -> None:
    spawn = f"{HOST} --socket {{socket}} --features PAGE_REPORTING,STATS_VQ,HINTING,VERSION_1"
    spawn += f" --queue-map {mode}"
    report = judge(spawn, "balloon.queue-map*", spawn_per=SpawnPer.RUN)
    assert bad(report) == {}
    numbers = next(each for each in report.outcomes if each.id == "balloon.queue-map").observations
    assert numbers["queues"]["hinting"] == (5 if mode is QueueMode.SPEC_FIXED else 4)


def test_a_wrong_numbering_that_was_named_is_not_corrected(folder: Path) -> None:
    report = judge(
        command(compiled(folder)), "hint.sound-request*", queue_mode=QueueMode.SPEC_FIXED
    )
    assert report.exit_status == 1
    assert "ring 5" not in bad(report)


@pytest.mark.long
def test_in_band(folder: Path) -> None:
    report = judge(
        f"{HOST} --socket {{socket}}",
        "reporting.one-*",
        "ring.interrupt",
        "ring.after-reset",
        spawn_per=SpawnPer.RUN,
        in_band=True,
    )
    assert bad(report) == {}
    assert "INBAND_NOTIFICATIONS" in report.versions["vhost-user"]
    assert not report.summary[Verdict.NOT_APPLICABLE]


def test_a_device_that_is_there_already(folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "s"
    server = subprocess.Popen([compiled(folder), path])
    try:
        while not path.exists():
            assert server.poll() is None
        for _ in range(2):
            report = runner.run(
                RunOptions(f"vhost-user:{path}", select=("reporting.one-*",), rings=SPLIT)
            )
            assert bad(report) == {}
            assert report.summary[Verdict.PASS] == 2
        assert server.poll() is None
        taken = judge(command(compiled(folder)), "reporting.one-*", name=f"vhost-user:{path}")
        assert "somebody listens" in taken.target_error
    finally:
        server.kill()
        server.wait()


def test_a_socket_that_nobody_listens_at_is_replaced(folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX) as old:
        old.bind(str(path))
    report = judge(command(compiled(folder)), "reporting.one-page", name=f"vhost-user:{path}")
    assert report.summary[Verdict.PASS] == 1
    assert not path.exists()


def test_no_device_there(tmp_path: Path) -> None:
    report = runner.run(
        RunOptions(f"vhost-user:{tmp_path / 'none'}", select=("reporting.*",), rings=SPLIT)
    )
    assert report.exit_status == 3
    assert "No such file" in report.target_error
    assert "accept again" in report.target_hint


@pytest.mark.parametrize(
    ("spawn", "said"),
    [
        ("no-such-program {socket}", "no-such-program was not found"),
        ("sh -c 'echo out of luck >&2; exit 7' {socket}", "ended with status 7"),
        ("sh -c 'kill -SEGV $$' {socket}", "ended by SIGSEGV"),
        ("sh -c 'sleep 60 & sleep 60' {socket}", "No such file"),  # a child of its own, too
    ],
)
def test_a_device_that_does_not_start(
    spawn: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vhost_user, "STARTUP", 0.3)
    begun = time.monotonic()
    report = judge(spawn, "reporting.*")
    assert report.exit_status == 3
    assert said in report.target_error
    assert ("out of luck" in report.target_error) == ("luck" in spawn)
    assert time.monotonic() - begun < 20


def test_a_device_that_hangs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vhost_user, "ANSWER", 0.2)
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        report = runner.run(RunOptions(f"vhost-user:{path}", select=("reporting.*",), rings=SPLIT))
    assert report.exit_status == 3
    assert "did not answer GET_FEATURES within 0.2 s" in report.target_error


def test_a_device_that_stops_in_the_middle(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vhost_user, "ANSWER", 0.3)
    real = vhost_user.FrontEnd.set_up_queue

    def stopped(self: vhost_user.FrontEnd, *args: object) -> bool:
        for device in devices():
            os.kill(device, signal.SIGSTOP)
        return real(self, *args)  # type: ignore[arg-type]

    monkeypatch.setattr(vhost_user.FrontEnd, "set_up_queue", stopped)
    report = judge(command(compiled(folder)), "reporting.one-page")
    assert report.exit_status == 3
    (outcome,) = report.outcomes
    assert "did not answer SET_VRING_NUM within 0.3 s" in outcome.message


@pytest.mark.parametrize("per", SpawnPer)
def test_a_device_that_is_killed_costs_one_verdict(
    folder: Path, monkeypatch: pytest.MonkeyPatch, per: SpawnPer
) -> None:
    real = opening.Bench.start
    kills = iter([True])

    def killing(self: opening.Bench, **options: object) -> object:
        if self.info.id == "reporting.one-page" and next(kills, False):
            for device in devices():
                os.kill(device, signal.SIGKILL)
        return real(self, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(opening.Bench, "start", killing)
    report = judge(command(compiled(folder)), "reporting.one-*", spawn_per=per)
    found = {each.id: (each.verdict, each.message) for each in report.outcomes}
    verdict, message = found.pop("reporting.one-page")
    assert verdict is Verdict.ERROR
    assert "balloon-sound ended by SIGKILL" in message
    assert {each[0] for each in found.values()} == {Verdict.PASS}
    assert report.exit_status == 3


@pytest.mark.parametrize(
    ("name", "settings", "said"),
    [
        ("vhost-user", {}, "name the socket"),
        ("vhost-user:", {}, "name the socket"),
        ("vhost-user", {"spawn": "device"}, "expected {socket}"),
        ("vhost-user", {"spawn": ""}, "the command is empty"),
        ("vhost-user", {"spawn": "device '{socket}"}, "No closing quotation"),
        ("vhost-user:/x", {"spawn_per": SpawnPer.RUN}, "give both"),
        ("vhost-user:/" + "x" * 107, {}, "108 bytes are too many"),
        ("reference", {"spawn": "x {socket}"}, "--spawn: only vhost-user:PATH takes this"),
        ("qemu", {"in_band": True}, "--in-band: only vhost-user:PATH takes this"),
    ],
)
def test_settings_that_cannot_be_meant(name: str, settings: dict[str, object], said: str) -> None:
    with pytest.raises(WrongSettings) as caught:
        resolve(name, TargetSettings(**settings))  # type: ignore[arg-type]
    assert said in str(caught.value)


def test_wrong_usage_of_the_command() -> None:
    with pytest.raises(UnknownTarget):
        resolve("vhost")
    done = CliRunner().invoke(vhint_command, ["conform", "vhost-user", "--spawn", "device"])
    assert done.exit_code == 2
    assert "expected {socket}" in done.output


def test_the_command_to_repeat_a_failure_names_how_it_was_started(folder: Path) -> None:
    spawn = command(faulty(folder, "neighbour"))
    report = judge(spawn, "reporting.one-page", spawn_per=SpawnPer.RUN)
    (outcome,) = report.outcomes
    assert outcome.verdict is Verdict.FAIL
    words = shlex.split(outcome.repro)
    assert words[words.index("--spawn") + 1] == spawn
    assert words[words.index("--spawn-per") + 1] == "run"
