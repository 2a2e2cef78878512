"""What every transport over qtest has in common: QEMU works while it is spoken to."""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Callable

from vhint.transport.interface import Transport

SETTLING = 20
"""Turns in which a device is expected to have finished what it has begun."""


class PolledTransport(Transport):
    """A transport whose device gets on whenever a register is read.

    A notification may be handled before its register write returns or long after it; nothing here
    depends on which.
    """

    @abstractmethod
    def turn(self) -> None:
        """Let QEMU's main loop run once: read a register that reading does not change."""

    def wait(self, condition: Callable[[], bool], seconds: float) -> bool:
        """Poll the condition until the deadline; every poll lets QEMU's main loop run once."""
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > deadline:
                return condition()
            self.turn()
        return True

    def settle(self) -> None:
        """Make round trips: each is a turn of the main loop in which the device works."""
        for _ in range(SETTLING):
            self.turn()

    def close(self) -> None:
        """Let go of the memory; the machine owns the connection."""
        self.memory.close()
