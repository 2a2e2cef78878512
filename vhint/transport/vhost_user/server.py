"""Serves the device: one thread, one selector, one front end at a time.

Nothing is polled: between two events the process sleeps.  An event is a message of the front end, a
kick, a connection, a command, or a timer that somebody asked for.
"""

from __future__ import annotations

import selectors
import signal
import socket
import time
import traceback
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

from vhint.spans import PAGE
from vhint.transport.vhost_user.channel import Channel
from vhint.transport.vhost_user.connection import Connection, Ended, Refused
from vhint.transport.vhost_user.device import ServedDevice
from vhint.transport.vhost_user.figures import Figures, QueueFigures
from vhint.transport.vhost_user.listening import ListeningSocket
from vhint.transport.vhost_user.messages import Messages
from vhint.transport.vhost_user.options import ServerOptions
from vhint.transport.vhost_user.peer import Peer
from vhint.transport.vhost_user.session import Offer, Session
from vhint.wire.queues import Queue, queue_map
from vhint.wire.statistics import StatisticTag

MESSAGES_A_TURN = 64
"""Messages of the front end between two looks at everything else."""

PATIENCE = 10.0
"""Seconds that a message may take from its first byte to its last."""

FAULT = "internal fault"
"""How a message begins about what is no front end's doing."""

Callback = Callable[[], Any]


