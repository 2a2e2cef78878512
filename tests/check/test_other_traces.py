"""Logs of QEMU's trace events, and what ftrace prints: enough for little, and never for a pass."""

from pathlib import Path

import pytest

from tests import peers
from tests.check.plays import judged
from vhint.guest import Arena, Driver, Wish, initialise, requests
from vhint.ring import SplitLayout
from vhint.spans import Span
from vhint.transport.execute import execute
from vhint.transport.qtest.machine import Machine, MachineOptions
from vhint.wire.features import Feature, Features
from vhint.wire.queues import Queue
from vhint_conformance.case import Role
from vhint_conformance.check.result import TraceVerdict

HOLDS, VIOLATED, UNDETERMINED = TraceVerdict
LOG = (Path(__file__).parent / "qemu-7.2-reporting.log").read_bytes()
"""What QEMU 7.2 wrote while one page was reported to it over virtio-mmio."""
VQ, ELEMENT = "0x7f7a10e9d270", "0x5621b14de8d0"


def slugs(found) -> set[str]:
    return {each.violation.requirement for each in found.findings}


def test_a_log_of_qemu_is_undetermined_and_says_why() -> None:
    found = judged(LOG)
    assert (found.verdict, found.kind, found.findings) == (UNDETERMINED, "qemu", ())
    assert any("no address of any buffer" in doubt.reason for doubt in found.doubts)
    assert judged(LOG, role=Role.DRIVER).findings == ()


@pytest.mark.parametrize(
    "slug", ["ring.device.use-chain-once", "ring.device.no-processing-before-driver-ok"]
)
def test_what_a_log_tells_can_hold(slug: str) -> None:
    assert judged(LOG, select=[slug]).verdict is HOLDS


def test_a_chain_given_back_twice() -> None:
    filled = f"virtqueue_fill vq {VQ} elem {ELEMENT} len 0 idx 0\nvirtqueue_flush vq {VQ} count 1\n"
    found = judged(LOG + filled.encode())
    assert found.verdict is VIOLATED
    assert slugs(found) == {"ring.device.use-chain-once"}
    assert found.findings[0].line == LOG.count(b"\n") + 2


def test_a_length_where_nothing_can_be_written() -> None:
    log = LOG.replace(b"in_num 1 out_num 0", b"in_num 0 out_num 1").replace(
        b"len 0 idx", b"len 4 idx"
    )
    assert slugs(judged(log)) == {"ring.device.len-truthful"}


def test_a_chain_used_before_driver_ok() -> None:
    found = judged(LOG.replace(b"val 15", b"val 11"))
    assert found.verdict is VIOLATED
    assert slugs(found) == {"ring.device.no-processing-before-driver-ok"}


def test_a_driver_that_sets_its_queues_up_before_features_ok() -> None:
    lines = LOG.splitlines(keepends=True)
    agreed = [line for line in lines if b"val 11" in line or b"0x70 value 0xb" in line]
    log = b"".join(line for line in lines if line not in agreed)
    found = judged(log, role=Role.DRIVER)
    assert found.verdict is VIOLATED
    assert "virtio.driver.initialisation-order" in slugs(found)


def test_a_driver_is_not_blamed_for_what_the_log_does_not_name() -> None:
    """The pages of the balloon are not in the log, so `actual` may be anything."""
    actual = b"virtio_mmio_write_offset virtio_mmio_write offset 0x104 value 0x1\n"
    poison = b"virtio_mmio_write_offset virtio_mmio_write offset 0x10c value 0xaa\n"
    lines = LOG.splitlines(keepends=True)
    at = next(i for i, line in enumerate(lines) if b"0x70 value 0xf" in line)
    log = b"".join([*lines[:at], poison, *lines[at:], actual])
    assert judged(log, role=Role.DRIVER).findings == ()


def test_lines_with_a_time_and_of_others() -> None:
    stamped = b"".join(b"77@1700000000.000001:" + line for line in LOG.splitlines(keepends=True))
    assert judged(stamped).events == judged(LOG).events
    assert judged(b"qemu: warning\n" + LOG).events == judged(LOG).events


def test_a_log_that_begins_in_the_middle_blames_nobody() -> None:
    lines = LOG.splitlines(keepends=True)
    for lost in range(1, len(lines) - 1, 5):
        assert judged(b"".join(lines[lost:]), kind="qemu").verdict is UNDETERMINED, lost


