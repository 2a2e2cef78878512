"""The real Linux driver against the sample device in C: memory that it frees comes back."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.linux.uml_tools import need_uml
from tests.transport.c_peer import compiled
from vhint_conformance.targets.linux.uml import Uml, UmlOptions

MIB = 1 << 20


def resident(pid: int) -> int:
    """Return the bytes that the guest's memory, the largest file of the process, takes."""
    found = [each.stat() for each in Path(f"/proc/{pid}/fd").iterdir() if each.exists()]
    return max(found, key=lambda each: each.st_size).st_blocks * 512


def total_memory(guest: Uml) -> int:
    return int(guest.run("grep MemTotal /proc/meminfo").split()[1]) << 10


def wait(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def command(path: Path, line: str) -> str:
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(60)
        client.connect(str(path))
        client.sendall(f"{line}\n".encode())
        return client.recv(100).decode().strip()


@pytest.mark.long
def test_a_freed_file_comes_back_and_a_kept_one_is_whole(tmp_path: Path) -> None:
    need_uml()
    program = compiled(tmp_path)
    path, control = tmp_path / "s", tmp_path / "c"
    with subprocess.Popen([program, path, control]) as device:
        try:
            wait(control.exists)
            with Uml(UmlOptions(balloons=(path,), memory=256 << 20)) as guest:
                guest.run(
                    "dd if=/dev/urandom of=/tmp/kept bs=1M count=16; cd /tmp; sha1sum kept >sum"
                )
                guest.run("dd if=/dev/zero of=/tmp/freed bs=1M count=100")
                guest.load_driver()
                full = resident(device.pid)
                assert full > 116 * MIB
                guest.run("rm /tmp/freed")
                wait(lambda: resident(device.pid) < full - 60 * MIB)
                guest.run("dd if=/dev/zero of=/tmp/again bs=1M count=100")
                assert guest.run("cd /tmp; sha1sum -c sum").endswith(": OK")
                full, total = resident(device.pid), total_memory(guest)
                assert command(control, "balloon 8192") == "ok"
                wait(lambda: total_memory(guest) <= total - 32 * MIB)
                assert command(control, "balloon 0") == "ok"
                wait(lambda: total_memory(guest) == total)
                # A driver that is loaded again begins anew.
                guest.run("rmmod virtio_balloon")
                guest.run("rm /tmp/again")
                guest.load_driver()
                wait(lambda: resident(device.pid) < full - 60 * MIB)
                assert guest.run("cd /tmp; sha1sum -c sum").endswith(": OK")
        finally:
            device.kill()
