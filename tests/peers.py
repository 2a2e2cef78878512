"""Other people's programs that tests need: missing ones are skips, or failures where required.

With `VHINT_REQUIRE_PEERS=1` a peer that is missing fails the tests that need it, unless it is among
the names in `VHINT_ABSENT_PEERS`, by which whoever runs the tests says that they know.
"""

from __future__ import annotations

import importlib
import os
import shutil
from types import ModuleType
from typing import NoReturn

import pytest

from vhint_conformance.targets.qemu import QemuTarget


def missing(reason: str, *names: str) -> NoReturn:
    """Skip the test, or let it fail where peers are required; `names` are what would have done."""
    known = os.environ.get("VHINT_ABSENT_PEERS", "").split()
    if os.environ.get("VHINT_REQUIRE_PEERS") == "1" and not set(names) & set(known):
        excuse = f" (or VHINT_ABSENT_PEERS={names[0]})" if names else ""
        pytest.fail(reason + excuse)
    pytest.skip(reason, allow_module_level=True)


def program(name: str, package: str) -> str:
    """Return where a program is."""
    path = shutil.which(name)
    if path is None:
        missing(f"{name} is not installed: apt-get install {package}", name)
    return path


def module(name: str, package: str) -> ModuleType:
    """Return another project's Python module."""
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError:
        missing(f"{name} is not installed: pip install {package}", name)


def compiler() -> str:
    """Return a C compiler: `CC`, cc or gcc."""
    found = os.environ.get("CC") or shutil.which("cc") or shutil.which("gcc")
    if found is None:
        missing("no C compiler: apt-get install gcc libc6-dev, or name one in CC", "cc", "gcc")
    return found


def cxx_compiler() -> str:
    """Return a C++ compiler: c++ or g++."""
    found = shutil.which("c++") or shutil.which("g++")
    if found is None:
        missing("no C++ compiler: apt-get install g++", "g++", "c++")
    return found


def browser() -> str:
    """Return a Chromium."""
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    if found is None:
        missing("chromium is not installed: apt-get install chromium", "chromium")
    return found


def qemu() -> str:
    """Return the QEMU that is judged."""
    return program(QemuTarget()._program, "qemu-system-x86")
