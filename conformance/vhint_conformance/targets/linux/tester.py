"""The upper tester of a Linux guest: shell commands on its console."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING

from vhint_conformance.targets.driver import Holding, UpperTester
from vhint_conformance.targets.linux.shell import GuestError
from vhint_conformance.verdict import TargetDied

if TYPE_CHECKING:
    from vhint_conformance.targets.linux.session import LinuxSession

MIB = 1 << 20
MARGIN = 40 * MIB
"""What `fill` leaves to the guest, so that nothing in it has to be killed."""

PIECE = 8
"""MiB of the file that `fill` writes again and again."""

SEED = "/tmp/seed"  # noqa: S108 - in the guest
ORDER = "/sys/module/page_reporting/parameters/page_reporting_order"


@dataclass(frozen=True, slots=True)
class File(Holding):
    """A file in the guest's tmpfs: in memory, and nowhere else.  `digest` is its sha1."""

    digest: str = ""


class ShellTester(UpperTester):
    """Works a guest that has a shell; `File` holdings."""

    def __init__(self) -> None:
        self._names = count(1)
        self.files: set[str] = set()

    @abstractmethod
    def run(self, command: str, seconds: float = 60.0) -> str:
        """Run a command in the guest; one that fails or hangs is the guest's death."""

    def allocate(self, size: int) -> Holding:
        """Write a file of random bytes."""
        name = self._new()
        self.run(f"dd if=/dev/urandom of={name} bs=1M count={size // MIB} 2>/dev/null")
        return File(name, self._size(name), self._digest(name))

    def free(self, holding: Holding) -> None:
        """Remove the file."""
        self.run(f"rm -f {holding.name}")
        self.files.discard(holding.name)

    def intact(self, holding: Holding) -> bool:
        """Read the whole file again."""
        if isinstance(holding, File) and holding.digest:
            return self._digest(holding.name) == holding.digest
        pieces = holding.size // (PIECE * MIB)
        bad = self.run(
            f"i=0; while [ $i -lt {pieces} ]; do dd if={holding.name} bs={PIECE}M skip=$i count=1 "
            f"2>/dev/null | cmp -s - {SEED} || echo bad; i=$((i+1)); done"
        )
        return not bad

    def fill(self) -> Holding:
        """Write the same piece until nearly all that is available is taken."""
        self.run(f"[ -e {SEED} ] || dd if=/dev/urandom of={SEED} bs={PIECE}M count=1 2>/dev/null")
        self.drop_caches()
        available = int(self.run("grep MemAvailable /proc/meminfo").split()[1]) << 10
        pieces = max(0, available - MARGIN) // (PIECE * MIB)
        name = self._new()
        self.run(
            f"i=0; while [ $i -lt {pieces} ]; do cat {SEED} || break; i=$((i+1)); done > {name}"
        )
        return File(name, self._size(name))

    def drop_caches(self) -> None:
        """Tell the kernel to drop them."""
        self.run("sync; echo 3 > /proc/sys/vm/drop_caches")

    def set_report_order(self, order: int) -> None:
        """Set the parameter of page_reporting."""
        self.run(f"echo {order} > {ORDER}")

    def clean(self) -> None:
        """Remove every file that a case has left."""
        if self.files:
            self.run(f"rm -f {' '.join(sorted(self.files))}")
            self.files.clear()

    def _new(self) -> str:
        name = f"/tmp/h{next(self._names)}"  # noqa: S108 - in the guest
        self.files.add(name)
        return name

    def _size(self, name: str) -> int:
        return int(self.run(f"stat -c %s {name}"))

    def _digest(self, name: str) -> str:
        return self.run(f"sha1sum {name}").split()[0]


class LinuxTester(ShellTester):
    """Works the guest of a session with User-Mode Linux."""

    def __init__(self, session: LinuxSession) -> None:
        super().__init__()
        self._session = session

    def run(self, command: str, seconds: float = 60.0) -> str:
        """Run a command in the guest; one that fails or hangs is the guest's death."""
        try:
            return self._session.machine.guest.run(command, seconds)
        except GuestError as error:
            self._session.lost(str(error))
            raise TargetDied(f"the guest: {error}") from error

    def set_report_order(self, order: int) -> None:
        """Set the parameter of page_reporting, and have the session set it back."""
        super().set_report_order(order)
        self._session.order_changed = True

    def unload(self) -> bool:
        """Have the driver let go of the device."""
        return self._session.unbind()

    def load(self) -> None:
        """Let the driver find the device again."""
        self._session.start()
