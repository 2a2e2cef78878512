"""A vhost-user front end: the driver's transport to a device that another process serves.

Half of a virtio device is in the front end here, as it is in a virtual machine monitor: what the
protocol does not carry, this transport keeps for itself.
"""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from vhint.ring import GuestMemory, Layout, PackedLayout
from vhint.ring.packed_device import FRESH
from vhint.spans import Span
from vhint.transport.interface import Interrupts, Transport, TransportError
from vhint.transport.vhost_user.notices import Notices
from vhint.transport.vhost_user.requester import Requester
from vhint.transport.vhost_user.ring_life import (
    MESSAGES,
    MESSAGES_WITHOUT_ENABLE,
    STEPS,
    Ring,
    RingEvent,
    RingState,
)
from vhint.transport.vhost_user.shared_ram import memory_table, user_address
from vhint.wire.status import DeviceStatus
from vhint.wire.vhost_user import (
    U64,
    VHOST_F_LOG_ALL,
    VHOST_USER_F_PROTOCOL_FEATURES,
    ConfigMessage,
    Octets,
    ProtocolFeature,
    ProtocolFeatures,
    Request,
    VringAddress,
    VringFile,
    VringState,
)
from vhint.wire.vhost_user.config import MAX_SIZE as MAX_CONFIG
from vhint.wire.vring import MAX_QUEUE_SIZE

PROTOCOL = 1 << VHOST_USER_F_PROTOCOL_FEATURES
HIDDEN = PROTOCOL | 1 << VHOST_F_LOG_ALL
"""Feature bits that are between front end and back end; a driver never sees them."""

WANTED = ProtocolFeatures.of(
    ProtocolFeature.MQ,
    ProtocolFeature.REPLY_ACK,
    ProtocolFeature.BACKEND_REQ,
    ProtocolFeature.CONFIG,
    ProtocolFeature.RESET_DEVICE,
    ProtocolFeature.STATUS,
)
"""The protocol features that are accepted when they are offered."""

IN_BAND = ProtocolFeatures.of(
    ProtocolFeature.REPLY_ACK,
    ProtocolFeature.BACKEND_REQ,
    ProtocolFeature.INBAND_NOTIFICATIONS,
)
"""What it takes to notify by messages in place of eventfds."""

SHORTEST, LONGEST = 0.00005, 0.002
"""Seconds between two looks at a condition: the first, and what it grows to."""

POLLABLE = 0.001
"""Seconds of the shortest time that can be waited for a signal; less is slept through."""

QUIET = 0.01
"""Seconds that a device with threads of its own is given to finish what it has begun."""

ROUND_TRIPS = 4
"""Questions after which a device with one thread has had its turns."""


NOTHING = ProtocolFeatures()


@dataclass(frozen=True, slots=True)
class FrontEndOptions:
    """How the front end behaves.

    `patience`: seconds that an answer may take.  `in_band`: notify by messages, as User-Mode Linux
    does, where the back end can.  `without`: protocol features that are declined though offered,
    as an older front end would.
    """

    patience: float = 5.0
    in_band: bool = False
    without: ProtocolFeatures = NOTHING