class Server:
    """The device behind a listening socket; `run` returns when it was told to stop.

    `say` is given what there is to say, a line at a time.  The listening socket stays the caller's.
    """

    def __init__(
        self, options: ServerOptions, listening: ListeningSocket, say: Callable[[str], None]
    ) -> None:
        self.options = options
        self.device_options = options.device()
        self.messages = Messages(say, time.monotonic)
        self.peer: Peer | None = None
        self.balloon_target = 0
        self.inhibited = options.inhibit
        self._listening = listening
        self._selector = selectors.DefaultSelector()
        self._stopping = False
        self._front_ends = 0
        self._refused = 0
        self._deadline: float | None = None
        self._past = {"requests": 0, "pages": 0, "discarded": 0, "failed": 0}
        self._signals = ExitStack()
        self._ticks: list[tuple[float, float, Callback]] = []
        self.watch(listening.socket, self._accept)

    # The loop

    def run(self) -> None:
        """Serve until `stop`."""
        try:
            while not self._stopping:
                self.turn(self._until_tick())
        finally:
            self.close()

    def close(self) -> None:
        """Let go of the front end and of everything that is watched."""
        self._end_peer()
        self.messages.flush()
        self._selector.close()
        self._signals.close()

    def stop(self) -> None:
        """End `run` as soon as it comes by."""
        self._stopping = True

    def stop_on_signals(self) -> None:
        """End `run` at SIGINT or SIGTERM, also while it sleeps."""
        read, write = socket.socketpair()
        for end in (read, write):
            end.setblocking(False)
            self._signals.callback(end.close)
        before = signal.set_wakeup_fd(write.fileno(), warn_on_full_buffer=False)
        self._signals.callback(signal.set_wakeup_fd, before)
        for number in (signal.SIGINT, signal.SIGTERM):
            self._signals.callback(signal.signal, number, signal.getsignal(number))
            signal.signal(number, lambda *_: self.stop())
        self.watch(read, lambda: read.recv(64))

    def watch(self, fileobj: Any, callback: Callback) -> None:
        """Call back when there is something to read; raises `OSError` if that cannot be waited for.

        Whatever raises `Refused` or `Ended` ends the front end.
        """
        self._selector.register(fileobj, selectors.EVENT_READ, callback)

    def unwatch(self, fd: int) -> None:
        """Watch no more."""
        with suppress(KeyError):
            self._selector.unregister(fd)

    def every(self, seconds: float, callback: Callback) -> None:
        """Call back again and again; this is what wakes an idle server."""
        self._ticks.append((time.monotonic() + seconds, seconds, callback))

    def turn(self, seconds: float | None = 0) -> bool:
        """Wait for events, at most so long, and handle them; return whether there was anything."""
        busy = self.peer is not None and self._guarded(self._work)
        events = self._selector.select(0 if busy else seconds)
        # A front end that has gone is noticed before the next one is let in.
        for key, _ in sorted(events, key=lambda event: event[0].fileobj is self._listening.socket):
            current = self._selector.get_map().get(key.fd)
            if current is not None and current.data == key.data:  # an earlier one may have ended it
                self._guarded(key.data)
        self._tick()
        return busy or bool(events)

    def _until_tick(self) -> float | None:
        dues = [due for due, _, _ in self._ticks]
        dues += [] if self._deadline is None else [self._deadline]
        return max(0.0, min(dues) - time.monotonic()) if dues else None

    def _tick(self) -> None:
        if self._deadline is not None and self._deadline <= time.monotonic():
            self._refuse(f"a message that was not finished within {PATIENCE:g} s")
        for number, (due, seconds, callback) in enumerate(self._ticks):
            now = time.monotonic()
            if due <= now:
                self._ticks[number] = (now + seconds, seconds, callback)
                callback()

    def _guarded(self, callback: Callable[[], Any]) -> bool:
        """Call back; what the front end gets wrong ends the front end, never the server."""
        try:
            return bool(callback())
        except Ended:
            self._end_peer()
        except Refused as error:
            self._refuse(str(error))
        except Exception as error:  # noqa: BLE001 - a fault of ours must not end the server
            place = traceback.extract_tb(error.__traceback__)[-1]
            where = f"{Path(place.filename).name}:{place.lineno}"
            self._refuse(f"{FAULT}: {type(error).__name__}: {error} ({where}); please report it")
        return False

    # Front ends

    def _accept(self) -> None:
        sock = self._listening.accept()
        if sock is None:
            return
        if self.peer:
            self.messages.tell("a second front end was turned away: one is connected already")
            sock.close()
            return
        connection = Connection(sock)
        device = ServedDevice(self.device_options, self.options.make_reclaimer)
        device.set_balloon_size(self.balloon_target)
        device.take_config_change()
        device.inhibited = self.inhibited
        offer = Offer(self.options.features, len(Queue), self.options.protocol)
        self.peer = Peer(connection, Session(offer), device, self)
        self.watch(connection, self._receive)

    def _receive(self) -> None:
        for _ in range(MESSAGES_A_TURN):
            if self.peer is None or not self.peer.receive():
                break
        if self.peer is None or not self.peer.connection.is_partial:
            self._deadline = None
        elif self._deadline is None:
            self._deadline = time.monotonic() + PATIENCE

    def _work(self) -> bool:
        peer = self.peer
        if peer is None:
            return False
        peer.connection.flush()
        more = peer.work()
        if error := peer.take_error():
            self.messages.tell(f"the driver broke the rules, the device stops: {error}")
        # A front end that does not read its answers is not listened to either.
        waiting = peer.connection.is_waiting
        wanted = selectors.EVENT_WRITE if waiting else selectors.EVENT_READ
        self._wait_for(peer.connection.fileno(), wanted, self._receive)
        if peer.channel:
            wanted = selectors.EVENT_READ
            wanted |= selectors.EVENT_WRITE if peer.channel.is_waiting else 0
            self._wait_for(peer.channel.fileno(), wanted, self._serve_channel)
        return more

    def _wait_for(self, fd: int, events: int, callback: Callback) -> None:
        if self._selector.get_key(fd).events != events:
            self._selector.modify(fd, events, callback)

    def _refuse(self, reason: str) -> None:
        self._refused += 1
        self._end_peer(reason)

    def _end_peer(self, refused: str | None = None) -> None:
        peer, self.peer = self.peer, None
        self._deadline = None
        if peer is None:
            return
        used, tally = sum(peer.device.used.values()), peer.device.tally
        self._past["requests"] += used
        self._past["pages"] += tally.offered // PAGE
        self._past["discarded"] += tally.discarded
        self._past["failed"] += tally.failed
        self.unwatch(peer.connection.fileno())
        peer.close()
        if refused:
            self.messages.tell(f"a front end was refused: {refused}")
        elif peer.messages:
            self._front_ends += 1
            self.messages.tell(
                f"a front end has gone: {used} requests, {tally.discarded >> 20} MiB given back"
            )
        if self.options.once and (refused or peer.messages):
            self.stop()

    # What a peer asks of the loop

    def watch_kick(self, fd: int, index: int) -> None:
        """Take kicks of a ring from a descriptor."""

        def kicked() -> None:
            if self.peer:
                self.peer.read_kick(index)

        self.watch(fd, kicked)

    def watch_channel(self, channel: Channel) -> None:
        """Serve the back end's channel."""
        self.watch(channel, self._serve_channel)

    def _serve_channel(self) -> None:
        peer = self.peer
        if peer and peer.channel:
            peer.channel.flush()
            if not peer.channel.drain():
                peer.drop_channel()

    # What an administrator asks

    def set_balloon_target(self, pages: int) -> None:
        """Ask this driver, and every later one, for a balloon of so many 4 KiB pages."""
        self.balloon_target = pages
        if self.peer:
            self.peer.device.set_balloon_size(pages)

    def set_inhibited(self, value: bool) -> None:
        """Keep all memory from now on, or give it back again."""
        self.inhibited = value
        if self.peer:
            self.peer.device.inhibited = value

    def tell(self) -> None:
        """Tell the driver what was asked."""
        if self.peer:
            self._guarded(self.peer.tell)

    # Figures

    def figures(self) -> Figures:
        """Return the figures of this moment."""
        peer = self.peer
        device = peer.device if peer else None
        tally = device.tally if device else None
        memory = peer.map.memory if peer and peer.map else None
        config = device.context.config if device else None
        past = self._past
        return Figures(
            front_ends=self._front_ends + bool(peer),
            refused=self._refused,
            connected=peer is not None,
            requests=past["requests"] + (sum(device.used.values()) if device else 0),
            pages=past["pages"] + (tally.offered // PAGE if tally else 0),
            discarded_bytes=past["discarded"] + (tally.discarded if tally else 0),
            failed_bytes=past["failed"] + (tally.failed if tally else 0),
            resident_bytes=memory.resident() if memory else 0,
            memory_bytes=sum(region.length for region in memory.regions) if memory else 0,
            balloon_target=self.balloon_target,
            balloon_actual=config.actual if config else 0,
            inhibited=self.inhibited,
            hinting=device.round.name.lower() if device else "no_round",
            hinted_bytes=device.hinted_bytes if device else 0,
            error=device.last_error if device else None,
            statistics=_named(device.statistics()) if device else {},
            queues=_queues(peer) if peer else {},
        )


def _named(statistics: dict[int, int]) -> dict[str, int]:
    names = {int(tag): tag.name.lower() for tag in StatisticTag}
    return {names.get(tag, str(tag)): value for tag, value in statistics.items()}


def _queues(peer: Peer) -> dict[int, QueueFigures]:
    device = peer.device
    options = device.options
    numbers = queue_map(options.queue_mode, options.offered, device.context.accepted)
    names = {number: queue for queue, number in numbers.items()}
    return {
        ring.index: QueueFigures(
            names.get(ring.index),
            ring.state.name.lower(),
            ring.size,
            device.used[names[ring.index]] if ring.index in names else 0,
            ring.kicks,
            ring.calls,
        )
        for ring in peer.rings
        if ring.size
    }