def test_without_registers_features_are_not_told() -> None:
    log = b"".join(line for line in LOG.splitlines(keepends=True) if b"mmio" not in line)
    found = judged(log)
    assert found.verdict is UNDETERMINED
    assert any("virtio-mmio only" in doubt.reason for doubt in found.doubts)
    assert judged(log, role=Role.DRIVER).findings == ()


def test_two_devices_in_one_log() -> None:
    both = b"virtio_set_status vdev 0x1234 val 0\n" + LOG
    found = judged(both)
    assert any("name the balloon with --vdev" in doubt.reason for doubt in found.doubts)
    ours = judged(both, vdev=0x5621B18E2CA0)
    assert (ours.verdict, ours.findings) == (UNDETERMINED, ())
    assert any("not by device" in doubt.reason for doubt in ours.doubts)
    twice = f"virtqueue_fill vq {VQ} elem {ELEMENT} len 0 idx 0\nvirtqueue_flush vq {VQ} count 1\n"
    assert judged(both + twice.encode(), vdev=0x5621B18E2CA0).verdict is VIOLATED


@pytest.mark.parametrize("rest", ["vdev x val 0", "vdev 0x1 val 99999999999", ""])
def test_a_log_in_a_form_that_is_not_known(rest: str) -> None:
    found = judged(LOG + f"virtio_set_status {rest}\n".encode())
    assert found.verdict is UNDETERMINED
    assert any("in a form that is not known" in doubt.reason for doubt in found.doubts)


def test_a_real_qemu(tmp_path) -> None:
    """QEMU is started with tracing on, driven through a report and a balloon, and its log read."""
    program = peers.qemu()
    log, traced = tmp_path / "qemu.log", tmp_path / "qemu"
    events = "-trace 'virtio_*' -trace 'virtqueue_*' -trace ram_block_discard_range"
    traced.write_text(f'#!/bin/sh\nexec {program} "$@" {events} -D {log}\n')
    traced.chmod(0o755)
    with Machine(MachineOptions(program=str(traced), patience=60)) as machine:
        arena = Arena(Span(1 << 20, 1 << 20))
        wish = Wish(Features.of(Feature.PAGE_REPORTING, Feature.VERSION_1), queue_size=64)

        def lay_out(size: int) -> SplitLayout:
            room = SplitLayout.at(0, size).end
            return SplitLayout.at(arena.take(room, 4096).start, size)

        negotiated = execute(machine.transport, initialise(wish, lay_out), lambda _: 0)
        driver = Driver(machine.transport.memory, negotiated, arena, lambda _: 0)
        for draft in (requests.report([Span(8 << 20, 4096)]), requests.inflate([0x3000])):
            driver.add(draft)
            driver.publish(draft.queue)
            machine.transport.notify(negotiated.queues[draft.queue].index)
            assert machine.transport.wait(lambda q=draft.queue: driver.look(q, -1), 60)
            driver.collect(draft.queue)
    found = judged(log.read_bytes())
    assert (found.verdict, found.findings) == (UNDETERMINED, ())
    assert judged(log.read_bytes(), select=["ring.device.use-chain-once"]).verdict is HOLDS
    assert Queue.REPORTING in negotiated.queues


FTRACE = """\
# tracer: function
#
#           TASK-PID     CPU#  |||||  TIMESTAMP  FUNCTION
     kworker/0:1-17      [000] .....   12.345678: page_reporting_process <-process_one_work
     kworker/0:1-17      [000] ....   12.345680: virtballoon_free_page_report <-page_reporting_cycle
            sh-210       [001] d..1.   12.400000: mm_page_alloc: page=0xdead pfn=0x1234 order=0
"""


def test_ftrace_is_read_and_never_enough() -> None:
    found = judged(FTRACE.encode())
    assert (found.verdict, found.kind, found.events) == (UNDETERMINED, "ftrace", 0)
    assert "1 reports of free pages" in found.doubts[-1].reason
    lost = judged(FTRACE.encode() + b"CPU:0 [LOST 12 EVENTS]\n")
    assert any("lost events" in doubt.reason for doubt in lost.doubts)
    broken = judged(FTRACE.encode() + b"\x00\xff nonsense\n")
    assert any("line 7: no line of ftrace" in doubt.reason for doubt in broken.doubts)
