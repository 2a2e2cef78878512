"""A QEMU process with a virtio-balloon device, its memory shared with us, and no guest in it."""

from __future__ import annotations

import subprocess
from contextlib import ExitStack
from types import TracebackType
from typing import Self

from vhint.ring import GuestMemory, Region
from vhint.transport.interface import TransportError
from vhint.transport.qtest.client import QmpClient, QtestClient
from vhint.transport.qtest.launch import WIRINGS, Launch, MachineOptions


class Machine:
    """A running QEMU; closing it ends the process and frees everything.

    `launch` is one that was started before, and becomes this machine's own.  Raises
    `TransportError`, with what QEMU printed, if it does not start.
    """

    def __init__(
        self, options: MachineOptions | None = None, *, launch: Launch | None = None
    ) -> None:
        self._launch = launch or Launch(options or MachineOptions())
        self.options = self._launch.options
        self.process: subprocess.Popen[bytes] = self._launch.process
        with ExitStack() as stack:
            stack.callback(self._launch.close)
            try:
                self.qtest = QtestClient(self._launch.qtest, self.options.patience)
                self.qmp = QmpClient(self._launch.qmp, self.options.patience)
                memory = GuestMemory(self._launch.ram, [Region(0, self.options.ram, 0)])
                stack.callback(memory.close)
                self.transport = WIRINGS[self.options.bus].transport(self.qtest, memory)
            except TransportError as error:
                said = self._launch.described(f"QEMU did not start: {error}")
                raise TransportError(said) from error
            self._stack = stack.pop_all()

    def death(self) -> str | None:
        """Say how the process ended, with the last thing it printed, or None while it runs."""
        if self.process.poll() is None:
            return None
        return self._launch.described("QEMU died")

    @property
    def printed(self) -> int:
        """How many bytes QEMU has printed."""
        return self._launch.output.total

    def close(self) -> None:
        """End QEMU and free everything; calling it twice is harmless."""
        self._stack.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
