"""The `vhost-user-listen:PATH` target: whatever driver connects there.

A front end asks for features once a connection, so every case is a connection of its own: have the
virtual machine connect again when it is cut (QEMU's chardev has `reconnect=1`), or start it again.
"""

from __future__ import annotations

import atexit
from collections.abc import Callable
from pathlib import Path
from typing import cast

from vhint.ring import GuestMemory
from vhint.trace import Recorder
from vhint.transport.vhost_user import CannotListen
from vhint.wire.queues import QueueMode
from vhint.wire.status import DeviceStatus
from vhint_conformance.case import Capability
from vhint_conformance.driver_bench.offer import OFFERS, Offer
from vhint_conformance.targets.driver import DriverLimits, DriverSession, DriverTarget, UpperTester
from vhint_conformance.verdict import TargetDied, TargetNotStarted
from vhint_conformance.vhost_user_judge.loop import FrontEnd, JudgeLoop

PREFIX = "vhost-user-listen"
CONNECT = 30.0
"""Seconds in which somebody has to connect."""

COME_UP = 15.0
"""Seconds in which the driver of a front end that has connected has to come up."""

NOTHING = (
    "nobody works the guest behind this socket: the suite has no upper tester there; drive your "
    "guest through a target of your own, or have it free memory by itself"
)
_loops: dict[Path, tuple[JudgeLoop, FrontEnd]] = {}
"""The sockets that are listened on, each for the whole run."""


class ListenSession(DriverSession):
    """One connection of a front end."""

    def __init__(self, loop: JudgeLoop, front: FrontEnd, recorder: Recorder) -> None:
        self.limits = DriverLimits(
            ram=1 << 40, chunk=64 << 20, patience=12.0, rest=3.0, mode=front.device.mode
        )
        self._loop = loop
        self._front = front
        self.device = front.device.new_judge(recorder)
        self.memory = cast(GuestMemory, front.device.memory)
        self.tester = UpperTester()

    def start(self) -> None:
        """Wait until a driver has come up: it has set up rings, and says or does no more."""
        if not self._loop.run(lambda: self._front.peer is not None, CONNECT):
            raise TargetNotStarted(
                f"nobody connected to {self._front.path} within {CONNECT:g} s",
                "start a front end whose virtio-balloon device is served at that socket",
            )
        self._loop.run(self._has_come_up, COME_UP)
        if not self.device.live and self.device.layouts and not self._front.device.sees_status:
            self.device.status = DeviceStatus.LIVE

    def _has_come_up(self) -> bool:
        if self._front.peer is None:
            raise TargetDied(f"the front end is gone: {self._front.refused}")
        return self.device.live or bool(self.device.queues)

    def run(self, condition: Callable[[], bool], seconds: float) -> bool:
        """Serve the front end, for real seconds."""

        def worked() -> bool:
            self.background()
            self._front.tell()
            if self._front.peer is None:
                raise TargetDied(f"the front end is gone: {self._front.refused}")
            return condition()

        return self._loop.run(worked, seconds)

    def close(self) -> None:
        """Cut the connection: the next case needs one of its own."""
        self._front.end("the case is over")


class ListenTarget(DriverTarget):
    """Any driver behind a vhost-user front end that connects by itself."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._path = Path(name.partition(":")[2])

    @property
    def capabilities(self) -> frozenset[Capability]:
        """Nothing but what a device sees."""
        return frozenset()

    def why_absent(self, capability: Capability) -> str:
        """Say that nobody works the guest."""
        if capability in (Capability.SEES_STATUS, Capability.SEES_QUEUE_SIZE):
            return "vhost-user shows neither the reset of a device nor who chose a ring's size"
        return NOTHING

    def connect(self, offer: Offer, recorder: Recorder) -> DriverSession:
        """Offer that to whoever connects next."""
        loop, front = self._listening()
        front.end("a new case begins")
        front.change_offer(offer)
        return ListenSession(loop, front, recorder)

    def _listening(self) -> tuple[JudgeLoop, FrontEnd]:
        if self._path not in _loops:
            loop = JudgeLoop()
            try:
                front = loop.listen(self._path, OFFERS["standard"], QueueMode.COMPACT_ACCEPTED)
            except CannotListen as error:
                loop.close()
                raise TargetNotStarted(str(error)) from error
            _loops[self._path] = loop, front
            atexit.register(loop.close)
        return _loops[self._path]

    def versions(self) -> dict[str, str]:
        """Return nothing: a front end does not say what it is."""
        self._listening()
        return {}
