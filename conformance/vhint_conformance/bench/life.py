"""The lives of a device: initialised as a sound driver does it, and reset."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from itertools import count
from typing import Any

from vhint.guest import Arena, Driver, InitialisationError, Wish, initialise
from vhint.guest.initialise import RESET_READS, Stage, WriteConfig, WriteStatus
from vhint.ring import (
    DriverRing,
    Layout,
    SplitDriverQueue,
    SplitLayout,
    driver_ring,
    in_format,
)
from vhint.spans import PAGE
from vhint.transport.execute import execute, perform
from vhint.wire import config, vring
from vhint.wire.features import Feature, Features
from vhint.wire.queues import Queue, QueueMode
from vhint.wire.status import DeviceStatus
from vhint_conformance.bench.watched import Watched
from vhint_conformance.case import Capability
from vhint_conformance.verdict import NotApplicable, fail

STEP_REQUIREMENT = {
    Stage.WAIT_FOR_RESET: "virtio.device.status-zero-after-reset",
    Stage.NEGOTIATE: "virtio.device.valid-subset-accepted",
    Stage.CHECK_FEATURES_AND_SET_UP: "balloon.device.queue-map-follows-offer",
}
"""What a device breaks that stops initialisation at that stage."""

DEFAULT = Features.of(
    Feature.MUST_TELL_HOST,
    Feature.STATS_VQ,
    Feature.PAGE_REPORTING,
    Feature.HINTING,
    Feature.HINTING_BITMAP,
    Feature.INDIRECT_DESC,
    Feature.EVENT_IDX,
    Feature.VERSION_1,
)
"""What the suite's driver accepts; not PAGE_POISON, under which free pages must be filled first."""

QUEUE_SIZE = 128
"""Entries of a queue, if nothing is said about it and the device has room for them."""

POISON_AT = config.field_offset("poison_val")


