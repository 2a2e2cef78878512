"""Guest memory in several files behaves as one memory, and knows of each file."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from vhint.host import PunchHoles
from vhint.ring import AddressError, FilePart, SeveralFiles
from vhint.spans import PAGE, Span

HIGH = 1 << 32
Make = Callable[..., int]


@pytest.fixture
def make() -> Iterator[Make]:
    """Makes memfds of so many pages."""
    with ExitStack() as stack:

        def made(pages: int, flags: int = os.MFD_ALLOW_SEALING) -> int:
            fd = os.memfd_create("part", os.MFD_CLOEXEC | flags)
            stack.callback(os.close, fd)
            os.ftruncate(fd, pages * PAGE)
            return fd

        yield made


def open_fds() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_every_part_is_where_it_was_said_to_be(make: Make) -> None:
    one, two = make(8), make(8)
    for fd, base in ((one, 0x10), (two, 0x80)):
        for page in range(8):
            os.pwrite(fd, bytes([base + page]) * PAGE, page * PAGE)
    parts = [
        FilePart(HIGH, 2 * PAGE, two, 6 * PAGE),
        FilePart(0, 3 * PAGE, one, 5 * PAGE),
        FilePart(3 * PAGE, 2 * PAGE, one, 0),
    ]
    with SeveralFiles(parts) as memory:
        for at, byte in ((0, 0x15), (2, 0x17), (3, 0x10), (4, 0x11)):
            assert memory.read(Span(at * PAGE, 1)) == bytes([byte])
            assert memory.peek(Span(at * PAGE, 1)) == bytes([byte])
        assert memory.read(Span(HIGH + PAGE, 1)) == b"\x87"
        # Neighbours for the guest are one, wherever they lie.
        assert memory.read(Span(3 * PAGE - 1, 2)) == b"\x17\x10"
        memory.write(3 * PAGE - 1, b"xy")
        assert os.pread(one, 1, 8 * PAGE - 1) == b"x"
        assert os.pread(one, 1, 0) == b"y"
        memory.store16(HIGH, 0x1234)
        assert os.pread(two, 2, 6 * PAGE) == b"\x34\x12"
        assert memory.load16(HIGH) == 0x1234
        for span in (Span(5 * PAGE, 1), Span(HIGH - 1, 2), Span(HIGH + PAGE, PAGE + 1)):
            assert not memory.contains(span)
            with pytest.raises(AddressError):
                memory.read(span)
        assert memory.contains(Span(PAGE, 4 * PAGE))
        assert memory.fds()[1] == memory.fds()[1]
        for part, fd in zip(parts, memory.fds(), strict=True):
            assert os.fstat(fd).st_ino == os.fstat(part.fd).st_ino
        with memory.view() as again:
            assert again.read(Span(3 * PAGE, 1)) == b"y"


def test_holes_are_punched_and_seen_in_the_right_file(make: Make) -> None:
    one, two = make(8), make(8)
    for fd in (one, two):
        os.pwrite(fd, b"\xa5" * 8 * PAGE, 0)
    with SeveralFiles(
        [FilePart(0, 4 * PAGE, one, 4 * PAGE), FilePart(4 * PAGE, 4 * PAGE, two, 0)]
    ) as memory:
        assert memory.holes() == ()
        assert memory.resident() == 16 * PAGE
        done = PunchHoles(memory).discard([Span(2 * PAGE, 4 * PAGE)])
        assert done.spans == (Span(2 * PAGE, 4 * PAGE),)
        assert memory.holes() == (Span(2 * PAGE, 4 * PAGE),)
        assert memory.resident() == 12 * PAGE
        assert os.pread(one, PAGE, 6 * PAGE) == bytes(PAGE)
        assert os.pread(one, PAGE, 2 * PAGE) == b"\xa5" * PAGE
        assert os.pread(two, PAGE, PAGE) == bytes(PAGE)
        assert os.pread(two, PAGE, 2 * PAGE) == b"\xa5" * PAGE
        memory.discard(Span(0, PAGE))
        assert os.pread(one, PAGE, 4 * PAGE) == bytes(PAGE)


def test_what_can_be_sealed_is_and_what_cannot_is_watched(make: Make, tmp_path: Path) -> None:
    with SeveralFiles([FilePart(0, PAGE, make(1), 0)]) as memory:
        assert memory.sealed
        with pytest.raises(PermissionError):
            os.ftruncate(memory.fds()[0], 0)
    (tmp_path / "ram").write_bytes(bytes(2 * PAGE))
    with (
        (tmp_path / "ram").open("r+b") as file,
        SeveralFiles(
            [FilePart(PAGE, PAGE, file.fileno(), PAGE), FilePart(HIGH, PAGE, make(1, 0), 0)]
        ) as memory,
    ):
        assert not memory.sealed
        assert memory.problem() is None
        os.ftruncate(file.fileno(), 2 * PAGE - 1)
        assert memory.problem() == (
            "the file of guest memory [0x1000, 0x2000) was cut to 8191 bytes, 8192 needed"
        )


def test_nothing_is_left_open_whatever_happens(make: Make) -> None:
    fd = make(4)
    before = open_fds()
    for _ in range(3):
        memory = SeveralFiles([FilePart(0, PAGE, fd, 0), FilePart(HIGH, PAGE, fd, PAGE)])
        assert open_fds() == before + 2
        memory.close()
        memory.close()
        assert open_fds() == before
        for parts, said in (
            ([FilePart(0, 8 * PAGE, fd, 0)], "16384 bytes, 32768 needed"),
            ([FilePart(0, 100, fd, 0)], "not aligned"),
            ([FilePart(0, PAGE, fd, 0), FilePart(0, PAGE, fd, 0)], "overlaps"),
            ([], "at least one region"),
        ):
            with pytest.raises(ValueError, match=said):
                SeveralFiles(parts)
            assert open_fds() == before
