"""The virtio-balloon device of an unmodified QEMU, with no guest operating system."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.resources import files
from pathlib import Path

from vhint.spans import PAGE, Span
from vhint.transport.interface import TransportError
from vhint.transport.qtest import Bus, Launch, Machine, MachineOptions, PciTransport
from vhint.wire import config
from vhint.wire.queues import QueueMode
from vhint.wire.statistics import StatisticTag
from vhint_conformance.case import PECULIAR, Capability
from vhint_conformance.targets.base import Control, Limits, Session, Target
from vhint_conformance.targets.footprint import Footprint, footprint_of
from vhint_conformance.targets.migration.arrived import Arrived
from vhint_conformance.targets.migration.live import LiveMigration
from vhint_conformance.variants import Rings, Variant
from vhint_conformance.verdict import TargetDied, TargetNotStarted

PROGRAM_VARIABLE = "VHINT_QEMU"
"""Environment variable that names another QEMU than the one in PATH."""

PACKAGE = "qemu-system-x86"
NAMES = {
    "stat-swap-in": StatisticTag.SWAP_IN,
    "stat-swap-out": StatisticTag.SWAP_OUT,
    "stat-major-faults": StatisticTag.MAJFLT,
    "stat-minor-faults": StatisticTag.MINFLT,
    "stat-free-memory": StatisticTag.MEMFREE,
    "stat-total-memory": StatisticTag.MEMTOT,
    "stat-available-memory": StatisticTag.AVAIL,
    "stat-disk-caches": StatisticTag.CACHES,
    "stat-htlb-pgalloc": StatisticTag.HTLB_PGALLOC,
    "stat-htlb-pgfail": StatisticTag.HTLB_PGFAIL,
}
"""What QEMU calls the statistics that it knows."""

UNKNOWN = (1 << 64) - 1
"""QEMU's value of a statistic that the guest did not send."""

DEVICE = "/machine/peripheral/balloon0"

BUSES = {
    Bus.MMIO: "over virtio-mmio",
    Bus.MMIO_LEGACY: "by the legacy interface of virtio-mmio",
    Bus.PCI: "over virtio-pci",
    Bus.PCI_LEGACY: "by the legacy interface of virtio-pci",
}
"""How the device can be reached, in words."""

ON_BUS = {bus: Variant("" if bus is Bus.MMIO else bus, bus=bus) for bus in Bus}
"""The variant in which the device is judged on each bus; virtio-mmio is the plain one."""

ON_MMIO_PACKED = Variant("packed", Rings.PACKED, bus=Bus.MMIO)
"""Packed rings are the same over every bus: one will do."""

OF_MODERN = {
    Capability.NOTIFIES_EARLY: "over the legacy interface queues may be used before DRIVER_OK",
    Capability.ASKS_FOR_RESET: "the legacy interface has no DEVICE_NEEDS_RESET",
    Capability.ANSWERS_FEATURES: "the legacy interface has no FEATURES_OK",
    Capability.CHOOSES_QUEUE_SIZES: "over the legacy interface queues have the device's size",
    Capability.PLACES_QUEUE_PARTS: "over the legacy interface one address places a whole queue",
    Capability.SETS_64_FEATURES: "the legacy interface has 32 feature bits",
}
"""What the legacy interfaces do not have, and why."""


UNABLE = {
    Capability.STOPS_QUEUES: PECULIAR[Capability.STOPS_QUEUES],
    Capability.CHANGES_MEMORY: PECULIAR[Capability.CHANGES_MEMORY],
    Capability.STOPS_ROUNDS: "QEMU stops a round only to begin the next one at once",
}


def missing(machine: Machine) -> dict[Capability, str]:
    """Return what the machine's transport does not show or carry, with the reason."""
    transport, bus = machine.transport, machine.options.bus
    reasons = PECULIAR | UNABLE
    if transport.legacy:
        del reasons[Capability.LEGACY_INTERFACE]
        reasons |= OF_MODERN
    else:
        del reasons[Capability.RESETS_QUEUES]
    over = Capability.OVER_PCI if bus in (Bus.PCI, Bus.PCI_LEGACY) else Capability.OVER_MMIO
    del reasons[over]
    if isinstance(transport, PciTransport) and transport.msix is not None:
        del reasons[Capability.HAS_MSIX]
    return reasons


