"""A Linux guest as a process of an ordinary user: User-Mode Linux, and a shell in it.

The kernel runs in a process group of its own and is ended by killing that group: its `poweroff`
waits for devices that may never answer, and its helpers outlive the main process.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from vhint.transport.leash import leashed
from vhint_conformance.targets.guarded_folder import GuardedFolder
from vhint_conformance.targets.linux.initramfs import root
from vhint_conformance.targets.linux.shell import GuestError, Shell, init
from vhint_conformance.targets.process_group import end_group

PROGRAM = "linux.uml"
MODULES = Path("/usr/lib/uml/modules")
BALLOON_ID = 5
"""The virtio device id that the kernel is told to expect on a vhost-user socket."""


@dataclass(frozen=True, slots=True)
class UmlOptions:
    """How a guest is started.

    `memory` is its RAM in bytes, `balloons` the vhost-user sockets of its balloon devices, `kernel`
    further words of the kernel's command line, `patience` the seconds that starting may take.
    `files` (absolute path to content) are put into its root file system beside the balloon's
    module, which is /virtio_balloon.ko.
    """

    balloons: tuple[Path, ...] = ()
    memory: int = 256 << 20
    kernel: tuple[str, ...] = ()
    files: Mapping[str, bytes] = field(default_factory=dict)
    program: str = PROGRAM
    patience: float = 20.0


def missing(program: str = PROGRAM) -> str | None:
    """Say what is not installed, or return None."""
    if shutil.which(program) is None:
        return f"{program} is not installed; on Debian: apt install user-mode-linux"
    if shutil.which("busybox") is None:
        return "busybox is not installed; on Debian: apt install busybox-static"
    if balloon_module() is None:
        return f"there is no virtio_balloon module in {MODULES}"
    return None


def balloon_module() -> Path | None:
    """Return the driver's module, or None if there is none."""
    return next(iter(sorted(MODULES.glob("*/kernel/drivers/virtio/virtio_balloon.ko"))), None)


def memory_folder() -> Path:
    """Return where the kernel puts the file that is its guest's memory."""
    return Path(os.environ.get("TMPDIR") or "/dev/shm")  # noqa: S108 - as the kernel does it


def no_room(memory: int) -> str | None:
    """Say that a guest's memory of so many bytes does not fit, or return None."""
    folder = memory_folder()
    try:
        free = shutil.disk_usage(folder).free
    except OSError as error:
        return f"{folder}, where the guest's memory would lie: {error.strerror}"
    if free >= memory:
        return None
    return (
        f"{folder} has {free >> 20} MiB free, and the guest's memory of {memory >> 20} MiB lies"
        " there"
    )


class Uml(Shell):
    """A running guest with a shell; closing it ends every process of it.

    Raises `GuestError`, with what the console showed, if it does not come up in time.
    """

    def __init__(self, options: UmlOptions) -> None:
        super().__init__()
        if reason := missing(options.program):
            raise GuestError(reason)
        self.options = options
        with ExitStack() as stack:
            folder = stack.enter_context(GuardedFolder())
            self._process = self._spawn(folder.path)
            folder.end_too(self._process.pid)
            stack.callback(self._end)
            self._wait_until_ready(options.patience)
            self._stack = stack.pop_all()

    def load_driver(self) -> None:
        """Load the balloon driver."""
        self.run("insmod /virtio_balloon.ko")

    @property
    def alive(self) -> bool:
        """Whether the kernel still runs."""
        return self._process.poll() is None

    def close(self) -> None:
        """End the guest's processes; calling it twice is harmless."""
        self._stack.close()

    def _spawn(self, folder: Path) -> subprocess.Popen[bytes]:
        busybox, module = shutil.which("busybox"), balloon_module()
        assert busybox  # noqa: S101 - `missing` looked
        assert module  # noqa: S101
        files = {"/virtio_balloon.ko": module.read_bytes(), **self.options.files}
        initrd = folder / "initrd"
        initrd.write_bytes(root(init(), Path(busybox), files))
        return subprocess.Popen(
            leashed(
                [
                    self.options.program,
                    f"mem={self.options.memory >> 20}M",
                    f"uml_dir={folder}",
                    "umid=guest",
                    f"initrd={initrd}",
                    "con=null",
                    "con0=fd:0,fd:1",
                    "loglevel=1",
                    *(f"virtio_uml.device={path}:{BALLOON_ID}" for path in self.options.balloons),
                    *self.options.kernel,
                ]
            ),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def _output(self) -> int:
        assert self._process.stdout  # noqa: S101 - it is a pipe
        return self._process.stdout.fileno()

    def _input(self) -> int:
        assert self._process.stdin  # noqa: S101 - it is a pipe
        return self._process.stdin.fileno()

    def _end(self) -> None:
        end_group(self._process)
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe:
                pipe.close()
