"""A front end for tests, and a server that is turned by hand: no thread, no clock, no sleep."""

from __future__ import annotations

import os
import socket
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from vhint.host import Simulated
from vhint.ring import FilePart, SeveralFiles, SplitDriverQueue, SplitLayout
from vhint.spans import Span
from vhint.transport.vhost_user import ListeningSocket, Server, ServerOptions
from vhint.transport.vhost_user.connection import Connection, Message, send_with_fds
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
    ProtocolFeatures,
    Request,
    VringAddress,
    VringFile,
    VringState,
    header,
)

USER = 0x7F00_0000_0000
"""User addresses begin here, far from guest addresses, so that no test confuses the two."""
RAM = 16 << 20
ENABLES_RINGS = 1 << 30
REPORTING = Features.of(Feature.PAGE_REPORTING, Feature.VERSION_1)
USUAL = (
    ProtocolFeature.REPLY_ACK,
    ProtocolFeature.CONFIG,
    ProtocolFeature.BACKEND_REQ,
    ProtocolFeature.INBAND_NOTIFICATIONS,
)


class Served:
    """A server with its socket; what it says is in `lines`."""

    def __init__(self, folder: Path, **options: Any) -> None:
        self.lines: list[str] = []
        self.listening = ListeningSocket(folder / "s")
        self.server = Server(ServerOptions(**options), self.listening, self.lines.append)

    def pump(self) -> None:
        """Let the server do all that it can do now."""
        while self.server.turn():
            pass

    def close(self) -> None:
        self.server.close()
        self.listening.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def simulated(**options: Any) -> dict[str, Any]:
    """Options of a server that only pretends to give memory back."""
    return {"make_reclaimer": Simulated, **options}


