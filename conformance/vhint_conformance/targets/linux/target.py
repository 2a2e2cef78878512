"""The `linux` target: Debian's User-Mode Linux, booted once a run."""

from __future__ import annotations

import atexit
from importlib.resources import files
from pathlib import Path

from vhint.trace import Recorder
from vhint_conformance.case import Capability
from vhint_conformance.driver_bench.offer import Offer
from vhint_conformance.targets.driver import DriverSession, DriverTarget
from vhint_conformance.targets.linux.machine import MEMORY, Machine
from vhint_conformance.targets.linux.session import ABILITIES, ABSENT, LinuxSession
from vhint_conformance.targets.linux.shell import GuestError
from vhint_conformance.targets.linux.uml import missing, no_room
from vhint_conformance.variants import RING_VARIANTS
from vhint_conformance.verdict import NotApplicable, TargetNotStarted

INSTALL = "apt install user-mode-linux busybox-static"

_machine: Machine | None = None
"""The guest that is booted now: a case leaves it as it found it, so that the next can use it."""

_history: list[str] = []
"""Why guests were booted again, in this process."""


def let_go() -> None:
    """End the guest."""
    global _machine
    machine, _machine = _machine, None
    if machine is not None:
        _history.extend(machine.retries)
        machine.close()


atexit.register(let_go)


class LinuxTarget(DriverTarget):
    """The kernel's own virtio_balloon and page_reporting."""

    name = "linux"
    variants = RING_VARIANTS
    summary = "the Linux kernel's own driver, in User-Mode Linux"

    @property
    def capabilities(self) -> frozenset[Capability]:
        """What can be had of any session."""
        return ABILITIES

    def why_absent(self, capability: Capability) -> str:
        """Say why it cannot."""
        return ABSENT.get(capability, f"a Linux guest has no {capability}")

    def connect(self, offer: Offer, recorder: Recorder) -> DriverSession:
        """Take the device with that offer, of the guest that runs, or of a new one."""
        machine = self._booted()
        if offer.name not in machine.front_ends:
            raise NotApplicable(
                f"the guest is booted with devices of fixed offers, and none is {offer.name!r}"
            )
        return LinuxSession(machine, offer, recorder, let_go)

    def _booted(self) -> Machine:
        global _machine
        if _machine is not None and not _machine.alive:
            let_go()
        if _machine is None:
            if reason := missing():
                raise TargetNotStarted(reason, INSTALL)
            if reason := no_room(MEMORY):
                raise TargetNotStarted(reason, "TMPDIR names another folder, best of a tmpfs")
            try:
                _machine = Machine()
            except GuestError as error:
                raise TargetNotStarted(f"the guest did not boot, twice: {error}") from error
        return _machine

    def versions(self) -> dict[str, str]:
        """Return the kernel's version, as it says it itself."""
        return {"linux": self._booted().release}

    retries = True

    def take_remarks(self) -> list[str]:
        """Say which guests had to be given up since the last call."""
        said = [*_history, *(_machine.retries if _machine else [])]
        _history.clear()
        if _machine:
            _machine.retries.clear()
        return said

    def deviations(self) -> Path:
        """Return what Linux is known to do against the standard."""
        return Path(str(files("vhint_conformance.targets") / "linux_deviations.toml"))
