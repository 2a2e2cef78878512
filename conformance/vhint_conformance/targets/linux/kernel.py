"""The kernel of a whole guest: an image that is installed here, and the modules that go with it."""

from __future__ import annotations

import gzip
import lzma
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

VARIABLE = "VHINT_KERNEL"
"""Environment variable that names another kernel image than the newest in /boot."""

PACKAGE = "linux-image-cloud-amd64"
WANTED = ("virtio_pci", "virtio_balloon")
"""The modules of which a guest needs the functions."""

DRIVERS = "kernel/drivers/virtio"
"""Where they lie, and all that they need beside what is built in."""

UNPACKERS: dict[str, Callable[[bytes], bytes]] = {
    ".ko": bytes,
    ".xz": lzma.decompress,
    ".gz": gzip.decompress,
}
"""How a module is unpacked, by the end of its file's name."""

HEADER = 0x202
"""Where a bzImage has "HdrS", and 12 bytes later where its version is (x86 boot protocol)."""


class NoKernel(Exception):  # noqa: N818 - the name says it
    """There is no kernel that a guest can be started with; the text says what to do."""


@dataclass(frozen=True, slots=True)
class Kernel:
    """A kernel image, what ``uname -r`` says in it, and the folder of its modules."""

    image: Path
    release: str
    modules: Path

    def module_files(self) -> tuple[Path, ...]:
        """Return the modules that a balloon on PCI needs, each after those that it needs.

        What is built into the kernel is not among them.  Raises `NoKernel` if one is missing.
        """
        files = {_name(path.name): path for path in (self.modules / DRIVERS).glob("*.ko*")}
        built_in = self.modules / "modules.builtin"
        known = built_in.read_text().split() if built_in.is_file() else []
        inside = {_name(line.rpartition("/")[2]) for line in known}
        order: dict[Path, None] = {}
        for name in WANTED:
            if name in files:
                order |= dict.fromkeys(_with_needed(name, files))
            elif name not in inside:
                raise NoKernel(f"{self.modules} has no module {name}")
        return tuple(order)


def find_kernel() -> Kernel:
    """Return the kernel that `VHINT_KERNEL` names, or the newest of /boot that has its modules.

    The modules are looked for in ../lib/modules beside the image's folder, and in /lib/modules, so
    that a package that was only unpacked will do.  Raises `NoKernel`.
    """
    named = os.environ.get(VARIABLE)
    if named:
        return _kernel(Path(named))
    found = sorted(Path("/boot").glob("vmlinuz-*"), key=_by_version, reverse=True)
    complaints = []
    for image in found:
        try:
            return _kernel(image)
        except NoKernel as error:
            complaints.append(str(error))
    raise NoKernel("; ".join(complaints) or "there is no kernel image in /boot")


def read_module(path: Path) -> bytes:
    """Return a module as the kernel takes it, unpacked; raise `NoKernel` if that cannot be had."""
    unpack = UNPACKERS.get(path.suffix)
    if unpack is None:
        raise NoKernel(f"{path}: modules packed as {path.suffix} cannot be unpacked here")
    try:
        return unpack(path.read_bytes())
    except (OSError, EOFError, lzma.LZMAError) as error:
        raise NoKernel(f"{path}: {getattr(error, 'strerror', None) or error}") from error


def _kernel(image: Path) -> Kernel:
    release = _release(image)
    roots = dict.fromkeys((image.resolve().parent.parent, Path("/")))
    folders = [root / "lib/modules" / release for root in roots]
    for folder in folders:
        if folder.is_dir():
            kernel = Kernel(image, release, folder)
            kernel.module_files()
            return kernel
    raise NoKernel(f"{image}: there is no {' or '.join(map(str, folders))}")


def _release(image: Path) -> str:
    """Return the version that a bzImage states in its header."""
    try:
        with image.open("rb") as file:
            head = file.read(0x8000)
    except OSError as error:
        raise NoKernel(f"{image}: {error.strerror}") from error
    at = int.from_bytes(head[HEADER + 12 : HEADER + 14], "little") + 0x200
    text = head[at : at + 200].partition(b"\0")[0].decode("ascii", errors="replace")
    if head[HEADER : HEADER + 4] != b"HdrS" or not text:
        raise NoKernel(f"{image} is not the image of an x86 kernel")
    return text.split()[0]


def _with_needed(name: str, files: Mapping[str, Path]) -> list[Path]:
    """Return a module and those that it says it needs, in the order in which they are loaded."""
    match = re.search(rb"\0depends=([^\0]*)\0", read_module(files[name]))
    needed = match[1].decode().split(",") if match else []
    order: dict[Path, None] = {}
    for each in needed:
        if _name(each) in files:
            order |= dict.fromkeys(_with_needed(_name(each), files))
    return [*order, files[name]]


def _name(file: str) -> str:
    return file.partition(".")[0].replace("-", "_")


def _by_version(image: Path) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", image.name)]
