"""Somebody's Python device, `python:package.module:factory`, in a child process."""

from __future__ import annotations

import atexit
from dataclasses import dataclass
from typing import cast

from vhint.wire.queues import QueueMode
from vhint_conformance.case import PECULIAR, REGISTERS, Capability
from vhint_conformance.logic import supplied
from vhint_conformance.targets.base import Control, Limits, Session, Target
from vhint_conformance.targets.reference import RAM, USABLE
from vhint_conformance.targets.remote import Child, RemoteTransport
from vhint_conformance.variants import RING_VARIANTS, Variant
from vhint_conformance.verdict import TargetDied, TargetNotStarted

PREFIX = "python"
GIVES = {
    "set_balloon_size": Capability.SETS_BALLOON_SIZE,
    "poll_statistics": Capability.POLLS_STATISTICS,
    "statistics": Capability.READS_STATISTICS,
    "finish_round": Capability.STARTS_ROUNDS,
    "start_round": Capability.REPEATS_ROUNDS,
    "stop_round": Capability.STOPS_ROUNDS,
    "cancel_round": Capability.CANCELS_ROUNDS,
}
"""Which optional method promises which capability; of rounds nothing without `start_round`."""


OF_ROUNDS = {name for name in GIVES if name.endswith("_round")}


class RemoteControl(Control):
    """The host's side of a device in a child process."""

    def __init__(self, child: Child) -> None:
        self._child = child

    def set_balloon_size(self, pages: int) -> None:
        """Change num_pages."""
        self._child.call("set_balloon_size", pages)

    def poll_statistics(self) -> None:
        """Use the statistics buffer."""
        self._child.call("poll_statistics")

    def balloon_size(self) -> int:
        """Return how large the device takes the balloon to be."""
        return int(self._child.call("balloon_size"))

    def inhibit(self, on: bool) -> None:
        """Be where hints are of no use, or no longer."""
        self._child.call("inhibit", on)

    def start_round(self) -> int | None:
        """Ask for hints."""
        told = self._child.call("start_round")
        return None if told is None else int(told)

    def stop_round(self) -> None:
        """Want no more hints."""
        self._child.call("stop_round")

    def finish_round(self) -> None:
        """Be done with all hints."""
        self._child.call("finish_round")

    def cancel_round(self, *, broken: bool = False) -> None:  # noqa: ARG002 - it is all the same
        """Give up what hints were for."""
        self._child.call("cancel_round")

    def statistics(self) -> dict[int, int]:
        """Return what the device read last."""
        return {int(tag): int(value) for tag, value in self._child.call("statistics")}


class RemoteSession(Session):
    """One life of a device in a child process."""

    def check_alive(self) -> None:
        """Raise `TargetDied` if the process is gone."""
        transport = cast(RemoteTransport, self.transport)
        if not transport.child.alive:
            status = transport.child.process.poll()
            raise TargetDied(f"the process is gone (status {status})", transport.child.last_words())

    def close(self) -> None:
        """Let the device go."""
        self.transport.close()


@dataclass(frozen=True)
class PythonTarget(Target):
    """A factory that takes guest memory and returns a `DeviceUnderTest`, or `ProtocolLogic`.

    A child process serves one device after another; one that died is replaced.
    """

    name: str
    variants: tuple[Variant, ...] = RING_VARIANTS

    def start(self) -> Session:
        """Make a fresh device, in a fresh process if need be."""
        child = self._child()
        transport = RemoteTransport(child, RAM)
        facts = transport.facts
        try:
            mode = QueueMode(facts["queue_mode"])
        except ValueError as error:
            transport.close()
            known = ", ".join(QueueMode)
            raise TargetNotStarted(f"{self.name}: queue_mode is none of {known}") from error
        named = facts["capabilities"]
        of_logic = named is not None
        capabilities = set(map(Capability, named)) if of_logic else _given(set(facts["can"]))
        return RemoteSession(
            transport=transport,
            limits=Limits(((0, RAM),), USABLE, host_page=facts["host_page"], queue_mode=mode),
            control=RemoteControl(child),
            capabilities=frozenset({*capabilities, *REGISTERS, Capability.SEES_DISCARDS}),
            reasons=PECULIAR,
            supplied=supplied() if of_logic else frozenset(),
        )

    def versions(self) -> dict[str, str]:
        """Return the version of the factory's module."""
        with self.start() as session:
            transport = cast(RemoteTransport, session.transport)
            return {self.name: transport.facts["version"]}

    def _child(self) -> Child:
        child = _children.get(self.name)
        if child is None or not child.alive:
            _, module, factory = self.name.split(":")
            child = _children[self.name] = Child(module, factory)
        return child


def _given(methods: set[str]) -> set[Capability]:
    """Return the capabilities that optional methods promise."""
    if not {"start_round", "finish_round"} <= methods:
        methods -= OF_ROUNDS
    return {GIVES[name] for name in methods if name in GIVES}


def python_target(name: str) -> PythonTarget:
    """Return the target; raise `ValueError` for a name that is not `python:MODULE:FACTORY`."""
    parts = name.split(":")
    dotted = parts[1].split(".") if len(parts) == 3 else [""]
    if not all(map(str.isidentifier, dotted)) or not parts[2].isidentifier():
        raise ValueError(f"{name}: write python:package.module:factory")
    return PythonTarget(name)


_children: dict[str, Child] = {}


@atexit.register
def end_children() -> None:
    """End every child process."""
    for child in _children.values():
        child.kill()
    _children.clear()
