"""What each target needs.  Nothing is started; programs are only asked for their version."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from importlib import metadata

from vhint_conformance.doctor.finding import Finding, Health
from vhint_conformance.targets.linux import kernel, uml
from vhint_conformance.targets.linux.qemu_linux import INSTALL as INSTALL_GUEST
from vhint_conformance.targets.linux.target import INSTALL as INSTALL_UML
from vhint_conformance.targets.qemu import PACKAGE, PROGRAM_VARIABLE, QemuTarget

GROUP = "target"
TOOL = "tool"
PLUGINS = "vhint.targets"
PATIENCE = 20.0
"""Seconds in which a program must say its version."""

ALWAYS = {
    "reference": "vhint's own device and guest, and every mutant of them",
    "vhost-user:PATH": "a device of yours, in any language, at a socket",
    "vhost-user-listen:PATH": "a driver of yours, behind a front end",
    "python:MODULE:FACTORY": "a device of yours in Python",
    "stdio:COMMAND": "a device of yours in any language, behind a harness",
}
COMPILERS = {
    "cc": ("devices in C: examples and tests", "apt install gcc libc6-dev"),
    "rustc": ("the exported Rust module: tests", "apt install rustc"),
    "tshark": ("the exported Wireshark dissector: tests", "apt install tshark"),
    "spin": ("the exported Promela models: tests", "apt install spin"),
}


def findings() -> Iterator[Finding]:
    """Yield what concerns targets and tools beside them."""
    for name, what in ALWAYS.items():
        yield Finding(GROUP, name, Health.OK, "needs nothing", what)
    yield _qemu()
    yield _linux()
    yield _qemu_linux()
    for entry in metadata.entry_points(group=PLUGINS):
        dist = f" of {entry.dist.name} {entry.dist.version}" if entry.dist else ""
        yield Finding(GROUP, f"{entry.name}:", Health.OK, f"{entry.value}{dist}", "plugged in")
    for program, (purpose, remedy) in COMPILERS.items():
        path = shutil.which(program)
        health = Health.OK if path else Health.ABSENT
        yield Finding(TOOL, program, health, path or "not installed", purpose, remedy)


def _qemu() -> Finding:
    program = os.environ.get(PROGRAM_VARIABLE) or "qemu-system-x86_64"
    needed = "judging QEMU's device"
    path = shutil.which(program)
    if path is None:
        remedy = f"apt install {PACKAGE}, or name it in {PROGRAM_VARIABLE}"
        return Finding(
            GROUP, QemuTarget.kind, Health.ABSENT, f"{program}: not installed", needed, remedy
        )
    return _program(QemuTarget.kind, path, "--version", r"version (\S+)", needed)


def _linux() -> Finding:
    needed = "judging Linux's driver in User-Mode Linux"
    if reason := uml.missing():
        return Finding(GROUP, "linux", Health.ABSENT, reason, needed, INSTALL_UML)
    path = shutil.which(uml.PROGRAM) or uml.PROGRAM
    return _program("linux", path, "--version", r"(\d\S+)", needed)


def _qemu_linux() -> Finding:
    needed = "judging Linux and QEMU as a pair"
    absent = []
    try:
        release = kernel.find_kernel().release
    except kernel.NoKernel as error:
        absent.append(str(error))
    if shutil.which(os.environ.get(PROGRAM_VARIABLE) or "qemu-system-x86_64") is None:
        absent.append("QEMU is not installed")
    if shutil.which("busybox") is None:
        absent.append("busybox is not installed")
    if absent:
        remedy = f"{INSTALL_GUEST}, or name a kernel in {kernel.VARIABLE}"
        return Finding(GROUP, "qemu-linux", Health.ABSENT, "; ".join(absent), needed, remedy)
    return Finding(GROUP, "qemu-linux", Health.OK, f"Linux {release}", needed)


def _program(name: str, path: str, option: str, pattern: str, needed: str) -> Finding:
    """Ask a program for its version: that it runs is worth knowing too."""
    try:
        done = subprocess.run(
            [path, option],
            stdin=subprocess.DEVNULL, capture_output=True, timeout=PATIENCE, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        return Finding(GROUP, name, Health.DEGRADED, f"{path}: {error}", needed, f"{path} {option}")
    said = (done.stdout + done.stderr).decode(errors="replace")
    version = re.search(pattern, said)
    if done.returncode or version is None:
        first = said.strip().partition("\n")[0] or f"exit status {done.returncode}"
        return Finding(GROUP, name, Health.DEGRADED, f"{path}: {first}", needed, f"{path} {option}")
    return Finding(GROUP, name, Health.OK, f"{version[1].rstrip(')')} ({path})", needed)
