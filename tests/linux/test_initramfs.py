"""The archive that a guest starts from, read back by an independent program."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.peers import program
from vhint_conformance.targets.linux.initramfs import Entry, newc, root


def test_an_empty_archive_is_its_trailer() -> None:
    archive = newc([])
    assert archive == (
        b"070701" + b"00000000" * 4 + b"00000001" + b"00000000" * 6 + b"0000000b" + b"00000000"
        b"TRAILER!!!\0\0\0\0"
    )


def test_name_and_content_are_padded_to_four_bytes() -> None:
    archive = newc([Entry.file("abc", b"12345")])
    assert archive[110:116] == b"abc\0\0\0"
    assert archive[116:124] == b"12345\0\0\0"
    assert archive[124:130] == b"070701"


def test_another_program_reads_the_same_files(tmp_path: Path) -> None:
    cpio = [program("busybox", "busybox-static"), "cpio"]
    busybox = tmp_path / "busybox-of-the-guest"
    busybox.write_bytes(b"\x7fELF of a sort")
    archive = root("#!/bin/sh\n", busybox, {"/lib/modules/a.ko": b"module" * 100})
    read = tmp_path / "read"
    read.mkdir()
    # Making a node takes root, so they are only listed.
    listed = subprocess.run(
        [*cpio, "-itv"], input=archive, capture_output=True, check=True
    ).stdout.decode()
    console = next(line for line in listed.splitlines() if line.endswith("dev/console"))
    assert console.startswith("crw-------")
    subprocess.run(
        [*cpio, "-id", "init", "lib/modules/a.ko", "bin/busybox", "bin/sh"],
        input=archive,
        cwd=read,
        check=True,
        capture_output=True,
    )
    assert (read / "lib/modules/a.ko").read_bytes() == b"module" * 100
    assert (read / "init").read_text() == "#!/bin/sh\n"
    assert (read / "init").stat().st_mode & 0o777 == 0o755
    assert (read / "bin/sh").readlink() == Path("busybox")
