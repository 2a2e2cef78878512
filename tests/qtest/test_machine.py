"""The qtest transport: its two line protocols against a scripted peer, and a real QEMU."""

import socket
from pathlib import Path

import pytest

from tests import peers
from vhint.guest import Arena, Driver, Wish, initialise, requests
from vhint.ring import SplitDriverQueue, SplitLayout
from vhint.spans import Span, intersect
from vhint.trace.events import Event
from vhint.transport.execute import execute
from vhint.transport.interface import TransportError
from vhint.transport.qtest import client
from vhint.transport.qtest.client import QmpClient, QmpError, QtestClient
from vhint.transport.qtest.launch import Bus, Launch, MachineOptions, halting_rom
from vhint.transport.qtest.machine import Machine
from vhint.transport.qtest.pci import PciTransport
from vhint.wire.features import Feature, Features
from vhint.wire.queues import Queue


def scripted(*answers: bytes) -> tuple[socket.socket, socket.socket]:
    ours, theirs = socket.socketpair()
    theirs.sendall(b"".join(answers))
    return ours, theirs


def test_registers_are_read_past_interrupts_that_come_between() -> None:
    ours, theirs = scripted(b"IRQ raise 5\nOK 0x", b"2a\r\n", b"OK\n")
    qtest = QtestClient(ours, 1)
    assert qtest.read(4, 0x10) == 42
    qtest.write(2, 0x20, 7)
    assert theirs.recv(100) == b"readl 0x10\nwritew 0x20 0x7\n"
    qtest.close()
    theirs.close()


@pytest.mark.parametrize("answer", [b"FAIL no such thing\n", b"garbage\n", b"\n"])
def test_anything_but_ok_is_an_error_with_the_command(answer: bytes) -> None:
    ours, theirs = scripted(answer)
    with pytest.raises(TransportError, match="readb 0x1"):
        QtestClient(ours, 1).read(1, 1)
    ours.close()
    theirs.close()


@pytest.mark.parametrize("answer", [b"OK\n", b"OK 1 2\n", b"OK zz\n"])
def test_an_ok_without_a_number_is_an_error(answer: bytes) -> None:
    ours, theirs = scripted(answer)
    with pytest.raises(TransportError, match="one hex number"):
        QtestClient(ours, 1).read(1, 1)
    ours.close()
    theirs.close()


def test_a_closed_or_silent_peer_is_an_error() -> None:
    ours, theirs = scripted()
    with pytest.raises(TransportError, match=r"no answer within 0\.05 s"):
        QtestClient(ours, 0.05).read(1, 1)
    theirs.close()
    with pytest.raises(TransportError, match="qtest: "):
        QtestClient(ours, 1).read(1, 1)
    ours.close()


