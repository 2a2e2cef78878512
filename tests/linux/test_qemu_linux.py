"""Linux's driver on QEMU's device: judged from outside, and what is planted there is found."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.peers import missing
from vhint.spans import PAGE, Span
from vhint_conformance import runner, targets
from vhint_conformance.case import Case, Role
from vhint_conformance.cases.pair.tools import HINTS as WITH_HINTS
from vhint_conformance.cases.pair.tools import REPORTING
from vhint_conformance.collection import UsageError
from vhint_conformance.pair_bench.bench import PairBench
from vhint_conformance.pair_bench.canaries import Canary, find
from vhint_conformance.pair_bench.opening import open_pair_bench
from vhint_conformance.report.model import ExitStatus
from vhint_conformance.runner import RunOptions
from vhint_conformance.selection import Level
from vhint_conformance.targets import UnknownTarget
from vhint_conformance.targets.linux import kernel, qemu_linux
from vhint_conformance.targets.linux.kernel import Kernel
from vhint_conformance.targets.linux.qemu_guest import QemuGuest, QemuGuestOptions
from vhint_conformance.targets.linux.qemu_linux import QemuLinuxTarget
from vhint_conformance.targets.pair import HINTS, REPORTS
from vhint_conformance.targets.process_group import living_members
from vhint_conformance.verdict import Failed, TargetNotStarted, Verdict

CASE = Case("reporting.pair-planted", "A fault is planted", REPORTING, Role.PAIR)
MIB = 1 << 20


@pytest.fixture(scope="module")
def target() -> Iterator[QemuLinuxTarget]:
    made = QemuLinuxTarget()
    try:
        made.versions()
    except TargetNotStarted as error:
        missing(f"{error}; {error.hint}")
    yield made
    made.close()


@pytest.mark.long
def test_what_comes_back_is_seen_and_so_is_a_live_page_that_goes(target: QemuLinuxTarget) -> None:
    with pytest.raises(Failed) as caught, open_pair_bench(target, CASE, None) as bench:  # noqa: PT012
        bench.start(REPORTS, *REPORTING)
        (guest,) = target._guests.values()
        process = guest._process
        assert process is not None
        holding = bench.file(128 * MIB)
        before = bench.resident()
        bench.free(holding)
        assert bench.returned(before, 100 * MIB) is not None
        assert bench.effectiveness["discarded_pages"] * PAGE >= 100 * MIB
        bench.check()
        # What a broken device, or driver, would do: take a page that is in use.
        live = bench.aviary.places()[500]
        bench.session.memory.discard(Span(live, PAGE))
        bench.look()
    assert {violation.requirement for violation in caught.value.violations} == set(REPORTING)
    for violation in caught.value.violations:
        assert violation.seen == "1 live pages without their content"
        assert f"page at {live:#x}: a hole, discarded" in violation.where
    # A guest that was harmed is not used again, and nothing is left of it.
    assert not target._guests
    assert not living_members(process.pid)


@pytest.mark.long
def test_a_guest_that_complains_or_dies_of_it_fails(target: QemuLinuxTarget) -> None:
    def judged(command: str) -> str:
        with pytest.raises(Failed) as caught, open_pair_bench(target, CASE, None) as bench:  # noqa: PT012
            bench.start(REPORTS, *REPORTING)
            bench.session.run(command)
        return caught.value.violations[0].seen

    complaint = "BUG: Bad page state in process test  pfn:12345"
    assert judged(f"echo '<3>{complaint}' > /dev/kmsg") == f"the guest's kernel: {complaint}"
    assert "sysrq triggered crash" in judged("echo c > /proc/sysrq-trigger")


@pytest.mark.long
def test_a_page_that_does_not_arrive_with_the_guest_is_missed(
    target: QemuLinuxTarget, monkeypatch: pytest.MonkeyPatch
) -> None:
    moved = QemuGuest.moved

    def leave_one(guest: QemuGuest) -> tuple[QemuGuest, int]:
        there, sent = moved(guest)
        (place,) = find(there.memory)[Canary(123)]
        there.memory.discard(Span(place, PAGE))
        return there, sent

    monkeypatch.setattr(QemuGuest, "moved", leave_one)
    with pytest.raises(Failed) as caught, open_pair_bench(target, CASE, None) as bench:  # noqa: PT012
        bench.start(HINTS, *WITH_HINTS)
        bench.move()
    assert {violation.requirement for violation in caught.value.violations} == set(WITH_HINTS)


@pytest.mark.long
def test_the_pair_conforms(target: QemuLinuxTarget) -> None:
    report = runner.run(RunOptions("qemu-linux", level=Level.SHOULD, deadline=180))
    assert report.exit_status is ExitStatus.CONFORMS
    assert {outcome.verdict for outcome in report.outcomes} == {Verdict.PASS}
    assert report.versions == target.versions()
    figures = {
        figures["reporting"]: figures["came back"]
        for outcome in report.outcomes
        if isinstance(figures := outcome.observations.get("figures"), dict)
        and "reporting" in figures
    }
    assert int(figures["on"].split()[0]) > 100
    assert figures["off"].startswith("0 MiB")


@pytest.mark.parametrize(
    ("missing", "said"),
    [
        ("qemu", "no-such-qemu is not installed"),
        ("busybox", "busybox is not installed"),
        ("kernel", "no-such-kernel: No such file"),
    ],
)
def test_what_is_missing_is_said_with_what_to_install(
    monkeypatch: pytest.MonkeyPatch, missing: str, said: str
) -> None:
    monkeypatch.setattr(
        qemu_linux.shutil,
        "which",
        lambda name: None if name in ("no-such-qemu", missing) else f"/bin/{name}",
    )
    if missing == "qemu":
        monkeypatch.setenv(qemu_linux.PROGRAM_VARIABLE, "no-such-qemu")
    if missing == "kernel":
        monkeypatch.setenv(kernel.VARIABLE, "/no-such-kernel")
    report = runner.run(RunOptions("qemu-linux"))
    assert report.exit_status is ExitStatus.TARGET
    assert said in report.target_error
    assert (
        "apt install linux-image-cloud-amd64 qemu-system-x86 busybox-static" in report.target_hint
    )


def test_a_guest_that_does_not_boot_is_started_twice_and_both_are_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tries: list[object] = []

    def hang(options: object) -> None:
        tries.append(options)
        raise qemu_linux.GuestError(f"starting: no answer within 25 s, time {len(tries)}\nmore")

    monkeypatch.setattr(qemu_linux, "QemuGuest", hang)
    options = QemuGuestOptions(Kernel(Path("/k"), "6.1", Path("/m")))
    monkeypatch.setattr(QemuLinuxTarget, "_options", lambda _: options)
    target = QemuLinuxTarget()
    with pytest.raises(TargetNotStarted, match=r"did not boot, 2 times: .*time 2"):
        target.connect(REPORTS)
    assert len(tries) == 2
    assert target.take_remarks() == ["starting: no answer within 25 s, time 1"]
    assert target.take_remarks() == []


def test_a_pair_is_judged_as_a_pair_only_and_nothing_else_is() -> None:
    assert list(targets.judged("qemu-linux")) == [Role.PAIR]
    assert Role.PAIR not in targets.judged("reference")
    with pytest.raises(UnknownTarget, match="reference can be judged as a device or a driver only"):
        targets.judged("reference", Role.PAIR)
    with pytest.raises(UsageError, match="as a pair only"):
        runner.run(RunOptions("qemu-linux", role=Role.DRIVER))
    with pytest.raises(UsageError, match="the selection is empty"):
        runner.run(RunOptions("reference", select=("reporting.pair-scattered",)))
    assert PairBench(QemuLinuxTarget(), CASE).violations() == []
