"""Starting QEMU with a virtio-balloon device, its memory shared with us, and no guest in it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from enum import StrEnum

from vhint.ring import GuestMemory
from vhint.transport.interface import Transport, TransportError
from vhint.transport.last_output import LastOutput
from vhint.transport.leash import leashed
from vhint.transport.qtest.client import QtestClient
from vhint.transport.qtest.mmio import LegacyMmioTransport, MmioTransport
from vhint.transport.qtest.pci import PciTransport
from vhint.transport.qtest.pci_legacy import LegacyPciTransport

MMIO_BASE = 0xFEB00000
"""Where the microvm machine has its first virtio-mmio slot."""


def halting_rom() -> bytes:
    """Return a 64 KiB boot ROM whose reset vector stops the processor for good.

    The machine counts as running, which a device may depend on, and its processor idles.
    """
    rom = bytearray(b"\xf4" * 0x10000)  # hlt
    rom[0xFFF0:0xFFF4] = b"\xfa\xf4\xeb\xfd"  # cli; hlt; jmp to the hlt
    return bytes(rom)


class Bus(StrEnum):
    """How the device is connected to the machine, and which of its interfaces is used."""

    MMIO = "mmio"
    """virtio-mmio, version 2."""
    MMIO_LEGACY = "mmio-legacy"
    """virtio-mmio, version 1."""
    PCI = "pci"
    """virtio-pci without a legacy interface."""
    PCI_LEGACY = "pci-legacy"
    """virtio-pci without a modern interface."""


@dataclass(frozen=True, slots=True)
class Wiring:
    """What a bus means: the machine, words of the command line, the device, and who drives it."""

    machine: str
    words: tuple[str, ...]
    device: str
    transport: Callable[[QtestClient, GuestMemory], Transport]


ON_MMIO = "virtio-balloon-device,bus=virtio-mmio-bus.0"
# Notifications are handled before the register write returns: fewer orders to check.
SYNCHRONOUS = ("-global", "virtio-mmio.ioeventfd=off")

WIRINGS = {
    Bus.MMIO: Wiring(
        "microvm",
        ("-global", "virtio-mmio.force-legacy=false", *SYNCHRONOUS),
        ON_MMIO,
        lambda qtest, memory: MmioTransport(qtest, memory, MMIO_BASE),
    ),
    Bus.MMIO_LEGACY: Wiring(
        "microvm",
        ("-global", "virtio-mmio.force-legacy=true", *SYNCHRONOUS),
        ON_MMIO,
        lambda qtest, memory: LegacyMmioTransport(qtest, memory, MMIO_BASE),
    ),
    Bus.PCI: Wiring(
        "q35", (), "virtio-balloon-pci,disable-legacy=on,disable-modern=off", PciTransport
    ),
    Bus.PCI_LEGACY: Wiring(
        "q35", (), "virtio-balloon-pci,disable-legacy=off,disable-modern=on", LegacyPciTransport
    ),
}


@dataclass(frozen=True, slots=True)
class MachineOptions:
    """How QEMU is started.

    Its program, RAM in bytes, properties of the balloon, further objects, seconds of patience, and
    the bus; with `device` another device than the balloon, as it stands behind `-device`.
    """

    program: str = "qemu-system-x86_64"
    ram: int = 32 << 20
    balloon: tuple[str, ...] = ("free-page-reporting=on",)
    objects: tuple[str, ...] = ()
    patience: float = 10.0
    bus: Bus = Bus.MMIO
    device: str | None = None


class Launch:
    """A QEMU process that was started and has not been heard from yet: it may still be loading.

    `ram` is the descriptor of the guest's memory; `qtest` and `qmp` are our ends of its two
    connections.  Closing it ends the process and frees everything.  Raises `TransportError` if
    there is no such program.
    """

    def __init__(self, options: MachineOptions) -> None:
        self.options = options
        with ExitStack() as stack:
            self.output = stack.enter_context(LastOutput())
            self.ram = os.memfd_create("vhint-ram", os.MFD_CLOEXEC)
            stack.callback(os.close, self.ram)
            os.ftruncate(self.ram, options.ram)
            rom = os.memfd_create("vhint-rom", os.MFD_CLOEXEC)
            stack.callback(os.close, rom)
            os.write(rom, halting_rom())
            self.qtest, qtest_theirs = socket.socketpair()
            self.qmp, qmp_theirs = socket.socketpair()
            stack.callback(self.qtest.close)
            stack.callback(self.qmp.close)
            with qtest_theirs, qmp_theirs:
                fds = (self.ram, rom, qtest_theirs.fileno(), qmp_theirs.fileno())
                self.process = self._spawn(*fds)
            self.output.handed_over()
            stack.callback(self._end)
            self._stack = stack.pop_all()

    def close(self) -> None:
        """End QEMU and free everything; calling it twice is harmless."""
        self._stack.close()

    def _end(self) -> None:
        self.process.kill()
        self.process.wait()

    def _spawn(self, ram: int, rom: int, qtest: int, qmp: int) -> subprocess.Popen[bytes]:
        options = self.options
        wiring = WIRINGS[options.bus]
        size = f"{options.ram >> 20}M"
        device = options.device or ",".join((wiring.device, "id=balloon0", *options.balloon))
        command = [
            options.program,
            *("-nodefaults", "-nographic", "-no-user-config"),
            *("-machine", f"{wiring.machine},accel=tcg,memory-backend=ram", "-m", size),
            *(
                "-object",
                f"memory-backend-file,id=ram,size={size},share=on,mem-path=/proc/self/fd/{ram}",
            ),
            *("-chardev", f"socket,id=qtest,fd={qtest}"),
            *("-qtest", "chardev:qtest", "-qtest-log", "none"),
            *("-chardev", f"socket,id=mon,fd={qmp}", "-mon", "chardev=mon,mode=control"),
            *wiring.words,
            *("-bios", f"/proc/self/fd/{rom}"),
            *(word for each in options.objects for word in ("-object", each)),
            *("-device", device),
        ]
        try:
            return subprocess.Popen(
                leashed(command),
                stdin=subprocess.DEVNULL,
                stdout=self.output.fd,
                stderr=self.output.fd,
                pass_fds=(ram, rom, qtest, qmp),
                start_new_session=True,  # Ctrl-C is ours to handle
            )
        except OSError as error:
            raise TransportError(f"{options.program}: {error.strerror}") from error

    def described(self, what: str) -> str:
        """Add the exit status, if the process ended, and the end of its output."""
        try:
            code = self.process.wait(0.5)
        except subprocess.TimeoutExpired:
            pass
        else:
            how = f"by {signal.Signals(-code).name}" if code < 0 else f"with status {code}"
            what += f" (ended {how})"
        printed = self.output.text(500)
        return f"{what}: {printed}" if printed else what
