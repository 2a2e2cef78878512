"""Front ends that lie, break off or die: each is refused, and the next one is served."""

from __future__ import annotations

import gc
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.vhost_user.front import (
    RAM,
    REPORTING,
    USER,
    USUAL,
    Front,
    Served,
    address,
    ready,
    simulated,
    table,
)
from vhint.ring import FilePart, SplitLayout
from vhint.spans import PAGE, Span
from vhint.transport.vhost_user.connection import MAX_FDS
from vhint.transport.vhost_user.server import FAULT
from vhint.wire.features import Feature, Features
from vhint.wire.vhost_user import (
    SHAPES,
    U64,
    ConfigMessage,
    Header,
    MemoryRegion,
    MemoryRegions,
    MemoryTable,
    Octets,
    ProtocolFeature,
    Request,
    VringAddress,
    VringFile,
    VringState,
    header,
    memory,
)

BLOCK = Span(4 << 20, 1 << 20)


def open_fds() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    with Served(tmp_path, **simulated()) as made:
        before = open_fds()
        yield made
        if made.server.peer is None:
            assert open_fds() == before, "a descriptor was left open"


def works(served: Served) -> None:
    """The server still does what it is for."""
    with ready(served) as front:
        assert front.report(front.start(2), BLOCK) == 0


# Messages that are no messages

RAW: list[tuple[str, bytes, int, str]] = [
    ("version", header.build(Header(1, 2, 0)), 0, "version 2 of the protocol; expected 1"),
    ("reply", header.build(Header(1, 5, 0)), 0, "a reply to request 1, which was never sent"),
    ("unknown", header.build(Header(999, 1, 0)), 0, "request 999, which is unknown"),
    ("zero", header.build(Header(0, 1, 0)), 0, "request 0, which is unknown"),
    ("log", header.build(Header(6, 1, 16)) + bytes(16), 0, "SET_LOG_BASE, which this device"),
    ("absurd", header.build(Header(5, 1, 0xFFFFFFFF)), 0, "a message of 4294967295 bytes"),
    ("large", header.build(Header(2, 1, 4097)), 0, "a message of 4097 bytes; the largest has 4096"),
    ("short", header.build(Header(2, 1, 7)) + bytes(7), 0, "SET_FEATURES: vhost-user u64"),
    ("long", header.build(Header(2, 1, 9)) + bytes(9), 0, "SET_FEATURES: vhost-user u64"),
    ("payload", header.build(Header(3, 1, 4)) + bytes(4), 0, "SET_OWNER with 4 bytes of payload"),
    ("fds", header.build(Header(3, 1, 0)), 1, "SET_OWNER with 1 descriptors; expected 0"),
    ("many fds", header.build(Header(3, 1, 0)), MAX_FDS + 1, "more than 8 descriptors"),
    ("too many fds", header.build(Header(3, 1, 0)), 200, "more than 8 descriptors"),
]


@pytest.mark.parametrize(("name", "data", "fds", "said"), RAW, ids=[row[0] for row in RAW])
def test_what_is_no_message_is_refused(
    served: Served, name: str, data: bytes, fds: int, said: str
) -> None:
    with Front(served) as front:
        front.send(data, [made(front, "eventfd")] * fds)
        assert said in front.refused
        assert front.refused.startswith("a front end was refused: ")
    works(served)


@pytest.mark.parametrize("cut", [1, 5, 11, 12, 15, 19])
def test_a_connection_that_ends_in_a_message(served: Served, cut: int) -> None:
    with Front(served) as front:
        data = (header.build(Header(2, 1, 8)) + bytes(8))[:cut]
        front.send(data, [front.eventfd()])
        served.pump()
        front.socket.shutdown(socket.SHUT_WR)
        assert f"ended {cut} bytes into a message" in front.refused
    works(served)


