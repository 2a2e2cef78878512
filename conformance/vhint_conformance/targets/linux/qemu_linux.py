"""The `qemu-linux` target: the Linux driver on QEMU's device, in a whole guest."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace

from vhint.transport.interface import TransportError
from vhint.transport.qtest import MachineOptions
from vhint.wire.features import Feature, Features
from vhint_conformance.targets.linux.complaints import complaints_in
from vhint_conformance.targets.linux.kernel import PACKAGE as KERNEL_PACKAGE
from vhint_conformance.targets.linux.kernel import VARIABLE, Kernel, NoKernel, find_kernel
from vhint_conformance.targets.linux.qemu_guest import QemuGuest, QemuGuestOptions
from vhint_conformance.targets.linux.shell import GuestError
from vhint_conformance.targets.linux.tester import ShellTester
from vhint_conformance.targets.pair import PairLimits, PairSession, PairTarget, Setup
from vhint_conformance.targets.qemu import PACKAGE as QEMU_PACKAGE
from vhint_conformance.targets.qemu import PROGRAM_VARIABLE, program_version
from vhint_conformance.verdict import TargetDied, TargetNotStarted

INSTALL = f"apt install {KERNEL_PACKAGE} {QEMU_PACKAGE} busybox-static"
MEMORY = 384 << 20
BOOTS = 2
"""How often a guest is started before it is given up."""

DRIVER = "/sys/bus/virtio/drivers/virtio_balloon"
BITS = f"cat {DRIVER}/virtio*/features"
"""The features that were agreed on, as the kernel shows them: a digit a bit, bit 0 first."""

REPORT_ORDER = "/sys/module/page_reporting/parameters/page_reporting_order"
PROPERTIES = {
    Feature.PAGE_REPORTING: "free-page-reporting",
    Feature.FREE_PAGE_HINT: "free-page-hint",
}
"""What QEMU calls the features that it can be told to offer."""


class QemuLinuxSession(PairSession):
    """A guest that was booted before or just now, for one case."""

    limits = PairLimits(ram=MEMORY, chunk=16 << 20, slack=24 << 20)

    def __init__(self, guest: QemuGuest, target: QemuLinuxTarget) -> None:
        self.guest = guest
        self.memory = guest.memory
        self._target = target
        self._tester = GuestTester(self)
        self.tester = self._tester
        self._order = self.run(f"cat {REPORT_ORDER}")
        self._unbound = ""
        self._spoilt = False
        self._closed = False

    @property
    def accepted(self) -> Features:
        """The features that driver and device have agreed on."""
        digits = self.run(BITS)
        return Features.of(*(place for place, digit in enumerate(digits) if digit == "1"))

    def run(self, command: str, seconds: float = 60.0) -> str:
        """Run a shell command in the guest and return what it printed."""
        try:
            return self.guest.run(command, seconds)
        except GuestError as error:
            self.spoil()
            raise TargetDied(f"the guest: {error}{self.guest.last_words()}") from error

    def unload(self) -> None:
        """Unbind the driver, and wait until that is done."""
        if not self._unbound:
            self._unbound = self.run(f"basename {DRIVER}/virtio*")
            self.run(f"echo {self._unbound} > {DRIVER}/unbind")

    def load(self) -> None:
        """Bind the driver again."""
        if self._unbound:
            self.run(f"echo {self._unbound} > {DRIVER}/bind")
            self._unbound = ""

    def set_balloon(self, pages: int) -> None:
        """Tell QEMU how much is to be left to the guest."""
        self._managed("balloon", value=MEMORY - pages * 4096)

    def balloon(self) -> int:
        """Return what QEMU was told by the driver."""
        return (MEMORY - int(self._managed("query-balloon")["actual"])) // 4096

    def _managed(self, command: str, **arguments: int) -> dict[str, int]:
        try:
            return dict(self.guest.qmp.command(command, **arguments))
        except TransportError as error:
            self.spoil()
            raise TargetDied(f"QEMU: {error}{self.guest.last_words()}") from error

    def move(self) -> int:
        """Move the guest to another QEMU on this host."""
        try:
            self.guest, sent = self._target.move(self.guest)
        except GuestError as error:
            self.spoil()
            raise TargetDied(str(error)) from error
        self.memory = self.guest.memory
        return sent

    def complaints(self) -> tuple[str, ...]:
        """Return the lines of the kernel's log that say that something is broken."""
        return complaints_in(self.guest.kernel_log)

    def spoil(self) -> None:
        """Have the guest ended after this case."""
        self._spoilt = True

    def close(self) -> None:
        """Remove what the case has left, so that the next can have the guest."""
        if self._closed:
            return
        self._closed = True
        if not self._spoilt:
            try:
                self._tester.clean()
                self.run(f"rm -rf /tmp/*; echo {self._order} > {REPORT_ORDER}")
                if self.balloon():
                    self.set_balloon(0)
                self.load()
            except TargetDied:
                pass  # the next case gets another guest
        if self._spoilt:
            self._target.give_up(self.guest)


