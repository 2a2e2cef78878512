"""An implementation in any language, `stdio:COMMAND`: its harness speaks JSON on its streams.

The process serves one device after another; one that failed is replaced, at most a few times in a
row.  Rings and registers are vhint's, so what only they decide is not applicable.
"""

from __future__ import annotations

import atexit
import contextlib
from dataclasses import dataclass, field

from vhint.ring import GuestMemory
from vhint.spans import Span
from vhint.transport.interface import TransportError
from vhint.transport.loopback import Loopback
from vhint_conformance.case import PECULIAR, REGISTERS, Capability
from vhint_conformance.logic import LogicDevice, supplied
from vhint_conformance.targets.base import Limits, Session, Target, TargetSettings
from vhint_conformance.targets.harness import (
    Connection,
    HarnessProcess,
    Introduction,
    RemoteLogic,
)
from vhint_conformance.targets.logic_control import LogicControl
from vhint_conformance.targets.reference import RAM, USABLE
from vhint_conformance.verdict import HarnessFailed, TargetError, TargetNotStarted

KIND = "stdio"
FAILURES = 5
"""Times in a row that a harness may fail before it is not started any more."""


class StdioSession(Session):
    """One life of a device behind a harness."""

    def __init__(self, harness: Harness) -> None:
        introduction, connection = harness.started()
        ram = (Span(0, RAM),)

        def make(memory: GuestMemory) -> LogicDevice:
            return LogicDevice(memory, RemoteLogic(connection, introduction, ram))

        # What the device raises has a name already: it is no fault of this process.
        transport = Loopback(make, RAM, faults=contextlib.nullcontext())
        device = transport.device
        assert isinstance(device, LogicDevice)  # noqa: S101 - made above
        super().__init__(
            transport=transport,
            limits=Limits(
                ram=((0, RAM),),
                usable=USABLE,
                host_page=introduction.host_page,
                queue_mode=device.queue_mode,
            ),
            control=LogicControl(device),
            capabilities=frozenset({*device.can, *REGISTERS, Capability.SEES_DISCARDS}),
            reasons={
                **PECULIAR,
                Capability.RESETS_QUEUES: "feature 40 (RING_RESET) is not offered",
            },
            supplied=supplied(),
        )
        self._harness = harness

    def check_alive(self) -> None:
        """Raise `HarnessFailed` if the process is gone; a session that ends well says so."""
        self._harness.check_alive()

    def close(self) -> None:
        """Let the device go; the process may serve another."""
        self.transport.close()


@dataclass
class Harness:
    """The process of one command, started when it is needed and again when it has failed."""

    command: str
    settings: TargetSettings
    failures: int = 0
    connection: Connection | None = None
    _introduction: Introduction | None = None

    def started(self) -> tuple[Introduction, Connection]:
        """Return the conversation with a process that runs; start one if there is none."""
        connection, introduction = self.connection, self._introduction
        if connection is not None and introduction is not None and connection.process.alive:
            return introduction, connection
        if connection is not None:
            self.failures += 1
        if self.failures >= FAILURES:
            raise TargetNotStarted(
                f"the harness failed {FAILURES} times in a row, and is not started again",
                f"vhint smoke {KIND}:... says what is wrong with it",
            )
        process = HarnessProcess(self.command)
        self.connection = connection = Connection(
            process, validate=self.settings.validate, within=self.settings.answer_within
        )
        try:
            self._introduction = introduction = connection.start()
        except TargetError as error:
            process.kill()
            raise TargetNotStarted(f"the harness {self.command}: {error}", error.hint) from error
        except BaseException:
            process.kill()
            raise
        return introduction, connection

    def check_alive(self) -> None:
        """Raise `HarnessFailed` if the process is gone."""
        if self.connection is None or not self.connection.process.alive:
            raise HarnessFailed("it is gone")
        self.failures = 0

    def close(self) -> None:
        """Say good-bye, or end it."""
        connection, self.connection = self.connection, None
        if connection is None:
            return
        with contextlib.suppress(TargetError, TransportError):
            if connection.process.alive:
                connection.stop()
        connection.process.kill()


@dataclass(frozen=True)
class StdioTarget(Target):
    """A command that is judged over `vhint-harness/1`."""

    command: str
    settings: TargetSettings = field(default_factory=TargetSettings)

    @property
    def name(self) -> str:  # type: ignore[override]
        """How the user named it."""
        return f"{KIND}:{self.command}"

    @property
    def harness(self) -> Harness:
        """The process, shared by all targets of that name."""
        key = (self.command, self.settings)
        if key not in _harnesses:
            _harnesses[key] = Harness(self.command, self.settings)
        return _harnesses[key]

    def start(self) -> Session:
        """Make a fresh device, in a fresh process if need be."""
        return StdioSession(self.harness)

    def versions(self) -> dict[str, str]:
        """Return what the harness says about what is judged."""
        found, _ = self.harness.started()
        return {found.name: found.version, "language": found.language}

    def close(self) -> None:
        """Stop the process."""
        if (harness := _harnesses.pop((self.command, self.settings), None)) is not None:
            harness.close()


_harnesses: dict[tuple[str, TargetSettings], Harness] = {}


@atexit.register
def end_harnesses() -> None:
    """End every process."""
    for harness in list(_harnesses.values()):
        harness.close()
    _harnesses.clear()