END = 1.0
"""Seconds that a process may take to end once it has let go of its sockets."""

THREAD = "hints"
BALLOON = ("free-page-reporting=on", "free-page-hint=on", f"iothread={THREAD}", "packed=on")
OBJECTS = (f"iothread,id={THREAD}",)

COMMAND_ID = config.field_offset("free_page_hint_cmd_id")
MORE = 2 << 20
"""Bytes at the end of RAM that are written to keep a migration from coming to its end."""


class QemuControl(Control):
    """The host's side, over QMP.  A round of hints belongs to a migration, which is read here."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._migration: LiveMigration | None = None
        self._arrived: Arrived | None = None

    def set_balloon_size(self, pages: int) -> None:
        """Ask for a balloon of so many pages; QMP's figure is what is left to the guest."""
        ram = self._machine.options.ram
        self._machine.qmp.command("balloon", value=ram - pages * 4096)

    def balloon_size(self) -> int:
        """Return the balloon's pages; QMP's figure is what is left to the guest."""
        left: int = self._machine.qmp.command("query-balloon")["actual"]
        return (self._machine.options.ram - left) // 4096

    def poll_statistics(self) -> None:
        """Ask for statistics at once: switching the polling on makes the first request."""
        for seconds in (0, 3600):
            self._machine.qmp.command(
                "qom-set", path=DEVICE, property="guest-stats-polling-interval", value=seconds
            )

    def start_round(self) -> None:
        """Begin a migration, or let one that is under way go over memory once more."""
        if self._migration is not None:
            self._migration.again(self._shown, self._write_more)
            return
        options = self._machine.options
        self._migration = LiveMigration(self._machine.qmp, options.ram, options.patience)

    def finish_round(self) -> None:
        """Let the migration come to its end, and the machine, which that stops, go on."""
        if self._migration is not None:
            self._arrived = self._migration.finish()
            self._migration = None
            self._machine.qmp.command("cont")

    def cancel_round(self, *, broken: bool = False) -> None:
        """Cancel the migration, or close its connection."""
        if self._migration is not None:
            if broken:
                self._migration.break_off()
            else:
                self._migration.cancel()
            self._migration = None

    def inhibit(self, on: bool) -> None:
        """Have migrations end as postcopy ones, which can use no hints, or not."""
        self.cancel_round()  # as nothing can be switched under way
        capability = {"capability": "postcopy-ram", "state": on}
        self._machine.qmp.command("migrate-set-capabilities", capabilities=[capability])

    def guest_wrote(self, spans: Iterable[Span]) -> None:
        """Write a byte of each page once more, through QEMU.

        It watches what its processors write and not what we write into the same memory.
        """
        if self._migration is None:
            return
        memory = self._machine.transport.memory
        for number in sorted({number for span in spans for number in span.pages()}):
            at = number * PAGE + PAGE - 1
            self._machine.qtest.write(1, at, memory.peek(Span(at, 1))[0])

    def arrived(self) -> Arrived:
        """Return what the last migration sent."""
        if self._arrived is None:
            raise RuntimeError("no migration has completed")
        return self._arrived

    def close(self) -> None:
        """Let go of a migration that is under way."""
        if self._migration is not None:
            self._migration.close()

    def _shown(self) -> int:
        return int.from_bytes(self._machine.transport.read_config(COMMAND_ID, 4), "little")

    def _write_more(self) -> None:
        self.guest_wrote([Span(self._machine.options.ram - MORE, MORE)])

    def statistics(self) -> dict[int, int]:
        """Return the figures that QEMU knows."""
        figures = self._machine.qmp.command("qom-get", path=DEVICE, property="guest-stats")["stats"]
        return {
            int(tag): figures[name]
            for name, tag in NAMES.items()
            if figures.get(name, UNKNOWN) != UNKNOWN
        }


