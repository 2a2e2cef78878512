"""What a server of the reference device can be told."""

from __future__ import annotations

from dataclasses import dataclass, field

from vhint.host import EVERY_FEATURE, DeviceOptions, reclaimer_for
from vhint.spans import PAGE
from vhint.transport.vhost_user.device import MakeReclaimer
from vhint.transport.vhost_user.session import PROTOCOL_FEATURES
from vhint.wire.features import Features
from vhint.wire.queues import QueueMode
from vhint.wire.vhost_user import ProtocolFeatures


@dataclass(frozen=True, slots=True)
class ServerOptions:
    """How the device is served.

    `queue_mode` says which ring is which queue: a front end that hands the driver's own numbers
    through, as User-Mode Linux does, needs `COMPACT_ACCEPTED` for a Linux guest.  `host_page` is
    the unit of discarding in bytes.  With `once` the server ends with its first front end.
    `make_reclaimer` says how memory is taken back; by default it really is.
    """

    features: Features = EVERY_FEATURE
    protocol: ProtocolFeatures = PROTOCOL_FEATURES
    queue_mode: QueueMode = QueueMode.COMPACT_ACCEPTED
    host_page: int = PAGE
    inhibit: bool = False
    once: bool = False
    make_reclaimer: MakeReclaimer = field(default=reclaimer_for)

    def device(self) -> DeviceOptions:
        """Return the options of the device; raises `ValueError` if they contradict each other."""
        return DeviceOptions(
            offered=self.features,
            queue_mode=self.queue_mode,
            host_page=self.host_page,
            hint_min_order=(self.host_page // PAGE).bit_length() - 1,
        )
