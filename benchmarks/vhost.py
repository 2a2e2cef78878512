"""Measure the vhost-user server: requests a second, memory given back beside C, cost when idle.

    python benchmarks/vhost.py [--rounds N]

Needs a C compiler.  What is measured, and how, is in benchmarks/README.md.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import statistics
import subprocess
import sys
import tempfile
import time
from array import array
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.vhost_user.front import REPORTING, Front, Served, simulated
from tests.vhost_user.test_host_command import Running
from vhint.ring import FilePart, SplitDriverQueue, SplitLayout
from vhint.spans import Span, merge
from vhint.wire.features import Feature, Features
from vhint.wire.vhost_user import Header, Request, header

MIB = 1 << 20
BUFFERS = 32
QUEUE = 256
BASE = 16 * MIB
FEATURES = REPORTING | Features.of(Feature.INDIRECT_DESC, Feature.EVENT_IDX)

PUNCH = r"""
#define _GNU_SOURCE
#include <fcntl.h>
long punch(int fd, long count, const long long *ranges)
{
    for (long i = 0; i < count; i++)
        if (fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                      ranges[2 * i], ranges[2 * i + 1]))
            return i;
    return count;
}
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    rounds = parser.parse_args().rounds
    console = Console()
    with tempfile.TemporaryDirectory(prefix="vhint-") as name:
        folder = Path(name)
        console.print(requests(folder, rounds))
        console.print(reclaim(folder, rounds))
        console.print(idle(folder))


def shared(front: Front, size: int) -> None:
    front.negotiate(FEATURES)
    front.share(FilePart(0, size, front.file(size), 0))


def requests(folder: Path, rounds: int) -> Table:
    """Reports of 32 blocks of 4 MiB, decoded and answered, with discards that only pretend."""
    table = Table("a report is", "requests/s of a core", "us each", title="Decode and answer")
    for name, indirect in (("32 descriptors", False), ("an indirect table of 32", True)):
        with Served(folder, **simulated()) as served, Front(served) as front:
            shared(front, 256 * MIB)
            front.start(2, size=QUEUE)
            assert front.memory is not None
            layout = SplitLayout.at(0x1000, QUEUE)
            queue = SplitDriverQueue(front.memory, layout, event_idx=True)
            count = QUEUE if indirect else QUEUE // BUFFERS
            blocks = [Span(BASE + number * 4 * MIB, 4 * MIB) for number in range(BUFFERS)]
            rates = []
            for _ in range(rounds):
                done, spent = 0, 0.0
                while spent < 0.2:
                    for _ in range(count):
                        queue.add((), blocks, indirect_at=0x40000 if indirect else None)
                    queue.publish()
                    os.eventfd_write(front.kicks[2], 1)
                    began = time.thread_time()
                    served.pump()
                    spent += time.thread_time() - began
                    while queue.collect():
                        done += 1
                rates.append(done / spent)
            rate = statistics.median(rates)
            table.add_row(name, f"{rate:,.0f}", f"{1e6 / rate:.0f}")
    return table


def reclaim(folder: Path, rounds: int) -> Table:
    """Populated memory, given back through a report and by a loop in C over the same ranges."""
    library = compiled(folder)
    table = Table(
        "blocks", "MiB", "ranges", "vhint MiB/s", "C MiB/s", "vhint / C", title="Give memory back"
    )
    for name, size, gap in (
        ("4 MiB, neighbours", 4 * MIB, 0),
        ("4 MiB, apart", 4 * MIB, 1),
        ("256 KiB, apart", 256 << 10, 1),
        ("64 KiB, apart", 64 << 10, 1),
    ):
        step = size * (1 + gap)
        blocks = [Span(BASE + number * step, size) for number in range(BUFFERS)]
        if size < MIB:  # 16 reports
            blocks = [Span(BASE + number * step, size) for number in range(512)]
        ours, theirs, ratios = [], [], []
        amount = sum(block.length for block in blocks) / MIB
        with Served(folder) as served, Front(served) as front:
            shared(front, 512 * MIB)
            queue = front.start(2, size=QUEUE)
            assert front.memory is not None
            fd = front.memory.fds()[0]
            for _ in range(rounds):
                fill(front, blocks)
                mine = through_the_device(served, front, queue, blocks)
                assert gone(front, blocks)
                fill(front, blocks)
                other = in_c(library, fd, merged_by_report(blocks))
                assert gone(front, blocks)
                ours.append(amount / mine)
                theirs.append(amount / other)
                ratios.append(other / mine)
        table.add_row(
            name,
            f"{amount:.0f}",
            str(len(merged_by_report(blocks))),
            f"{statistics.median(ours):,.0f}",
            f"{statistics.median(theirs):,.0f}",
            f"{statistics.median(ratios):.2f}",
        )
    return table


