"""A Linux guest and the judging devices that it was booted with, in one loop."""

from __future__ import annotations

import os
import time
from contextlib import ExitStack

from vhint.wire.queues import QueueMode
from vhint_conformance.driver_bench.offer import OFFERS, Offer
from vhint_conformance.targets.guarded_folder import GuardedFolder
from vhint_conformance.targets.linux.shell import GuestError
from vhint_conformance.targets.linux.uml import Uml, UmlOptions
from vhint_conformance.vhost_user_judge.loop import FrontEnd, JudgeLoop

MEMORY = 512 << 20
DRIVERS = "/sys/bus/virtio/drivers/virtio_balloon"
BOOTS = 2
"""How often a kernel is started before it is given up."""

UNBIND = 6.0
"""Seconds that letting go of a device may take: a driver that waits for an answer waits on."""

GONE = "/tmp/gone"  # noqa: S108 - in the guest

BOOTED = tuple(offer for offer in OFFERS.values() if not offer.fills)
"""The devices that the guest has, one for each offer: the kernel asks for features only once."""


class ServedUml(Uml):
    """A guest that is served while somebody waits for its console."""

    def __init__(self, options: UmlOptions, loop: JudgeLoop) -> None:
        self._loop = loop
        super().__init__(options)

    def _more(self, deadline: float) -> bytes | None:
        """Wait for console output, and serve the devices meanwhile."""
        output = self._output()
        os.set_blocking(output, False)
        arrived: list[bytes] = []
        self._loop.watch(output, lambda: arrived.append(os.read(output, 1 << 16)))
        try:
            while not arrived:
                left = deadline - time.monotonic()
                if left <= 0:
                    return None
                self._loop.turn(min(left, 0.1))
                self._served()
        finally:
            self._loop.unwatch(output)
        return arrived[0]

    #: Called in every turn: what a case answers by itself while the guest is at work.
    background = staticmethod(lambda: None)

    def _served(self) -> None:
        self.background()


class Machine:
    """A booted guest with a balloon device for every offer, none of them driven yet.

    Raises `GuestError` if the guest does not boot, twice.  `retries` says why it was booted again.
    """

    def __init__(self) -> None:
        self.retries: list[str] = []
        for attempt in range(1, BOOTS + 1):
            try:
                self._boot()
                return
            except GuestError as error:
                if attempt == BOOTS:
                    raise
                self.retries.append(str(error).partition("\n")[0])

    def _boot(self) -> None:
        with ExitStack() as stack:
            folder = stack.enter_context(GuardedFolder()).path
            self.loop = JudgeLoop()
            stack.callback(self.loop.close)
            self.front_ends: dict[str, FrontEnd] = {
                offer.name: self.loop.listen(
                    folder / str(number), offer, QueueMode.COMPACT_ACCEPTED
                )
                for number, offer in enumerate((*BOOTED, *map(Offer.with_packed_rings, BOOTED)))
            }
            sockets = tuple(each.path for each in self.front_ends.values())
            self.guest = ServedUml(UmlOptions(balloons=sockets, memory=MEMORY), self.loop)
            stack.callback(self.guest.close)
            self.guest.run("echo 0 > /sys/bus/virtio/drivers_autoprobe")
            self.guest.load_driver()
            self._stack = stack.pop_all()

    @property
    def release(self) -> str:
        """The kernel's version."""
        return self.guest.release

    def number(self, offer: Offer) -> int:
        """Return which virtio device of the guest has that offer."""
        return list(self.front_ends).index(offer.name)

    def bind(self, offer: Offer) -> str:
        """Let the driver find the device; return what it complained of, if it failed."""
        name = f"virtio{self.number(offer)}"
        return self.guest.run(f"echo {name} > {DRIVERS}/bind", check=False)

    def unbind(self, offer: Offer) -> bool:
        """Have the driver let go of the device; return whether it did, in time.

        It is asked in the background, so that a driver which waits for the device does not take the
        console with it.
        """
        name = f"virtio{self.number(offer)}"
        if not self._letting_go:
            self._letting_go = True
            self.guest.run(
                f"rm -f {GONE}; (echo {name} > {DRIVERS}/unbind; : > {GONE}) >/dev/null 2>&1 &"
            )
        until = time.monotonic() + UNBIND
        while not self.guest.run(f"[ ! -e {GONE} ] || echo gone"):
            if time.monotonic() > until:
                return False
            self.loop.run(lambda: False, 0.1)
        self._letting_go = False
        return True

    _letting_go = False

    @property
    def alive(self) -> bool:
        """Whether the kernel still runs."""
        return self.guest.alive

    def close(self) -> None:
        """End the guest and let go of the devices."""
        self._stack.close()
