"""One front end: its connection, what it has agreed to, its memory and rings, and its device.

What it sends is turned into an action by the session and carried out here.  Whatever it gets wrong
raises `Refused`; `close` then frees everything that it brought.
"""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

from vhint.ring import Layout, PackedLayout, RingError
from vhint.ring.packed_device import FRESH, exact_base
from vhint.transport.vhost_user import actions
from vhint.transport.vhost_user.actions import Action
from vhint.transport.vhost_user.channel import Channel
from vhint.transport.vhost_user.connection import Connection, Message, Refused, close_all
from vhint.transport.vhost_user.device import ServedDevice
from vhint.transport.vhost_user.memory_map import MemoryMap
from vhint.transport.vhost_user.session import MAX_SLOTS, Session
from vhint.transport.vhost_user.vring import RingEvent, RingState, Vring
from vhint.wire.features import Feature
from vhint.wire.vhost_user import U64, ConfigMessage, Octets, ProtocolFeature, VringState

STEPS_A_TURN = 512
"""Steps of the device between two looks at the connection."""


class Watcher(Protocol):
    """What a peer needs of an event loop."""

    def watch_kick(self, fd: int, index: int) -> None:
        """Call `Peer.kicked` when the descriptor is readable; raise `OSError` if it cannot be."""

    def watch_channel(self, channel: Channel) -> None:
        """Serve the channel when it can be written to or has something to read."""

    def unwatch(self, fd: int) -> None:
        """Watch no more; the descriptor is still open."""


