"""The order of initialisation, and what a driver may do with status, config and queues when."""

from __future__ import annotations

from vhint.spans import Span
from vhint.trace.events import (
    ConfigWritten,
    Event,
    FeaturesAccepted,
    Notified,
    QueueReady,
    ResetDone,
    StatusRead,
    StatusWritten,
)
from vhint.wire import config, packed_vring, vring
from vhint.wire.features import Feature, Features
from vhint.wire.queues import Queue
from vhint.wire.status import DeviceStatus
from vhint_conformance.driver_bench.offer import Offer
from vhint_conformance.oracle.monitor import Monitor
from vhint_conformance.ring_words import in_packed

ORDER = "virtio.driver.initialisation-order"
BEFORE = {
    DeviceStatus.DRIVER: DeviceStatus.ACKNOWLEDGE,
    DeviceStatus.FEATURES_OK: DeviceStatus.DRIVER,
    DeviceStatus.DRIVER_OK: DeviceStatus.FEATURES_OK,
}
"""A status bit, and the one that has to stand before it is set."""

ALIGNMENT = (
    ("descriptor table", vring.DESCRIPTOR_TABLE_ALIGN),
    ("available ring", vring.AVAIL_RING_ALIGN),
    ("used ring", vring.USED_RING_ALIGN),
)
ALIGNMENT_OF_PACKED = (
    ("descriptor ring", packed_vring.DESCRIPTOR_RING_ALIGN),
    ("driver area", packed_vring.EVENT_ALIGN),
    ("device area", packed_vring.EVENT_ALIGN),
)
READ_ONLY = ("hint_max_count", "hint_min_order")
POISON_AT = config.field_offset("poison_val")


class InitialisationRules(Monitor):
    """Follows the device status, queue set-up and config writes of a driver."""

    def __init__(self, offer: Offer) -> None:
        super().__init__()
        self.offer = offer
        self._status = DeviceStatus(0)
        self._sees_status = False
        self._accepted = Features(0)
        self._checked = True
        self._refused = False
        self._resetting = False
        self._poisoned = False
        self._parts: list[Span] = []

    def see(self, place: int, event: Event) -> None:  # noqa: ARG002
        """Judge one event."""
        match event:
            case StatusWritten(value):
                self._written(value)
            case StatusRead(value):
                self._checked = True
                self._refused = DeviceStatus.FEATURES_OK in self._status and not (
                    value & DeviceStatus.FEATURES_OK
                )
                self._status = DeviceStatus(value)  # the device may have cleared FEATURES_OK
            case ResetDone():
                self._forget()
            case FeaturesAccepted(bits):
                self._accepted = Features(bits)
                self._need(DeviceStatus.DRIVER, "features accepted")
            case QueueReady():
                self._queue(event)
            case ConfigWritten():
                self._config(event)
            case Notified(queue):
                if self._sees_status and DeviceStatus.DRIVER_OK not in self._status:
                    slug = "virtio.driver.no-kick-before-driver-ok"
                    self.report(slug, "no notification before DRIVER_OK", "one", f"{queue} queue")
            case _:
                pass

    def _forget(self) -> None:
        self._status = DeviceStatus(0)
        self._accepted = Features(0)
        self._checked, self._refused, self._resetting, self._poisoned = True, False, False, False
        self._parts.clear()

    def _written(self, value: int) -> None:
        self._sees_status = True
        if value == 0:
            self._resetting = True
            return
        if self._resetting:
            self.report(
                "virtio.driver.reset-confirmed",
                "status read as 0 after a reset before anything else",
                f"{value:#x} written",
            )
            self._forget()
        new = DeviceStatus(value)
        lost = self._status & ~new & ~DeviceStatus.NEEDS_RESET
        if lost:
            slug = "virtio.driver.status-bits-kept"
            self.report(slug, "status bits kept until a reset", f"{lost!r} cleared")
        for bit, needed in BEFORE.items():
            if bit in new & ~self._status and needed not in self._status | new:
                self.report(ORDER, f"{needed.name} before {bit.name}", f"{value:#x} written")
        if DeviceStatus.FEATURES_OK in new & ~self._status:
            self._checked = False
        if DeviceStatus.DRIVER_OK in new & ~self._status:
            self._go_on("DRIVER_OK set")
            if Feature.PAGE_POISON in self._accepted and not self._poisoned:
                slug = "balloon.driver.poison-set-before-driver-ok"
                self.report(slug, "poison_val written before DRIVER_OK", "not written")
        self._status = new

    def _need(self, bit: DeviceStatus, what: str) -> None:
        if self._sees_status and bit not in self._status:
            self.report(ORDER, f"{bit.name} before that", what)

    def _go_on(self, what: str) -> None:
        """Judge a step that may only follow on FEATURES_OK read back."""
        if not self._sees_status:
            return
        if not self._checked:
            slug = "virtio.driver.features-ok-checked"
            self.report(slug, "FEATURES_OK read back before going on", what)
        elif self._refused:
            slug = "virtio.driver.no-continue-after-failure"
            self.report(slug, "no further step after FEATURES_OK read as clear", what)

    def _queue(self, event: QueueReady) -> None:
        where = f"{event.queue} queue, index {event.index}"
        self._need(DeviceStatus.FEATURES_OK, f"queue {event.index} set up")
        self._go_on(f"queue {event.index} set up")
        late = self._sees_status and DeviceStatus.DRIVER_OK in self._status
        if late and Feature.RING_RESET not in self._accepted:
            self.report(ORDER, "every queue set up before DRIVER_OK", "one after it", where)
        if event.queue not in list(Queue):
            self.report(
                "balloon.driver.absent-queue-not-used",
                "queues of accepted features only, by the map of driver and device",
                f"queue {event.index} set up with {self._accepted!r}",
            )
        packed = Feature.RING_PACKED in self._accepted
        if event.size <= 0 or (event.size & (event.size - 1) and not packed):
            slug = "ring.driver.queue-size-power-of-two"
            self.report(slug, "a power of two", str(event.size), where)
        if self._sees_status and event.size > self.offer.queue_size:
            slug = "ring.driver.queue-size-within-maximum"
            self.report(slug, f"at most {self.offer.queue_size}", str(event.size), where)
        spans = (event.descriptors, event.available, event.used)
        alignment = ALIGNMENT_OF_PACKED if packed else ALIGNMENT
        for (name, align), span in zip(alignment, spans, strict=True):
            if span.start % align:
                seen = f"{name} at {span.start:#x}"
                slug = "ring.driver.parts-aligned"
                slug = in_packed(slug) if packed else slug
                self.report(slug, f"a multiple of {align}", seen, where)
        self._parts += spans

    def _config(self, event: ConfigWritten) -> None:
        if self._sees_status and DeviceStatus.FEATURES_OK not in self._status:
            self.report(
                "virtio.driver.no-config-write-before-features-ok",
                "no config field written before FEATURES_OK",
                f"{event.length} bytes at offset {event.offset}",
            )
        written = Span(event.offset, event.length)
        for name in READ_ONLY:
            field = Span(config.field_offset(name), config.field_size(name))
            if written.overlaps(field):
                self.report("hint.driver.no-config-write", f"{name} left alone", "written")
        if event.offset == POISON_AT:
            if Feature.PAGE_POISON not in self.offer.features:
                slug = "virtio.driver.config-offered-checked"
                self.report(slug, "poison_val left alone: PAGE_POISON is not offered", "written")
            if DeviceStatus.DRIVER_OK in self._status:
                slug = "balloon.driver.poison-constant"
                self.report(slug, "poison_val unchanged while DRIVER_OK is set", "written")
            self._poisoned = True
