"""One case on a booted Linux guest: a device of it bound to the driver, and let go again."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

from vhint.ring import GuestMemory
from vhint.trace import Recorder
from vhint.wire.queues import Queue, QueueMode
from vhint.wire.status import DeviceStatus
from vhint_conformance.case import Capability
from vhint_conformance.driver_bench.offer import Offer
from vhint_conformance.targets.driver import DriverLimits, DriverSession
from vhint_conformance.targets.linux.machine import MEMORY, Machine
from vhint_conformance.targets.linux.shell import GuestError
from vhint_conformance.targets.linux.tester import LinuxTester
from vhint_conformance.verdict import TargetDied

CHUNK = 48 << 20
SLACK = 24 << 20
"""Bytes that a sound kernel may have less of a second time: it keeps what it learned in memory."""

REPORT_ORDER = 10
"""The order of blocks that this kernel reports unless it is told otherwise."""

ABILITIES = frozenset(
    {
        Capability.RELOADS_DRIVER,
        Capability.ALLOCATES,
        Capability.FILLS_MEMORY,
        Capability.DROPS_CACHES,
        Capability.SETS_REPORT_ORDER,
    }
)
ABSENT = {
    Capability.SEES_STATUS: (
        "User-Mode Linux shows no device status and no reset: its vhost-user has no message for "
        "them; the reference guest is judged by this"
    ),
    Capability.SEES_QUEUE_SIZE: (
        "User-Mode Linux always makes rings of 256 entries and asks nobody for a size"
    ),
    Capability.FILLS_FREE_PAGES: "this kernel is built without PAGE_POISONING",
    Capability.CONFESSES: "the kernel keeps what it finds wrong with itself to its log",
}
"""Why a capability is not had."""


class LinuxSession(DriverSession):
    """A device of a guest that was booted before, bound by `start`."""

    def __init__(
        self, machine: Machine, offer: Offer, recorder: Recorder, lose: Callable[[], None]
    ) -> None:
        self.machine = machine
        self.offer = offer
        self.limits = DriverLimits(
            ram=MEMORY,
            chunk=CHUNK,
            slack=SLACK,
            patience=12.0,
            rest=3.0,
            turns=30,
            mode=QueueMode.COMPACT_ACCEPTED,
        )
        self._front = machine.front_ends[offer.name]
        self.device = self._front.device.new_judge(recorder)
        self.memory = cast(GuestMemory, self._front.device.memory)
        self._shell = LinuxTester(self)
        self.tester = self._shell
        self.order_changed = False
        self._lose = lose
        self._bound = False
        self._answering = True

    def start(self) -> None:
        """Bind the device: the driver probes it, and is ready or has given up when that returns."""
        machine = self.machine
        machine.guest.background = self._work
        try:
            said = machine.bind(self.offer)
        except GuestError as error:
            self.lost(str(error))
            raise TargetDied(f"the guest hangs while its driver starts: {error}") from error
        self._bound = not said
        if self._bound and self.device.layouts:
            self.device.status = DeviceStatus.LIVE

    def _work(self) -> None:
        """Answer what nobody holds."""
        self.background()
        self._front.tell()

    def run(self, condition: Callable[[], bool], seconds: float) -> bool:
        """Serve the guest, for real seconds."""

        def worked() -> bool:
            self._work()
            if self._front.peer is None:
                raise TargetDied(f"the guest's device is gone: {self._front.refused}")
            return condition()

        return self.machine.loop.run(worked, seconds)

    def unbind(self) -> bool:
        """Have the driver let go; return whether it did."""
        if not self._bound:
            return True
        try:
            done = self.machine.unbind(self.offer)
        except GuestError as error:
            self.lost(str(error))
            raise TargetDied(f"the guest hangs while its driver lets go: {error}") from error
        if done:
            self._bound = False
            self.device.status = DeviceStatus(0)
        return done

    def lost(self, reason: str) -> None:
        """Give the guest up; the next case gets another one."""
        self._bound = False
        self.machine.retries.append(f"a guest was given up: {reason.partition(chr(10))[0]}")
        self._lose()

    def close(self) -> None:
        """Answer everything, unbind, and leave the guest as it was."""
        self.background = self._answer_all
        if not self.machine.alive:
            self._lose()
            return
        try:
            if not self.unbind():
                self.lost("its driver does not let go of the device")
                return
            self._shell.clean()
            if self.order_changed:
                self.tester.set_report_order(REPORT_ORDER)
        except TargetDied:
            pass  # the next case gets another guest
        self.machine.guest.background = lambda: None

    def _answer_all(self) -> None:
        for request in list(self.device.outstanding.values()):
            if request.queue is not Queue.STATS and request.queue in self.device.queues:
                self.device.use(request)