@dataclass
class QemuSession(Session):
    """A QEMU process of its own."""

    control: QemuControl
    machine: Machine = field(kw_only=True)

    def check_alive(self) -> None:
        """Raise `TargetDied` with how QEMU ended and what it printed last."""
        death = self.machine.death()
        if death:
            raise TargetDied(death, ended=True)

    def await_end(self) -> None:
        """Give QEMU a moment to end: its sockets are closed before that."""
        with suppress(subprocess.TimeoutExpired):
            self.machine.process.wait(END)

    def footprint(self) -> Footprint | None:
        """Return what QEMU's process costs."""
        return footprint_of(self.machine.process.pid, self.machine.printed)

    def close(self) -> None:
        """End QEMU."""
        self.transport.close()
        self.machine.close()
        self.control.close()


class QemuTarget(Target):
    """QEMU's balloon, one process a case.

    By itself it is judged on every bus that it can be on, with `bus` on that one alone.
    """

    kind = "qemu"
    concurrent = True

    def __init__(
        self,
        program: str | None = None,
        bus: Bus | None = None,
        spares: dict[Bus, Launch] | None = None,
    ) -> None:
        self._bus = bus or Bus.MMIO
        self.name = f"{self.kind}:{bus}" if bus else self.kind
        self.variants = (ON_BUS[bus],) if bus else (*ON_BUS.values(), ON_MMIO_PACKED)
        self._spares = {} if spares is None else spares
        self._program = program or os.environ.get(PROGRAM_VARIABLE) or MachineOptions().program

    def in_variant(self, variant: Variant) -> Target:
        """Return the target on the bus of that variant."""
        bus = Bus(variant.bus) if variant.bus else self._bus
        return QemuTarget(self._program, bus, self._spares)

    def prepare(self) -> None:
        """Start another QEMU, which is up when it is needed: that takes as long as most cases."""
        if self._bus not in self._spares:
            with suppress(TransportError, TargetNotStarted):  # the case that needs it says why
                self._spares[self._bus] = Launch(self._options())

    def close(self) -> None:
        """End what was started for cases that never came."""
        while self._spares:
            self._spares.popitem()[1].close()

    def start(self) -> Session:
        """Start QEMU."""
        machine = self._machine()
        ram = machine.options.ram
        reasons = missing(machine)
        return QemuSession(
            transport=machine.transport,
            limits=Limits(
                ram=((0, ram),),
                usable=(1 << 20, ram - (1 << 20)),
                queue_mode=QueueMode.COMPACT_OFFERED,
            ),
            control=QemuControl(machine),
            capabilities=frozenset(Capability) - reasons.keys(),
            reasons=reasons,
            machine=machine,
        )

    def versions(self) -> dict[str, str]:
        """Return QEMU's version as it says itself."""
        return {"qemu": program_version(self._path())}

    def deviations(self) -> Path:
        """Return what QEMU is known to do against the standard."""
        return Path(str(files("vhint_conformance.targets") / "qemu_deviations.toml"))

    def _machine(self) -> Machine:
        try:
            return Machine(launch=self._spares.pop(self._bus, None) or Launch(self._options()))
        except TransportError as error:
            raise TargetNotStarted(str(error), f"try `{self._program} --version`") from error

    def _options(self) -> MachineOptions:
        return MachineOptions(self._path(), balloon=BALLOON, objects=OBJECTS, bus=self._bus)

    def _path(self) -> str:
        path = shutil.which(self._program)
        if path is None:
            raise TargetNotStarted(
                f"{self._program} was not found",
                f"install it (on Debian: apt-get install {PACKAGE}), or set "
                f"{PROGRAM_VARIABLE} to the program's path",
            )
        return path


@lru_cache(maxsize=4)
def program_version(program: str) -> str:
    """Ask a running QEMU for its version: that it runs is worth knowing too."""
    try:
        with Machine(MachineOptions(program=program)) as machine:
            version = machine.qmp.command("query-version")["qemu"]
    except TransportError as error:
        raise TargetNotStarted(str(error), f"try `{program} --version`") from error
    return "{major}.{minor}.{micro}".format(**version)