class Peer:
    """A front end that is connected; it owns everything that it was sent."""

    def __init__(
        self, connection: Connection, session: Session, device: ServedDevice, watcher: Watcher
    ) -> None:
        self.connection = connection
        self.session = session
        self.device = device
        self.rings = [Vring(index) for index in range(session.offer.rings)]
        self.map: MemoryMap | None = None
        self.channel: Channel | None = None
        self.messages = 0
        self._watcher = watcher
        self._told_error: str | None = None

    # The control socket

    def receive(self) -> bool:
        """Handle one message; return whether there was one.  Raises `Refused` or `Ended`."""
        if self.connection.is_waiting:  # a front end that does not read gets no more answers
            return False
        message = self.connection.receive()
        if message is None:
            return False
        self.messages += 1
        head = message.header
        try:
            action = self.session.take(head, message.payload, len(message.fds))
            value = self._perform(action, message)
        except Refused:
            with suppress(Exception):  # it is about to be disconnected anyway
                self.connection.send(self.session.acknowledgement(head, 1))
            raise
        finally:
            message.close()
        if isinstance(action, actions.Disagree):
            self.connection.send(self.session.acknowledgement(head, 1))
        else:
            self.connection.send(self.session.reply(head, value))
        return True

    def _perform(self, action: Action, message: Message) -> Any:
        """Carry an action out; return the face of its reply."""
        match action:
            case actions.TellAtRest(value):
                self._rest()
                return U64(value)
            case actions.Tell(value):
                return U64(value)
            case actions.BeginDriver(features, enabled):
                self._stop_all()
                self.device.begin_driver(features)
                for ring in self.rings:
                    ring.step(RingEvent.ENABLE if enabled else RingEvent.DISABLE)
            case actions.Disagree():
                self._stop_all()
                self.device.features = None
            case actions.ResetDevice():
                self._reset()
            case actions.UseMemory(table):
                self._use(MemoryMap.of(list(table.regions), message.fds))
            case actions.AddMemory(region):
                self._add(region, message.fds)
            case actions.RemoveMemory(region) if self.map:
                self._use(self.map.without_region(region))
            case actions.SizeRing(index, size):
                self._stop(index)
                self.rings[index].size = size
            case actions.PlaceRing(address):
                self._place(address)
            case actions.BaseRing(index, base):
                self._stop(index)
                self.rings[index].put_base(base)
            case actions.StopRing(index):
                base = self._stop(index)
                self._deafen(self.rings[index])
                return VringState(index, base)
            case actions.EnableRing(index, enabled):
                self._ring_event(index, RingEvent.ENABLE if enabled else RingEvent.DISABLE)
            case actions.KickBy(index):
                self._kick_by(self.rings[index], message.take_fds())
            case actions.CallBy(index):
                self._replace(self.rings[index], "call", message.take_fds())
            case actions.ErrBy(index):
                self._replace(self.rings[index], "err", message.take_fds())
            case actions.Kick(index):
                self.kicked(index)
            case actions.ReadConfig(offset, length):
                data = self.device.read_config(offset, length)
                return ConfigMessage(offset, 0, Octets.of(data))
            case actions.WriteConfig(offset, data, migration):
                self.device.write_config(offset, data, migration=migration)
            case actions.UseChannel():
                self._use_channel(message.take_fds())
            case actions.ReadStatus():
                return U64(self.device.status)
            case actions.WriteStatus(value):
                if self.device.write_status(value):
                    self._reset()
        return None

    # Rings

    def kicked(self, index: int) -> None:
        """Take note that a ring has new buffers, which starts it."""
        ring = self.rings[index]
        ring.kicks += 1
        if not ring.is_started:
            self.layout(ring)
        self._ring_event(index, RingEvent.KICK)
        self.device.notify(index)

    def read_kick(self, index: int) -> None:
        """Read the descriptor by which a ring is kicked; raises `Refused` if that is no use."""
        try:
            data = os.read(self.rings[index].kick, 4096)
        except BlockingIOError:
            return
        except OSError as error:
            raise Refused(f"the kick descriptor of ring {index}: {error.strerror}") from None
        if not data:
            raise Refused(f"the kick descriptor of ring {index} was closed at its other end")
        self.kicked(index)

    def _ring_event(self, index: int, event: RingEvent) -> None:
        """Walk the ring's table, and start or stop the queue where that asks for it."""
        ring = self.rings[index]
        before = ring.step(event)
        if before is not RingState.RUNNING and ring.state is RingState.RUNNING:
            self._start(ring)
            if before is RingState.STARTED_DISABLED:  # kicks that came while it was disabled
                self.device.notify(index)
        elif before is RingState.RUNNING and ring.state is not RingState.RUNNING:
            self._let_go(ring)

    def layout(self, ring: Vring) -> Layout:
        """Return where a ring lies; raises `Refused` if that cannot be."""
        if self.map is None:
            raise Refused(f"ring {ring.index} was started before there is guest memory")
        features = self.session.features
        packed = features is not None and Feature.RING_PACKED in features
        return ring.layout(self.map, packed=packed)

    def _start(self, ring: Vring) -> None:
        layout = self.layout(ring)
        self._check_memory()
        try:
            self.device.start_queue(ring.index, layout, self._base(ring, layout))
        except RingError as error:
            raise Refused(f"ring {ring.index}: {error}") from None

    def _base(self, ring: Vring, layout: Layout) -> int:
        """Return where a ring begins; of a packed ring a front end may have said no more than 0."""
        if ring.exact or self.map is None or not isinstance(layout, PackedLayout):
            return ring.base
        base = exact_base(self.map.memory, layout, ring.base)
        return FRESH if base is None else base

    def _let_go(self, ring: Vring) -> None:
        self._tell_used()
        base = self.device.stop_queue(ring.index)
        if base is not None:
            ring.base, ring.exact = base, True

    def _stop(self, index: int) -> int:
        """Stop a ring; return where it can begin again."""
        self._ring_event(index, RingEvent.STOP)
        return self.rings[index].base

    def _stop_all(self) -> None:
        for ring in self.rings:
            self._stop(ring.index)

    def _rest(self) -> None:
        """Stop the rings that have nothing to do; a kick starts them again where they were."""
        for ring in self.rings:
            if ring.is_started and not self.device.is_busy(ring.index):
                self._stop(ring.index)

    def _place(self, address: Any) -> None:
        ring = self.rings[address.index]
        if self.map:
            for at in (address.descriptors, address.available, address.used):
                self.map.to_guest(at, 1)  # the rest is checked when its size is certain
        if ring.address != address:
            self._stop(ring.index)
            ring.address = address

    def _kick_by(self, ring: Vring, fds: list[int]) -> None:
        self._stop(ring.index)
        self._deafen(ring)
        self._replace(ring, "kick", fds)
        if fds:
            try:
                self._watcher.watch_kick(ring.kick, ring.index)
            except OSError as error:
                raise Refused(
                    f"the kick descriptor of ring {ring.index} cannot be waited for: "
                    f"{error.strerror}"
                ) from None
        if ring.has_run and ring.size and ring.address:
            # It ran before, and who served it then may have taken the last kick with him.
            self.kicked(ring.index)

    def _deafen(self, ring: Vring) -> None:
        """Let go of the kick descriptor: a kick that comes late must not start the ring again."""
        if ring.kick >= 0:
            self._watcher.unwatch(ring.kick)
        self._replace(ring, "kick", [])

    def _replace(self, ring: Vring, name: str, fds: list[int]) -> None:
        old = getattr(ring, name)
        if old >= 0:
            os.close(old)
        setattr(ring, name, fds[0] if fds else -1)
        for fd in fds:
            if not _carries_events(fd):
                raise Refused(f"the {name} descriptor of ring {ring.index} is not an eventfd")
            os.set_blocking(fd, False)

    # Memory

    def _add(self, region: Any, fds: list[int]) -> None:
        if self.map is None:
            self._use(MemoryMap.of([region], fds))
        elif len(self.map.regions) >= MAX_SLOTS:
            raise Refused(f"ADD_MEM_REG beyond {MAX_SLOTS} regions")
        else:
            self._use(self.map.with_region(region, fds[0]))

    def _use(self, new: MemoryMap) -> None:
        """Exchange guest memory under the device: running rings go on where they are."""
        running = [ring for ring in self.rings if ring.state is RingState.RUNNING]
        kicked = {
            ring.index
            for ring in running
            if self.device.is_busy(ring.index) or self.device.holds_buffer(ring.index)
        }
        for ring in running:
            self._let_go(ring)
        old, self.map = self.map, new
        try:
            self.device.use_memory(new.memory)
        except ValueError as error:
            raise Refused(str(error)) from None
        finally:
            if old:
                old.memory.close()
        for ring in running:
            self._start(ring)
            if ring.index in kicked:
                self.device.notify(ring.index)

    # The device's side

    def work(self) -> bool:
        """Let the device work for a while; return whether it has more to do.

        Raises `Refused` if the front end has cut its memory short.
        """
        device = self.device
        if not device.can_work or device.idle:
            self._tell_config()
            return False
        self._check_memory()
        for _ in range(STEPS_A_TURN):
            if not device.step():
                break
        self._tell_used()
        self._tell_config()
        return not device.idle

    def tell(self) -> None:
        """Tell the driver of what the host did: used buffers and a changed config space.

        Raises `Refused` as `work` does.
        """
        self._check_memory()
        self._tell_used()
        self._tell_config()

    def _check_memory(self) -> None:
        if self.map and (problem := self.map.memory.problem()):
            raise Refused(problem)

    def _tell_used(self) -> None:
        for index in self.device.take_calls():
            ring = self.rings[index]
            ring.calls += 1
            if ring.call >= 0:
                _signal(ring.call)
            elif self.channel and ProtocolFeature.INBAND_NOTIFICATIONS in self.session.protocol:
                self.channel.call(index)

    def _tell_config(self) -> None:
        if self.device.take_config_change() and self.channel:
            self.channel.config_changed()
        error = self.device.last_error
        if error and error != self._told_error:
            for ring in self.rings:
                if ring.err >= 0:
                    _signal(ring.err)
        self._told_error = error

    def take_error(self) -> str | None:
        """Return the driver's fault that stopped the device, once."""
        error = self.device.last_error
        if error == self._shown_error:
            return None
        self._shown_error = error
        return error

    _shown_error: str | None = None

    def _use_channel(self, fds: list[int]) -> None:
        self._drop_channel()
        try:
            self.channel = Channel.over(fds[0])
        except OSError as error:
            close_all(fds)
            raise Refused(f"SET_BACKEND_REQ_FD: not a socket: {error.strerror}") from None
        self._watcher.watch_channel(self.channel)

    def drop_channel(self) -> None:
        """Let go of the channel, whose other end is gone."""
        self._drop_channel()

    def _drop_channel(self) -> None:
        if self.channel:
            self._watcher.unwatch(self.channel.fileno())
            self.channel.close()
            self.channel = None

    def _reset(self) -> None:
        self._stop_all()
        for ring in self.rings:
            ring.step(RingEvent.DISABLE)
            ring.base, ring.exact = 0, False
        self.device.reset()

    def close(self) -> None:
        """Let go of everything; calling it twice is harmless."""
        self.device.end_all()
        self._drop_channel()
        for ring in self.rings:
            if ring.kick >= 0:
                self._watcher.unwatch(ring.kick)
            ring.close()
        if self.map:
            self.map.memory.close()
            self.map = None
        self.connection.close()


def _carries_events(fd: int) -> bool:
    """Whether a descriptor is an eventfd, or a pipe, which some front ends use instead.

    Others could be readable for ever, hold up whoever reads them, or (a socket) keep alive the
    connection that they came through.
    """
    mode = os.fstat(fd).st_mode
    kind = Path(f"/proc/self/fd/{fd}").readlink()
    return stat.S_ISFIFO(mode) or str(kind) == "anon_inode:[eventfd]"


def _signal(fd: int) -> None:
    """Signal an eventfd, or a pipe in its place; one that is full says it already."""
    with suppress(OSError):
        os.write(fd, (1).to_bytes(8, "little"))