class Life(Watched):
    """A watched target that can be started and reset, any number of times.

    `queue_mode` says how the target numbers its queues.  Into `unwatched` a case puts queues whose
    chains the driver does not know.
    """

    def __init__(self, *watched: Any, queue_mode: QueueMode) -> None:
        super().__init__(*watched)
        self.queue_mode = queue_mode
        self._tickets = count()
        self._driver: Driver | None = None
        self.unwatched: set[Queue] = set()
        self._reset = False
        self._in_packed_life = False

    @property
    def driver(self) -> Driver:
        """The driver of the device as it was last started."""
        if self._driver is None:
            raise RuntimeError("the case has not started the device")
        return self._driver

    @property
    def packed(self) -> bool:
        """Whether rings are packed: in all of the case, or in the device's life under way."""
        return super().packed or self._in_packed_life

    def start(
        self,
        *,
        accept: Features | None = None,
        without: Iterable[Feature] = (),
        queue_size: int | None = None,
        poison: int | None = None,
        live: bool = True,
        begin: int = 0,
    ) -> Driver:
        """Initialise the device as a sound driver does and return the driver.

        By default every offered feature in `DEFAULT` is accepted, less `without`; and RING_PACKED
        whenever the case runs with packed rings.  A case that accepts it has them in this life.
        Queues have at most `queue_size` entries; a case that names a size is not applicable where
        there is no choosing it.  `poison` is written to poison_val, for which PAGE_POISON is
        accepted too.  With `live` false DRIVER_OK is left out.  Split queues go on from the index
        `begin`, where the target can be told that.
        """
        if queue_size is not None:
            self.need(Capability.CHOOSES_QUEUE_SIZES)
        if poison is not None:
            self.need(Capability.SHOWS_CONFIG)
        wanted = accept
        if wanted is None:
            wanted = DEFAULT if poison is None else DEFAULT | Features.of(Feature.PAGE_POISON)
        self._in_packed_life = Feature.RING_PACKED in wanted & self.offered
        if self.packed:
            wanted |= Features.of(Feature.RING_PACKED)
        wish = Wish(
            features=wanted - Features.of(*without),
            mode=self.queue_mode,
            queue_size=queue_size or QUEUE_SIZE,
            legacy=self.transport.legacy,
            config=() if poison is None else ((POISON_AT, poison.to_bytes(4, "little")),),
        )
        arena = Arena(self.structures)

        try:
            negotiated = execute(
                self.transport,
                initialise(wish, partial(self.lay_out, arena, begin=begin), live=False),
                self.recorder.emit,
            )
        except InitialisationError as error:
            if error.step is Stage.NEGOTIATE and self._requires_must_tell_host(wish):
                why = "the device refuses a driver without MUST_TELL_HOST, as it may"
                raise NotApplicable(why) from error
            raise fail(
                STEP_REQUIREMENT[error.step], expected="the device to come up", seen=str(error)
            ) from error
        self._driver = Driver(self.memory, negotiated, arena, self.recorder.emit, self._tickets)
        self._reset = False
        if begin:
            for ring in self._driver.rings.values():
                as_begun(ring, begin)
        for set_up in negotiated.queues.values():
            self.memory.release(set_up.layout.device_written)
            if self.packed:
                self.shared.append(set_up.layout.descriptor_span)
        if live:
            self.go_live()
        return self._driver

    def _requires_must_tell_host(self, refused: Wish) -> bool:
        """Whether the device comes up if that is accepted too (VIRTIO 1.4, 5.5.3 Feature bits)."""
        more = Features.of(Feature.MUST_TELL_HOST) & self.offered
        if not more - refused.features:
            return False
        wish = replace(refused, features=refused.features | more)
        lay_out = partial(self.lay_out, Arena(self.structures))
        try:
            execute(self.transport, initialise(wish, lay_out, live=False), self.recorder.emit)
        except InitialisationError:
            return False
        return True

    def lay_out(self, arena: Arena, size: int, begin: int = 0) -> Layout:
        """Take room for a queue, laid out as this interface wants it.

        One that does not begin at 0 looks as if it had run before the device hears of it.
        """
        align = PAGE if self.transport.legacy else vring.USED_RING_ALIGN
        room = SplitLayout.at(0, size, used_align=align).end
        layout = SplitLayout.at(arena.take(room, PAGE).start, size, used_align=align)
        if begin:
            self.need(Capability.BEGINS_ANYWHERE)
            as_begun(driver_ring(self.memory, layout, event_idx=False), begin)
            for index in range(len(Queue)):
                self.transport.begin_queue_at(index, begin)
        return in_format(layout, packed=self.packed)

    def go_live(self) -> None:
        """Write DRIVER_OK."""
        status = int(self.transport.read_status())
        perform(self.transport, WriteStatus(status | DeviceStatus.DRIVER_OK), self.recorder.emit)

    def write_poison(self, value: int) -> None:
        """Write poison_val."""
        access = WriteConfig(POISON_AT, value.to_bytes(4, "little"))
        perform(self.transport, access, self.recorder.emit)

    def reset(self) -> None:
        """Reset the device and wait until it says that it is done."""
        self.look_over()  # the next life writes over what this one left
        self._reset = True  # what the old rings still hold is nobody's any more
        perform(self.transport, WriteStatus(0), self.recorder.emit)
        if not self._shows_zero():
            raise fail(
                "virtio.device.status-zero-after-reset",
                expected=f"status 0 within {self.limits.patience} s and {RESET_READS} reads",
                seen=repr(self.transport.read_status()),
            )
        self.status()

    def _shows_zero(self) -> bool:
        read = self.transport.read_status
        if self.transport.wait(lambda: read() == 0, self.limits.patience):
            return True
        return any(read() == 0 for _ in range(RESET_READS))  # a device without a time of its own

    @property
    def _keeps_poison(self) -> bool:
        return Feature.PAGE_POISON in self.driver.negotiated.accepted


def as_begun(ring: DriverRing, index: int) -> None:
    """Let an empty split queue stand where one does that was used up to an index."""
    if isinstance(ring, SplitDriverQueue):
        ring.begin_at(index)