def test_a_message_that_is_not_finished(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    with Front(served) as front:
        front.send(b"\1\0", [front.eventfd()])
        served.pump()
        front.send(b"\0\0")
        served.pump()
        assert served.server.peer is not None
        monkeypatch.setattr(served.server, "_deadline", 0.0)
        assert "not finished within 10 s" in front.refused
    works(served)


# Messages that may not be sent, or not now


def vring(request: Request, index: int, num: int) -> Callable[[Front], None]:
    return lambda front: front.post(request, VringState(index, num))


def placed(**changes: int) -> Callable[[Front], None]:
    good = {"descriptors": USER + 0x1000, "used": USER + 0x3000, "available": USER + 0x2000}

    def post(front: Front) -> None:
        front.post(Request.SET_VRING_ADDR, VringAddress(2, 0, **(good | changes)))

    return post


def regions(*rows: tuple[int, int, int, int], size: int = RAM) -> Callable[[Front], None]:
    def post(front: Front) -> None:
        made = MemoryTable(MemoryRegions.of([MemoryRegion(*row) for row in rows]))
        front.post(Request.SET_MEM_TABLE, made, [front.file(size) for _ in rows])

    return post


def kick_fd(make: Callable[[Front], int]) -> Callable[[Front], None]:
    return lambda front: front.post(Request.SET_VRING_KICK, VringFile.of(2), [make(front)])


def opened(front: Front, path: str, flags: int = os.O_RDONLY) -> int:
    fd = os.open(path, flags)
    front.stack.callback(os.close, fd)
    return fd


BIG = 1 << 62
ILLEGAL: list[tuple[str, Callable[[Front], Any], str]] = [
    (
        "features not offered",
        lambda front: front.post(Request.SET_FEATURES, U64(1 << 33)),
        "accepted but not offered",
    ),
    (
        "features that contradict",
        lambda front: front.post(Request.SET_FEATURES, U64(Features.of(23, 32).bits)),
        "HINTING_BITMAP is accepted without HINTING",
    ),
    (
        "protocol features",
        lambda front: front.post(Request.SET_PROTOCOL_FEATURES, U64(1 << 1)),
        "ProtocolFeatures(LOG_SHMFD) not offered",
    ),
    ("ring 6", vring(Request.SET_VRING_NUM, 6, 64), "ring 6; there are 6"),
    ("ring 2^32-1", vring(Request.GET_VRING_BASE, 2**32 - 1, 0), "ring 4294967295"),
    ("size 0", vring(Request.SET_VRING_NUM, 2, 0), "SET_VRING_NUM of 0 entries"),
    ("size 3", vring(Request.SET_VRING_NUM, 2, 3), "SET_VRING_NUM of 3 entries"),
    ("size 65536", vring(Request.SET_VRING_NUM, 2, 65536), "power of two up to 32768"),
    ("base", vring(Request.SET_VRING_BASE, 2, 65536), "an index of a ring has 16 bits"),
    ("enable 2", vring(Request.SET_VRING_ENABLE, 2, 2), "SET_VRING_ENABLE of 2"),
    ("descriptors", placed(descriptors=0x1000), "not inside guest memory"),
    ("used", placed(used=USER + RAM), "not inside guest memory"),
    ("available", placed(available=2**64 - 1), "not inside guest memory"),
    (
        "status",
        lambda front: front.post(Request.GET_STATUS),
        "GET_STATUS without the protocol feature STATUS",
    ),
    (
        "in-band kick of no ring",
        vring(Request.VRING_KICK, 3, 0),
        "ring 3 was started before its size was set",
    ),
    (
        "config space",
        lambda front: front.post(Request.GET_CONFIG, ConfigMessage(250, 0, Octets.of(bytes(7)))),
        "config space up to byte 257",
    ),
    (
        "config purpose",
        lambda front: front.post(Request.SET_CONFIG, ConfigMessage(0, 2, Octets.of(b""))),
        "SET_CONFIG for purpose 2",
    ),
    (
        "a channel that is no socket",
        lambda front: front.post(Request.SET_BACKEND_REQ_FD, None, [front.file(PAGE)]),
        "SET_BACKEND_REQ_FD: not a socket",
    ),
    (
        "a channel that is its own connection",
        lambda front: front.post(Request.SET_BACKEND_REQ_FD, None, [front.socket.fileno()]),
        "a descriptor of this very connection",
    ),
    ("kick by a socket", kick_fd(lambda front: made(front, "socket")), "is not an eventfd"),
    ("kick by a file", kick_fd(lambda front: front.file(PAGE)), "is not an eventfd"),
    ("kick by a device", kick_fd(lambda front: opened(front, "/dev/urandom")), "not an eventfd"),
    ("kick by a directory", kick_fd(lambda front: opened(front, "/")), "not an eventfd"),
    (
        "kick without its descriptor",
        lambda front: front.post(Request.SET_VRING_KICK, VringFile.of(2)),
        "0 descriptors where the message says otherwise",
    ),
    (
        "kick with one too many",
        lambda front: front.post(
            Request.SET_VRING_KICK, VringFile.of(2, has_fd=False), [front.eventfd()]
        ),
        "1 descriptors where the message says otherwise",
    ),
    (
        "unknown bits of a vring file",
        lambda front: front.post(Request.SET_VRING_CALL, VringFile(0x1002), [front.eventfd()]),
        "unknown bits 0x1000",
    ),
    ("no regions", regions(), "SET_MEM_TABLE with 0 descriptors"),
    ("empty region", regions((0, 0, USER, 0)), "region 0 is empty"),
    ("misaligned", regions((0x800, RAM, USER, 0)), "guest_address 0x800 is not a multiple"),
    ("misaligned size", regions((0, RAM - 1, USER, 0)), "size 0xffffff is not a multiple"),
    ("misaligned offset", regions((0, PAGE, USER, 1)), "mmap_offset 0x1 is not a multiple"),
    ("guest wraps", regions((2**64 - PAGE, RAM, USER, 0)), "guest_address and size go beyond"),
    ("user wraps", regions((0, RAM, 2**64 - PAGE, 0)), "user_address and size go beyond"),
    ("offset wraps", regions((0, RAM, USER, 2**64 - PAGE)), "mmap_offset and size go beyond"),
    ("absurd size", regions((0, BIG, 0, 0)), "bytes of memory; at most"),
    (
        "guest overlap",
        regions((0, RAM, USER, 0), (RAM - PAGE, RAM, USER + BIG, 0)),
        "overlap (guest_address)",
    ),
    (
        "user overlap",
        regions((0, RAM, USER, 0), (BIG, RAM, USER + RAM - PAGE, 0)),
        "overlap (user_address)",
    ),
    ("file too short", regions((0, RAM, USER, 0), size=RAM - 1), "16777215 bytes, 16777216 needed"),
    ("offset too far", regions((0, RAM, USER, PAGE)), "16777216 bytes, 16781312 needed"),
]


@pytest.mark.parametrize(("name", "act", "said"), ILLEGAL, ids=[row[0] for row in ILLEGAL])
def test_what_may_not_be_sent_is_refused_in_words(
    served: Served, name: str, act: Callable[[Front], Any], said: str
) -> None:
    with ready(served) as front:
        act(front)
        assert said in front.refused
    works(served)


def test_an_acknowledgement_says_that_it_failed(served: Served) -> None:
    with ready(served) as front:
        assert front.check(Request.SET_VRING_NUM, VringState(2, 3)) == 1
        assert "SET_VRING_NUM" in front.refused


@pytest.mark.parametrize("path", ["/dev/zero", "/"])
def test_memory_that_is_no_file(served: Served, path: str) -> None:
    with Front(served) as front:
        front.negotiate()
        part = FilePart(0, RAM, opened(front, path), 0)
        front.post(Request.SET_MEM_TABLE, table([part]), [part.fd])
        assert "not of a regular file" in front.refused
    works(served)


def test_memory_that_may_only_be_read(served: Served, tmp_path: Path) -> None:
    file = tmp_path / "ram"
    file.write_bytes(bytes(RAM))
    with Front(served) as front:
        front.negotiate()
        part = FilePart(0, RAM, opened(front, str(file)), 0)
        front.post(Request.SET_MEM_TABLE, table([part]), [part.fd])
        assert "not open for reading and writing" in front.refused


def test_too_many_regions_and_too_few_descriptors(served: Served) -> None:
    with Front(served) as front:
        front.negotiate()
        parts = [FilePart(number << 30, PAGE, front.file(PAGE), 0) for number in range(8)]
        front.post(Request.SET_MEM_TABLE, table(parts), [part.fd for part in parts[:7]])
        assert "of 8 regions, 7 descriptors" in front.refused
    with Front(served) as front:
        front.negotiate()
        payload = memory.build(table(parts))[:-1]
        front.send(header.build(Header(5, 1, len(payload))) + payload, [front.file(PAGE)])
        assert "regions[7].mmap_offset" in front.refused


def test_rings_cannot_be_placed_before_there_is_memory(served: Served) -> None:
    with Front(served) as front:
        front.negotiate()
        front.post(Request.SET_VRING_ADDR, address(2, SplitLayout.at(0x1000, 64)))
        assert "SET_VRING_ADDR before there is guest memory" in front.refused


def test_a_ring_that_ends_outside_memory_is_refused_when_it_starts(served: Served) -> None:
    with ready(served) as front:
        layout = SplitLayout.at(RAM - 0x1000, 256)
        front.post(Request.SET_VRING_NUM, VringState(2, 256))
        front.post(Request.SET_VRING_ADDR, VringAddress(2, 0, *[USER + layout.descriptors] * 3))
        front.post(Request.SET_VRING_ENABLE, VringState(2, 1))
        front.post(Request.SET_VRING_NUM, VringState(2, 32768))
        fd = front.eventfd()
        front.post(Request.SET_VRING_KICK, VringFile.of(2), [fd])
        os.eventfd_write(fd, 1)
        assert "ring part at user address" in front.refused
    works(served)


def test_a_ring_that_is_not_aligned_is_refused_when_it_starts(served: Served) -> None:
    with ready(served) as front:
        front.post(Request.SET_VRING_NUM, VringState(2, 64))
        at = VringAddress(2, 0, USER + 0x1001, USER + 0x3000, USER + 0x2000)
        front.post(Request.SET_VRING_ADDR, at)
        fd = front.eventfd()
        front.post(Request.SET_VRING_ENABLE, VringState(2, 1))
        front.post(Request.SET_VRING_KICK, VringFile.of(2), [fd])
        os.eventfd_write(fd, 1)
        assert "descriptor table at 0x1001 is not aligned to 16 bytes" in front.refused


def test_polling_is_not_offered(served: Served) -> None:
    with ready(served, protocol=()) as front:
        front.post(Request.SET_VRING_KICK, VringFile.of(2, has_fd=False))
        assert "rings are not polled here" in front.refused


def test_a_kick_pipe_that_is_closed(served: Served) -> None:
    with ready(served) as front:
        read, write = os.pipe()
        front.post(Request.SET_VRING_KICK, VringFile.of(2), [read])
        os.close(read)
        os.close(write)
        assert "closed at its other end" in front.refused
    works(served)


# Drivers and memory that misbehave


def test_a_broken_ring_stops_the_device_and_not_the_connection(served: Served) -> None:
    with ready(served) as front:
        queue = front.start(2)
        err = front.eventfd()
        front.post(Request.SET_VRING_ERR, VringFile.of(2), [err])
        front.report(queue, BLOCK)
        queue.add((), [Span(RAM, PAGE)])
        queue.publish()
        front.kick(2)
        assert "outside" in served.lines[-1] or "not inside guest memory" in served.lines[-1]
        assert os.eventfd_read(err) == 1
        assert served.server.figures().error is not None
        # What was used before must never be taken again.
        assert front.ask(Request.GET_VRING_BASE, VringState(2, 0)).num == 1
        # A driver that starts anew is served again.
        front.post(Request.SET_FEATURES, U64(REPORTING.bits | 1 << 30))
        queue = front.start(2)
        assert front.report(queue, BLOCK) == 0


def test_memory_that_can_be_sealed_cannot_be_cut_short(served: Served) -> None:
    with Front(served) as front:
        front.negotiate()
        fd = front.file(RAM)
        front.post(Request.SET_MEM_TABLE, table([FilePart(0, RAM, fd, 0)]), [fd])
        with pytest.raises(PermissionError):
            os.ftruncate(fd, 0)


def test_memory_that_is_cut_short_ends_the_connection_and_not_the_server(
    served: Served, tmp_path: Path
) -> None:
    with Front(served) as front:
        front.negotiate()
        (tmp_path / "ram").write_bytes(b"")
        fd = opened(front, str(tmp_path / "ram"), os.O_RDWR)
        os.ftruncate(fd, RAM)
        front.share(FilePart(0, RAM, fd, 0))
        front.report(front.start(2), BLOCK)
        os.ftruncate(fd, 0)
        os.eventfd_write(front.kicks[2], 1)
        assert "was cut to 0 bytes, 16777216 needed" in front.refused
        assert front.memory is not None
        front.memory.close()
    works(served)


def test_a_front_end_that_does_not_read_is_not_listened_to(served: Served) -> None:
    with Front(served) as front:
        front.socket.setblocking(False)
        message = header.build(Header.of(Request.GET_FEATURES))
        with pytest.raises(BlockingIOError):  # noqa: PT012 - one or the other side is full
            for _ in range(1 << 20):
                front.socket.send(message * 64)
                served.server.turn()
        peer = served.server.peer
        assert peer is not None
        assert peer.connection.is_waiting
        for _ in range(100):  # nothing grows and nothing spins
            served.server.turn()
        assert not served.server.turn()
        # It reads again, and gets all that it is owed.
        answers = 0
        while True:
            served.pump()
            try:
                data = front.socket.recv(1 << 16)
            except BlockingIOError:
                break
            answers += len(data)
        assert answers % 20 == 0
        assert answers // 20 == peer.messages


def test_a_channel_that_is_not_read_costs_nothing(served: Served) -> None:
    with ready(served) as front:
        front.open_channel()
        for pages in range(20_000):
            served.server.set_balloon_target(pages)
            served.server.tell()
        peer = served.server.peer
        assert peer is not None
        assert peer.channel is not None
        assert peer.channel.is_waiting
        assert front.check(Request.SET_OWNER) == 0


def test_a_channel_that_is_closed_is_let_go(served: Served) -> None:
    with ready(served) as front:
        channel = front.open_channel()
        channel.close()
        served.pump()
        assert served.server.peer is not None
        assert served.server.peer.channel is None
        served.server.set_balloon_target(1)
        served.server.tell()
        assert front.check(Request.SET_OWNER) == 0


def test_no_descriptor_is_left_of_a_hundred_connections(tmp_path: Path) -> None:
    with Served(tmp_path, **simulated()) as served:
        works(served)
        before = open_fds()
        for number in range(100):
            with ready(served) as front:
                front.open_channel()
                queue = front.start(2)
                match number % 5:
                    case 0:
                        front.report(queue, BLOCK)
                    case 1:
                        front.send(RAW[number % len(RAW)][1], [front.eventfd()] * 3)
                    case 2:
                        ILLEGAL[number % len(ILLEGAL)][1](front)
                    case 3:
                        front.send(b"\5\0\0\0", [front.eventfd()])
                    case 4:
                        front.share(FilePart(0, RAM, front.file(RAM), 0))
            assert served.server.peer is None
            assert open_fds() == before
        assert len(served.lines) <= 25  # rate-limited


KILLED = """
import os, signal, sys
from pathlib import Path
from types import SimpleNamespace
from tests.vhost_user.front import *
path, point = Path(sys.argv[1]), int(sys.argv[2])
class There(SimpleNamespace):
    def pump(self):
        import time; time.sleep(0.002)
front = Front(There(listening=SimpleNamespace(path=path)))
front.connection.socket.setblocking(True)
front.negotiate()
front.share()
queue = front.start(2)
queue.add((), [Span(4 << 20, 1 << 20)] )
queue.publish()
os.eventfd_write(front.kicks[2], 1)
front.send(header.build(Header.of(Request.SET_FEATURES, 8)) + bytes(8)[:point])
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_front_end_that_is_killed_in_a_message(tmp_path: Path) -> None:
    with Served(tmp_path, **simulated()) as served:
        before = open_fds()
        for point in range(0, 8, 3):
            child = subprocess.Popen(
                [sys.executable, "-c", KILLED, str(served.listening.path), str(point)]
            )
            while child.poll() is None:
                served.server.turn(0.01)
            served.pump()
            assert child.returncode == -9
            assert served.server.peer is None
            assert f"{12 + point} bytes into a message" in served.lines[-1]
        assert open_fds() == before
        works(served)


def test_a_fault_of_ours_ends_the_front_end_and_not_the_server(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ready(served) as front:
        monkeypatch.setattr(served.server.peer.device, "read_config", lambda *_: 1 // 0)
        front.post(Request.GET_CONFIG, ConfigMessage(0, 0, Octets.of(bytes(4))))
        assert "internal fault: ZeroDivisionError" in front.refused
    works(served)


# Anything at all

numbers = st.sampled_from([0, 1, 2, 3, 5, 6, 64, 256, 0x1000, 0x2000, RAM, 2**31, 2**32 - 1])
wide = numbers | st.sampled_from([USER, USER + 0x1000, USER + 0x3000, 2**63, 2**64 - PAGE])
payloads: dict[Any, st.SearchStrategy[Any]] = {
    "vhost-user u64": st.builds(
        U64, wide | st.sampled_from([REPORTING.bits, REPORTING.bits | 1 << 30, 0xFFFF])
    ),
    "vring state": st.builds(VringState, st.integers(0, 6), numbers),
    "vring address": st.builds(
        VringAddress,
        st.integers(0, 6),
        st.just(0),
        *[st.sampled_from([USER + 0x1000, USER + 0x4000, USER + RAM - PAGE]) | wide] * 3,
    ),
    "vring file": st.builds(VringFile.of, st.integers(0, 6), has_fd=st.booleans()),
    "vhost-user config": st.builds(
        ConfigMessage,
        offset=numbers,
        flags=st.integers(0, 2),
        region=st.binary(max_size=32).map(Octets.of),
    ),
    "memory region": st.builds(MemoryRegion, wide, wide, wide, numbers),
    "memory table": st.lists(
        st.builds(
            MemoryRegion,
            st.sampled_from([0, RAM, 2**40]) | wide,
            st.sampled_from([RAM, PAGE]) | wide,
            st.sampled_from([USER, USER + RAM]) | wide,
            st.sampled_from([0, PAGE]) | wide,
        ),
        max_size=3,
    )
    .map(MemoryRegions.of)
    .map(MemoryTable),
}
KINDS = ("memory", "eventfd", "pipe", "socket", "itself", "null")


@st.composite
def messages(draw: st.DrawFn) -> tuple[bytes, list[str]]:
    request = draw(
        st.sampled_from(Request) if draw(st.integers(0, 5)) == 0 else st.sampled_from([*SHAPES])
    )
    shape = SHAPES.get(request)
    payload = b""
    if shape and shape.payload:
        payload = shape.payload.build(draw(payloads[shape.payload.name]))
    if draw(st.integers(0, 15)) == 0:
        payload = draw(st.binary(max_size=80))
    flags = draw(st.sampled_from([1, 1, 1, 9, 9, 0, 5]))
    size = len(payload) if draw(st.integers(0, 20)) else draw(numbers)
    likely = {
        Request.SET_MEM_TABLE: ["memory"] * max(1, (len(payload) - 8) // 32),
        Request.ADD_MEM_REG: ["memory"],
        Request.SET_BACKEND_REQ_FD: ["socket"],
    }.get(request, ["eventfd"] if shape and len(shape.fds) == 2 else [])
    kinds = (
        likely if draw(st.integers(0, 4)) else draw(st.lists(st.sampled_from(KINDS), max_size=3))
    )
    return header.build(Header(request, flags, size)) + payload, kinds[:9]


@pytest.fixture(scope="module")
def little_to_collect() -> Iterator[None]:
    """Spare the collector all that is there already: it is asked once an example."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.mark.usefixtures("little_to_collect")
@given(
    chosen=st.lists(messages(), max_size=14),
    start=st.integers(0, 3),
    ring=st.binary(max_size=200),
)
def test_any_sequence_of_messages_is_survived(
    tmp_path_factory: pytest.TempPathFactory,
    chosen: list[tuple[bytes, list[str]]],
    start: int,
    ring: bytes,
) -> None:
    gc.collect()  # what earlier tests left to it is not to be missing in the end
    with Served(tmp_path_factory.mktemp("fuzz"), **simulated()) as served:
        before = open_fds()
        with Front(served) as front:
            if start > 0:
                front.negotiate(
                    REPORTING | Features.of(Feature.STATS_VQ, Feature.INDIRECT_DESC),
                    protocol=(*USUAL, ProtocolFeature.CONFIGURE_MEM_SLOTS, ProtocolFeature.MQ),
                )
            if start > 1:
                front.share()
            if start > 2:
                front.start(2)
                assert front.memory is not None
                front.memory.write(0x1000, ring)  # the rings hold anything
                front.memory.write(0x1402, b"\5\0")
                os.eventfd_write(front.kicks[2], 1)
            for data, kinds in chosen:
                fds = [made(front, kind) for kind in kinds]
                try:
                    front.send(data, fds)
                except OSError:
                    break
                served.pump()
            for fd in front.kicks.values():
                os.eventfd_write(fd, 1)
            served.pump()
        assert served.server.peer is None
        assert open_fds() == before
        works(served)
        assert not any(FAULT in line for line in served.lines)


def made(front: Front, kind: str) -> int:
    match kind:
        case "memory":
            return front.file(RAM)
        case "eventfd":
            return front.eventfd()
        case "pipe":
            read, write = os.pipe()
            front.stack.callback(os.close, read)
            front.stack.callback(os.close, write)
            return read
        case "itself":
            return front.socket.fileno()
        case "socket":
            ours, theirs = socket.socketpair()
            front.stack.callback(ours.close)
            front.stack.callback(theirs.close)
            return theirs.fileno()
    return opened(front, "/dev/null")
