"""A whole Linux guest in QEMU, with a balloon: its console, and its memory as a file of ours."""

from __future__ import annotations

import os
import select
import shutil
import socket
import subprocess
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vhint.ring import GuestMemory, Region
from vhint.transport.interface import TransportError
from vhint.transport.last_output import LastOutput
from vhint.transport.leash import leashed
from vhint.transport.qtest import MachineOptions
from vhint.transport.qtest.client import QmpClient
from vhint_conformance.targets.linux.initramfs import root
from vhint_conformance.targets.linux.kernel import Kernel, read_module
from vhint_conformance.targets.linux.shell import MAX_OUTPUT, GuestError, Shell, init
from vhint_conformance.targets.process_group import end_group

MODULES = "/modules"
CONSOLE = "/dev/ttyS1"
"""The serial port of the shell; the first one is left to what the kernel has to say."""

LAST_BYTES = 500
"""How much of what QEMU printed is shown when it dies."""


@dataclass(frozen=True, slots=True)
class QemuGuestOptions:
    """How a guest is started.

    `memory` is its RAM in bytes, `balloon` are properties of its balloon device, `objects` are what
    these refer to, `words` go to the kernel's command line, `files` (absolute path to content) into
    its root file system, `patience` is how many seconds starting may take.
    """

    kernel: Kernel
    program: str = MachineOptions().program
    memory: int = 512 << 20
    balloon: tuple[str, ...] = ()
    objects: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    files: Mapping[str, bytes] = field(default_factory=dict)
    patience: float = 45.0