class Dripping:
    """A socket whose peer sends one piece of bytes for ever, each a tenth of a second later."""

    def __init__(self, piece: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
        self.piece, self.now, self.timeout = piece, 0.0, 0.0
        monkeypatch.setattr(client.time, "monotonic", lambda: self.now)

    def settimeout(self, seconds: float) -> None:
        self.timeout = seconds

    def sendall(self, data: bytes) -> None:
        pass

    def recv(self, _size: int) -> bytes:
        if self.timeout < 0.1:
            self.now += self.timeout
            raise TimeoutError
        self.now += 0.1
        return self.piece


@pytest.mark.parametrize("piece", [b"O", b"IRQ raise 5\n"], ids=["bytes", "lines"])
def test_a_peer_that_drips_does_not_stretch_the_deadline(
    piece: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    sock = Dripping(piece, monkeypatch)
    with pytest.raises(TransportError, match="no answer within 2 s"):
        QtestClient(sock, 2).read(1, 1)
    assert sock.now == pytest.approx(2)


def test_a_line_without_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "MAX_LINE", 1000)
    sock = Dripping(b"x" * 100, monkeypatch)
    with pytest.raises(TransportError, match="without the end of a line"):
        QtestClient(sock, 1000).read(1, 1)


def test_qmp_keeps_events_and_reports_refusals() -> None:
    ours, theirs = scripted(
        b'{"QMP": {}}\n{"return": {}}\n',
        b'{"event": "RESUME"}\n{"return": 5}\n{"error": {"desc": "no"}}\n',
    )
    qmp = QmpClient(ours, 1)
    assert qmp.command("query-five") == 5
    assert [event["event"] for event in qmp.events] == ["RESUME"]
    with pytest.raises(QmpError, match="QMP fly: no"):
        qmp.command("fly")
    qmp.close()
    theirs.close()


def test_the_rom_stops_at_its_reset_vector() -> None:
    rom = halting_rom()
    assert len(rom) == 1 << 16
    assert rom[0xFFF0:0xFFF4] == b"\xfa\xf4\xeb\xfd"


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.mark.parametrize("program", ["/bin/false", "/nonexistent/qemu"])
def test_a_program_that_is_no_qemu_is_reported_and_leaves_nothing(program: str) -> None:
    before = open_files()
    with pytest.raises(TransportError) as caught:
        Machine(MachineOptions(program=program, patience=2))
    assert "ended with status" in str(caught.value) or program in str(caught.value)
    assert open_files() == before


@pytest.fixture
def qemu() -> str:
    return peers.qemu()


def test_qemu_starts_and_leaves_nothing(qemu: str) -> None:
    before = open_files()
    with Machine(MachineOptions(program=qemu)) as machine:
        assert machine.transport.device_id() == 5
        assert machine.death() is None
        process = machine.process
    assert process.poll() is not None
    assert open_files() == before
    machine.close()


def test_a_launch_is_heard_from_later_and_leaves_nothing(qemu: str) -> None:
    before = open_files()
    with Machine(launch=Launch(MachineOptions(program=qemu))) as machine:
        assert machine.transport.device_id() == 5
    unused = Launch(MachineOptions(program=qemu))
    unused.close()
    unused.close()
    assert unused.process.poll() is not None
    assert open_files() == before


@pytest.mark.parametrize("bus", Bus)
def test_the_balloon_works_on_every_bus(bus: Bus, qemu: str) -> None:
    with Machine(MachineOptions(program=qemu, bus=bus)) as machine:
        transport, memory = machine.transport, machine.transport.memory
        assert transport.device_id() == 5
        assert transport.legacy == bus.endswith("legacy")
        sizes = [transport.queue_max(index) for index in range(5)]
        assert sizes[3:] == ([32, 0] if "pci" in bus else [1024, 0])
        arena = Arena(Span(1 << 20, 4 << 20))

        def place(size: int) -> SplitLayout:
            align = 4096 if transport.legacy else 4
            room = SplitLayout.at(0, size, used_align=align).end
            return SplitLayout.at(arena.take(room, 4096).start, size, used_align=align)

        wish = Wish(Features.of(Feature.VERSION_1), legacy=transport.legacy)
        events: list[Event] = []
        emit = lambda event: events.append(event) or len(events)  # noqa: E731
        driver = Driver(memory, execute(transport, initialise(wish, place), emit), arena, emit)
        page = Span(16 << 20, 4096)
        memory.write(page.start, b"x" * page.length)
        driver.add(requests.inflate([page.start // 4096]))
        driver.publish(Queue.INFLATE)
        transport.notify(0)
        assert transport.wait(lambda: driver.look(Queue.INFLATE, 0), 10)
        answer = driver.collect(Queue.INFLATE)
        assert answer is not None
        assert answer.length == 0
        assert intersect([page], memory.holes()) == (page,)
        assert transport.wait(lambda: transport.take_interrupts().used, 10)
        machine.qmp.command("balloon", value=16 << 20)
        assert transport.wait(lambda: transport.take_interrupts().config, 10)
        assert transport.read_config(0, 4) == (4096).to_bytes(4, "little")
        transport.write_status(0)
        assert transport.wait(lambda: transport.read_status() == 0, 10)


def test_messages_arrive_in_memory(qemu: str) -> None:
    """The balloon of QEMU 7.2 has no MSI-X, but its entropy device has."""
    device = "virtio-rng-pci,disable-legacy=on,disable-modern=off"
    with Machine(MachineOptions(program=qemu, bus=Bus.PCI, device=device)) as machine:
        transport, memory = machine.transport, machine.transport.memory
        assert isinstance(transport, PciTransport)
        assert transport.device_id() == 4
        assert transport.msix is not None
        transport.use_msix()
        for status in (1, 3):
            transport.write_status(status)
        transport.write_features(1 << Feature.VERSION_1)
        transport.write_status(11)
        layout = SplitLayout.at(1 << 20, 8)
        assert transport.set_up_queue(0, layout)
        assert transport.common("queue_msix_vector") == 1
        transport.write_status(15)
        ring = SplitDriverQueue(memory, layout, event_idx=False)
        ring.add((), [Span(2 << 20, 64)])
        ring.publish()
        transport.notify(0)
        assert transport.wait(lambda: bool(ring.pending), 10)
        assert transport.wait(lambda: transport.take_interrupts().used, 10)
        assert not transport.take_interrupts().used
        assert any(memory.read(Span(2 << 20, 64)))


def test_a_qemu_that_is_killed_says_so(qemu: str) -> None:
    with Machine(MachineOptions(program=qemu)) as machine:
        machine.process.kill()
        machine.process.wait()
        with pytest.raises(TransportError):
            machine.transport.read_status()
        assert "SIGKILL" in (machine.death() or "")
