"""One thread that serves several vhost-user front ends, each with a judging device."""

from __future__ import annotations

import selectors
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, cast

from vhint.transport.vhost_user import ListeningSocket, Session
from vhint.transport.vhost_user import Offer as ProtocolOffer
from vhint.transport.vhost_user.channel import Channel
from vhint.transport.vhost_user.connection import Connection, Ended, Refused
from vhint.transport.vhost_user.device import ServedDevice
from vhint.transport.vhost_user.peer import Peer
from vhint.transport.vhost_user.session import PROTOCOL_FEATURES
from vhint.wire.queues import Queue, QueueMode
from vhint.wire.vhost_user import ProtocolFeatures
from vhint_conformance.driver_bench.offer import Offer
from vhint_conformance.vhost_user_judge.device import WitnessDevice

MESSAGES_A_TURN = 64


class FrontEnd:
    """A socket where one front end may connect, and what it is connected to."""

    def __init__(
        self, loop: JudgeLoop, path: Path, offer: Offer, mode: QueueMode, protocol: ProtocolFeatures
    ) -> None:
        self.loop = loop
        self.path = path
        self.offer = offer
        self.device = WitnessDevice(offer, mode)
        self.peer: Peer | None = None
        self.refused = ""
        self._protocol = protocol
        self._listening = ListeningSocket(path)
        loop.watch(self._listening.socket, self._accept)

    def change_offer(self, offer: Offer) -> None:
        """Offer something else to the next front end; none may be connected."""
        self.offer = offer
        self.device = WitnessDevice(offer, self.device.mode)

    def _accept(self) -> None:
        sock = self._listening.accept()
        if sock is None:
            return
        if self.peer is not None:
            sock.close()
            return
        self.refused = ""
        session = Session(ProtocolOffer(self.offer.features, len(Queue), self._protocol))
        device = cast(ServedDevice, self.device)  # it does all that a peer asks of one
        self.peer = Peer(Connection(sock), session, device, self)
        self.loop.watch(self.peer.connection, self._receive)

    def _receive(self) -> None:
        try:
            for _ in range(MESSAGES_A_TURN):
                if self.peer is None or not self.peer.receive():
                    break
                self._note_rings(self.peer)
        except Ended:
            self.end("the front end has closed the connection")
        except Refused as error:
            self.end(f"the front end was refused: {error}")

    def _note_rings(self, peer: Peer) -> None:
        """Take note of rings as soon as their place is known, not only when they are kicked."""
        if peer.map is None or peer.session.features is None:
            return
        for ring in peer.rings:
            if ring.size and ring.address is not None:
                with suppress(Refused):
                    self.device.hear_of(ring.index, peer.layout(ring))

    def tell(self) -> None:
        """Tell the driver of used buffers and of a changed config space."""
        if self.peer is None:
            return
        try:
            self.peer.connection.flush()
            self.peer.tell()
        except Ended:
            self.end("the front end has closed the connection")
        except Refused as error:
            self.end(str(error))

    def end(self, reason: str) -> None:
        """Let go of the front end."""
        peer, self.peer = self.peer, None
        self.refused = reason
        if peer is None:
            return
        self.loop.unwatch(peer.connection.fileno())
        peer.close()

    def close(self) -> None:
        """Let go of the front end and of the socket."""
        self.end("closed")
        self.loop.unwatch(self._listening.socket.fileno())
        self._listening.close()

    # What a peer asks of the loop

    def watch_kick(self, fd: int, index: int) -> None:
        """Take kicks of a ring from a descriptor."""

        def kicked() -> None:
            if self.peer is not None:
                try:
                    self.peer.read_kick(index)
                except Refused as error:
                    self.end(str(error))

        self.loop.watch(fd, kicked)

    def watch_channel(self, channel: Channel) -> None:
        """Serve the back end's channel."""

        def readable() -> None:
            if self.peer is not None and self.peer.channel is not None:
                self.peer.channel.flush()
                if not self.peer.channel.drain():
                    self.peer.drop_channel()

        self.loop.watch(channel, readable)

    def unwatch(self, fd: int) -> None:
        """Watch no more."""
        self.loop.unwatch(fd)


class JudgeLoop:
    """The selector that everything waits on."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self.front_ends: list[FrontEnd] = []

    def listen(
        self,
        path: Path,
        offer: Offer,
        mode: QueueMode,
        protocol: ProtocolFeatures = PROTOCOL_FEATURES,
    ) -> FrontEnd:
        """Wait for a front end at a path; raises `CannotListen`."""
        made = FrontEnd(self, path, offer, mode, protocol)
        self.front_ends.append(made)
        return made

    def watch(self, fileobj: Any, callback: Callable[[], object]) -> None:
        """Call back when there is something to read."""
        self._selector.register(fileobj, selectors.EVENT_READ, callback)

    def unwatch(self, fd: int) -> None:
        """Watch no more."""
        with suppress(KeyError, ValueError):
            self._selector.unregister(fd)

    def turn(self, seconds: float) -> bool:
        """Wait for events, at most so long, and handle them; return whether there was any."""
        events = self._selector.select(max(0.0, seconds))
        for key, _ in events:
            current = self._selector.get_map().get(key.fd)
            if current is not None and current.data == key.data:
                key.data()
        for front_end in self.front_ends:
            front_end.tell()
        return bool(events)

    def run(self, condition: Callable[[], bool], seconds: float) -> bool:
        """Turn until the condition holds or the time is over; return whether it holds."""
        until = time.monotonic() + seconds
        while not condition():
            left = until - time.monotonic()
            if left <= 0:
                return False
            self.turn(min(left, 0.1))
        return True

    def close(self) -> None:
        """Let go of everything."""
        for front_end in self.front_ends:
            front_end.close()
        self._selector.close()