class QemuGuest(Shell):
    """A running QEMU with Linux in it; closing it ends the process and frees everything.

    With `incoming` it waits there for a guest that another QEMU sends.  Raises `GuestError`, with
    what the kernel and QEMU said, if it does not come up in time.

    Attributes:
        memory: the guest's RAM.
        qmp: QEMU's management.

    """

    def __init__(self, options: QemuGuestOptions, incoming: socket.socket | None = None) -> None:
        super().__init__()
        self.options = options
        self._log = bytearray()
        self._process: subprocess.Popen[bytes] | None = None
        self._shell: socket.socket
        self._kernel_log: socket.socket
        self._management: socket.socket
        with ExitStack() as stack:
            self._errors = stack.enter_context(LastOutput())
            self._start(stack, incoming)
            try:
                if incoming is None:
                    self._come_up()
            except GuestError as error:
                raise GuestError(f"{error}{self.last_words()}") from error
            self._stack = stack.pop_all()

    def _come_up(self) -> None:
        self._wait_until_ready(self.options.patience)
        for path in self.options.kernel.module_files():
            self.run(f"insmod {MODULES}/{path.name.partition('.')[0]}.ko")

    def _start(self, stack: ExitStack, incoming: socket.socket | None) -> None:
        options = self.options
        ram = os.memfd_create("vhint-ram", os.MFD_CLOEXEC)
        stack.callback(os.close, ram)
        os.ftruncate(ram, options.memory)
        initrd = os.memfd_create("vhint-initrd", os.MFD_CLOEXEC)
        with open(initrd, "wb") as file:  # noqa: PTH123 - a descriptor
            ours, theirs = zip(*(socket.socketpair() for _ in range(3)), strict=True)
            file.write(self._files())
            file.flush()
            for each in ours:
                stack.callback(each.close)
            self._management, self._kernel_log, self._shell = ours
            try:
                numbers = [each.fileno() for each in theirs]
                self._process = self._spawn(ram, initrd, *numbers, incoming=incoming)
            finally:
                for each in theirs:
                    each.close()
            self._errors.handed_over()
            stack.callback(self._end)
            try:
                self.qmp = QmpClient(self._management, options.patience)
            except TransportError as error:
                raise GuestError(f"QEMU did not start: {error}{self.last_words()}") from error
        self.memory = GuestMemory(ram, [Region(0, options.memory, 0)])
        stack.callback(self.memory.close)

    def _files(self) -> bytes:
        busybox = shutil.which("busybox")
        if busybox is None:
            raise GuestError("busybox is not installed; on Debian: apt install busybox-static")
        modules = {
            f"{MODULES}/{path.name.partition('.')[0]}.ko": read_module(path)
            for path in self.options.kernel.module_files()
        }
        return root(init(CONSOLE), Path(busybox), {**modules, **self.options.files})

    def _spawn(
        self,
        ram: int,
        initrd: int,
        qmp: int,
        log: int,
        shell: int,
        *,
        incoming: socket.socket | None,
    ) -> subprocess.Popen[bytes]:
        options = self.options
        size = f"{options.memory >> 20}M"
        memory = f"memory-backend-file,id=ram,size={size},share=on,mem-path=/proc/self/fd/{ram}"
        words = ("console=ttyS0", "loglevel=5", "panic=-1", "nokaslr", *options.words)
        command = [
            options.program,
            *("-nodefaults", "-nographic", "-no-user-config", "-no-reboot"),
            *("-machine", "q35,accel=tcg,memory-backend=ram", "-cpu", "max", "-m", size),
            *("-object", memory),
            *("-chardev", f"socket,id=mon,fd={qmp}", "-mon", "chardev=mon,mode=control"),
            *("-chardev", f"socket,id=log,fd={log}", "-serial", "chardev:log"),
            *("-chardev", f"socket,id=shell,fd={shell}", "-serial", "chardev:shell"),
            *(word for each in options.objects for word in ("-object", each)),
            *("-device", ",".join(("virtio-balloon-pci,id=balloon0", *options.balloon))),
            *("-kernel", str(options.kernel.image), "-initrd", f"/proc/self/fd/{initrd}"),
            *("-append", " ".join(words)),
            *(("-incoming", f"fd:{incoming.fileno()}") if incoming else ()),
        ]
        inherited = [ram, initrd, qmp, log, shell]
        try:
            return subprocess.Popen(
                leashed(command),
                stdin=subprocess.DEVNULL,
                stdout=self._errors.fd,
                stderr=self._errors.fd,
                pass_fds=[*inherited, incoming.fileno()] if incoming else inherited,
                start_new_session=True,  # Ctrl-C is ours to handle
            )
        except OSError as error:
            raise GuestError(f"{options.program}: {error.strerror}") from error

    @property
    def alive(self) -> bool:
        """Whether QEMU still runs."""
        return self._process is not None and self._process.poll() is None

    @property
    def kernel_log(self) -> str:
        """What the kernel has printed on its console so far: warnings and worse."""
        while select.select([self._kernel_log], [], [], 0)[0] and self._hear():
            pass
        return self._log.decode(errors="replace").replace("\r", "")

    def moved(self) -> tuple[QemuGuest, int]:
        """Move the guest, while it runs, to a new QEMU; return that, and how many bytes were sent.

        This one has no guest any more and is to be closed, which the caller does.  Raises
        `GuestError` if the guest does not arrive in time.
        """
        ours, theirs = socket.socketpair()
        with ours, theirs:
            there = QemuGuest(self.options, incoming=theirs)
            try:
                sent = self._send(ours)
                there.release, there._number = self.release, self._number
                there._log[:0] = self.kernel_log.encode()  # what it said there, it has said
                there._until_state("query-status", "running")
            except (GuestError, TransportError) as error:
                said = f"moving the guest: {error}{self.last_words()}{there.last_words()}"
                there.close()
                raise GuestError(said) from error
        return there, sent

    def _send(self, way: socket.socket) -> int:
        # A descriptor travels beside the bytes that come before the command that names it.
        socket.send_fds(self._management, [b" "], [way.fileno()])
        self.qmp.command("getfd", fdname="way")
        limits = {"max-bandwidth": 1 << 30, "downtime-limit": 2000}  # bytes a second, milliseconds
        self.qmp.command("migrate-set-parameters", **limits)
        self.qmp.command("migrate", uri="fd:way")
        return int(self._until_state("query-migrate", "completed")["ram"]["transferred"])

    def _until_state(self, query: str, wanted: str) -> dict[str, Any]:
        deadline = time.monotonic() + self.options.patience
        while True:
            answer = dict(self.qmp.command(query))
            state = answer.get("status")
            if state == wanted:
                return answer
            if state == "failed" or time.monotonic() > deadline:
                raise GuestError(f"{query} says {state}, not {wanted}")
            time.sleep(0.05)

    def last_words(self) -> str:
        """Return how QEMU ended, what it printed and what the kernel said last, for a complaint."""
        status = self._process.poll() if self._process else None
        said = [f"QEMU ended with status {status}"] if status is not None else []
        printed = self._errors.text(LAST_BYTES)
        lines = self.kernel_log.strip().splitlines()[-12:]
        said += [f"QEMU printed: {printed}"] if printed else []
        said += ["the kernel said last:", *lines] if lines else []
        return "\n  ".join(["", *said])

    def close(self) -> None:
        """End QEMU and free everything; calling it twice is harmless."""
        self._stack.close()

    def _output(self) -> int:
        return self._shell.fileno()

    def _input(self) -> int:
        return self._shell.fileno()

    def _more(self, deadline: float) -> bytes | None:
        """Wait for output of the shell, and hear what the kernel says meanwhile."""
        watched = [self._shell, self._kernel_log]
        while True:
            left = max(0.0, deadline - time.monotonic())
            ready = select.select(watched, [], [], left)[0]
            if not ready:
                return None
            if self._kernel_log in ready and not self._hear():
                watched.remove(self._kernel_log)
            if self._shell in ready:
                return _read(self._shell)

    def _hear(self) -> bool:
        """Take what the kernel has said; return whether there may be more."""
        data = _read(self._kernel_log)
        self._log += data
        del self._log[:-MAX_OUTPUT]
        return bool(data)

    def _end(self) -> None:
        if self._process is not None:
            end_group(self._process)


def _read(end: socket.socket) -> bytes:
    """Return what a socket has, or nothing at its end."""
    try:
        return end.recv(1 << 16)
    except ConnectionResetError:
        return b""
