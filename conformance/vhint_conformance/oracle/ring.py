"""Ring discipline: what the used ring says, and when (invariants I6, I7, I8, I18)."""

from __future__ import annotations

from vhint.trace.events import (
    Event,
    FeaturesAccepted,
    Offered,
    ResetDone,
    StatusRead,
    StatusWritten,
    Used,
)
from vhint.wire.features import Feature, Features
from vhint.wire.queues import Queue
from vhint.wire.status import DeviceStatus
from vhint_conformance.oracle.monitor import Monitor
from vhint_conformance.ring_words import in_packed

USE_EVERY_BUFFER = {
    Queue.INFLATE: "balloon.device.inflate-use-every-buffer",
    Queue.DEFLATE: "balloon.device.deflate-use-every-buffer",
    Queue.FREE_PAGE: "free-page-hint.device.use-every-buffer",
    Queue.REPORTING: "reporting.device.use-every-buffer",
    Queue.HINTING: "hint.device.use-every-buffer",
}
"""The statistics queue is not here: its buffer is held until the host wants new figures."""


class RingMonitor(Monitor):
    """Holds used elements against what was made available, in rings of either format.

    With `early_use` chains may be used before DRIVER_OK, as the legacy interface allows.
    """

    def __init__(self, *, early_use: bool = False) -> None:
        super().__init__()
        self._early_use = early_use
        self._outstanding: dict[int, Offered] = {}
        self._heads: set[tuple[str, int]] = set()
        self._live = False
        self._broken = False
        self._packed = False

    def see(self, place: int, event: Event) -> None:  # noqa: ARG002
        """Follow offers and judge every used element."""
        match event:
            case FeaturesAccepted(bits):
                self._packed = Feature.RING_PACKED in Features(bits)
            case StatusWritten(value):
                self._live = bool(value & DeviceStatus.DRIVER_OK)
            case StatusRead(value):
                self._broken = bool(value & DeviceStatus.NEEDS_RESET)
            case ResetDone():
                self._outstanding.clear()
                self._heads.clear()
                self._broken = False
            case Offered():
                self._outstanding[event.ticket] = event
                self._heads.add((event.queue, event.head))
            case Used():
                self._used(event)
            case _:
                pass

    def finish(self) -> None:
        """Judge what was never used; a device that asked for a reset owes nothing."""
        if self._broken or not self._live:
            return
        for offer in self._outstanding.values():
            slug = USE_EVERY_BUFFER.get(Queue(offer.queue))
            if slug and offer.valid:
                self.report(
                    slug,
                    "every valid chain to be used",
                    "no used element for it at the end of the case",
                    f"{offer.queue} queue, head {offer.head}",
                )

    def report(self, requirement: str, expected: str, seen: str, where: str = "") -> None:
        """Report in the words of the format that was negotiated."""
        slug = in_packed(requirement) if self._packed else requirement
        super().report(slug, expected, seen, where)

    def _used(self, event: Used) -> None:
        where = f"{event.queue} queue, id {event.head}"
        if not self._live and not self._early_use:
            self.report(
                "ring.device.no-processing-before-driver-ok",
                "nothing used before DRIVER_OK",
                "a used element",
                where,
            )
        if event.head < 0:
            self.report(
                "ring.device.used-idx-counts-chains",
                "an index at most a queue ahead",
                f"used index {event.length}",
                f"{event.queue} queue",
            )
            return
        if event.ticket is None:
            once = (event.queue, event.head) in self._heads
            self.report(
                "ring.device.use-chain-once" if once else "ring.device.used-id-is-head",
                "each chain to be used once" if once else "the head of an available chain",
                "its id a second time" if once else "an id that was never made available",
                where,
            )
            return
        offer = self._outstanding.pop(event.ticket, None)
        if offer is None:
            self.report(
                "ring.device.no-processing-after-reset",
                "chains that a reset or a stop took back to be left alone",
                "a used element",
                where,
            )
            return
        room = sum(span.length for span in offer.writable)
        if event.length > room and offer.valid:
            self.report(
                "ring.device.len-truthful",
                f"a used length of at most {room}, the device-writable bytes of the chain",
                f"{event.length}",
                where,
            )
