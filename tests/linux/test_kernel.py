"""Finding an installed kernel and its modules, and saying what is missing."""

from __future__ import annotations

import lzma
from pathlib import Path

import pytest

from vhint_conformance.targets.linux import kernel
from vhint_conformance.targets.linux.complaints import complaints_in
from vhint_conformance.targets.linux.kernel import NoKernel, find_kernel, read_module

RELEASE = "6.1.0-7-cloud-amd64"


def image(folder: Path, release: str = RELEASE) -> Path:
    """Make a file that has the header of a bzImage."""
    head = bytearray(0x4000)
    head[0x202:0x206] = b"HdrS"
    head[0x20E:0x210] = (0x3000 - 0x200).to_bytes(2, "little")
    text = f"{release} (somebody@somewhere) #1 SMP\0".encode()
    head[0x3000 : 0x3000 + len(text)] = text
    (folder / "boot").mkdir(exist_ok=True)
    path = folder / "boot" / f"vmlinuz-{release}"
    path.write_bytes(head)
    return path


def module(folder: Path, name: str, needs: str = "", suffix: str = "") -> None:
    drivers = folder / "lib/modules" / RELEASE / "kernel/drivers/virtio"
    drivers.mkdir(parents=True, exist_ok=True)
    data = b"\x7fELF\0license=GPL\0depends=" + needs.encode() + b"\0name=" + name.encode() + b"\0"
    (drivers / f"{name}.ko{suffix}").write_bytes(lzma.compress(data) if suffix else data)


def unpacked(folder: Path) -> Path:
    """Make what `dpkg-deb -x` leaves of a kernel's package."""
    module(folder, "virtio_ring")
    module(folder, "virtio", "virtio_ring")
    module(folder, "virtio_pci", "virtio_pci_legacy_dev,virtio,virtio_ring", ".xz")
    module(folder, "virtio_pci_legacy_dev")
    module(folder, "virtio_balloon", "virtio,virtio_ring")
    return image(folder)


def test_an_unpacked_package_will_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(kernel.VARIABLE, str(unpacked(tmp_path)))
    found = find_kernel()
    assert found.release == RELEASE
    names = [path.name.partition(".")[0] for path in found.module_files()]
    assert names == ["virtio_pci_legacy_dev", "virtio_ring", "virtio", "virtio_pci",
                     "virtio_balloon"]  # fmt: skip
    for path in found.module_files():
        assert read_module(path).startswith(b"\x7fELF")


def test_what_is_built_in_is_not_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(kernel.VARIABLE, str(image(tmp_path)))
    module(tmp_path, "virtio_balloon", "virtio")
    with pytest.raises(NoKernel, match="has no module virtio_pci"):
        find_kernel()
    (tmp_path / "lib/modules" / RELEASE / "modules.builtin").write_text(
        "kernel/drivers/virtio/virtio.ko\nkernel/drivers/virtio/virtio_pci.ko\n"
    )
    assert [path.name for path in find_kernel().module_files()] == ["virtio_balloon.ko"]


@pytest.mark.parametrize(
    ("make", "complaint"),
    [
        (lambda folder: folder / "boot/nothing", "No such file"),
        (lambda folder: folder, "Is a directory"),
        (image, "there is no .*/lib/modules/"),
        (lambda _: Path(__file__), "is not the image of an x86 kernel"),
    ],
)
def test_what_is_wrong_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make: object, complaint: str
) -> None:
    assert callable(make)
    monkeypatch.setenv(kernel.VARIABLE, str(make(tmp_path)))
    with pytest.raises(NoKernel, match=complaint):
        find_kernel()


@pytest.mark.parametrize("suffix", [".zst", ".xz", ".gz"])
def test_a_module_that_cannot_be_unpacked_is_said(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"virtio.ko{suffix}"
    path.write_bytes(b"nonsense")
    with pytest.raises(NoKernel, match=r"virtio\.ko"):
        read_module(path)


@pytest.mark.parametrize(
    ("line", "is_one"),
    [
        ("[    9.123456] BUG: unable to handle page fault for address: ffff8880\n", True),
        ("[    9.123456] Oops: 0000 [#1] PREEMPT SMP\n", True),
        ("[    9.123456] pagealloc: memory corruption\n", True),
        ("[    9.123456] BUG: Bad page state in process dd  pfn:12345\n", True),
        ("[    9.123456] list_add corruption. next->prev should be prev\n", True),
        ("[    9.123456] general protection fault, probably for non-canonical address\n", True),
        ("[    9.123456] Kernel panic - not syncing: Attempted to kill init!\n", True),
        ("[   60.234567] watchdog: BUG: soft lockup - CPU#0 stuck for 26s! [dd:99]\n", False),
        ("[   60.234567] rcu: INFO: rcu_preempt detected stalls on CPUs/tasks:\n", False),
        ("[    0.123456] x86/cpu: SGX disabled by BIOS. DEBUG_INFO\n", False),
    ],
)
def test_a_kernel_that_says_it_is_broken_is_heard(line: str, is_one: bool) -> None:
    assert len(complaints_in(f"[    0.000000] hello\n{line}")) == is_one


def test_what_the_firmware_left_on_the_line_is_no_part_of_it() -> None:
    log = "Booting from ROM..\x1b[2J[    2.190896] BUG: Bad page state in process dd  pfn:12345\r\n"
    assert complaints_in(log) == ("BUG: Bad page state in process dd  pfn:12345",)