class Front:
    """A front end: `ask` sends a message and returns the face of its reply, if it has one."""

    def __init__(self, served: Served) -> None:
        self.served = served
        self.stack = ExitStack()
        self.socket = socket.socket(socket.AF_UNIX)
        self.stack.callback(self.socket.close)
        self.socket.connect(str(served.listening.path))
        self.connection = Connection(self.socket)
        self.memory: SeveralFiles | None = None
        self.channel: Connection | None = None
        self.kicks: dict[int, int] = {}
        self.calls: dict[int, int] = {}
        served.pump()

    def close(self) -> None:
        if self.memory:
            self.memory.close()
            self.memory = None
        self.stack.close()
        self.served.pump()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    # Messages

    def send(self, data: bytes, fds: Sequence[int] = ()) -> None:
        """Send bytes as they are."""
        send_with_fds(self.socket, data, list(fds))

    def post(
        self, request: Request, value: Any = None, fds: Sequence[int] = (), need_reply: bool = False
    ) -> None:
        """Send a message and let the server handle it."""
        codec = SHAPES[request].payload
        payload = codec.build(value) if codec else b""
        self.send(
            header.build(Header.of(request, len(payload), need_reply=need_reply)) + payload, fds
        )
        self.served.pump()

    def receive(self) -> Message | None:
        return self.connection.receive()

    def ask(self, request: Request, value: Any = None, fds: Sequence[int] = ()) -> Any:
        """Send a message and return the face of the reply that it always has."""
        self.post(request, value, fds)
        message = self.receive()
        assert message is not None
        assert message.header == Header.of(request, len(message.payload), reply=True)
        codec = SHAPES[request].reply
        assert codec is not None
        return codec.parse(message.payload)

    def check(self, request: Request, value: Any = None, fds: Sequence[int] = ()) -> int:
        """Send a message that asks for an acknowledgement; return that."""
        self.post(request, value, fds, need_reply=True)
        message = self.receive()
        assert message is not None
        assert message.header == Header.of(request, 8, reply=True)
        return int.from_bytes(message.payload, "little")

    @property
    def refused(self) -> str:
        """What the server said last; the connection must be closed."""
        self.served.pump()
        assert self.served.server.peer is None
        return self.served.lines[-1]

    # Set-up

    def negotiate(
        self,
        features: Features = REPORTING,
        protocol: Sequence[ProtocolFeature] = USUAL,
        bits: int = ENABLES_RINGS,
    ) -> None:
        """Agree on features."""
        self.ask(Request.GET_FEATURES)
        self.ask(Request.GET_PROTOCOL_FEATURES)
        self.post(Request.SET_PROTOCOL_FEATURES, U64(ProtocolFeatures.of(*protocol).bits))
        self.post(Request.SET_OWNER)
        self.post(Request.SET_FEATURES, U64(features.bits | bits))

    def file(self, size: int) -> int:
        """Make a memfd; it is closed with the front end."""
        fd = os.memfd_create("test-ram", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        self.stack.callback(os.close, fd)
        os.ftruncate(fd, size)
        return fd

    def share(self, *parts: FilePart) -> None:
        """Hand guest memory over: these parts, or 16 MiB at address 0."""
        parts = parts or (FilePart(0, RAM, self.file(RAM), 0),)
        self.use(parts)
        self.post(Request.SET_MEM_TABLE, table(parts), [part.fd for part in parts])

    def use(self, parts: Sequence[FilePart]) -> None:
        if self.memory:
            self.memory.close()
        self.memory = SeveralFiles(parts)

    def place(self, index: int, layout: SplitLayout, base: int = 0) -> None:
        """Say where a ring lies, without starting it."""
        self.post(Request.SET_VRING_NUM, VringState(index, layout.size))
        self.post(Request.SET_VRING_BASE, VringState(index, base))
        self.post(Request.SET_VRING_ADDR, address(index, layout))

    def start(
        self, index: int, at: int = 0x1000, size: int = 64, enable: bool = True, base: int = 0
    ) -> SplitDriverQueue:
        """Set a ring up with eventfds and return the driver's half of it."""
        assert self.memory is not None
        layout = SplitLayout.at(at, size)
        queue = SplitDriverQueue(self.memory, layout, event_idx=False)
        self.place(index, layout, base)
        for request, kept in (
            (Request.SET_VRING_CALL, self.calls),
            (Request.SET_VRING_KICK, self.kicks),
        ):
            kept[index] = self.eventfd()
            self.post(request, VringFile.of(index), [kept[index]])
        if enable:
            self.post(Request.SET_VRING_ENABLE, VringState(index, 1))
        return queue

    def eventfd(self) -> int:
        fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self.stack.callback(os.close, fd)
        return fd

    def kick(self, index: int) -> None:
        os.eventfd_write(self.kicks[index], 1)
        self.served.pump()

    def called(self, index: int) -> bool:
        """Whether the device has told of used buffers since this was last asked."""
        try:
            return os.eventfd_read(self.calls[index]) > 0
        except BlockingIOError:
            return False

    def open_channel(self) -> Connection:
        ours, theirs = socket.socketpair()
        self.post(Request.SET_BACKEND_REQ_FD, None, [theirs.fileno()])
        theirs.close()
        self.stack.callback(ours.close)
        self.channel = Connection(ours)
        return self.channel

    def config(self, offset: int, length: int) -> bytes:
        reply = self.ask(Request.GET_CONFIG, ConfigMessage(offset, 0, Octets.of(bytes(length))))
        return bytes(reply.region)

    def report(self, queue: SplitDriverQueue, *spans: Span, index: int = 2) -> int:
        """Offer pages, kick, and return the used length."""
        head = queue.add((), spans)
        queue.publish()
        self.kick(index)
        done = queue.collect()
        assert done is not None
        assert done.head == head
        return done.length


def table(parts: Sequence[FilePart]) -> MemoryTable:
    """The memory table of some parts; user addresses are guest addresses and `USER`."""
    return MemoryTable(
        MemoryRegions.of(
            [
                MemoryRegion(part.start, part.length, USER + part.start, part.offset)
                for part in parts
            ]
        )
    )


def address(index: int, layout: SplitLayout) -> VringAddress:
    return VringAddress(
        index, 0, USER + layout.descriptors, USER + layout.used, USER + layout.available
    )


def ready(served: Served, features: Features = REPORTING, **rest: Any) -> Front:
    """A front end whose memory is shared and whose features are agreed on."""
    front = Front(served)
    front.negotiate(features, **rest)
    front.share()
    return front