class GuestTester(ShellTester):
    """Works the guest of a session."""

    def __init__(self, session: QemuLinuxSession) -> None:
        super().__init__()
        self._session = session

    def run(self, command: str, seconds: float = 60.0) -> str:
        """Run a command in the guest; one that fails or hangs is the guest's death."""
        return self._session.run(command, seconds)


class QemuLinuxTarget(PairTarget):
    """An installed kernel in the installed QEMU, without KVM; booted once for every set-up."""

    name = "qemu-linux"
    summary = "the Linux kernel's own driver on QEMU's own device, in a whole guest"

    def __init__(self) -> None:
        self._program = os.environ.get(PROGRAM_VARIABLE) or MachineOptions().program
        self._guests: dict[Setup, QemuGuest] = {}
        self._remarks: list[str] = []

    def connect(self, setup: Setup) -> PairSession:
        """Return a session with the guest that is set up so, which is booted if there is none."""
        guest = self._guests.get(setup)
        if guest is not None and not guest.alive:
            self.give_up(guest)
            guest = None
        if guest is None:
            guest = self._guests[setup] = self._boot(setup)
        return QemuLinuxSession(guest, self)

    def give_up(self, guest: QemuGuest) -> None:
        """End a guest; the next case that wants one like it gets another."""
        self._guests = {setup: each for setup, each in self._guests.items() if each is not guest}
        guest.close()

    def move(self, guest: QemuGuest) -> tuple[QemuGuest, int]:
        """Move a guest to a QEMU of its own; return that, and how many bytes were sent."""
        there, sent = guest.moved()
        self._guests = {
            setup: there if each is guest else each for setup, each in self._guests.items()
        }
        guest.close()
        return there, sent

    def versions(self) -> dict[str, str]:
        """Return QEMU's version and the kernel's."""
        options = self._options()
        return {"linux": options.kernel.release, "qemu": program_version(options.program)}

    def take_remarks(self) -> list[str]:
        """Say which guests had to be started again since the last call."""
        said, self._remarks = self._remarks, []
        return said

    def close(self) -> None:
        """End the guests."""
        for guest in list(self._guests.values()):
            self.give_up(guest)

    def _boot(self, setup: Setup) -> QemuGuest:
        offered = ",".join(
            f"{name}={'on' if feature in setup.features else 'off'}"
            for feature, name in PROPERTIES.items()
        )
        options = replace(
            self._options(),
            balloon=(offered, "iothread=hinter"),
            objects=("iothread,id=hinter",),  # free page hints need a thread of their own
            files=setup.files,
        )
        for _ in range(1, BOOTS):
            try:
                return QemuGuest(options)
            except GuestError as error:
                self._remarks.append(str(error).partition("\n")[0])
        try:
            return QemuGuest(options)
        except GuestError as error:
            raise TargetNotStarted(f"the guest did not boot, {BOOTS} times: {error}") from error

    def _options(self) -> QemuGuestOptions:
        program = shutil.which(self._program)
        if program is None:
            raise TargetNotStarted(
                f"{self._program} is not installed",
                f"{INSTALL}, or name it in {PROGRAM_VARIABLE}",
            )
        if shutil.which("busybox") is None:
            raise TargetNotStarted("busybox is not installed", INSTALL)
        return QemuGuestOptions(kernel=self._kernel(), program=program, memory=MEMORY)

    def _kernel(self) -> Kernel:
        try:
            return find_kernel()
        except NoKernel as error:
            raise TargetNotStarted(
                str(error), f"{INSTALL}, or name an image in {VARIABLE}"
            ) from error