def fill(front: Front, blocks: Sequence[Span]) -> None:
    assert front.memory is not None
    for block in blocks:
        front.memory.write(block.start, b"\xa5" * block.length)


def gone(front: Front, blocks: Sequence[Span]) -> bool:
    assert front.memory is not None
    holes = front.memory.holes()
    return all(any(hole.covers(block) for hole in holes) for block in blocks)


def reports(blocks: Sequence[Span]) -> list[Sequence[Span]]:
    return [blocks[first : first + BUFFERS] for first in range(0, len(blocks), BUFFERS)]


def merged_by_report(blocks: Sequence[Span]) -> list[Span]:
    return [span for report in reports(blocks) for span in merge(report)]


def through_the_device(
    served: Served, front: Front, queue: SplitDriverQueue, blocks: Sequence[Span]
) -> float:
    """From the kick until everything is used, in seconds of processor time."""
    spent = 0.0
    waiting = reports(blocks)
    while waiting:
        batch, waiting = waiting[: QUEUE // BUFFERS], waiting[QUEUE // BUFFERS :]
        for report in batch:
            queue.add((), report)
        queue.publish()
        os.eventfd_write(front.kicks[2], 1)
        began = time.thread_time()
        served.pump()
        spent += time.thread_time() - began
        assert all(queue.collect() for _ in batch)
    return spent


def in_c(library: ctypes.CDLL, fd: int, ranges: Sequence[Span]) -> float:
    """Punch the ranges, all in one call of a loop in C; in seconds of processor time."""
    numbers = array("q", [number for span in ranges for number in span])
    address, _ = numbers.buffer_info()
    began = time.thread_time()
    done = library.punch(fd, ctypes.c_long(len(ranges)), ctypes.c_void_p(address))
    spent = time.thread_time() - began
    assert done == len(ranges)
    return spent


def compiled(folder: Path) -> ctypes.CDLL:
    source, library = folder / "punch.c", folder / "punch.so"
    source.write_text(PUNCH)
    options = ("-O2", "-D_FILE_OFFSET_BITS=64", "-shared", "-fPIC")
    subprocess.run(["cc", *options, "-o", library, source], check=True)
    return ctypes.CDLL(str(library))


def idle(folder: Path) -> Table:
    """A server with a front end that says nothing, watched for three seconds."""
    table = Table("process", "wakeups/s", "CPU ms/s", title="Idle, with a front end connected")
    running = Running(folder / "idle")
    client = running.connect()
    client.sendall(header.build(Header.of(Request.GET_FEATURES)))
    client.recv(100)
    pids = {"parent": running.process.pid, "server": running.children()[0]}
    time.sleep(0.3)
    before = {name: cost(pid) for name, pid in pids.items()}
    time.sleep(3)
    for name, pid in pids.items():
        (wakeups, ticks), (wakeups_before, ticks_before) = cost(pid), before[name]
        milliseconds = (ticks - ticks_before) * 1000 / os.sysconf("SC_CLK_TCK")
        table.add_row(name, f"{(wakeups - wakeups_before) / 3:.1f}", f"{milliseconds / 3:.1f}")
    client.close()
    running.process.terminate()
    running.end()
    return table


def cost(pid: int) -> tuple[int, int]:
    """How often a process was woken, and its processor time in ticks."""
    status = Path(f"/proc/{pid}/status").read_text()
    fields = dict(line.split(":", 1) for line in status.splitlines())
    times = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    return int(fields["voluntary_ctxt_switches"]), int(times[11]) + int(times[12])


if __name__ == "__main__":
    main()
