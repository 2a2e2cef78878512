"""Packages that a user could name: one sound, and every way to be none."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import time
from typing import Any

from vhint.host import Device
from vhint_conformance.mutants import MUTANTS

__version__ = "3.1"

sound = Device
broken = MUTANTS["discard-neighbour"].make_device
number = 7


def no_device(memory: Any) -> object:
    return object()


def raises(memory: Any) -> Device:
    raise RuntimeError("no luck\nand a second line")


class Hanging(Device):
    def step(self, queue: Any = None) -> bool:
        while True:
            time.sleep(1)


class Exiting(Device):
    def step(self, queue: Any = None) -> bool:
        sys.exit(3)


class Vanishing(Device):
    def step(self, queue: Any = None) -> bool:
        print("good bye", flush=True)
        os._exit(4)


class Crashing(Device):
    def step(self, queue: Any = None) -> bool:
        return bool(ctypes.string_at(0))


class Raising(Device):
    def step(self, queue: Any = None) -> bool:
        raise KeyError("x")


class Talkative(Device):
    def step(self, queue: Any = None) -> bool:
        for _ in range(256):
            os.write(1, b"x" * (1 << 20))
        os._exit(5)


def calls_it_off(memory: Any) -> Device:
    """Tell the suite to end, as a shell does whose terminal is closed, before there is a device."""
    os.kill(os.getppid(), signal.SIGHUP)
    time.sleep(60)
    raise AssertionError
