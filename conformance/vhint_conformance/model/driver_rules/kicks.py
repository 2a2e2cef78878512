"""Notifications: which request of a split ring a driver must not leave unannounced.

For packed rings see `vhint_conformance.oracle.packed`.
"""

from __future__ import annotations

from vhint.ring import GuestMemory
from vhint.spans import Span
from vhint.trace.events import (
    Event,
    FeaturesAccepted,
    Notified,
    Offered,
    QueueReady,
    ResetDone,
    StatusWritten,
)
from vhint.wire import vring
from vhint.wire.features import Feature, Features
from vhint_conformance.oracle.monitor import Monitor

AVAIL_EVENT = 2
"""How many bytes before its end the used ring has the index at which the device wants a kick."""


class KickRules(Monitor):
    """Notes at every offer whether the device wants to hear of it, and at the end whether it did.

    What the device wants is read at the moment of the offer: a wish that it writes later is about
    later requests.
    """

    def __init__(self, memory: GuestMemory) -> None:
        super().__init__()
        self._memory = memory
        self._event_idx = False
        self._packed = False
        self._used: dict[str, Span] = {}
        self._count: dict[str, int] = {}
        self._owed: dict[str, int] = {}

    def see(self, place: int, event: Event) -> None:  # noqa: ARG002
        """Follow offers and notifications."""
        match event:
            case FeaturesAccepted(bits):
                self._event_idx = Feature.EVENT_IDX in Features(bits)
                self._packed = Feature.RING_PACKED in Features(bits)
            case QueueReady() if not self._packed:
                self._used[event.queue] = event.used
                self._count[event.queue] = 0
            case Offered() if event.queue in self._used:
                if self._wants(event.queue):
                    self._owed[event.queue] = event.ticket
                self._count[event.queue] += 1
            case Notified():
                self._owed.pop(event.queue, None)
            case ResetDone() | StatusWritten(0):
                self._used.clear()
                self._owed.clear()
            case _:
                pass

    def finish(self) -> None:
        """Judge what was never announced."""
        slug = f"ring.driver.kick-{'at-avail-event' if self._event_idx else 'when-flags-zero'}"
        for queue in self._owed:
            self.report(slug, "a notification that the device asked for", "none", f"{queue} queue")

    def _wants(self, queue: str) -> bool:
        used = self._used[queue]
        if self._event_idx:
            return self._memory.load16(used.end - AVAIL_EVENT) == self._count[queue] & 0xFFFF
        return not self._memory.load16(used.start) & vring.USED_NO_NOTIFY
