"""The back end's half of the protocol as a table: which message is legal when, and what it asks.

There is no I/O here: `Session.take` turns a message into an `Action` or refuses it, and
`Session.reply` turns what came of the action into the bytes of the reply.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from vhint.transport.vhost_user import actions
from vhint.transport.vhost_user.actions import Action
from vhint.transport.vhost_user.connection import Refused
from vhint.wire.errors import WireError
from vhint.wire.features import Feature, Features, problems
from vhint.wire.vhost_user import (
    SHAPES,
    U64,
    VHOST_USER_F_PROTOCOL_FEATURES,
    ConfigMessage,
    ConfigPurpose,
    Header,
    MemoryRegion,
    MemoryTable,
    ProtocolFeature,
    ProtocolFeatures,
    Request,
    VringAddress,
    VringFile,
    VringState,
    config,
    header,
    memory,
    u64,
)
from vhint.wire.vring import MAX_QUEUE_SIZE

PROTOCOL_FEATURES: Final = ProtocolFeatures.of(
    ProtocolFeature.MQ,
    ProtocolFeature.REPLY_ACK,
    ProtocolFeature.BACKEND_REQ,
    ProtocolFeature.CONFIG,
    ProtocolFeature.RESET_DEVICE,
    ProtocolFeature.INBAND_NOTIFICATIONS,
    ProtocolFeature.CONFIGURE_MEM_SLOTS,
    ProtocolFeature.STATUS,
)
"""Everything that the back end can do."""

MAX_SLOTS: Final = 32
"""The most regions of guest memory, with CONFIGURE_MEM_SLOTS."""

PROTOCOL_BIT: Final = Features.of(VHOST_USER_F_PROTOCOL_FEATURES)


@dataclass(frozen=True, slots=True)
class Offer:
    """What a back end offers: features of the device, of the protocol, and how many rings."""

    features: Features
    rings: int
    protocol: ProtocolFeatures = PROTOCOL_FEATURES


class Session:
    """What both ends have agreed on so far.

    Attributes:
        protocol: the protocol features that the front end acknowledged.
        features: the device's features that it acknowledged; None before SET_FEATURES.
        has_memory: whether there is guest memory.
        enables_rings: whether the front end says when a ring is enabled (feature bit 30).

    """

    def __init__(self, offer: Offer) -> None:
        self.offer = offer
        self.protocol = ProtocolFeatures(0)
        self.features: Features | None = None
        self.has_memory = False
        self.enables_rings = False

    @property
    def _packed(self) -> bool:
        return self.features is not None and Feature.RING_PACKED in self.features

    def take(self, head: Header, payload: bytes, fds: int) -> Action:
        """Return what a message asks; raise `Refused` if it may not be sent, or not now.

        `fds` is how many descriptors came with it.
        """
        if head.version != header.VERSION:
            raise Refused(f"version {head.version} of the protocol; expected {header.VERSION}")
        if head.is_reply:
            raise Refused(f"a reply to request {head.request}, which was never sent")
        request, rule = _known(head.request)
        if rule.needs is not None and rule.needs not in self.protocol:
            raise Refused(f"{request.name} without the protocol feature {rule.needs.name}")
        if rule.after_memory and not self.has_memory:
            raise Refused(f"{request.name} before there is guest memory")
        shape = SHAPES[request]
        if fds not in shape.fds:
            wanted = " or ".join(str(number) for number in (shape.fds[0], shape.fds[-1]))
            raise Refused(f"{request.name} with {fds} descriptors; expected {wanted}")
        value: Any = None
        if request is Request.SET_MEM_TABLE:
            payload = memory.without_room(payload)
        try:
            if shape.payload is not None:
                value = shape.payload.parse(payload)
            elif payload:
                raise Refused(f"{request.name} with {len(payload)} bytes of payload; expected none")
        except WireError as error:
            raise Refused(f"{request.name}: {error}") from None
        return rule.action(self, value, fds)

    def reply(self, head: Header, value: Any = None) -> bytes:
        """Return the reply to a message that was carried out, which may be empty.

        `value` is the face of its payload where the message has a reply of its own; otherwise the
        reply is an acknowledgement, if the front end asked for one and may.
        """
        codec = SHAPES[Request(head.request)].reply
        if codec is None:
            return self.acknowledgement(head, 0)
        return _reply(head, codec.build(value))

    def acknowledgement(self, head: Header, value: int) -> bytes:
        """Return the acknowledgement that a front end asked for; empty if it did not."""
        if head.needs_reply and ProtocolFeature.REPLY_ACK in self.protocol:
            return _reply(head, u64.build(U64(value)))
        return b""

    # What each message asks: functions of the rules below

    def _get_features(self, _: None, __: int) -> Action:
        offered = (self.offer.features | PROTOCOL_BIT).bits
        if self.features is None or self.enables_rings:
            return actions.Tell(offered)
        # User-Mode Linux says by this, and by nothing else, that its driver was unloaded: the
        # pages of the rings may be somebody else's by now.
        return actions.TellAtRest(offered)

    def _set_features(self, message: U64, _: int) -> Action:
        accepted = Features(message.value)
        enables = VHOST_USER_F_PROTOCOL_FEATURES in accepted
        accepted -= PROTOCOL_BIT
        if found := problems(self.offer.features, accepted):
            if ProtocolFeature.STATUS in self.protocol:
                # virtio.device.refusal-clears-features-ok: the status says it, and all goes on.
                self.features = None
                return actions.Disagree()
            raise Refused(f"SET_FEATURES: {'; '.join(found)}")
        self.features, self.enables_rings = accepted, enables
        return actions.BeginDriver(accepted, enabled=not enables)

    def _get_protocol_features(self, _: None, __: int) -> Action:
        return actions.Tell(self.offer.protocol.bits)

    def _set_protocol_features(self, message: U64, _: int) -> Action:
        acknowledged = ProtocolFeatures(message.value)
        if extra := acknowledged - self.offer.protocol:
            raise Refused(f"SET_PROTOCOL_FEATURES: {extra!r} not offered")
        self.protocol = acknowledged
        return actions.Nothing()

    def _get_queue_num(self, _: None, __: int) -> Action:
        return actions.Tell(self.offer.rings)

    def _get_max_mem_slots(self, _: None, __: int) -> Action:
        return actions.Tell(MAX_SLOTS)

    def _nothing(self, _: None, __: int) -> Action:
        return actions.Nothing()

    def _reset(self, _: None, __: int) -> Action:
        return actions.ResetDevice()

    def _set_mem_table(self, message: MemoryTable, fds: int) -> Action:
        if len(message.regions) != fds:
            raise Refused(f"SET_MEM_TABLE of {len(message.regions)} regions, {fds} descriptors")
        self.has_memory = True
        return actions.UseMemory(message)

    def _add_mem_reg(self, message: MemoryRegion, _: int) -> Action:
        self.has_memory = True
        return actions.AddMemory(message)

    def _rem_mem_reg(self, message: MemoryRegion, _: int) -> Action:
        return actions.RemoveMemory(message)

    def _set_vring_num(self, message: VringState, _: int) -> Action:
        size = message.num
        if not 0 < size <= MAX_QUEUE_SIZE or (size & (size - 1) and not self._packed):
            kind = "from 1" if self._packed else "a power of two"
            raise Refused(
                f"SET_VRING_NUM of {size} entries; expected {kind} up to {MAX_QUEUE_SIZE}"
            )
        return actions.SizeRing(self._ring(message.index), size)

    def _set_vring_addr(self, message: VringAddress, _: int) -> Action:
        self._ring(message.index)
        return actions.PlaceRing(message)

    def _set_vring_base(self, message: VringState, _: int) -> Action:
        if message.num > 0xFFFF and not self._packed:  # there it is two positions
            raise Refused(f"SET_VRING_BASE of {message.num}; an index of a ring has 16 bits")
        return actions.BaseRing(self._ring(message.index), message.num)

    def _get_vring_base(self, message: VringState, _: int) -> Action:
        return actions.StopRing(self._ring(message.index))

    def _set_vring_enable(self, message: VringState, _: int) -> Action:
        if message.num > 1:
            raise Refused(f"SET_VRING_ENABLE of {message.num}; expected 0 or 1")
        return actions.EnableRing(self._ring(message.index), bool(message.num))

    def _set_vring_kick(self, message: VringFile, fds: int) -> Action:
        index = self._ring_with_file(message, fds)
        if not fds and ProtocolFeature.INBAND_NOTIFICATIONS not in self.protocol:
            raise Refused("SET_VRING_KICK without a descriptor: rings are not polled here")
        return actions.KickBy(index)

    def _set_vring_call(self, message: VringFile, fds: int) -> Action:
        return actions.CallBy(self._ring_with_file(message, fds))

    def _set_vring_err(self, message: VringFile, fds: int) -> Action:
        return actions.ErrBy(self._ring_with_file(message, fds))

    def _vring_kick(self, message: VringState, _: int) -> Action:
        return actions.Kick(self._ring(message.index))

    def _get_config(self, message: ConfigMessage, _: int) -> Action:
        self._check_config(message)
        return actions.ReadConfig(message.offset, len(message.region))

    def _set_config(self, message: ConfigMessage, _: int) -> Action:
        self._check_config(message)
        if message.flags not in {*ConfigPurpose}:
            raise Refused(f"SET_CONFIG for purpose {message.flags}; expected 0 or 1")
        migration = message.flags == ConfigPurpose.MIGRATION
        return actions.WriteConfig(message.offset, bytes(message.region), migration)

    def _set_backend_req_fd(self, _: None, __: int) -> Action:
        return actions.UseChannel()

    def _get_status(self, _: None, __: int) -> Action:
        return actions.ReadStatus()

    def _set_status(self, message: U64, _: int) -> Action:
        if message.value > 0xFF:
            raise Refused(f"SET_STATUS of {message.value:#x}; a status has 8 bits")
        return actions.WriteStatus(message.value)

    # What several of them ask

    def _ring(self, index: int) -> int:
        if index >= self.offer.rings:
            raise Refused(f"ring {index}; there are {self.offer.rings}")
        return index

    def _ring_with_file(self, message: VringFile, fds: int) -> int:
        if message.unknown:
            raise Refused(f"unknown bits {message.unknown:#x} beside a ring's index")
        if message.has_fd != bool(fds):
            raise Refused(
                f"ring {message.index}: {fds} descriptors where the message says otherwise"
            )
        return self._ring(message.index)

    def _check_config(self, message: ConfigMessage) -> None:
        end = message.offset + len(message.region)
        if end > config.MAX_SIZE:
            raise Refused(f"config space up to byte {end}; it ends at {config.MAX_SIZE}")


@dataclass(frozen=True, slots=True)
class Rule:
    """When a request is legal: after which protocol feature, and whether after memory is known."""

    action: Callable[[Session, Any, int], Action]
    needs: ProtocolFeature | None = None
    after_memory: bool = False


_CONFIG: Final = ProtocolFeature.CONFIG
_SLOTS: Final = ProtocolFeature.CONFIGURE_MEM_SLOTS
_STATUS: Final = ProtocolFeature.STATUS
_INBAND: Final = ProtocolFeature.INBAND_NOTIFICATIONS
_CHANNEL: Final = ProtocolFeature.BACKEND_REQ

# ruff: noqa: SLF001 - the table is about the class above
RULES: Final[dict[Request, Rule]] = {
    Request.GET_FEATURES: Rule(Session._get_features),
    Request.SET_FEATURES: Rule(Session._set_features),
    Request.SET_OWNER: Rule(Session._nothing),
    Request.RESET_OWNER: Rule(Session._reset),
    Request.SET_MEM_TABLE: Rule(Session._set_mem_table),
    Request.SET_VRING_NUM: Rule(Session._set_vring_num),
    Request.SET_VRING_ADDR: Rule(Session._set_vring_addr, after_memory=True),
    Request.SET_VRING_BASE: Rule(Session._set_vring_base),
    Request.GET_VRING_BASE: Rule(Session._get_vring_base),
    Request.SET_VRING_KICK: Rule(Session._set_vring_kick),
    Request.SET_VRING_CALL: Rule(Session._set_vring_call),
    Request.SET_VRING_ERR: Rule(Session._set_vring_err),
    Request.GET_PROTOCOL_FEATURES: Rule(Session._get_protocol_features),
    Request.SET_PROTOCOL_FEATURES: Rule(Session._set_protocol_features),
    Request.GET_QUEUE_NUM: Rule(Session._get_queue_num, ProtocolFeature.MQ),
    Request.SET_VRING_ENABLE: Rule(Session._set_vring_enable),
    Request.SET_BACKEND_REQ_FD: Rule(Session._set_backend_req_fd, _CHANNEL),
    Request.GET_CONFIG: Rule(Session._get_config, _CONFIG),
    Request.SET_CONFIG: Rule(Session._set_config, _CONFIG),
    Request.RESET_DEVICE: Rule(Session._reset, ProtocolFeature.RESET_DEVICE),
    Request.VRING_KICK: Rule(Session._vring_kick, _INBAND),
    Request.GET_MAX_MEM_SLOTS: Rule(Session._get_max_mem_slots, _SLOTS),
    Request.ADD_MEM_REG: Rule(Session._add_mem_reg, _SLOTS),
    Request.REM_MEM_REG: Rule(Session._rem_mem_reg, _SLOTS, after_memory=True),
    Request.SET_STATUS: Rule(Session._set_status, _STATUS),
    Request.GET_STATUS: Rule(Session._get_status, _STATUS),
}
"""Every request that the back end takes; any other is refused."""


def _known(number: int) -> tuple[Request, Rule]:
    try:
        request = Request(number)
    except ValueError:
        raise Refused(f"request {number}, which is unknown") from None
    if request not in RULES:
        raise Refused(f"{request.name}, which this device does not have")
    return request, RULES[request]


def _reply(head: Header, payload: bytes) -> bytes:
    return header.build(Header.of(Request(head.request), len(payload), reply=True)) + payload
