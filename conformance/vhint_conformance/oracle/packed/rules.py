"""The packed rings of one device under watch, as the trace tells where they are."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import suppress
from functools import partial

from vhint.ring import GuestMemory, PackedLayout, RingError
from vhint.trace.events import (
    Event,
    FeaturesAccepted,
    Notified,
    QueueReady,
    ResetDone,
    StatusWritten,
)
from vhint.wire.features import Feature, Features
from vhint.wire.status import DeviceStatus
from vhint_conformance.oracle.monitor import Monitor
from vhint_conformance.oracle.packed.image import Side
from vhint_conformance.oracle.packed.watch import PackedWatch


class PackedRules(Monitor):
    """Judges the sides in `judges` by every packed ring that becomes ready.

    Somebody has to call `stored` for each store of a side that is known, or `look` when only that
    side can have stored something; `interrupted` when the driver has taken an interrupt, and
    `finish`.  Without interrupts (`hears` false) nothing is said of any that are missing.
    """

    def __init__(
        self, memory: GuestMemory, judges: Collection[Side], *, hears: bool = False
    ) -> None:
        super().__init__()
        self._memory = memory
        self._judges = frozenset(judges)
        self._hears = hears
        self._accepted = Features(0)
        self._live = False
        self._waiting: dict[str, PackedLayout] = {}
        self._rings: dict[str, PackedWatch] = {}

    def see(self, place: int, event: Event) -> None:  # noqa: ARG002
        """Follow what is negotiated, set up, started, announced and reset."""
        match event:
            case FeaturesAccepted(bits):
                self._accepted = Features(bits)
            case QueueReady() if Feature.RING_PACKED in self._accepted:
                starts = (event.descriptors.start, event.available.start, event.used.start)
                self._waiting[event.queue] = PackedLayout(event.size, *starts)
                self._rings.pop(event.queue, None)
                self._begin()
            case ResetDone() | StatusWritten(0):
                self._live = False
                self._waiting.clear()
                self._rings.clear()
            case StatusWritten(value):
                self._live = bool(value & DeviceStatus.DRIVER_OK)
                self._begin()
            case Notified() if event.queue in self._rings:
                ring = self._rings[event.queue]
                ring.look(Side.DRIVER)
                ring.notified(Side.DRIVER)
            case _:
                pass

    def _begin(self) -> None:
        """Watch what is ready, once the device is live: before that rings hold anything."""
        while self._live and self._waiting:
            name, layout = self._waiting.popitem()
            with suppress(RingError):  # no ring can lie there: others see that
                self._rings[name] = PackedWatch(
                    self._memory,
                    layout,
                    event_idx=Feature.EVENT_IDX in self._accepted,
                    indirect=Feature.INDIRECT_DESC in self._accepted,
                    find=partial(self._found, name),
                )

    def forget(self, queue: str) -> None:
        """Leave a queue alone: something else is about to judge it."""
        self._rings.pop(queue, None)

    def stored(self, side: Side, address: int, data: bytes) -> None:
        """Take note of a store that a side is about to make."""
        for ring in self._rings.values():
            ring.stored(side, address, data)

    def look(self, side: Side) -> None:
        """Find out what a side has stored."""
        for ring in self._rings.values():
            ring.look(side)

    def interrupted(self) -> None:
        """Take note that the device has notified the driver of used buffers."""
        for ring in self._rings.values():
            ring.notified(Side.DEVICE)

    def rests(self, side: Side) -> None:
        """Judge what a side has begun, as it has nothing more to do."""
        for ring in self._rings.values():
            ring.rests(side)

    def finish(self) -> None:
        """Judge what both have begun, and what was never announced."""
        for name, ring in self._rings.items():
            for side in self._judges:
                ring.rests(side)
                slug = ring.owes(side)
                if slug and (side is Side.DRIVER or self._hears):
                    self.report(
                        slug,
                        "a notification that the other side asked for",
                        "none",
                        f"{name} queue",
                    )

    def _found(self, queue: str, requirement: str, expected: str, seen: str, where: str) -> None:
        if requirement.split(".")[1] in self._judges:
            self.report(requirement, expected, seen, f"{queue} queue, {where}")