class FrontEnd(Transport):
    """A connection to one back end, over a connected stream socket; it owns socket and memory.

    Raises `TransportError` whenever the back end is gone, late, or does not speak the protocol.
    """

    works_by_itself = True

    def __init__(
        self, sock: socket.socket, memory: GuestMemory, options: FrontEndOptions | None = None
    ) -> None:
        self.memory = memory
        self._options = options or FrontEndOptions()
        self._back_end = Requester(sock, self._options.patience)
        self._notices: Notices | None = None
        self._rings: dict[int, Ring] = {}
        self._begins: dict[int, int] = {}
        self._status = 0
        self._accepted = 0
        self._refused = False
        self._told = False
        self._used = False
        self._broken = False
        self._changes_taken = 0
        self.protocol = ProtocolFeatures()
        """The protocol features that were agreed on."""
        self.enables = False
        """Whether rings wait for SET_VRING_ENABLE: both sides have bit 30."""
        self._queues: int | None = None
        try:
            self._open()
        except TransportError:
            self.close()
            raise

    def _open(self) -> None:
        self._back_end.demand(Request.SET_OWNER)
        self.enables = bool(self._features() & PROTOCOL)
        if self.enables:
            self._negotiate()

    def _negotiate(self) -> None:
        """Agree on protocol features, and use at once those that serve the connection itself."""
        offered = ProtocolFeatures(self._back_end.ask(Request.GET_PROTOCOL_FEATURES).value)
        offered -= self._options.without
        accepted = offered & WANTED
        if self._options.in_band and not IN_BAND - offered:
            accepted = ProtocolFeatures(accepted.bits | IN_BAND.bits)
        self._back_end.demand(Request.SET_PROTOCOL_FEATURES, U64(accepted.bits))
        self.protocol = accepted
        self._back_end.acknowledged = ProtocolFeature.REPLY_ACK in accepted
        if ProtocolFeature.MQ in accepted:
            self._queues = self._back_end.ask(Request.GET_QUEUE_NUM).value
        if ProtocolFeature.BACKEND_REQ in accepted:
            self._notices = self._back_end.notices = Notices()
            self._back_end.demand(Request.SET_BACKEND_REQ_FD, fds=[self._notices.theirs.fileno()])
            self._notices.handed_over()

    def _has(self, feature: ProtocolFeature) -> bool:
        return feature in self.protocol

    def _features(self) -> int:
        bits: int = self._back_end.ask(Request.GET_FEATURES).value
        return bits

    def device_id(self) -> int:
        """Raise `TransportError`: the front end is told beforehand what it connects to."""
        raise TransportError("vhost-user does not say which device it is")

    def read_status(self) -> DeviceStatus:
        """Return the device's status if it keeps one (STATUS), and ours otherwise.

        Ours shows NEEDS_RESET after an error on a ring.
        """
        if self._has(ProtocolFeature.STATUS):
            value = self._back_end.ask(Request.GET_STATUS).value
        else:
            self._listen()
            value = self._status | (DeviceStatus.NEEDS_RESET if self._broken else 0)
        return DeviceStatus(value & ~(DeviceStatus.FEATURES_OK if self._refused else 0))

    def write_status(self, status: int) -> None:
        """Do what the status means in vhost-user, and pass it on to a device that keeps one."""
        if status == 0:
            self._reset()
            return
        added = status & ~self._status
        self._status = status
        if added & DeviceStatus.FEATURES_OK:
            self._agree()
        if status & DeviceStatus.DRIVER_OK:
            for ring in self._rings.values():
                self._do(ring, RingEvent.GO_LIVE)
        if self._has(ProtocolFeature.STATUS):
            # A refusal shows in the status itself.
            self._back_end.tell(Request.SET_STATUS, U64(status))

    def _agree(self) -> None:
        """Send the accepted features, and the memory that everything afterwards refers to."""
        self._told = True
        bits = self._accepted | (PROTOCOL if self.enables else 0)
        self._refused = not self._back_end.tell(Request.SET_FEATURES, U64(bits))
        if not self._refused:
            self.show_memory()

    def show_memory(self, spans: Sequence[Span] | None = None) -> None:
        """Tell the back end that guest memory is these of its regions now, or all; rings run on."""
        regions = [
            each
            for each in self.memory.regions
            if spans is None or Span(each.start, each.length) in spans
        ]
        table = memory_table(self.memory, regions)
        self._back_end.demand(Request.SET_MEM_TABLE, table, [self.memory.fd] * len(regions))

    def _reset(self) -> None:
        """Stop every ring, and tell the device if it can be told; all answered when this ends."""
        self.stop_rings()
        if self._has(ProtocolFeature.STATUS):
            self._back_end.tell(Request.SET_STATUS, U64(0))
        elif self._told and self._has(ProtocolFeature.RESET_DEVICE):
            self._back_end.demand(Request.RESET_DEVICE)
        if not self._back_end.acknowledged:
            self._features()  # whatever was sent before it has been handled
        self.take_interrupts()  # the interrupt status is ours, and a reset clears it
        self._begins.clear()
        self._status = self._accepted = 0
        self._refused = self._told = self._broken = False

    def stop_rings(self, *, disable: bool = True) -> None:
        """Stop every ring, as a front end does that lets go of a device; all answered at the end.

        What was outstanding on them is the driver's again.  Some front ends `disable` a ring before
        they ask for its base, others do not: the base alone stops it.
        """
        for ring in self._rings.values():
            self._do(ring, RingEvent.STOP, switch=disable)

    def read_features(self) -> int:
        """Return what is offered to the driver, without what concerns the front end alone."""
        return self._features() & ~HIDDEN

    def write_features(self, bits: int) -> None:
        """Note what the driver accepts; it is sent with FEATURES_OK."""
        self._accepted = bits & ~HIDDEN

    def read_config(self, offset: int, length: int) -> bytes:
        """Return bytes of config space; zeros where there is none, or the device refuses.

        It is asked for from 0 on, as other front ends do: there are back ends that ignore the
        offset.
        """
        end = offset + length
        if not self._has(ProtocolFeature.CONFIG) or end > MAX_CONFIG:
            return bytes(length)
        answer: ConfigMessage = self._back_end.ask(
            Request.GET_CONFIG, ConfigMessage(0, 0, Octets.of(bytes(end)))
        )
        data = bytes(answer.region)
        if data and (answer.offset != 0 or len(data) != end):
            raise TransportError(
                f"the reply to GET_CONFIG: expected {end} bytes from 0, or none, "
                f"seen {len(data)} from {answer.offset}"
            )
        return data[offset:end] if data else bytes(length)

    def write_config(self, offset: int, data: bytes) -> None:
        """Write bytes of config space; that a device refuses them is no error, as for a driver."""
        if self._has(ProtocolFeature.CONFIG) and offset + len(data) <= MAX_CONFIG:
            self._back_end.tell(Request.SET_CONFIG, ConfigMessage(offset, 0, Octets.of(data)))

    def config_generation(self) -> int:
        """Return how many config changes were announced."""
        self._listen()
        return self._notices.config_changes if self._notices else 0

    def queue_max(self, index: int) -> int:
        """Return the largest size there is, or 0 beyond the number of queues; more is not said."""
        beyond = self._queues is not None and index >= self._queues
        return 0 if beyond else MAX_QUEUE_SIZE

    def set_up_queue(self, index: int, layout: Layout) -> bool:
        """Tell the back end where a ring lies; return whether it agreed."""
        old = self._rings.pop(index, None)
        if old is not None:
            old.close()
        ring = self._rings[index] = Ring(index, layout)
        return self._do(ring, RingEvent.SET_UP)

    def begin_queue_at(self, index: int, base: int) -> None:
        """Note where a split ring begins; it is said when the ring is set up."""
        self._begins[index] = base

    def queue_ready(self, index: int) -> bool:
        """Return whether the ring was told to the back end since the last reset."""
        ring = self._rings.get(index)
        return ring is not None and ring.state in (RingState.PLACED, RingState.RUNNING)

    def notify(self, index: int) -> None:
        """Signal the kick eventfd, or send VRING_KICK; a ring that was never set up hears nothing.

        A ring that was stopped can still be signalled: the back end must not care.
        """
        if index not in self._rings:
            return
        if self._has(ProtocolFeature.INBAND_NOTIFICATIONS):
            self._back_end.tell(Request.VRING_KICK, VringState(index, 0))
        else:
            self._rings[index].signal()

    def take_interrupts(self) -> Interrupts:
        """Return what was signalled by call eventfds and over the back end's channel."""
        self._listen()
        changes = self._notices.config_changes if self._notices else 0
        found = Interrupts(self._used, changes > self._changes_taken)
        self._used, self._changes_taken = False, changes
        return found

    def wait(self, condition: Callable[[], bool], seconds: float) -> bool:
        """Look at the condition, more seldom the longer it takes, or when a signal comes."""
        deadline = time.monotonic() + seconds
        pause = SHORTEST
        while not condition():
            left = deadline - time.monotonic()
            if left <= 0:
                return condition()
            self._sleep(min(pause, left))
            pause = min(2 * pause, LONGEST)
        return True

    def settle(self) -> None:
        """Ask a few questions, for a device with one thread, and wait a little, for others."""
        until = time.monotonic() + QUIET
        for _ in range(ROUND_TRIPS):
            self._features()
        while (left := until - time.monotonic()) > 0:
            self._sleep(left)

    def has_hung_up(self) -> bool:
        """Whether the back end has closed the connection."""
        return self._back_end.has_hung_up()

    def has_more(self) -> bool:
        """Whether the back end has said something that nobody has read yet."""
        return self._back_end.has_more()

    def close(self) -> None:
        """Close the connection, all descriptors and the memory."""
        self._back_end.close()
        if self._notices is not None:
            self._notices.close()
        for ring in self._rings.values():
            ring.close()
        self._rings.clear()
        self.memory.close()

    def _do(self, ring: Ring, event: RingEvent, *, switch: bool = True) -> bool:
        """Take a ring one step on; return whether the back end agreed.

        Without `switch` it is not enabled or disabled, though it could be.
        """
        state = STEPS.get((ring.state, event))
        if state is None:
            return True
        messages = MESSAGES if self.enables and switch else MESSAGES_WITHOUT_ENABLE
        agreed = True
        for request in messages[event]:
            agreed &= self._say(request, ring, event)
        ring.state = state
        return agreed

    def _say(self, request: Request, ring: Ring, event: RingEvent) -> bool:
        layout, index = ring.layout, ring.index
        match request:
            case Request.SET_VRING_NUM:
                return self._back_end.tell(request, VringState(index, layout.size))
            case Request.SET_VRING_BASE:
                packed = isinstance(layout, PackedLayout)
                begin = FRESH if packed else self._begins.get(index, 0)
                return self._back_end.tell(request, VringState(index, begin))
            case Request.SET_VRING_ENABLE:
                enabled = VringState(index, int(event is RingEvent.GO_LIVE))
                return self._back_end.tell(request, enabled)
            case Request.SET_VRING_ADDR:
                places = (
                    user_address(self.memory, span)
                    for span in (layout.descriptor_span, layout.used_span, layout.available_span)
                )
                return self._back_end.tell(request, VringAddress(index, 0, *places))
            case Request.SET_VRING_KICK:
                return self._hand_over(request, index, ring.kick)
            case Request.SET_VRING_CALL:
                return self._hand_over(request, index, ring.call)
            case Request.SET_VRING_ERR:
                self._hand_over(request, index, ring.error)
                return True  # a back end without it has other ways to say that a ring is broken
            case Request.GET_VRING_BASE:
                base: VringState = self._back_end.ask(request, VringState(index, 0))
                if base.index != index:
                    raise TransportError(
                        f"the reply to GET_VRING_BASE: expected ring {index}, seen {base.index}"
                    )
        return True

    def _hand_over(self, request: Request, index: int, fd: int) -> bool:
        """Give the back end an eventfd, or tell it that there is none and messages are used."""
        if self._has(ProtocolFeature.INBAND_NOTIFICATIONS):
            return self._back_end.tell(request, VringFile.of(index, has_fd=False))
        return self._back_end.tell(request, VringFile.of(index), [fd])

    def _listen(self) -> None:
        """Take note of everything that was signalled."""
        for ring in self._rings.values():
            self._used |= ring.take_call()
            self._broken |= ring.take_error()
        if self._notices is not None:
            self._notices.serve()
            self._used |= bool(self._notices.called)
            self._notices.called.clear()
            self._broken |= bool(self._notices.broken)
            self._notices.broken.clear()

    def _sleep(self, seconds: float) -> None:
        """Wait for a signal, at most so long; raise `TransportError` if the back end has gone."""
        poller = select.poll()
        poller.register(self._back_end, select.POLLIN)
        for ring in self._rings.values():
            poller.register(ring.call, select.POLLIN)
            poller.register(ring.error, select.POLLIN)
        if self._notices is not None and self._notices.open:
            poller.register(self._notices, select.POLLIN)
        if seconds < POLLABLE:
            time.sleep(seconds)
        ready = {fd for fd, _ in poller.poll(int(seconds / POLLABLE))}
        if self._back_end.fileno() in ready:
            self._back_end.check_silent()
        self._listen()
