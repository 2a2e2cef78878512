"""Other people's programs that tests need: missing ones are skips, or failures where required."""

from __future__ import annotations

import os
import shutil
from typing import NoReturn

import pytest

from vhint_conformance.targets.qemu import QemuTarget


def missing(reason: str) -> NoReturn:
    """Skip the test, or let it fail with `VHINT_REQUIRE_PEERS=1`."""
    if os.environ.get("VHINT_REQUIRE_PEERS") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


def program(name: str, package: str) -> str:
    """Return where a program is."""
    path = shutil.which(name)
    if path is None:
        missing(f"{name} is not installed: apt-get install {package}")
    return path


def compiler() -> str:
    """Return a C compiler: `CC`, cc or gcc."""
    found = os.environ.get("CC") or shutil.which("cc") or shutil.which("gcc")
    if found is None:
        missing("no C compiler: apt-get install gcc libc6-dev, or name one in CC")
    return found


def qemu() -> str:
    """Return the QEMU that is judged."""
    return program(QemuTarget()._program, "qemu-system-x86")
